// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/unit/vm_fixture.hpp"
#include "vm.hpp"

#include <array>
#include <map>
#include <vector>

namespace optee {
namespace {

TEST(AVmsState, HasExactlyTheseSteps)
{
    using enum VmState;
    std::multimap<VmState, VmState> const edges{
        {live, draining}, {draining, releasing}, {draining, quarantined}, {releasing, gone}};
    std::size_t found = 0;
    for (auto const from : {live, draining, releasing, gone, quarantined}) {
        for (auto const to : {live, draining, releasing, gone, quarantined}) {
            auto const [begin, end] = edges.equal_range(from);
            auto const expected = std::any_of(begin, end, [to](auto const& edge) { return edge.second == to; });
            EXPECT_EQ(allowed(from, to), expected);
            found += expected ? 1 : 0;
        }
    }
    EXPECT_EQ(found, edges.size());
}

TEST(AVm, HasASlotForEachCallThatItMayHave)
{
    TeeFacts facts{};
    facts.threads = 8;
    for (auto const& [wanted, slots] :
         std::map<std::uint32_t, std::uint32_t>{{0, 1}, {1, 1}, {7, 7}, {8, 8}, {9, 8}, {~0U, 8}})
        EXPECT_EQ(Vm::slots(facts, {.threads = wanted, .buffers = 1, .pages = 1, .capabilities = 0}), slots)
            << wanted;
}

/// Calls that wait in an RPC: each takes a slot, a thread of OP-TEE, and a place in the quota.
class AVmsCalls : public VmTest {
protected:
    AVmsCalls() : VmTest{sim::Machine::with_one_vm().optee_threads(3)}
    {
        EXPECT_TRUE(driver_.probe());
        session_ = driver_.open(sim::tee::App::clock).session;
    }
    sim::Call call() { return driver_.begin_invoke(session_, sim::tee::command::clock_get, {sim::value_out()}); }
    /// A call that has come to its first RPC.
    sim::Call waiting_call()
    {
        auto waiting = driver_.begin_open(sim::tee::App::loadable);
        waiting.start_on(0);
        EXPECT_TRUE(waiting.waits_for_rpc());
        return waiting;
    }
    std::uint32_t resume(std::uint32_t handle, std::uint32_t vcpu = 0)
    {
        return guest_.smc(vcpu, registers(smc::return_from_rpc, 0, 0, handle)).a0();
    }

    sim::LinuxGuest driver_{guest_, {.uses_rpc_arguments = false, .enables_shm_cache = true}};
    std::uint32_t session_ = 0;
};

TEST_F(AVmsCalls, AreAsManyAsOpteeHasThreadsFor)
{
    std::vector<sim::Call> calls;
    for (int i = 0; i != 3; ++i)
        calls.push_back(waiting_call());
    EXPECT_EQ(count("calls_live"), 3u);
    auto const page = calls[0].message().ipa();
    auto const refused = trap(smc::call_with_arg, 0, page.raw, 77);
    EXPECT_EQ(refused.a0(), ret::thread_limit);
    EXPECT_EQ(refused.registers.a[2], page.raw);
    EXPECT_EQ(refused.registers.a[3], 77u);
    EXPECT_EQ(refused.work.smcs, 0u);
    EXPECT_EQ(calls[1].run_on(2), sim::Call::State::done); // on whichever vCPU
    EXPECT_TRUE(calls[1].result().ok());
    EXPECT_EQ(count("calls_live"), 2u);
    EXPECT_TRUE(waiting_call().waits_for_rpc());
}

TEST_F(AVmsCalls, AreAsManyAsThePolicyAllowsAtTheMoment)
{
    auto first = waiting_call();
    auto policy = machine_.default_policy();
    policy.threads = 1;
    guest_.set_policy(policy);
    EXPECT_EQ(trap(smc::call_with_arg, 0, first.message().ipa().raw).a0(), ret::thread_limit);
    policy.threads = 2;
    guest_.set_policy(policy);
    auto const second = waiting_call();
    EXPECT_NE(first.handle() & 0xff, second.handle() & 0xff);
}

TEST_F(AVmsCalls, AreResumedOnceForEachRpc)
{
    auto waiting = waiting_call();
    auto const handle = waiting.handle();
    waiting.answer_on(0);
    EXPECT_TRUE(waiting.waits_for_rpc());
    EXPECT_NE(waiting.handle(), handle);
    EXPECT_EQ(resume(handle), ret::resume_failed); // stale
    EXPECT_EQ(waiting.run_on(0), sim::Call::State::done);
    EXPECT_EQ(resume(handle), ret::resume_failed);
}

TEST_F(AVmsCalls, AreNotFoundUnderHandlesThatNobodyGave)
{
    auto const waiting = waiting_call();
    auto const handle = waiting.handle();
    for (auto const bad : {0U,
                           1U,
                           255U,
                           handle ^ 1,
                           handle + 0x100,
                           handle - 0x100,
                           (handle & ~0xffU) | 3U,
                           (handle & ~0xffU) | 0xffU,
                           0x7fff'ffffU,
                           ~0U}) {
        auto const answer = trap(smc::return_from_rpc, 1, 2, bad);
        EXPECT_EQ(answer.a0(), ret::resume_failed) << bad;
        EXPECT_EQ(answer.work.smcs, 0u);
        EXPECT_EQ(answer.registers.a[1], 1u);
    }
    EXPECT_EQ(count("resume_failed"), 10u);
}

TEST_F(AVmsCalls, IgnoreTheUpperHalfOfAHandle)
{
    auto waiting = waiting_call();
    auto answer = *waiting.serve_rpc();
    answer.a[3] |= 0x1234'5678'0000'0000;
    EXPECT_NE(waiting.resume_on(1, answer).a0(), ret::resume_failed);
    while (waiting.waits_for_rpc())
        waiting.answer_on(0);
    EXPECT_TRUE(waiting.result().ok());
}

TEST_F(AVmsCalls, AreRefusedOnceTheVmIsOnItsWayOut)
{
    auto waiting = waiting_call();
    auto const handle = waiting.handle();
    auto const page = waiting.message().ipa();
    machine_.preempt(sim::Preemption::always());
    ASSERT_EQ(guest_.destroy_step(), OPTEE_MEDIATOR_AGAIN);
    EXPECT_EQ(resume(handle), ret::unknown_function);
    EXPECT_EQ(trap(smc::call_with_arg, 0, page.raw).a0(), ret::unknown_function);
    EXPECT_EQ(trap(smc::get_thread_count).a0(), ret::unknown_function);
    machine_.preempt(sim::Preemption::never());
    EXPECT_EQ(guest_.destroy(), OPTEE_MEDIATOR_OK);
}

TEST_F(AVmsCalls, GiveTheirSlotBackHoweverTheyEnd)
{
    for (int i = 0; i != 20; ++i) {
        EXPECT_EQ(trap(smc::call_with_arg, 0, 8).a0(), ret::bad_address);
        EXPECT_EQ(trap(smc::call_with_arg, 0, guest_.ram(guest_.ram_pages()).raw).a0(), ret::bad_address);
        guest_.poke(guest_.ram(1), std::uint32_t{99});
        EXPECT_EQ(trap(smc::call_with_arg, 0, guest_.ram(1).raw).a0(), ret::bad_command);
        EXPECT_TRUE(driver_.invoke(session_, sim::tee::command::clock_get, {sim::value_out()}).ok());
    }
    EXPECT_EQ(count("calls_live"), 0u);
}

} // namespace
} // namespace optee
