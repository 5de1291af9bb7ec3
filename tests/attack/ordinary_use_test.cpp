// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group O: ordinary use, which shows that the mediator under test stands on the simulator as on a board.

#include "tests/attack/attack.hpp"
#include "tests/attack/ordinary_use.hpp"

namespace sim::attack {
namespace {

/// What must not be broken is named here, so that habits count.
constexpr char const* no_rule = "no rule is broken: I1, I2, I3, I4, I5, I6, I7, I8, I9, I10, I11, I12, I13, I14, I15";

World world_of(LinuxGuest::Options const& driver)
{
    World world;
    world.driver = driver;
    return world;
}

ATTACK(O01, "attacks nobody: two VMs use all that OP-TEE offers", "every step succeeds", Schedules::all)
{
    for (auto const& driver : ordinary_drivers) {
        boot(world_of(driver));
        EXPECT_EQ(use_as_linux_does(guest(0)), "");
        EXPECT_EQ(use_as_linux_does(guest(1)), "");
    }
}

ATTACK(O02, "attacks nobody, and is watched closely", no_rule, Schedules::all)
{
    for (auto const& driver : ordinary_drivers) {
        boot(world_of(driver));
        EXPECT_EQ(use_as_linux_does(guest(0)), "");
        stop_in_the_middle(guest(0));
        EXPECT_TRUE(machine().invariants_hold()) << machine().violations();
    }
}

TEST(OrdinaryUse, RulesAreKnownByTheirWholeName)
{
    EXPECT_TRUE(names("I1", Invariant::i1));
    EXPECT_TRUE(names("refused; I9, I10", Invariant::i9));
    EXPECT_TRUE(names("refused; I9, I10", Invariant::i10));
    EXPECT_FALSE(names("refused; I9, I10", Invariant::i1));
    EXPECT_FALSE(names("API9", Invariant::i9));
    EXPECT_FALSE(names("", Invariant::i9));
}

} // namespace
} // namespace sim::attack
