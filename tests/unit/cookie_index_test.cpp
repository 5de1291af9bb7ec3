// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "cookie_index.hpp"
#include "tests/unit/cookies.hpp"
#include "tests/unit/core_fixture.hpp"

#include <array>
#include <vector>

namespace optee {
namespace {

class ACookieIndex : public CoreTest {
protected:
    static constexpr std::uint32_t cells_of_a_page = page_bytes / CellPool::cell_bytes - 1;

    Status add(Cookie cookie)
    {
        MEDIATOR_ASSIGN_OR_RETURN(auto const cell, pool_.allocate(vm_));
        *Mapped<Cookie>{cell.pa()} = cookie;
        auto inserted = index_.insert(vm_, pool_, cookie, cell);
        if (!inserted.ok()) {
            pool_.free(vm_, cell);
            return inserted.error();
        }
        return {};
    }
    void remove(Cookie cookie)
    {
        auto const cell = index_.find(cookie);
        ASSERT_TRUE(cell.has_value());
        index_.erase(vm_, pool_, cookie);
        pool_.free(vm_, *cell);
    }
    bool knows(Cookie cookie) const
    {
        auto const cell = index_.find(cookie);
        return cell && read_page_of_ours<Cookie>(cell->pa()) == cookie;
    }
    bool is_empty()
    {
        pool_.trim(vm_);
        return !index_.any() && nothing_is_held();
    }

