// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "base/budget.hpp"
#include "tests/unit/core_fixture.hpp"

namespace optee {
namespace {

class ABudget : public CoreTest {};

TEST_F(ABudget, IsSpentWhenItsUnitsAre)
{
    Budget budget{10};
    EXPECT_FALSE(budget.spent_after(4));
    EXPECT_FALSE(budget.spent_after(5));
    EXPECT_TRUE(budget.spent_after(1));
    EXPECT_TRUE(budget.spent_after(0));
}

TEST_F(ABudget, DoesNotWrapAroundWhenMoreIsSpent)
{
    Budget budget{10};
    EXPECT_TRUE(budget.spent_after(~0U));
    EXPECT_TRUE(budget.spent_after(1));
}

TEST_F(ABudget, IsSpentAtOnceWhenTheCpuIsWanted)
{
    machine_.preempt(sim::Preemption::always());
    Budget budget{1000};
    EXPECT_TRUE(budget.spent_after(1));
    machine_.preempt(sim::Preemption::never());
    EXPECT_FALSE(budget.spent_after(1));
}

} // namespace
} // namespace optee
