// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// A well-behaved guest through the core: what every other test builds on. Also the example of sim/README.md.

#include "sim/linux/guest.hpp"
#include "sim/machine/machine.hpp"
#include "sim/optee/optee.hpp"

#include <gtest/gtest.h>
#include <numeric>

namespace sim {
namespace {

using tee::App;
namespace command = tee::command;

std::vector<std::uint8_t> counting(std::size_t n)
{
    std::vector<std::uint8_t> octets(n);
    std::iota(octets.begin(), octets.end(), std::uint8_t{1});
    return octets;
}

/// Once for a kernel before 5.19, once for a newer one, which supplies the memory for RPCs itself.
class HappyPath : public testing::TestWithParam<bool> {
protected:
    LinuxGuest::Options driver() const { return {.uses_rpc_arguments = GetParam(), .enables_shm_cache = true}; }
};

TEST_P(HappyPath, AValueComesBackChanged)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), driver()};
    ASSERT_TRUE(guest.probe()) << guest.probe_failure();

    auto const opened = guest.open(App::echo);
    ASSERT_TRUE(opened.ok());
    auto const result = guest.invoke(opened.session, command::echo_add_one, {value_inout(41, 1)});
    EXPECT_TRUE(result.ok());
    EXPECT_EQ(result.params.at(0).a, 42u);
    EXPECT_TRUE(guest.close(opened.session).ok());

    guest.remove();
    EXPECT_EQ(machine.vm(0).destroy(), OPTEE_MEDIATOR_OK);
    EXPECT_TRUE(machine.invariants_hold()) << machine.violations();
}

TEST_P(HappyPath, RegisteredMemoryIsReadAndWritten)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), driver()};
    ASSERT_TRUE(guest.probe());
    auto const session = guest.open(App::memory).session;
    auto const shm = guest.register_memory(5000, 100);
    ASSERT_NE(shm, nullptr);
    guest.fill(shm, counting(5000));

    EXPECT_TRUE(guest.invoke(session, command::memory_invert, {shared_inout(shm)}).ok());
    auto expected = counting(5000);
    for (auto& octet : expected)
        octet = static_cast<std::uint8_t>(~octet);
    EXPECT_EQ(guest.contents(shm), expected);

    guest.free_shm(shm);
    EXPECT_EQ(machine.vm(0).pins_of(shm->pages.front()), 0u);
    EXPECT_TRUE(machine.invariants_hold()) << machine.violations();
}

TEST_P(HappyPath, TemporaryMemoryIsReadAndWritten)
{
    for (auto const fate :
         {tee::TemporaryReferences::end_with_the_call, tee::TemporaryReferences::stay_in_the_list}) {
        tee::Options optee;
        optee.temporary_references = fate;
        auto machine = Machine::with_one_vm().optee(optee).boot();
        LinuxGuest guest{machine.vm(0), driver()};
        ASSERT_TRUE(guest.probe());
        auto const session = guest.open(App::memory).session;
        auto const before = machine.vm(0).pins();
        auto const shm = guest.memory().allocate_scattered(3 * page_bytes, 8);
        guest.fill(shm, std::vector<std::uint8_t>(3 * page_bytes, 0x0f));
        EXPECT_TRUE(guest.invoke(session, command::memory_invert, {temporary_inout(shm)}).ok());
        EXPECT_EQ(guest.contents(shm), std::vector<std::uint8_t>(3 * page_bytes, 0xf0));
        auto const sum = guest.invoke(session, command::memory_sum, {temporary_in(shm), value_out()});
        EXPECT_EQ(sum.params.at(1).a, 3u * page_bytes * 0xf0);
        EXPECT_EQ(machine.vm(0).pins(), before);
        EXPECT_TRUE(machine.invariants_hold()) << machine.violations();
    }
}