    CellPool pool_;
    CookieIndex index_;
};

/// Keys that are equal in so many low digits, and then not.
std::vector<Cookie> cookies_alike_in(unsigned digits)
{
    std::vector<Cookie> cookies;
    for (std::uint64_t last = 0; last != 16; ++last)
        cookies.push_back(cookie_with_key((0x0fed'cba9'8765'4321 & ((std::uint64_t{1} << (4 * digits)) - 1)) |
                                          (last << (4 * digits))));
    return cookies;
}

TEST_F(ACookieIndex, FindsWhatWasInsertedAndNothingElse)
{
    EXPECT_FALSE(knows(Cookie{1}));
    ASSERT_TRUE(add(Cookie{1}).ok());
    ASSERT_TRUE(add(Cookie{0xffff'8000'1234'5680}).ok());
    EXPECT_TRUE(knows(Cookie{1}));
    EXPECT_TRUE(knows(Cookie{0xffff'8000'1234'5680}));
    EXPECT_FALSE(index_.find(Cookie{2}).has_value());
    EXPECT_FALSE(index_.find(Cookie::none).has_value());
    remove(Cookie{1});
    EXPECT_FALSE(index_.find(Cookie{1}).has_value());
    EXPECT_TRUE(knows(Cookie{0xffff'8000'1234'5680}));
    remove(Cookie{0xffff'8000'1234'5680});
    EXPECT_TRUE(is_empty());
}

TEST_F(ACookieIndex, RefusesANameThatIsTaken)
{
    ASSERT_TRUE(add(Cookie{5}).ok());
    EXPECT_EQ(add(Cookie{5}).error(), Error::bad_parameters);
    EXPECT_TRUE(knows(Cookie{5}));
    remove(Cookie{5});
    EXPECT_TRUE(add(Cookie{5}).ok());
    remove(Cookie{5});
    EXPECT_TRUE(is_empty());
}

TEST_F(ACookieIndex, TellsNamesApartThatShareAnyNumberOfDigits)
{
    for (unsigned digits = 0; digits != 16; ++digits) {
        auto const cookies = cookies_alike_in(digits);
        for (auto const cookie : cookies)
            ASSERT_TRUE(add(cookie).ok()) << digits;
        for (auto const cookie : cookies)
            EXPECT_TRUE(knows(cookie)) << digits;
        for (auto const cookie : cookies)
            remove(cookie);
        EXPECT_TRUE(is_empty()) << digits;
    }
}

TEST_F(ACookieIndex, IsAsSmallAsBeforeWhenANameIsGone)
{
    auto const alike = cookies_alike_in(15);
    ASSERT_TRUE(add(alike[0]).ok());
    auto const before = guest_.mediator_pages();
    for (int i = 0; i != 100; ++i) {
        ASSERT_TRUE(add(alike[1]).ok());
        remove(alike[1]);
    }
    EXPECT_EQ(guest_.mediator_pages(), before);
    // All cells but the one are free again: so many fit without a new page.
    std::vector<CellRef> rest;
    for (std::uint32_t i = 1; i != cells_of_a_page; ++i)
        rest.push_back(pool_.allocate(vm_).take());
    EXPECT_EQ(guest_.mediator_pages(), before);
    for (auto const cell : rest)
        pool_.free(vm_, cell);
    remove(alike[0]);
    EXPECT_TRUE(is_empty());
}

TEST_F(ACookieIndex, NeverTakesMoreThanSixteenStepsWhateverAGuestChooses)
{
    for (unsigned digits = 0; digits != 16; ++digits)
        for (auto const cookie : cookies_alike_in(digits))
            static_cast<void>(add(cookie)); // some are the same
    std::uint32_t maps = 0;
    sim::Watch watch{[&](sim::Moment const& moment) {
        if (moment.point == sim::Point::map_page)
            ++maps;
    }};
    machine_.add(watch);
    std::uint32_t most = 0;
    for (unsigned digits = 0; digits != 16; ++digits) {
        for (auto const cookie : cookies_alike_in(digits)) {
            maps = 0;
            EXPECT_TRUE(index_.find(cookie).has_value());
            most = std::max(most, maps);
        }
    }
    machine_.remove(watch);
    EXPECT_EQ(most, 16u); // the root has no page of its own: fifteen nodes, and the record
    while (auto const cell = index_.any())
        remove(read_page_of_ours<Cookie>(cell->pa()));
    EXPECT_TRUE(is_empty());
}

TEST_F(ACookieIndex, IsAsItWasWhenThereIsNoMemoryForAnyOfTheNodes)
{
    auto const alike = cookies_alike_in(15); // the second takes fifteen nodes
    for (std::uint32_t room = 0; room <= 15; ++room) {
        ASSERT_TRUE(add(alike[0]).ok());
        auto const added = pool_.allocate(vm_).take();
        *Mapped<Cookie>{added.pa()} = alike[1];
        std::vector<CellRef> filling;
        for (std::uint32_t used = 2; used + room < cells_of_a_page; ++used)
            filling.push_back(pool_.allocate(vm_).take());
        {
            FailingAllocation const failing{machine_, 0};
            auto const inserted = index_.insert(vm_, pool_, alike[1], added);
            EXPECT_EQ(inserted.ok(), room == 15) << room;
            if (!inserted.ok()) {
                EXPECT_EQ(inserted.error(), Error::out_of_memory);
                EXPECT_FALSE(index_.find(alike[1]).has_value());
                for (std::uint32_t i = 0; i != room; ++i) {
                    auto free_again = pool_.allocate(vm_);
                    ASSERT_TRUE(free_again.ok()) << "a node is lost with room for " << room;
                    filling.push_back(free_again.get());
                }
                EXPECT_FALSE(pool_.allocate(vm_).ok());
            } else {
                EXPECT_TRUE(knows(alike[1]));
                index_.erase(vm_, pool_, alike[1]);
            }
        }
        EXPECT_TRUE(knows(alike[0]));
        for (auto const cell : filling)
            pool_.free(vm_, cell);
        pool_.free(vm_, added);
        remove(alike[0]);
        EXPECT_TRUE(is_empty()) << room;
    }
}

TEST_F(ACookieIndex, HasSomeNameWhileThereIsOne)
{
    for (std::uint64_t i = 1; i != 200; ++i)
        ASSERT_TRUE(add(Cookie{i * 0x80}).ok());
    for (int left = 199; left != 0; --left) {
        auto const cell = index_.any();
        ASSERT_TRUE(cell.has_value());
        remove(read_page_of_ours<Cookie>(cell->pa()));
    }
    EXPECT_TRUE(is_empty());
}

TEST_F(ACookieIndex, StopsTheMachineWhenANameIsErasedThatIsNotThere)
{
    ASSERT_TRUE(add(Cookie{1}).ok());
    EXPECT_DEATH(index_.erase(vm_, pool_, cookie_with_key(split_mix(1) ^ 1)), "");
    remove(Cookie{1});
}

} // namespace
} // namespace optee
