// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Foreign interrupts: OP-TEE's own, and the mediator's, which are its preemption points.

#include "core/yielding_call.hpp"
#include "tests/scenario/scenario.hpp"

namespace sim::scenario {
namespace {

tee::Options interrupted()
{
    tee::Options optee;
    optee.foreign_interrupt_every = 2;
    return optee;
}

TEST(ForeignInterrupt, IsResumedInPlaceWhenNothingIsPending)
{
    auto machine = Machine::with_one_vm().boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const session = guest.open(App::memory).session;
    auto const shm = guest.register_memory(2 * page_bytes);
    machine.optee().interrupt_every(2);
    auto call = guest.begin_invoke(session, command::memory_invert, {shared_inout(shm)});
    call.start_on(0);
    EXPECT_TRUE(call.done()) << "the guest sees nothing of it";
    EXPECT_TRUE(call.result().ok());
    EXPECT_GT(vm.counter("foreign_interrupts_resumed_in_place"), 0u);
    EXPECT_EQ(vm.counter("foreign_interrupts"), 0u);
    expect_clean_end(machine);
}

TEST(ForeignInterrupt, IsDeliveredWhenSomethingIsPending)
{
    auto machine = Machine::with_one_vm().boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const session = guest.open(App::memory).session;
    auto const shm = guest.register_memory(2 * page_bytes);
    machine.optee().interrupt_every(2);
    machine.preempt(Preemption::always());
    auto call = guest.begin_invoke(session, command::memory_invert, {shared_inout(shm)});
    unsigned delivered = 0;
    for (call.start_on(0); call.waits_for_rpc(); call.answer_on(0)) {
        ++delivered;
        EXPECT_EQ(call.rpc(), abi::rpc::foreign_interrupt);
        EXPECT_EQ(call.last().work.smcs, 1u);
    }
    EXPECT_GT(delivered, 1u);
    EXPECT_EQ(vm.counter("foreign_interrupts"), delivered);
    EXPECT_EQ(vm.counter("foreign_interrupts_over_bound"), 0u);
    EXPECT_EQ(vm.counter("foreign_interrupts_resumed_in_place"), 0u);
    EXPECT_TRUE(call.result().ok());
    expect_clean_end(machine);
}

TEST(ForeignInterrupt, IsResumedWithOpteesRegistersWhateverTheGuestsHold)
{
    auto machine = Machine::with_one_vm().boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const session = guest.open(App::memory).session;
    auto const shm = guest.register_memory(page_bytes);
    machine.preempt(Preemption::always());
    // As if OP-TEE had resume information of its own in a1 and a2.
    machine.optee().instead_of_next(abi::smc::call_with_arg, [&](tee::Smc& smc) {
        machine.optee().interrupt_without_end();
        smc.proceed();
        machine.optee().interrupt_without_end(false);
        smc.frame.a[1] = 0x1111;
        smc.frame.a[2] = 0x2222;
    });
    optee_smc_frame seen{};
    machine.optee().instead_of_next(abi::smc::return_from_rpc, [&](tee::Smc& smc) {
        seen = smc.frame;
        smc.proceed();
    });
    auto call = guest.begin_invoke(session, command::memory_invert, {shared_inout(shm)});
    call.start_on(0);
    ASSERT_EQ(call.rpc(), abi::rpc::foreign_interrupt);
    EXPECT_EQ(call.last().a(1), 0u) << "what is OP-TEE's stays with the mediator";
    EXPECT_EQ(call.last().a(2), 0u);
    auto answer = return_from_rpc(call.handle());
    answer.a[1] = answer.a[2] = answer.a[4] = answer.a[5] = answer.a[6] = answer.a[7] = 0x5a5a;
    call.resume_on(0, answer);
    EXPECT_EQ(seen.a[1], 0x1111u);
    EXPECT_EQ(seen.a[2], 0x2222u);
    EXPECT_EQ(seen.a[4], 0u);
    EXPECT_EQ(seen.a[5], 0u);
    EXPECT_TRUE(call.done());
    EXPECT_TRUE(call.result().ok());
    expect_clean_end(machine);
}

TEST(ForeignInterrupt, WithoutEndIsHandedToTheGuestAfterABoundedNumberOfEntries)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    machine.optee().interrupt_without_end();
    auto call = guest.begin_open(App::echo);
    call.start_on(0);
    for (unsigned n = 0; n < 100; ++n) {
        ASSERT_EQ(call.rpc(), abi::rpc::foreign_interrupt);
        EXPECT_LE(call.last().work.smcs, optee::EntryLimits::tee_entries);
        call.answer_on(0);
    }
    EXPECT_GE(machine.vm(0).counter("foreign_interrupts_over_bound"), 100u);
    EXPECT_EQ(machine.vm(0).counter("foreign_interrupts_over_bound"), machine.vm(0).counter("foreign_interrupts"));
    machine.optee().interrupt_without_end(false);
    call.run_on(0);
    EXPECT_TRUE(call.result().ok());
    expect_clean_end(machine);
}

struct Pending {
    char const* name;
    Preemption preemption;
    bool optee_is_interrupted;
};

class WithPreemption : public testing::TestWithParam<Pending> {};

// I17: with a fair guest and a fair OP-TEE every call completes, however busy the CPU is.
TEST_P(WithPreemption, EverythingStillCompletes)
{
    auto machine = Machine::with_one_vm()
                       .ram_pages(4096)
                       .optee(GetParam().optee_is_interrupted ? interrupted() : tee::Options{})
                       .preemption(GetParam().preemption)
                       .boot();
    LinuxGuest guest{machine.vm(0), caching_driver};
    ASSERT_TRUE(guest.probe());
    auto const memory = guest.open(App::memory).session;
    auto const bytes = 600 * page_bytes;
    auto const shm = guest.register_memory(bytes, 0);
    ASSERT_NE(shm, nullptr);
    guest.fill(shm, counting(bytes));
    EXPECT_TRUE(guest.invoke(memory, command::memory_invert, {shared_inout(shm)}).ok());
    EXPECT_EQ(guest.contents(shm), inverted(counting(bytes)));
    auto const brief = guest.memory().allocate_scattered(700 * page_bytes);
    EXPECT_TRUE(guest.invoke(memory, command::memory_invert, {temporary_inout(brief)}).ok());
    EXPECT_TRUE(guest.invoke(guest.open(App::clock).session, command::clock_get, {value_out(), value_in(5)}).ok());
    EXPECT_TRUE(guest.open(App::loadable).ok());
    auto const allocator = guest.open(App::allocator).session;
    EXPECT_TRUE(guest.invoke(allocator, command::allocator_appl, {value_in(700 * page_bytes, 2)}).ok());
    guest.free_shm(shm);
    EXPECT_EQ(machine.vm(0).counter("buffers_live"), 0u);
    guest.remove();
    expect_clean_end(machine);
}

INSTANTIATE_TEST_SUITE_P(Often,
                         WithPreemption,
                         testing::Values(Pending{"Never", Preemption::never(), false},
                                         Pending{"Always", Preemption::always(), false},
                                         Pending{"EveryThirdTime", Preemption::every(3), false},
                                         Pending{"AlwaysAndOpteeIsInterrupted", Preemption::always(), true},
                                         Pending{"EveryFifthTimeAndOpteeIsInterrupted", Preemption::every(5), true},
                                         Pending{"NeverButOpteeIsInterrupted", Preemption::never(), true}),
                         name_of_case<Pending>);

} // namespace
} // namespace sim::scenario
