// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Two vCPUs of one VM, each operation against each, in every schedule of one preemption. What takes longer than a test
// may: ./check --schedules.

#include "sim/schedule/exploration.hpp"
#include "sim/schedule/priorities.hpp"
#include "tests/schedule/operations.hpp"

#include <gtest/gtest.h>
#include <tuple>

namespace sim::schedule {
namespace {

constexpr std::uint32_t preemptions = 1;

class OfTwoVcpus : public testing::TestWithParam<std::tuple<Operation, bool>> {};

/// What an operation needs before it, to be more than nothing.
Script script_of(Operation operation)
{
    if (operation == Operation::resume)
        return {Operation::begin, operation};
    return {operation};
}

TEST_P(OfTwoVcpus, EveryScheduleWithEveryOtherOperationEndsWell)
{
    auto const [operation, uses_rpc_arguments] = GetParam();
    Scheduler scheduler{2};
    for (auto const other : all_operations()) {
        if (other < operation)
            continue;
        auto const plan = pair_of(script_of(operation), script_of(other), uses_rpc_arguments);
        Exploration exploration{preemptions};
        while (exploration.next()) {
            World world{plan};
            auto const replay = text_of(plan) + "/" + text_of(exploration.path());
            auto const outcome = scheduler.run(world.machine(), exploration, world.bodies(), replay);
            auto const wrong = world.verdict(outcome);
            ASSERT_EQ(wrong, "") << "./check --schedules --replay " << replay;
        }
        EXPECT_GT(exploration.explored(), 1u);
    }
}

std::string name_of_case(testing::TestParamInfo<std::tuple<Operation, bool>> const& info)
{
    auto const& [operation, uses_rpc_arguments] = info.param;
    return std::string{name_of(operation)} + (uses_rpc_arguments ? "_rpc_arg" : "");
}

INSTANTIATE_TEST_SUITE_P(Each,
                         OfTwoVcpus,
                         testing::Combine(testing::ValuesIn(all_operations()), testing::Bool()),
                         name_of_case);

TEST(APairOfScripts, IsReadAsItIsWritten)
{
    for (auto const* text : {"use.remove+call", "rpc_arg:begin.resume+cancel"}) {
        auto const plan = pair_from(text);
        ASSERT_TRUE(plan.has_value()) << text;
        EXPECT_EQ(text_of(*plan), text);
    }
    for (auto const* text : {"rpc_arg:call", "rpc:call+call", "call+rpc_arg:call", "call+"})
        EXPECT_FALSE(pair_from(text).has_value()) << text;
}

TEST(OfThreeVms, WithFourVcpusEachSchedulesByChanceEndWell)
{
    constexpr std::uint32_t vms = 3;
    constexpr std::uint32_t vcpus = 4;
    Scheduler scheduler{vms * vcpus};
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        World world{random_plan(seed, vms, vcpus)};
        RandomPriorities strategy{seed, 3};
        auto const outcome = scheduler.run(world.machine(), strategy, world.bodies());
        auto const wrong = world.verdict(outcome);
        ASSERT_EQ(wrong, "") << "./check --schedules --replay random:" << seed;
    }
}

} // namespace
} // namespace sim::schedule
