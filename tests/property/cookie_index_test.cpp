// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// The index of cookies against std::map, with names as a driver and as an attacker would choose them.

#include "cookie_index.hpp"
#include "tests/unit/cookies.hpp"
#include "tests/unit/core_fixture.hpp"

#include <map>
#include <random>
#include <vector>

namespace optee {
namespace {

class ACookieIndex : public CoreTest, public testing::WithParamInterface<std::uint64_t> {
protected:
    /// One of not too many names, so that they meet again.
    Cookie any_cookie()
    {
        auto const few = random_() % 40;
        switch (random_() % 5) {
        case 0:  return Cookie{few + 1};
        case 1:  return Cookie{0xffff'8000'1000'0000 + few * 0x80}; // as Linux has them
        case 2:  return Cookie{std::uint64_t{1} << (few % 64)};
        case 3:  return cookie_with_key(few << 56 | 0x00ab'cdef'0123'4567);           // alike in fourteen digits
        default: return cookie_with_key((few % 16) << (4 * (random_() % 16)) | 0x1); // alike in any number of them
        }
    }
    void insert(Cookie cookie)
    {
        auto const cell = pool_.allocate(vm_);
        if (!cell.ok())
            return;
        *Mapped<Cookie>{cell.get().pa()} = cookie;
        auto const inserted = index_.insert(vm_, pool_, cookie, cell.get());
        if (inserted.ok()) {
            ASSERT_TRUE(model_.emplace(cookie, cell.get()).second) << "one name twice";
        } else {
            ASSERT_TRUE(model_.count(cookie) != 0 || inserted.error() == Error::out_of_memory);
            pool_.free(vm_, cell.get());
        }
    }
    void erase(Cookie cookie)
    {
        auto const place = model_.find(cookie);
        if (place == model_.end())
            return;
        index_.erase(vm_, pool_, cookie);
        pool_.free(vm_, place->second);
        model_.erase(place);
    }
    void expect_the_same()
    {
        for (auto const& [cookie, cell] : model_)
            ASSERT_EQ(index_.find(cookie), cell);
        for (int i = 0; i != 20; ++i) {
            auto const cookie = any_cookie();
            ASSERT_EQ(index_.find(cookie).has_value(), model_.count(cookie) != 0);
        }
        ASSERT_EQ(index_.any().has_value(), !model_.empty());
    }

    std::mt19937_64 random_{GetParam()};
    CellPool pool_;
    CookieIndex index_;
    std::map<Cookie, CellRef> model_;
};
INSTANTIATE_TEST_SUITE_P(Seed, ACookieIndex, testing::Range(std::uint64_t{1}, std::uint64_t{9}));

TEST_P(ACookieIndex, IsAMap)
{
    for (int round = 0; round != 1500; ++round) {
        // Grows, shrinks, and grows again.
        if (random_() % 10 < (round / 300 % 2 == 0 ? 7U : 3U)) {
            insert(any_cookie());
        } else {
            erase(any_cookie());
        }
        if (round % 25 == 0)
            expect_the_same();
        if (HasFatalFailure())
            return;
    }
    while (!model_.empty())
        erase(model_.begin()->first);
    expect_the_same();
    pool_.trim(vm_);
    EXPECT_TRUE(nothing_is_held());
}

/// Every third allocation of a page fails.
class EveryThird : public sim::Observer {
public:
    bool fails(sim::Moment const& moment) override
    {
        return moment.point == sim::Point::allocate_page && ++attempts_ % 3 == 0;
    }

private:
    int attempts_ = 0;
};

TEST_P(ACookieIndex, IsAMapAlsoWhenMemoryEndsNowAndThen)
{
    EveryThird failing;
    machine_.add(failing);
    for (int round = 0; round != 1500 && !HasFatalFailure(); ++round) {
        if (random_() % 10 < (round / 100 % 2 == 0 ? 8U : 2U)) {
            insert(any_cookie());
        } else {
            erase(any_cookie());
        }
        if (round % 25 == 0)
            expect_the_same();
    }
    machine_.remove(failing);
    while (!model_.empty())
        erase(model_.begin()->first);
    pool_.trim(vm_);
    EXPECT_TRUE(nothing_is_held());
}

} // namespace
} // namespace optee
