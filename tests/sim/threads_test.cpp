// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// vCPUs as real threads: what ThreadSanitizer is for.

#include "sim/linux/guest.hpp"
#include "sim/machine/machine.hpp"
#include "sim/optee/optee.hpp"

#include <gtest/gtest.h>
#include <thread>
#include <vector>

namespace sim {
namespace {

using tee::App;
namespace command = tee::command;

/// One client process on one vCPU.
void client(LinuxGuest& guest, std::uint32_t vcpu, unsigned rounds)
{
    auto const echo = guest.open(App::echo, {}, vcpu).session;
    auto const memory = guest.open(App::memory, {}, vcpu).session;
    auto const clock = guest.open(App::clock, {}, vcpu).session;
    for (unsigned round = 0; round < rounds; ++round) {
        auto const result = guest.invoke(echo, command::echo_add_one, {value_inout(round)}, vcpu);
        EXPECT_TRUE(result.ok());
        EXPECT_EQ(result.params.at(0).a, round + 1u);
        auto const shm = guest.register_memory(3 * page_bytes, 12, vcpu);
        ASSERT_NE(shm, nullptr);
        guest.fill(shm, std::vector<std::uint8_t>(3 * page_bytes, static_cast<std::uint8_t>(round)));
        EXPECT_TRUE(guest.invoke(memory, command::memory_invert, {shared_inout(shm)}, vcpu).ok());
        EXPECT_EQ(guest.contents(shm).back(), static_cast<std::uint8_t>(~round));
        guest.free_shm(shm, vcpu);
        EXPECT_TRUE(guest.invoke(clock, command::clock_get, {value_out()}, vcpu).ok());
    }
    for (auto const session : {echo, memory, clock})
        EXPECT_TRUE(guest.close(session, vcpu).ok());
}

class Threads : public testing::TestWithParam<bool> {};

TEST_P(Threads, OfSeveralVmsAtOnceDisturbNobody)
{
    constexpr std::uint32_t vms = 2;
    constexpr std::uint32_t vcpus = 3;
    tee::Options optee;
    optee.threads = 2; // fewer than vCPUs: some must wait for a thread
    optee.foreign_interrupt_every = 5;
    auto machine = Machine::with_vms(vms).vcpus(vcpus).optee(optee).preemption(Preemption::every(7)).boot();
    std::vector<std::unique_ptr<LinuxGuest>> guests;
    for (std::uint32_t vm = 0; vm < vms; ++vm) {
        guests.push_back(std::make_unique<LinuxGuest>(
            machine.vm(vm), LinuxGuest::Options{.uses_rpc_arguments = GetParam(), .enables_shm_cache = true}));
        ASSERT_TRUE(guests.back()->probe());
    }
    std::vector<std::thread> threads;
    for (auto& guest : guests)
        for (std::uint32_t vcpu = 0; vcpu < vcpus; ++vcpu)
            threads.emplace_back([&guest, vcpu] { client(*guest, vcpu, 10); });
    for (auto& thread : threads)
        thread.join();
    for (std::uint32_t vm = 0; vm < vms; ++vm) {
        guests[vm]->remove();
        EXPECT_EQ(machine.optee().partition(machine.vm(vm))->open_sessions(), 0u);
        EXPECT_EQ(machine.vm(vm).destroy(), OPTEE_MEDIATOR_OK);
    }
    EXPECT_TRUE(machine.invariants_hold()) << machine.violations();
}

TEST_P(Threads, SleepAndAreWoken)
{
    auto machine = Machine::with_one_vm().vcpus(2).boot();
    LinuxGuest guest{machine.vm(0), {.uses_rpc_arguments = GetParam(), .enables_shm_cache = true}};
    ASSERT_TRUE(guest.probe());
    auto const session = guest.open(App::sleeper).session;
    for (unsigned round = 0; round < 10; ++round) {
        std::thread sleeper{[&] { EXPECT_TRUE(guest.invoke(session, command::sleeper_wait, {}, 1).ok()); }};
        EXPECT_TRUE(guest.invoke(session, command::sleeper_wake, {}, 0).ok());
        sleeper.join();
    }
    EXPECT_TRUE(machine.invariants_hold()) << machine.violations();
}

INSTANTIATE_TEST_SUITE_P(Kernel, Threads, testing::Bool(), [](auto const& kernel) {
    return kernel.param ? "WithRpcArguments" : "WithoutRpcArguments";
});

} // namespace
} // namespace sim
