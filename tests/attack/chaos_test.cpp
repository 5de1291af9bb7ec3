// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group X: everything at once.

#include "tests/attack/chaos.hpp"

#include <cstdlib>
#include <string>

namespace sim::attack {
namespace {

constexpr std::uint64_t seeds = 4;
constexpr unsigned operations = 14'000;

/// One seed of one's own, to see a failure again; 0: those of every run.
std::uint64_t seed_from_outside()
{
    auto const* const text = std::getenv("OPTEE_MEDIATOR_SEED");
    return text == nullptr ? 0 : std::strtoull(text, nullptr, 0);
}

ATTACK(X07,
       "does anything, with three VMs of four vCPUs, over an odd OP-TEE and a hypervisor short of pages",
       "all invariants after every step; bounded entries; nothing left at the end",
       Schedules::straight)
{
    auto const own = seed_from_outside();
    for (auto seed = own == 0 ? 1 : own; seed <= (own == 0 ? seeds : own) && !HasFailure(); ++seed) {
        SCOPED_TRACE("OPTEE_MEDIATOR_SEED=" + std::to_string(seed) + " plays it again");
        boot({.vms = 3, .vcpus = 4, .probes = false});
        {
            Chaos chaos{machine(), seed};
            chaos.run(operations);
            for (auto const a0 : {abi::ret::ok, abi::rpc::alloc, abi::rpc::free, abi::rpc::command})
                EXPECT_GE(chaos.answers(a0), 20u) << "calls get somewhere: " << a0;
        }
        EXPECT_LE(machine().largest_entry().smcs, 72u) << "a step of a VM's end drains several calls";
        EXPECT_LE(machine().largest_entry().pins, 4u * limits().pages_of_buffer);
        take_down();
    }
}

} // namespace
} // namespace sim::attack
