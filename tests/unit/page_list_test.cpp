// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "page_list.hpp"
#include "tests/unit/core_fixture.hpp"

#include <numeric>
#include <vector>

namespace optee {
namespace {

constexpr std::uint64_t list_at = 50;  // page lists of the guest begin here
constexpr std::uint64_t data_at = 100; // and the pages that they name here
constexpr std::uint32_t per_page = abi::PageListPage::entries;
constexpr std::uint32_t unlimited = ~0U;

class PageListTest : public CoreTest {
protected:
    using CoreTest::CoreTest;
    ~PageListTest() override
    {
        release_all();
        EXPECT_TRUE(nothing_is_held());
    }

    /// Names of `n` pages of the guest, one behind the other.
    std::vector<std::uint64_t> data(std::uint32_t n) const
    {
        std::vector<std::uint64_t> pages;
        for (std::uint32_t i = 0; i != n; ++i)
            pages.push_back(ram(data_at + i).raw());
        return pages;
    }
    Result<Progress> translate_at_once(Ipa list, std::uint32_t n)
    {
        Budget budget{unlimited};
        return GuestPageList{list, PageCount{n}}.translate(vm_, shadow_, budget);
    }
    /// In as many entries as it takes; how many those were.
    std::uint32_t translate_in_entries(Ipa list, std::uint32_t n, std::uint32_t units)
    {
        GuestPageList guest{list, PageCount{n}};
        for (std::uint32_t entries = 1;; ++entries) {
            next_entry();
            Budget budget{units};
            auto const progress = guest.translate(vm_, shadow_, budget);
            EXPECT_TRUE(progress.ok());
            if (!progress.ok() || progress.get() == Progress::done)
                return entries;
        }
    }
    void release_all()
    {
        Budget budget{unlimited};
        while (shadow_.release(vm_, budget) == Progress::preempted) {
        }
    }
    /// What OP-TEE would read.
    std::vector<std::uint64_t> shadow_entries(std::uint32_t n) const
    {
        std::vector<std::uint64_t> entries;
        for (auto page = shadow_.first_page().raw(); entries.size() != n;) {
            auto const list = read_page_of_ours<abi::PageListPage>(Pa::from_raw(page));
            auto const here = std::min<std::size_t>(n - entries.size(), per_page);
            entries.insert(entries.end(), list.page, list.page + here);
            for (auto rest = here; rest != per_page; ++rest)
                EXPECT_EQ(list.page[rest], 0u) << "residue behind the list";
            EXPECT_EQ(list.next == 0, entries.size() == n);
            page = list.next;
        }
        return entries;
    }
    void expect_translated(std::vector<std::uint64_t> const& pages)
    {
        auto const n = static_cast<std::uint32_t>(pages.size());
        ASSERT_EQ(shadow_.pinned(), PageCount{n});
        EXPECT_EQ(guest_.pins(), n);
        auto const entries = shadow_entries(n);
        for (std::uint32_t i = 0; i != n; ++i)
            ASSERT_EQ(entries[i], pa_of(Ipa::from_raw(pages[i])).raw()) << i;
    }

