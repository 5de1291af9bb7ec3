// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// An OP-TEE that does what it should not: nothing is lost, nothing is given back that it may still use.

#include "core/yielding_call.hpp"
#include "tests/scenario/scenario.hpp"

namespace sim::scenario {
namespace {

Pa argument_in(optee_smc_frame const& frame)
{
    auto const address = abi::joined(frame.a[1], frame.a[2]);
    return Pa{PhysicalMemory::in_a_bank(address) ? address : 0};
}

/// Changes the requests that OP-TEE writes into its RPC argument, on their way to the mediator.
class TamperedRequests {
public:
    using Tamper = std::function<void(std::uint32_t cmd, abi::Param&)>;

    TamperedRequests(Machine& machine, Tamper tamper) : machine_{machine}, tamper_{std::move(tamper)}
    {
        machine_.optee().instead_of_every(abi::smc::return_from_rpc, [this](tee::Smc& smc) { on(smc); });
    }

private:
    void on(tee::Smc& smc)
    {
        if (auto const argument = argument_in(smc.frame); argument.raw != 0)
            argument_ = argument;
        smc.proceed();
        if (static_cast<std::uint32_t>(smc.frame.a[0]) != abi::rpc::command || argument_.raw == 0)
            return;
        std::uint32_t cmd = 0;
        abi::Param param;
        Pa const place{argument_.raw + abi::arg::bytes(0)};
        machine_.memory().read(argument_, &cmd, sizeof cmd);
        machine_.memory().read(place, &param, sizeof param);
        tamper_(cmd, param);
        machine_.memory().write(place, &param, sizeof param);
    }

    Machine& machine_;
    Tamper tamper_;
    Pa argument_{0};
};

TEST(OddOptee, ThatHasNoThreadThoughWeCountedOneLeavesTheGuestToTryAgain)
{
    auto machine = Machine::with_one_vm().boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const session = guest.open(App::memory).session;
    auto const shm = guest.memory().allocate_scattered(3 * page_bytes);
    machine.optee().answer_next(abi::smc::call_with_arg, abi::ret::thread_limit);
    auto call = guest.begin_invoke(session, command::memory_invert, {temporary_inout(shm)});
    EXPECT_EQ(call.start_on(0).a0(), abi::ret::thread_limit);
    EXPECT_EQ(vm.pins(), 0u);
    EXPECT_EQ(vm.counter("calls_live"), 0u);
    call.run_on(0);
    EXPECT_TRUE(call.result().ok());
    expect_clean_end(machine);
}

TEST(OddOptee, ThatWritesNoResultIsNotTakenForSuccess)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::memory).session;
    auto const shm = guest.memory().allocate_scattered(3 * page_bytes);
    machine.optee().drop_results();
    auto const result = guest.invoke(session, command::memory_invert, {temporary_inout(shm)});
    EXPECT_EQ(result.a0, abi::ret::ok);
    EXPECT_EQ(result.ret, abi::result::generic);
    EXPECT_EQ(result.origin, abi::origin::comms);
    EXPECT_EQ(guest.cancel(session).ret, abi::result::generic);
    EXPECT_EQ(machine.vm(0).pins(), 0u);
    expect_clean_end(machine);
}

class UnknownAnswer : public testing::TestWithParam<std::pair<std::uint32_t, std::uint32_t>> {};

TEST_P(UnknownAnswer, ToACallKeepsItsPagesUntilTheVmGoes)
{
    auto const [answered, seen] = GetParam();
    auto machine = Machine::with_one_vm().boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const session = guest.open(App::memory).session;
    auto const shm = guest.memory().allocate_scattered(3 * page_bytes);
    machine.optee().answer_next(abi::smc::call_with_arg, answered);
    EXPECT_EQ(guest.invoke(session, command::memory_invert, {temporary_inout(shm)}).a0, seen);
    EXPECT_EQ(vm.pins(), 3u) << "OP-TEE may use them";
    EXPECT_EQ(vm.counter("calls_quarantined"), 1u);
    EXPECT_TRUE(works(guest)) << "other calls go on";
    expect_clean_end(machine);
}

