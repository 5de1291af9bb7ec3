// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "guest_memory.hpp"
#include "tests/unit/core_fixture.hpp"

#include <array>

namespace optee {
namespace {

class AGuestPage : public CoreTest {
protected:
    struct Pair {
        std::uint32_t a;
        std::uint32_t b;
    };
};

TEST_F(AGuestPage, IsPinnedWhileItIsUsed)
{
    {
        auto const page = GuestWindow::acquire(vm_, ram(3));
        ASSERT_TRUE(page.ok());
        EXPECT_EQ(pins_of(ram(3)), 1u);
    }
    EXPECT_EQ(pins_of(ram(3)), 0u);
}

TEST_F(AGuestPage, IsReadWhereTheOffsetSays)
{
    poke(ram(3).plus(4088u), Pair{1, 2});
    auto const page = GuestWindow::acquire(vm_, ram(3)).take();
    auto const pair = page.read<Pair>(4088);
    EXPECT_EQ(pair.a, 1u);
    EXPECT_EQ(pair.b, 2u);
}

TEST_F(AGuestPage, IsReadIntoAsManyPlacesAsThereAre)
{
    for (std::uint32_t i = 0; i != 5; ++i)
        poke(ram(3).plus(64 + i * 8), std::uint64_t{100} + i);
    std::array<std::uint64_t, 6> values{};
    auto const page = GuestWindow::acquire(vm_, ram(3)).take();
    page.read(64, std::span{values}.first(5));
    EXPECT_EQ(values, (std::array<std::uint64_t, 6>{100, 101, 102, 103, 104, 0}));
}

TEST_F(AGuestPage, IsWrittenWhereTheOffsetSaysAndNowhereElse)
{
    auto const page = GuestWindow::acquire(vm_, ram(3)).take();
    page.write(16, Pair{7, 8});
    EXPECT_EQ(peek<std::uint32_t>(ram(3).plus(12u)), 0u);
    EXPECT_EQ(peek<std::uint32_t>(ram(3).plus(16u)), 7u);
    EXPECT_EQ(peek<std::uint32_t>(ram(3).plus(20u)), 8u);
    EXPECT_EQ(peek<std::uint32_t>(ram(3).plus(24u)), 0u);
}

TEST_F(AGuestPage, IsReadAndWrittenFromAPlaceInItOn)
{
    poke(ram(3).plus(104u), Pair{1, 2});
    auto const window = GuestWindow::acquire(vm_, GuestPlace::in_page(ram(3)).behind(96)).take();
    EXPECT_EQ(window.room(), page_bytes - 96);
    EXPECT_EQ(window.read<Pair>(8).b, 2u);
    window.write(16, Pair{7, 8});
    EXPECT_EQ(peek<Pair>(ram(3).plus(112u)).a, 7u);
}

TEST_F(AGuestPage, ThatIsPinnedAlreadyIsNotLookedUp)
{
    auto const pin = PinnedPage::pin(vm_, ram(3)).take();
    guest_.unmap(to_c(ram(3)));
    auto const place = GuestPlace::in_pinned({pin.pa(), pin.pa()}, 64, 1000);
    auto const window = GuestWindow::acquire(vm_, place).take();
    EXPECT_EQ(window.room(), 1000u);
    EXPECT_EQ(machine_.memory().frame(pin.pa().raw())->pins.load(), 1u);
    window.write(8, Pair{7, 8});
    EXPECT_EQ(read_page_of_ours<Pair>(pin.pa().plus(72u)).b, 8u);
}

TEST_F(AGuestPage, MayBeTheFirstOfTwo)
{
    auto const first = PinnedPage::pin(vm_, ram(3)).take();
    auto const second = PinnedPage::pin(vm_, ram(9)).take();
    auto const place = GuestPlace::in_pinned({first.pa(), second.pa()}, 4088, 128);
    poke(ram(3).plus(4092u), 1U);
    poke(ram(9), 2U);
    poke(ram(9).plus(20u), Pair{3, 4});
    auto const window = GuestWindow::acquire(vm_, place).take();
    EXPECT_EQ(window.read<Pair>(4).a, 1u);
    next_entry();
    EXPECT_EQ(window.read<Pair>(4).b, 2u); // over the end of the page
    EXPECT_EQ(window.read<Pair>(28).b, 4u);
    EXPECT_EQ(GuestWindow::acquire(vm_, place.behind(16)).take().read<Pair>(4).a, 0u);
    window.write(4, Pair{11, 12});
    window.write(12, Pair{13, 14});
    EXPECT_EQ(peek<std::uint32_t>(ram(3).plus(4092u)), 11u);
    EXPECT_EQ(peek<Pair>(ram(9)).a, 12u);
    EXPECT_EQ(peek<Pair>(ram(9)).b, 13u);
}

TEST_F(AGuestPage, StaysTheOneThatWasLookedUp)
{
    auto const page = GuestWindow::acquire(vm_, ram(3)).take();
    guest_.swap(to_c(ram(3)), to_c(ram(4))); // another vCPU, meanwhile
    page.write(0, std::uint32_t{42});
    EXPECT_EQ(peek<std::uint32_t>(ram(3)), 0u);
    EXPECT_EQ(peek<std::uint32_t>(ram(4)), 42u);
}

TEST_F(AGuestPage, StaysWhereItIsWhenTheVmGivesItUp)
{
    {
        auto const page = GuestWindow::acquire(vm_, ram(3)).take();
        EXPECT_TRUE(guest_.balloon_out(to_c(ram(3))));
        page.write(0, std::uint32_t{42});
        EXPECT_EQ(page.read<std::uint32_t>(0), 42u);
    }
    EXPECT_FALSE(GuestWindow::acquire(vm_, ram(3)).ok());
    EXPECT_EQ(guest_.pins(), 0u);
}

TEST_F(AGuestPage, IsRefusedWhenItCannotBeWritten)
{
    guest_.write_protect(to_c(ram(3)));
    auto const refused = GuestWindow::acquire(vm_, ram(3));
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error(), Error::bad_address);
}

} // namespace
} // namespace optee