    ShadowPageList shadow_;
};

class APageList : public PageListTest, public testing::WithParamInterface<sim::Placement> {
protected:
    APageList() : PageListTest{GetParam()} {}
};
INSTANTIATE_TEST_SUITE_P(Memory,
                         APageList,
                         testing::Values(sim::Placement::scattered, sim::Placement::contiguous),
                         [](auto const& place) {
                             return place.param == sim::Placement::scattered ? "IsScattered" : "IsContiguous";
                         });

TEST_P(APageList, OfAnyLengthBecomesOneOfPhysicalAddresses)
{
    for (auto const n : {1U, 2U, 31U, 32U, 33U, 510U, 511U, 512U, 1021U, 1022U, 1023U, 1534U}) {
        next_entry();
        auto const pages = data(n);
        auto const list = write_list(list_at, pages);
        auto const progress = translate_at_once(list, n);
        ASSERT_TRUE(progress.ok()) << n;
        EXPECT_EQ(progress.get(), Progress::done) << n;
        expect_translated(pages);
        EXPECT_EQ(guest_.mediator_pages(), (n + per_page - 1) / per_page) << n;
        release_all();
        EXPECT_TRUE(nothing_is_held()) << n;
    }
}

TEST_P(APageList, IsTheSameHoweverOftenItIsInterrupted)
{
    auto const pages = data(1023);
    auto const list = write_list(list_at, pages);
    machine_.preempt(sim::Preemption::always());
    // Portions of 32 entries, which end at the end of a page of the list: 16 for each full page, 1 for the last entry.
    EXPECT_EQ(translate_in_entries(list, 1023, unlimited), 33u);
    machine_.preempt(sim::Preemption::never());
    end_entry();
    EXPECT_LE(machine_.largest_entry().pins, 33u); // 32 of the data, and the page of the list while it is read
    begin_entry();
    expect_translated(pages);
}

TEST_P(APageList, IsReadNoFurtherThanTheBudgetGoes)
{
    auto const pages = data(300);
    auto const list = write_list(list_at, pages);
    EXPECT_EQ(translate_in_entries(list, 300, 64), 5u);
    expect_translated(pages);
}

TEST_P(APageList, IsReleasedInSteps)
{
    ASSERT_TRUE(translate_at_once(write_list(list_at, data(1500)), 1500).ok());
    machine_.preempt(sim::Preemption::always());
    std::uint32_t steps = 0;
    for (auto progress = Progress::preempted; progress == Progress::preempted; ++steps) {
        auto const before = guest_.pins();
        Budget budget{unlimited};
        progress = shadow_.release(vm_, budget);
        EXPECT_LT(guest_.pins(), before);
        EXPECT_LE(before - guest_.pins(), 128u);
        EXPECT_EQ(shadow_.pinned().count(), guest_.pins());
    }
    machine_.preempt(sim::Preemption::never());
    EXPECT_EQ(steps, 4u + 4u + 4u);
    EXPECT_TRUE(nothing_is_held());
}

TEST_P(APageList, MayNameAPageManyTimes)
{
    std::vector<std::uint64_t> const pages(129, ram(data_at).raw());
    ASSERT_TRUE(translate_at_once(write_list(list_at, pages), 129).ok());
    EXPECT_EQ(pins_of(ram(data_at)), 129u);
    release_all();
    EXPECT_EQ(pins_of(ram(data_at)), 0u);
}

TEST_P(APageList, MayNameItself)
{
    std::vector<std::uint64_t> const pages{ram(list_at).raw(), ram(data_at).raw(), ram(list_at).raw()};
    ASSERT_TRUE(translate_at_once(write_list(list_at, pages), 3).ok());
    expect_translated(pages);
    EXPECT_EQ(pins_of(ram(list_at)), 2u); // not one more for having been read
}

TEST_P(APageList, ThatIsARingIsReadAsOftenAsItIsAskedFor)
{
    write_list(list_at, data(per_page));
    poke(ram(list_at).plus(per_page * 8), ram(list_at).raw());
    EXPECT_GT(translate_in_entries(ram(list_at), 2 * per_page + 10, 64), 1u);
    EXPECT_EQ(guest_.pins(), 2 * per_page + 10);
    EXPECT_EQ(pins_of(ram(data_at)), 3u);
    EXPECT_EQ(pins_of(ram(data_at + 10)), 2u);
}

TEST_P(APageList, ThatEndsWithItsPageNeedsNoNextPage)
{
    write_list(list_at, data(per_page));
    poke(ram(list_at).plus(per_page * 8), std::uint64_t{1}); // nonsense that nobody is to read
    EXPECT_TRUE(translate_at_once(ram(list_at), per_page).ok());
}

TEST_P(APageList, IsRefusedForABadEntryAnywhere)
{
    guest_.balloon_out(to_c(ram(2)));
    guest_.write_protect(to_c(ram(3)));
    guest_.map_mmio(to_c(ram(4)));
    constexpr std::uint32_t n = 600;
    auto const bad_pages = {std::uint64_t{0},
                            std::uint64_t{4095},
                            ram(1).raw() + 8,
                            ram(2).raw(),
                            ram(3).raw(),
                            ram(4).raw(),
                            ram(ram_pages).raw(),
                            ~std::uint64_t{4095},
                            ~std::uint64_t{0}};
    for (auto const at : {0U, 1U, 31U, 32U, 300U, 510U, 511U, n - 1}) {
        for (auto const bad : bad_pages) {
            next_entry();
            auto pages = data(n);
            pages[at] = bad;
            auto const progress = translate_at_once(write_list(list_at, pages), n);
            ASSERT_FALSE(progress.ok()) << at << " " << bad;
            EXPECT_EQ(progress.error(), Error::bad_parameters);
            EXPECT_LE(guest_.pins(), at);
            EXPECT_EQ(shadow_.pinned().count(), guest_.pins());
            release_all();
            EXPECT_TRUE(nothing_is_held()) << at << " " << bad;
        }
    }
}

TEST_P(APageList, IsRefusedForTheNullPageAlsoWhereTheVmHasRamThere)
{
    ASSERT_TRUE(guest_.populate(to_c(Ipa::from_raw(0))));
    for (std::uint32_t at = 0; at != 3; ++at) {
        next_entry();
        auto pages = data(3);
        pages[at] = 0;
        EXPECT_EQ(translate_at_once(write_list(list_at, pages), 3).error(), Error::bad_parameters) << at;
    }
}

TEST_P(APageList, IsRefusedForARunThatGoesOverTheEndOfTheSpaceIntoTheNullPage)
{
    std::vector<std::uint64_t> const pages{~std::uint64_t{4095}, 0, 4096};
    EXPECT_EQ(translate_at_once(write_list(list_at, pages), 3).error(), Error::bad_parameters);
}

TEST_P(APageList, IsRefusedForABadNextPage)
{
    for (auto const next : {std::uint64_t{0}, ram(list_at + 1).raw() + 8, ram(ram_pages).raw(), ~std::uint64_t{0}}) {
        next_entry();
        write_list(list_at, data(600));
        poke(ram(list_at).plus(per_page * 8), next);
        auto const progress = translate_at_once(ram(list_at), 600);
        ASSERT_FALSE(progress.ok());
        EXPECT_EQ(progress.error(), Error::bad_parameters);
        release_all();
        EXPECT_TRUE(nothing_is_held());
    }
}

TEST_P(APageList, IsRefusedWhenItsPageGoesAwayInTheMiddle)
{
    GuestPageList list{write_list(list_at, data(300)), PageCount{300}};
    Budget first{64};
    ASSERT_EQ(list.translate(vm_, shadow_, first).get(), Progress::preempted);
    guest_.balloon_out(to_c(ram(list_at)));
    Budget second{64};
    EXPECT_EQ(list.translate(vm_, shadow_, second).error(), Error::bad_parameters);
    EXPECT_EQ(guest_.pins(), 64u);
}

TEST_P(APageList, LeavesNothingBehindWhenMemoryEndsAtAnyPage)
{
    for (std::uint32_t nth = 0; nth != 3; ++nth) {
        next_entry();
        auto const list = write_list(list_at, data(1023));
        FailingAllocation const failing{machine_, nth};
        auto const progress = translate_at_once(list, 1023);
        ASSERT_FALSE(progress.ok()) << nth;
        EXPECT_EQ(progress.error(), Error::out_of_memory);
        EXPECT_EQ(guest_.pins(), nth * per_page); // what did not fit was unpinned at once
        release_all();
        EXPECT_TRUE(nothing_is_held()) << nth;
    }
}

TEST_P(APageList, IsTheOneThatWasReadEvenIfTheGuestChangesIt)
{
    auto const pages = data(64);
    auto const list = write_list(list_at, pages);
    // Another vCPU exchanges the entries as soon as the first page is looked up to be pinned.
    sim::Once once{sim::Point::look_up, 1, [&](sim::Moment const&) {
                       for (std::uint32_t i = 0; i != 32; ++i)
                           poke(list.plus(i * 8), std::uint64_t{0});
                   }};
    machine_.add(once);
    EXPECT_TRUE(translate_at_once(list, 64).ok());
    machine_.remove(once);
    EXPECT_TRUE(once.happened());
    expect_translated(pages);
}

class APageListOfNeighbours : public PageListTest {
protected:
    APageListOfNeighbours() : PageListTest{sim::Placement::contiguous} {}
};

TEST_F(APageListOfNeighbours, TakesOneLookUpForEachPortion)
{
    ASSERT_TRUE(translate_at_once(write_list(list_at, data(per_page)), per_page).ok());
    end_entry();
    EXPECT_EQ(machine_.largest_entry().look_ups, 2u * 16); // one for the list, one for what it names
    begin_entry();
}

TEST_F(APageListOfNeighbours, IsUnpinnedInRuns)
{
    ASSERT_TRUE(translate_at_once(write_list(list_at, data(per_page)), per_page).ok());
    std::uint32_t calls = 0;
    sim::Watch watch{[&](sim::Moment const& moment) { calls += moment.point == sim::Point::unpin ? 1 : 0; }};
    machine_.add(watch);
    release_all();
    machine_.remove(watch);
    EXPECT_EQ(calls, 4u);
}

TEST_F(APageListOfNeighbours, TakesARunThatIsLongerThanAPageOfTheList)
{
    auto const run = pin_run(vm_, ram(data_at), PageCount{1200});
    ASSERT_TRUE(run.ok());
    ASSERT_TRUE(shadow_.append(vm_, run.get()).ok());
    expect_translated(data(1200));
}

TEST_F(APageListOfNeighbours, UnpinsWhatDoesNotFitOfARun)
{
    auto const run = pin_run(vm_, ram(data_at), PageCount{1200});
    ASSERT_TRUE(run.ok());
    FailingAllocation const failing{machine_, 1};
    EXPECT_EQ(shadow_.append(vm_, run.get()).error(), Error::out_of_memory);
    EXPECT_EQ(guest_.pins(), per_page);
    EXPECT_EQ(pins_of(ram(data_at)), 1u);
    EXPECT_EQ(pins_of(ram(data_at + per_page)), 0u);
}

TEST_F(APageListOfNeighbours, CanBeFilledAgainAfterItWasReleased)
{
    for (int i = 0; i != 3; ++i) {
        next_entry();
        auto const pages = data(513);
        ASSERT_TRUE(translate_at_once(write_list(list_at, pages), 513).ok());
        expect_translated(pages);
        release_all();
    }
}

TEST_F(APageListOfNeighbours, ThatIsEmptyIsReleasedAtOnce)
{
    Budget budget{1};
    EXPECT_EQ(shadow_.release(vm_, budget), Progress::done);
}

} // namespace
} // namespace optee
