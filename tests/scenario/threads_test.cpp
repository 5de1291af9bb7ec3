// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// How many calls at once, and who may go on with one that waits.

#include "tests/scenario/scenario.hpp"

#include <array>
#include <atomic>
#include <thread>

namespace sim::scenario {
namespace {

optee_mediator_policy threads_of(std::uint32_t threads)
{
    auto policy = optee_mediator_default_policy();
    policy.threads = threads;
    return policy;
}

/// Does the same work on `clients` vCPUs at once; true when all of it was right.
bool clients_get_on(LinuxGuest& guest, std::uint32_t clients, unsigned rounds)
{
    std::atomic<unsigned> good{0};
    std::vector<std::thread> threads;
    for (std::uint32_t vcpu = 0; vcpu < clients; ++vcpu)
        threads.emplace_back([&, vcpu] {
            auto const clock = guest.open(App::clock, {}, vcpu);
            for (unsigned n = 0; n < rounds; ++n) {
                auto const time = guest.invoke(clock.session, command::clock_get, {value_out(), value_in(2)}, vcpu);
                if (time.ok() && time.params.at(0).a == 1'700'000'000 && works(guest, vcpu))
                    ++good;
            }
        });
    for (auto& thread : threads)
        thread.join();
    return good == clients * rounds;
}

TEST(ThreadLimit, LetsAsManyCallsInAsOpteeHasThreadsAndNotOneMore)
{
    auto machine = Machine::with_one_vm().optee_threads(3).vcpus(1).boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const session = guest.open(App::sleeper).session;
    std::vector<Call> sleepers;
    for (unsigned n = 0; n < 3; ++n) {
        sleepers.push_back(guest.begin_invoke(session, command::sleeper_wait));
        sleepers.back().run_on(0);
        ASSERT_TRUE(sleepers.back().is_blocked());
    }
    EXPECT_EQ(vm.counter("calls_live"), 3u);
    auto one_more = guest.begin_invoke(session, command::sleeper_wake);
    auto const& answer = one_more.start_on(0);
    EXPECT_EQ(answer.a0(), abi::ret::thread_limit);
    EXPECT_EQ(answer.work.smcs, 0u);
    EXPECT_TRUE(answer.writes.empty());
    EXPECT_EQ(vm.counter("thread_limit"), 1u);
    EXPECT_EQ(vm.counter("calls_live"), 3u);
    expect_clean_end(machine);
}

// xen-devel, 2019, point 4: when all are busy the guest gets ETHREAD_LIMIT, and its driver comes back when a call ends.
TEST(ThreadLimit, IsOverWhenACallEnds)
{
    auto machine = Machine::with_one_vm().policy(threads_of(1)).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::clock).session;
    auto first = guest.begin_invoke(session, command::clock_get, {value_out()});
    first.start_on(0);
    ASSERT_TRUE(first.waits_for_rpc());
    auto second = guest.begin_open(App::echo);
    second.start_on(0);
    ASSERT_TRUE(second.waits_for_thread());
    first.run_on(0);
    EXPECT_TRUE(first.result().ok());
    second.run_on(0);
    EXPECT_TRUE(second.result().ok());
    expect_clean_end(machine);
}

TEST(ThreadLimit, OfOneMakesSeveralClientsOnlySlower)
{
    auto machine = Machine::with_one_vm().vcpus(4).policy(threads_of(1)).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    EXPECT_TRUE(clients_get_on(guest, 4, 10));
    expect_clean_end(machine);
}

TEST(ThreadLimit, OfAnOpteeWithOneThreadMakesSeveralClientsOnlySlower)
{
    auto machine = Machine::with_one_vm().vcpus(4).optee_threads(1).boot();
    LinuxGuest guest{machine.vm(0), caching_driver};
    ASSERT_TRUE(guest.probe());
    EXPECT_TRUE(clients_get_on(guest, 4, 10));
    guest.remove();
    expect_clean_end(machine);
}

TEST(ThreadLimit, OfOneVmIsNotAnothers)
{
    auto machine = Machine::with_vms(2).policy(threads_of(1)).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    LinuxGuest other{machine.vm(1), plain_driver};
    auto const session = guest.open(App::sleeper).session;
    auto sleeper = guest.begin_invoke(session, command::sleeper_wait);
    sleeper.run_on(0);
    ASSERT_TRUE(sleeper.is_blocked());
    EXPECT_TRUE(works(other));
    expect_clean_end(machine);
}

TEST(ThreadLimit, ChangesWhileTheVmRuns)
{
    auto machine = Machine::with_one_vm().boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const session = guest.open(App::sleeper).session;
    auto sleeper = guest.begin_invoke(session, command::sleeper_wait);
    sleeper.run_on(0);
    vm.set_policy(threads_of(1));
    auto call = guest.begin_open(App::echo);
    EXPECT_EQ(call.start_on(0).a0(), abi::ret::thread_limit);
    vm.set_policy(threads_of(2));
    EXPECT_EQ(call.run_on(0), Call::State::done);
    EXPECT_TRUE(call.result().ok());
    expect_clean_end(machine);
}

// xen-devel, 2019, point 3: a call may go on on another vCPU than the one that began it.
TEST(Resume, IsPossibleOnEveryVcpu)
{
    auto machine = Machine::with_one_vm().vcpus(4).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::clock).session;
    auto call = guest.begin_invoke(session, command::clock_get, {value_out(), value_in(6)});
    call.start_on(0);
    for (std::uint32_t n = 1; call.waits_for_rpc(); ++n)
        call.answer_on(n % 4);
    EXPECT_TRUE(call.result().ok());
    expect_clean_end(machine);
}

// xen-devel, 2019, point 3: a call in flight cannot be resumed by two CPUs at once.
TEST(Resume, IsRefusedWhileAnotherVcpuIsInOpteeWithTheCall)
{
    auto machine = Machine::with_one_vm().vcpus(2).boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const session = guest.open(App::clock).session;
    auto call = guest.begin_invoke(session, command::clock_get, {value_out()});
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
    auto const answer = call.serve_rpc().value();
    std::vector<Answer> late;
    auto const resume_too = [&](Moment const&) { late.push_back(ask_on(1, vm, answer)); };
    Once before{Point::smc, 0, resume_too};
    Once after{Point::smc_returns, 0, resume_too};
    machine.add(before);
    machine.add(after);
    call.resume_on(0, answer);
    ASSERT_EQ(late.size(), 2u);
    for (auto const& refused : late) {
        EXPECT_EQ(refused.a0(), abi::ret::resume_failed);
        EXPECT_EQ(refused.work.smcs, 0u);
    }
    call.run_on(0);
    EXPECT_TRUE(call.result().ok());
    EXPECT_EQ(vm.counter("resume_failed"), 2u);
    expect_clean_end(machine);
}

TEST(Resume, IsRefusedWhenAnotherVcpuAnsweredFirst)
{
    auto machine = Machine::with_one_vm().vcpus(2).boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const session = guest.open(App::clock).session;
    auto call = guest.begin_invoke(session, command::clock_get, {value_out()});
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
    auto const answer = call.serve_rpc().value();
    std::uint32_t loser = 0;
    Once last_moment{Point::entry_begins, 0, [&](Moment const&) {
                         // The other vCPU is through before this one has looked at the call.
                         call.resume_on(1, answer);
                     }};
    machine.add(last_moment);
    loser = ask_on(0, vm, answer).a0();
    EXPECT_EQ(loser, abi::ret::resume_failed);
    call.run_on(0);
    EXPECT_TRUE(call.result().ok());
    expect_clean_end(machine);
}

TEST(Resume, OfTwoVcpusAtOnceSucceedsForExactlyOne)
{
    tee::Options optee;
    optee.foreign_interrupt_every = 2;
    auto machine = Machine::with_one_vm().vcpus(2).optee(optee).preemption(Preemption::always()).boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto opening = guest.begin_open(App::memory);
    opening.run_on(0);
    auto const shm = guest.register_memory(60 * page_bytes);
    auto call = guest.begin_invoke(opening.result().session, command::memory_invert, {shared_inout(shm)});
    auto answer = call.start_on(0);
    unsigned races = 0;
    while (answer.a0() == abi::rpc::foreign_interrupt) {
        ++races;
        auto const resume = return_from_rpc(answer.a(3));
        std::array<Answer, 2> answers;
        std::thread second{[&] { answers[1] = ask_on(1, vm, resume); }};
        answers[0] = ask_on(0, vm, resume);
        second.join();
        auto const first_lost = answers[0].a0() == abi::ret::resume_failed;
        auto const second_lost = answers[1].a0() == abi::ret::resume_failed;
        ASSERT_NE(first_lost, second_lost);
        answer = first_lost ? answers[1] : answers[0];
    }
    EXPECT_EQ(answer.a0(), abi::ret::ok);
    EXPECT_EQ(call.message().ret(), abi::result::success);
    EXPECT_GE(races, 60u);
    expect_clean_end(machine);
}

// OP-TEE frees its thread before the vCPU that was on it has come back to us.
TEST(ThreadOfOptee, ThatEndedACallMayServeAnotherBeforeTheFirstVcpuIsBack)
{
    auto machine = Machine::with_one_vm().vcpus(2).boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const session = guest.open(App::clock).session;
    auto const other_session = guest.open(App::clock).session;
    auto ending = guest.begin_invoke(session, command::clock_get, {value_out()});
    auto beginning = guest.begin_invoke(other_session, command::clock_get, {value_out()});
    ASSERT_TRUE(run_until_rpc(ending, abi::rpc::free));
    Once thread_is_free{Point::smc_returns, 0, [&](Moment const&) { beginning.start_on(1); }};
    machine.add(thread_is_free);
    ending.answer_on(0);
    EXPECT_TRUE(thread_is_free.happened());
    EXPECT_TRUE(ending.result().ok());
    EXPECT_TRUE(beginning.waits_for_rpc());
    beginning.run_on(1);
    EXPECT_TRUE(beginning.result().ok());
    EXPECT_EQ(vm.counter("tee_anomalies"), 0u);
    EXPECT_EQ(vm.counter("calls_quarantined"), 0u);
    expect_clean_end(machine);
}

TEST(Resume, WithAHandleThatWasUsedIsRefused)
{
    auto machine = Machine::with_one_vm().boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const session = guest.open(App::clock).session;
    auto call = guest.begin_invoke(session, command::clock_get, {value_out(), value_in(3)});
    std::vector<std::uint32_t> used;
    call.start_on(0);
    while (call.waits_for_rpc()) {
        auto const handle = call.handle();
        call.answer_on(0);
        used.push_back(handle);
        for (auto const stale : used) {
            auto const answer = ask_on(0, vm, return_from_rpc(stale));
            EXPECT_EQ(answer.a0(), abi::ret::resume_failed);
            EXPECT_EQ(answer.work.smcs, 0u);
        }
    }
    EXPECT_TRUE(call.result().ok());
    EXPECT_EQ(used.size(), 5u);
    expect_clean_end(machine);
}

TEST(Resume, OfNoCallIsRefused)
{
    auto machine = Machine::with_one_vm().boot();
    auto& vm = machine.vm(0);
    for (auto const handle : {0u, 1u, 3u, 4u, 255u, 256u, 257u, 0x7fff'ffffu, 0xffff'ffffu}) {
        auto const answer = ask_on(0, vm, return_from_rpc(handle));
        EXPECT_EQ(answer.a0(), abi::ret::resume_failed) << handle;
        EXPECT_EQ(answer.work.smcs, 0u);
    }
    expect_clean_end(machine);
}

TEST(Resume, OfAnotherVmsCallIsRefused)
{
    auto machine = Machine::with_vms(2).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    LinuxGuest other{machine.vm(1), plain_driver};
    auto const session = guest.open(App::clock).session;
    auto call = guest.begin_invoke(session, command::clock_get, {value_out()});
    call.start_on(0);
    ASSERT_TRUE(call.waits_for_rpc());
    auto const answer = ask_on(0, machine.vm(1), call.serve_rpc().value());
    EXPECT_EQ(answer.a0(), abi::ret::resume_failed);
    EXPECT_EQ(answer.work.smcs, 0u);
    call.run_on(0);
    EXPECT_TRUE(call.result().ok());
    expect_clean_end(machine);
}

TEST(Resume, TakesTheLowHalfOfTheHandlesRegister)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::clock).session;
    auto call = guest.begin_invoke(session, command::clock_get, {value_out()});
    call.start_on(0);
    while (call.waits_for_rpc()) {
        auto answer = call.serve_rpc().value();
        for (unsigned n = 0; n < 8; ++n)
            answer.a[n] |= 0xdead'beef'0000'0000;
        call.resume_on(0, answer);
    }
    EXPECT_TRUE(call.result().ok());
    expect_clean_end(machine);
}

} // namespace
} // namespace sim::scenario