TEST_P(HappyPath, RpcsAreServed)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), driver()};
    ASSERT_TRUE(guest.probe());
    auto const clock = guest.open(App::clock).session;
    auto const time = guest.invoke(clock, command::clock_get, {value_out(), value_in(3)});
    EXPECT_TRUE(time.ok());
    EXPECT_EQ(time.params.at(0).a, 1'700'000'000u);

    EXPECT_TRUE(guest.open(App::loadable).ok());

    auto const storage = guest.open(App::storage).session;
    auto const shm = guest.allocate_shm(2 * page_bytes);
    guest.fill(shm, counting(2 * page_bytes));
    EXPECT_TRUE(guest.invoke(storage, command::storage_write, {shared_in(shm), value_in(7)}).ok());
    guest.fill(shm, std::vector<std::uint8_t>(2 * page_bytes));
    EXPECT_TRUE(guest.invoke(storage, command::storage_read, {shared_out(shm), value_in(7)}).ok());
    EXPECT_EQ(guest.contents(shm), counting(2 * page_bytes));
    EXPECT_EQ(guest.supplicant().open_files(), 0u);

    auto const allocator = guest.open(App::allocator).session;
    EXPECT_TRUE(guest.invoke(allocator, command::allocator_appl, {value_in(600 * page_bytes, 2)}).ok());
    EXPECT_TRUE(guest.invoke(allocator, command::allocator_kernel, {value_in(100, 2)}).ok());

    guest.remove();
    EXPECT_EQ(machine.vm(0).destroy(), OPTEE_MEDIATOR_OK);
    EXPECT_TRUE(machine.invariants_hold()) << machine.violations();
}

TEST_P(HappyPath, ASleeperIsWokenFromAnotherVcpu)
{
    auto machine = Machine::with_one_vm().vcpus(2).boot();
    LinuxGuest guest{machine.vm(0), driver()};
    ASSERT_TRUE(guest.probe());
    auto const session = guest.open(App::sleeper).session;
    auto sleeper = guest.begin_invoke(session, command::sleeper_wait);
    sleeper.run_on(0);
    ASSERT_TRUE(sleeper.is_blocked());
    ASSERT_TRUE(sleeper.asks_for(abi::rpc_cmd::notification));
    EXPECT_TRUE(guest.invoke(session, command::sleeper_wake, {}, 1).ok());
    EXPECT_EQ(sleeper.run_on(1), Call::State::done);
    EXPECT_TRUE(sleeper.result().ok());
    EXPECT_TRUE(machine.invariants_hold()) << machine.violations();
}

TEST_P(HappyPath, AGuestThatDiesInTheMiddleLeavesNothing)
{
    auto machine = Machine::with_one_vm().vcpus(2).boot();
    LinuxGuest guest{machine.vm(0), driver()};
    ASSERT_TRUE(guest.probe());
    auto const clock = guest.open(App::clock).session;
    auto const shm = guest.register_memory(20 * page_bytes);
    auto call = guest.begin_invoke(clock, command::clock_get, {value_out()});
    call.start_on(0);
    ASSERT_TRUE(call.waits_for_rpc());
    EXPECT_EQ(machine.vm(0).destroy(), OPTEE_MEDIATOR_OK);
    EXPECT_TRUE(machine.invariants_hold()) << machine.violations();
}

TEST_P(HappyPath, InterruptsArriveEverywhere)
{
    tee::Options optee;
    optee.foreign_interrupt_every = 2;
    auto machine = Machine::with_one_vm().optee(optee).preemption(Preemption::every(3)).boot();
    LinuxGuest guest{machine.vm(0), driver()};
    ASSERT_TRUE(guest.probe());
    auto const session = guest.open(App::memory).session;
    auto const shm = guest.register_memory(600 * page_bytes);
    ASSERT_NE(shm, nullptr);
    EXPECT_TRUE(guest.invoke(session, command::memory_invert, {shared_inout(shm)}).ok());
    guest.free_shm(shm);
    guest.remove();
    EXPECT_EQ(machine.vm(0).destroy(), OPTEE_MEDIATOR_OK);
    EXPECT_TRUE(machine.invariants_hold()) << machine.violations();
}

TEST(Preemption, AGigabyteIsRegisteredInBoundedSteps)
{
    constexpr std::uint64_t pages = 262'144;
    auto policy = optee_mediator_default_policy();
    policy.pages = 2 * pages;
    auto machine = Machine::with_one_vm().ram_pages(pages + 4096).policy(policy).boot();
    LinuxGuest guest{machine.vm(0)};
    ASSERT_TRUE(guest.probe());
    auto const shm = guest.register_memory(pages * page_bytes);
    ASSERT_NE(shm, nullptr);
    EXPECT_GE(machine.vm(0).pins(), pages);
    guest.free_shm(shm);
    EXPECT_LT(machine.largest_entry().pins, 10'000u);
    EXPECT_TRUE(machine.invariants_hold()) << machine.violations();
}

INSTANTIATE_TEST_SUITE_P(Kernel, HappyPath, testing::Bool(), [](auto const& kernel) {
    return kernel.param ? "WithRpcArguments" : "WithoutRpcArguments";
});

} // namespace
} // namespace sim
