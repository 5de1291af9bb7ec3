// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "statistics.hpp"

#include <gtest/gtest.h>
#include <limits>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace optee {
namespace {

TEST(ACounter, HasANameOfItsOwn)
{
    std::set<std::string> names;
    for (std::uint32_t i = 0; i != counter_count; ++i) {
        auto const* const name = counter_name(static_cast<Counter>(i));
        ASSERT_NE(name, nullptr) << i;
        EXPECT_TRUE(names.insert(name).second) << name;
        EXPECT_EQ(std::string{name}.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string::npos) << name;
    }
}

TEST(ACounter, BeyondTheLastHasNoName)
{
    EXPECT_EQ(counter_name(Counter::end), nullptr);
    EXPECT_EQ(counter_name(static_cast<Counter>(counter_count + 1)), nullptr);
    EXPECT_EQ(counter_name(static_cast<Counter>(~0U)), nullptr);
}

TEST(ACounter, CountsForItself)
{
    Statistics statistics;
    statistics.add(Counter::smcs);
    statistics.add(Counter::smcs, 10);
    statistics.subtract(Counter::smcs, 2);
    statistics.subtract(Counter::smcs);
    for (std::uint32_t i = 0; i != counter_count; ++i) {
        auto const counter = static_cast<Counter>(i);
        EXPECT_EQ(statistics.value(counter), counter == Counter::smcs ? 8u : 0u);
    }
}

TEST(AQuota, IsReachedExactly)
{
    Statistics statistics;
    EXPECT_TRUE(statistics.add_within(Counter::pages_live, 7, 10));
    EXPECT_FALSE(statistics.add_within(Counter::pages_live, 4, 10));
    EXPECT_TRUE(statistics.add_within(Counter::pages_live, 3, 10));
    EXPECT_FALSE(statistics.add_within(Counter::pages_live, 1, 10));
    EXPECT_TRUE(statistics.add_within(Counter::pages_live, 0, 10));
    EXPECT_EQ(statistics.value(Counter::pages_live), 10u);
}

TEST(AQuota, IsNotPassedByAmountsThatWrapAround)
{
    constexpr auto all = std::numeric_limits<std::uint64_t>::max();
    Statistics statistics;
    ASSERT_TRUE(statistics.add_within(Counter::pages_live, 5, 10));
    EXPECT_FALSE(statistics.add_within(Counter::pages_live, all, 10));
    EXPECT_FALSE(statistics.add_within(Counter::pages_live, all - 4, 10));
    EXPECT_TRUE(statistics.add_within(Counter::pages_live, all - 5, all));
    EXPECT_EQ(statistics.value(Counter::pages_live), all);
}

TEST(AQuota, ThatWasLoweredRefusesUntilEnoughIsGivenBack)
{
    Statistics statistics;
    ASSERT_TRUE(statistics.add_within(Counter::buffers_live, 5, 5));
    EXPECT_FALSE(statistics.add_within(Counter::buffers_live, 1, 2));
    EXPECT_FALSE(statistics.add_within(Counter::buffers_live, 0, 2));
    statistics.subtract(Counter::buffers_live, 4);
    EXPECT_TRUE(statistics.add_within(Counter::buffers_live, 1, 2));
}

TEST(AQuota, IsNeverExceededByCpusThatRace)
{
    constexpr std::uint64_t limit = 5;
    Statistics statistics;
    std::atomic<std::uint64_t> most{0};
    std::vector<std::thread> cpus;
    for (int cpu = 0; cpu != 4; ++cpu) {
        cpus.emplace_back([&] {
            for (int i = 0; i != 5000; ++i) {
                if (!statistics.add_within(Counter::buffers_live, 2, limit))
                    continue;
                auto const seen = statistics.value(Counter::buffers_live);
                for (auto before = most.load(); before < seen && !most.compare_exchange_weak(before, seen);) {
                }
                statistics.subtract(Counter::buffers_live, 2);
            }
        });
    }
    for (auto& cpu : cpus)
        cpu.join();
    EXPECT_LE(most, limit);
    EXPECT_GE(most, 2u);
    EXPECT_EQ(statistics.value(Counter::buffers_live), 0u);
}

} // namespace
} // namespace optee
