// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Two vCPUs of one VM, each operation against each, in every schedule of one preemption. What takes longer than a test
// may: ./check --schedules.

#include "sim/schedule/exploration.hpp"
#include "sim/schedule/priorities.hpp"
#include "tests/schedule/operations.hpp"

#include <gtest/gtest.h>

namespace sim::schedule {
namespace {

constexpr std::uint32_t preemptions = 1;

class OfTwoVcpus : public testing::TestWithParam<Operation> {};

/// What an operation needs before it, to be more than nothing.
Script script_of(Operation operation)
{
    if (operation == Operation::resume)
        return {Operation::begin, operation};
    return {operation};
}

TEST_P(OfTwoVcpus, EveryScheduleWithEveryOtherOperationEndsWell)
{
    Scheduler scheduler{2};
    for (auto const other : all_operations()) {
        if (other < GetParam())
            continue;
        auto const plan = pair_of(script_of(GetParam()), script_of(other));
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

INSTANTIATE_TEST_SUITE_P(Each, OfTwoVcpus, testing::ValuesIn(all_operations()), [](auto const& operation) {
    return std::string{name_of(operation.param)};
});

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