TEST_P(UnknownAnswer, ToAReturnFromRpcKeepsItsPagesUntilTheVmGoes)
{
    auto const [answered, seen] = GetParam();
    auto machine = Machine::with_one_vm().boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const session = guest.open(App::clock).session;
    auto const shm = guest.memory().allocate_scattered(3 * page_bytes);
    auto call = guest.begin_invoke(session, command::clock_get, {value_out(), value_in(1), temporary_in(shm)});
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
    machine.optee().answer_next(abi::smc::return_from_rpc, answered);
    call.answer_on(0);
    EXPECT_EQ(call.last().a0(), seen);
    EXPECT_EQ(vm.pins(), 3u);
    EXPECT_EQ(ask_on(0, vm, return_from_rpc(call.handle())).a0(), abi::ret::resume_failed);
    EXPECT_TRUE(works(guest));
    expect_clean_end(machine);
}

INSTANTIATE_TEST_SUITE_P(Of,
                         UnknownAnswer,
                         testing::Values(std::pair{8u, abi::ret::bad_command},
                                         std::pair{0x1234u, abi::ret::bad_command},
                                         std::pair{0x8000'0000u, abi::ret::bad_command},
                                         std::pair{0xfffe'ffffu, abi::ret::bad_command},
                                         std::pair{abi::ret::unknown_function, abi::ret::unknown_function}));

TEST(OddOptee, ThatLosesEveryThreadLeavesNoneToWaitFor)
{
    auto machine = Machine::with_one_vm().boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto policy = machine.default_policy();
    policy.threads = 2;
    vm.set_policy(policy);
    auto const session = guest.open(App::clock).session;
    auto const gets_time = [&] {
        return guest.begin_invoke(session, command::clock_get, {value_out(), value_in(1)});
    };
    auto waits = gets_time();
    ASSERT_TRUE(run_until_command(waits, abi::rpc_cmd::get_time));
    machine.optee().answer_next(abi::smc::call_with_arg, abi::ret::unknown_function);
    EXPECT_EQ(gets_time().start_on(0).a0(), abi::ret::unknown_function);
    EXPECT_EQ(gets_time().start_on(0).a0(), abi::ret::thread_limit); // the first may still end
    machine.optee().answer_next(abi::smc::return_from_rpc, abi::ret::unknown_function);
    waits.answer_on(0);
    EXPECT_EQ(gets_time().start_on(0).a0(), abi::ret::not_available);
    policy.threads = 3;
    vm.set_policy(policy);
    EXPECT_TRUE(works(guest));
    expect_clean_end(machine);
}

TEST(OddOptee, ThatDoesNotKnowAThreadThatItSuspendedMakesTheCallQuarantined)
{
    auto machine = Machine::with_one_vm().boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const session = guest.open(App::clock).session;
    auto const shm = guest.memory().allocate_scattered(3 * page_bytes);
    auto call = guest.begin_invoke(session, command::clock_get, {value_out(), value_in(1), temporary_in(shm)});
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
    machine.optee().answer_next(abi::smc::return_from_rpc, abi::ret::resume_failed);
    call.answer_on(0);
    EXPECT_EQ(call.last().a0(), abi::ret::resume_failed);
    EXPECT_EQ(vm.pins(), 3u);
    EXPECT_EQ(vm.counter("calls_quarantined"), 1u);
    expect_clean_end(machine);
}

TEST(OddOptee, ThatAsksUnderAnUnknownCookieGetsAnErrorEachTime)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::clock).session;
    machine.optee().ask_for_cookie(0xdead'beef);
    auto const result = guest.invoke(session, command::clock_get, {value_out()});
    EXPECT_EQ(result.a0, abi::ret::ok);
    EXPECT_EQ(result.ret, abi::result::generic);
    EXPECT_GT(machine.vm(0).counter("tee_anomalies"), 0u);
    EXPECT_EQ(machine.vm(0).counter("rpc_command"), 0u);
    expect_clean_end(machine);
}

TEST(OddOptee, ThatAsksUnderAnotherThreadsCookieGetsAnError)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::clock).session;
    auto victim = guest.begin_invoke(session, command::clock_get, {value_out()});
    ASSERT_TRUE(run_until_command(victim, abi::rpc_cmd::get_time));
    auto const other = guest.open(App::clock).session;
    machine.optee().ask_for_cookie(victim.last().pair(1));
    EXPECT_EQ(guest.invoke(other, command::clock_get, {value_out()}).ret, abi::result::generic);
    machine.optee().ask_for_cookie(0);
    victim.run_on(0);
    EXPECT_TRUE(victim.result().ok());
    expect_clean_end(machine);
}

