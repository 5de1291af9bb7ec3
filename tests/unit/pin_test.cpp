// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "pin.hpp"
#include "tests/unit/core_fixture.hpp"

namespace optee {
namespace {

class APin : public CoreTest {};

TEST_F(APin, LastsAsLongAsItsToken)
{
    {
        auto page = PinnedPage::pin(vm_, ram(5));
        ASSERT_TRUE(page.ok());
        EXPECT_EQ(page.get().pa(), pa_of(ram(5)));
        EXPECT_EQ(pins_of(ram(5)), 1u);
    }
    EXPECT_EQ(pins_of(ram(5)), 0u);
}

TEST_F(APin, MovesWithItsToken)
{
    auto first = PinnedPage::pin(vm_, ram(5)).take();
    {
        auto const second = std::move(first);
        EXPECT_EQ(&second.vm(), &vm_);
        EXPECT_EQ(pins_of(ram(5)), 1u);
    }
    EXPECT_EQ(pins_of(ram(5)), 0u);
}

TEST_F(APin, IsCountedForEachToken)
{
    auto const first = PinnedPage::pin(vm_, ram(5)).take();
    auto const second = PinnedPage::pin(vm_, ram(5)).take();
    EXPECT_EQ(pins_of(ram(5)), 2u);
}

TEST_F(APin, IsRefusedForWhatIsNotReadWriteRamOfTheVm)
{
    guest_.balloon_out(to_c(ram(1)));
    guest_.write_protect(to_c(ram(2)));
    guest_.map_mmio(to_c(ram(3)));
    for (std::uint64_t const page : {1U, 2U, 3U}) {
        auto const refused = PinnedPage::pin(vm_, ram(page));
        ASSERT_FALSE(refused.ok()) << page;
        EXPECT_EQ(refused.error(), Error::bad_address); // the same for all: the guest does not learn which
    }
    EXPECT_FALSE(PinnedPage::pin(vm_, ram(ram_pages)).ok());
    EXPECT_FALSE(PinnedPage::pin(vm_, Ipa::from_raw(~std::uint64_t{4095})).ok());
    EXPECT_EQ(guest_.pins(), 0u);
}

TEST_F(APin, IsRefusedForRamAtPa0WhichOpteeTakesForNone)
{
    machine_.memory().give_to_vm(sim::Pa{0}, guest_.index());
    guest_.stage2().map(to_c(ram(7)), {sim::MappingKind::ram, sim::Pa{0}});
    auto const refused = PinnedPage::pin(vm_, ram(7));
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error(), Error::bad_address);
    EXPECT_EQ(guest_.pins(), 0u);
}

class ARunOfPins : public CoreTest {
protected:
    ARunOfPins() : CoreTest{sim::Placement::contiguous} {}
};

TEST_F(ARunOfPins, IsAsLongAsThePagesFollowEachOther)
{
    auto const run = pin_run(vm_, ram(10), PageCount{5});
    ASSERT_TRUE(run.ok());
    EXPECT_EQ(run.get().first, pa_of(ram(10)));
    EXPECT_EQ(run.get().pages, PageCount{5});
    EXPECT_EQ(guest_.pins(), 5u);
    unpin_run(vm_, run.get());
    EXPECT_EQ(guest_.pins(), 0u);
}

TEST_F(ARunOfPins, EndsBeforeAPageThatDoesNotQualify)
{
    guest_.write_protect(to_c(ram(12)));
    auto const run = pin_run(vm_, ram(10), PageCount{5});
    ASSERT_TRUE(run.ok());
    EXPECT_EQ(run.get().pages, PageCount{2});
    unpin_run(vm_, run.get());
    EXPECT_EQ(guest_.pins(), 0u);
}

TEST_F(ARunOfPins, IsGivenBackInAnyPartition)
{
    auto const run = pin_run(vm_, ram(10), PageCount{5});
    ASSERT_TRUE(run.ok());
    unpin_run(vm_, {run.get().first.plus(PageCount{2}), PageCount{3}});
    EXPECT_EQ(pins_of(ram(11)), 1u);
    EXPECT_EQ(pins_of(ram(12)), 0u);
    unpin_run(vm_, {run.get().first, PageCount{2}});
    EXPECT_EQ(guest_.pins(), 0u);
}

} // namespace
} // namespace optee
