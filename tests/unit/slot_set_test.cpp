// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "base/slot_set.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

namespace optee {
namespace {

TEST(ASlotSet, GivesTheLowestFreeNumber)
{
    SlotSet<64> set;
    for (std::uint32_t i = 0; i != 64; ++i)
        EXPECT_EQ(set.take_any(64), i);
    EXPECT_EQ(set.take_any(64), std::nullopt);
    set.give_back(40);
    set.give_back(7);
    EXPECT_EQ(set.take_any(64), 7u);
    EXPECT_EQ(set.take_any(64), 40u);
}

TEST(ASlotSet, GivesNothingFromTheEndOn)
{
    for (std::uint32_t const end : {0U, 1U, 31U, 32U, 33U, 95U, 96U}) {
        SlotSet<96> set;
        for (std::uint32_t i = 0; i != end; ++i)
            ASSERT_EQ(set.take_any(end), i) << end;
        EXPECT_EQ(set.take_any(end), std::nullopt) << end;
    }
}

TEST(ASlotSet, GivesANumberToOneOnly)
{
    SlotSet<32> set;
    EXPECT_TRUE(set.take(31));
    EXPECT_FALSE(set.take(31));
    EXPECT_TRUE(set.take(30));
    set.give_back(31);
    EXPECT_TRUE(set.take(31));
}

TEST(ASlotSet, DoesNotKnowNumbersBeyondItsCapacity)
{
    SlotSet<256> set;
    EXPECT_TRUE(set.take(255));
    EXPECT_FALSE(set.take(256));
    EXPECT_FALSE(set.take(~0U));
    EXPECT_FALSE(set.take(1U << 31));
}

TEST(ASlotSet, KeepsWhatWasTakenByNumberFromThoseWhoTakeAny)
{
    SlotSet<32> set;
    ASSERT_TRUE(set.take(0));
    ASSERT_TRUE(set.take(2));
    EXPECT_EQ(set.take_any(32), 1u);
    EXPECT_EQ(set.take_any(32), 3u);
}

TEST(ASlotSet, NeverGivesOneNumberToTwoCpus)
{
    constexpr std::uint32_t numbers = 3;
    SlotSet<32> set;
    std::array<int, numbers> owner_writes{}; // not atomic: two owners at once would be a data race
    std::atomic<int> doubles{0};
    std::array<std::atomic<bool>, numbers> taken{};
    std::vector<std::thread> cpus;
    for (int cpu = 0; cpu != 4; ++cpu) {
        cpus.emplace_back([&] {
            for (int round = 0; round != 2000;) {
                auto const number = set.take_any(numbers);
                if (!number) {
                    std::this_thread::yield();
                    continue;
                }
                if (taken[*number].exchange(true))
                    ++doubles;
                ++owner_writes[*number];
                taken[*number] = false;
                set.give_back(*number);
                ++round;
            }
        });
    }
    for (auto& cpu : cpus)
        cpu.join();
    EXPECT_EQ(doubles, 0);
    EXPECT_EQ(owner_writes[0] + owner_writes[1] + owner_writes[2], 4 * 2000);
}

} // namespace
} // namespace optee