TEST(OddOptee, ThatPutsAPhysicalAddressIntoARequestDoesNotReachTheGuest)
{
    auto machine = Machine::with_one_vm().boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const session = guest.open(App::clock).session;
    TamperedRequests const tampered{machine, [&](std::uint32_t, abi::Param& param) {
                                        param = {abi::attr::tmem_output, vm.pa_of(vm.ram(20)).raw, page_bytes, 7};
                                    }};
    EXPECT_EQ(guest.invoke(session, command::clock_get, {value_out()}).ret, abi::result::generic);
    EXPECT_EQ(vm.counter("rpc_command"), 0u);
    EXPECT_GT(vm.counter("tee_anomalies"), 0u);
    machine.optee().behave();
    expect_clean_end(machine);
}

struct OddFree {
    char const* name;
    std::function<std::uint64_t(Shm const&, Call const&)> cookie;
};

class OddShmFree : public testing::TestWithParam<OddFree> {};

TEST_P(OddShmFree, ReleasesNothingThatTheThreadDidNotGetForIt)
{
    auto machine = Machine::with_one_vm().boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const memory = guest.open(App::memory).session;
    auto const session = guest.open(App::allocator).session;
    auto const registered = guest.register_memory(2 * page_bytes);
    auto call = guest.begin_invoke(session, command::allocator_appl, {value_in(3 * page_bytes, 1)});
    ASSERT_TRUE(run_until_rpc(call, abi::rpc::alloc));
    TamperedRequests const tampered{machine, [&](std::uint32_t cmd, abi::Param& param) {
                                        if (cmd == abi::rpc_cmd::shm_free)
                                            param.b = GetParam().cookie(registered, call);
                                    }};
    call.run_on(0);
    ASSERT_TRUE(call.done());
    EXPECT_TRUE(call.result().ok()) << "OP-TEE does not look at the answer";
    machine.optee().behave();
    EXPECT_GT(vm.counter("tee_anomalies"), 0u);
    EXPECT_EQ(vm.counter("rpc_shm_free"), 0u);
    EXPECT_EQ(vm.pins(), 2u + 3u) << "what was really to be freed stays until the VM goes";
    EXPECT_TRUE(guest.invoke(memory, command::memory_invert, {shared_inout(registered)}).ok());
    expect_clean_end(machine);
}

INSTANTIATE_TEST_SUITE_P(
    Of,
    OddShmFree,
    testing::Values(OddFree{"RegisteredMemory", [](Shm const& shm, Call const&) { return shm->cookie; }},
                    OddFree{"AnUnknownCookie", [](Shm const&, Call const&) { return std::uint64_t{0x1234}; }},
                    OddFree{"Nothing", [](Shm const&, Call const&) { return std::uint64_t{0}; }},
                    OddFree{"ItsOwnArgument", [](Shm const&, Call const& call) { return call.last().pair(1); }}),
    name_of_case<OddFree>);

TEST(OddOptee, ThatFreesTheArgumentOfAnotherThreadIsNotBelieved)
{
    auto machine = Machine::with_one_vm().boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const session = guest.open(App::clock).session;
    auto victim = guest.begin_invoke(session, command::clock_get, {value_out()});
    ASSERT_TRUE(run_until_command(victim, abi::rpc_cmd::get_time));
    auto const cookie = victim.last().pair(1);
    auto call = guest.begin_invoke(guest.open(App::clock).session, command::clock_get, {value_out()});
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
    machine.optee().instead_of_next(abi::smc::return_from_rpc, [&](tee::Smc& smc) {
        smc.proceed();
        EXPECT_EQ(smc.frame.a[0], abi::rpc::free);
        smc.frame.a[1] = abi::high(cookie);
        smc.frame.a[2] = abi::low(cookie);
    });
    call.run_on(0);
    EXPECT_TRUE(call.result().ok());
    EXPECT_EQ(vm.counter("tee_anomalies"), 1u);
    EXPECT_EQ(vm.counter("arguments_live"), 2u);
    victim.run_on(0);
    EXPECT_TRUE(victim.result().ok());
    expect_clean_end(machine);
}

TEST(OddOptee, ThatHandsBackACachedArgumentTwiceOrOneThatNeverWasIsNotBelieved)
{
    auto machine = Machine::with_one_vm().boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, caching_driver};
    ASSERT_TRUE(guest.probe());
    auto const shm = guest.register_memory(page_bytes);
    ASSERT_TRUE(guest.invoke(guest.open(App::clock).session, command::clock_get, {value_out()}).ok());
    auto const first = ask(vm, abi::smc::disable_shm_cache);
    ASSERT_EQ(first.a0(), abi::ret::ok);
    for (auto const cookie : {first.pair(1), shm->cookie, std::uint64_t{0x1234}, std::uint64_t{0}}) {
        machine.optee().instead_of_next(abi::smc::disable_shm_cache, [cookie](tee::Smc& smc) {
            smc.frame.a[0] = abi::ret::ok;
            smc.frame.a[1] = abi::high(cookie);
            smc.frame.a[2] = abi::low(cookie);
        });
        EXPECT_EQ(ask(vm, abi::smc::disable_shm_cache).a0(), abi::ret::not_available);
    }
    EXPECT_EQ(vm.pins(), 1u);
    EXPECT_EQ(vm.counter("tee_anomalies"), 4u);
    expect_clean_end(machine);
}

TEST(OddOptee, ThatAsksForWhatTheAbiDoesNotHaveGetsAReturnFromRpcABoundedNumberOfTimes)
{
    auto machine = Machine::with_one_vm().boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const odd = [](tee::Smc& smc) {
        smc.frame.a[0] = 0xffff'0001;
        smc.frame.a[1] = smc.frame.a[2] = 0;
        smc.frame.a[3] = 0;
    };
    machine.optee().instead_of_every(abi::smc::call_with_arg, odd);
    machine.optee().instead_of_every(abi::smc::return_from_rpc, odd);
    auto call = guest.begin_open(App::echo);
    unsigned entries = 1;
    for (call.start_on(0); call.waits_for_rpc(); call.answer_on(0), ++entries) {
        ASSERT_LT(entries, 1000u);
        EXPECT_EQ(call.rpc(), abi::rpc::foreign_interrupt) << "the only thing that the guest sees of it";
        EXPECT_LE(call.last().work.smcs, optee::EntryLimits::tee_entries);
    }
    EXPECT_EQ(call.last().a0(), abi::ret::bad_command);
    EXPECT_EQ(vm.counter("calls_quarantined"), 1u);
    machine.optee().behave();
    EXPECT_TRUE(works(guest));
    expect_clean_end(machine);
}

TEST(OddOptee, ThatRefusesToRegisterLeavesNothingBehind)
{
    auto machine = Machine::with_one_vm().boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const shm = guest.memory().allocate_scattered(10 * page_bytes);
    machine.optee().return_result(abi::cmd::register_shm, abi::result::out_of_memory);
    auto const result = guest.register_shm(shm);
    EXPECT_EQ(result.ret, abi::result::out_of_memory);
    EXPECT_EQ(result.origin, abi::origin::tee);
    EXPECT_EQ(vm.pins(), 0u);
    EXPECT_EQ(vm.counter("buffers_live"), 0u);
    machine.optee().behave();
    EXPECT_TRUE(guest.register_shm(shm).ok()) << "the name is free";
    expect_clean_end(machine);
}

TEST(OddOptee, ThatRefusesToUnregisterKeepsTheBuffer)
{
    auto machine = Machine::with_one_vm().boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const session = guest.open(App::memory).session;
    auto const shm = guest.register_memory(10 * page_bytes);
    machine.optee().return_result(abi::cmd::unregister_shm, abi::result::busy);
    EXPECT_EQ(guest.unregister_shm(shm).ret, abi::result::busy);
    EXPECT_EQ(vm.pins(), 10u);
    EXPECT_TRUE(guest.invoke(session, command::memory_invert, {shared_inout(shm)}).ok());
    machine.optee().behave();
    EXPECT_TRUE(guest.unregister_shm(shm).ok());
    EXPECT_EQ(vm.pins(), 0u);
    expect_clean_end(machine);
}

} // namespace
} // namespace sim::scenario
