// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// The end of a VM, whatever it was doing: calls are drained, OP-TEE is told, and only then pages go back.

#include "tests/scenario/scenario.hpp"

#include <algorithm>

namespace sim::scenario {
namespace {

/// A VM in the middle of something.
struct Scene {
    Machine& machine;
    LinuxGuest& guest;
    std::vector<Call> calls;

    Call& add(Call call)
    {
        calls.push_back(std::move(call));
        return calls.back();
    }
    std::uint32_t session(App app) { return guest.open(app).session; }
};

struct When {
    char const* name;
    std::function<bool(Scene&)> reach;
    bool ends_when_drained = true;
};

void PrintTo(When const& moment, std::ostream* out)
{
    *out << moment.name;
}

bool clock_until(Scene& scene, std::uint32_t rpc)
{
    auto const brief = scene.guest.memory().allocate_scattered(5 * page_bytes);
    auto& call = scene.add(scene.guest.begin_invoke(
        scene.session(App::clock), command::clock_get, {value_out(), value_in(1), temporary_in(brief)}));
    return run_until_rpc(call, rpc);
}

bool allocator_until(Scene& scene, std::uint32_t rpc_cmd)
{
    auto& call = scene.add(scene.guest.begin_invoke(
        scene.session(App::allocator), command::allocator_appl, {value_in(700 * page_bytes, 1)}));
    return run_until_command(call, rpc_cmd);
}

bool interrupted_in(Scene& scene, Call call)
{
    scene.machine.preempt(Preemption::always());
    scene.machine.optee().interrupt_without_end();
    auto& kept = scene.add(std::move(call));
    kept.start_on(0);
    scene.machine.optee().interrupt_without_end(false);
    scene.machine.preempt(Preemption::never());
    return kept.rpc() == abi::rpc::foreign_interrupt;
}

bool preempted_in(Scene& scene, Call call)
{
    scene.machine.preempt(Preemption::always());
    auto& kept = scene.add(std::move(call));
    kept.start_on(0);
    scene.machine.preempt(Preemption::never());
    return kept.rpc() == abi::rpc::foreign_interrupt;
}

auto const moments = testing::Values(
    When{"Idle", [](Scene&) { return true; }},
    When{"WithRegisteredMemory",
         [](Scene& s) { return s.guest.register_memory(3000 * page_bytes) && s.guest.register_memory(1, 7); }},
    When{"InRpcAlloc", [](Scene& s) { return clock_until(s, abi::rpc::alloc); }},
    When{"InRpcCommand", [](Scene& s) { return clock_until(s, abi::rpc::command); }},
    When{"InRpcFree", [](Scene& s) { return clock_until(s, abi::rpc::free); }},
    When{"InShmAlloc", [](Scene& s) { return allocator_until(s, abi::rpc_cmd::shm_alloc); }},
    When{"InShmFree", [](Scene& s) { return allocator_until(s, abi::rpc_cmd::shm_free); }},
    When{"InTranslationOfAnAnswer",
         [](Scene& s) {
             if (!allocator_until(s, abi::rpc_cmd::shm_alloc))
                 return false;
             auto& call = s.calls.back();
             call.answer_on(0);
             return call.rpc() == abi::rpc::foreign_interrupt;
         }},
    When{"InTheMediatorsOwnShmFree",
         [](Scene& s) {
             if (!allocator_until(s, abi::rpc_cmd::shm_alloc))
                 return false;
             auto& call = s.calls.back();
             auto const answer = call.serve_rpc().value();
             auto offer = call.rpc_message().param(0);
             offer.b = 1;
             call.rpc_message().set_param(0, offer);
             call.resume_on(0, answer);
             return call.asks_for(abi::rpc_cmd::shm_free);
         }},
    When{"InAFileRequest",
         [](Scene& s) {
             auto const shm = s.guest.register_memory(2 * page_bytes);
             auto& call = s.add(s.guest.begin_invoke(
                 s.session(App::storage), command::storage_write, {shared_in(shm), value_in(7)}));
             return run_until_command(call, abi::rpc_cmd::fs);
         }},
    When{"InLoadTa",
         [](Scene& s) {
             auto& call = s.add(s.guest.begin_open(App::loadable));
             return run_until(call, [](Call const& c) {
                 return c.asks_for(abi::rpc_cmd::load_ta) && c.rpc_message().param(1).c != 0;
             });
         }},
    When{"InAForeignInterrupt",
         [](Scene& s) {
             return interrupted_in(s, s.guest.begin_invoke(s.session(App::echo), command::echo_add_one));
         }},
    When{"InRegistration",
         [](Scene& s) {
             return preempted_in(s, s.guest.begin_register(s.guest.memory().allocate_scattered(900 * page_bytes)));
         }},
    When{"InRegistrationByOptee",
         [](Scene& s) {
             return interrupted_in(s, s.guest.begin_register(s.guest.memory().allocate_scattered(20 * page_bytes)));
         }},
    When{"InUnregistrationByOptee",
         [](Scene& s) {
             return interrupted_in(s, s.guest.begin_unregister(s.guest.register_memory(20 * page_bytes)));
         }},
    When{"InReleaseAfterACall",
         [](Scene& s) {
             return preempted_in(s, s.guest.begin_unregister(s.guest.register_memory(900 * page_bytes)));
         }},
    When{"WithASleeperThatNobodyWakes",
         [](Scene& s) {
             auto& call = s.add(s.guest.begin_invoke(s.session(App::sleeper), command::sleeper_wait));
             call.run_on(0);
             return call.is_blocked();
         },
         false},
    When{"WithAllThreadsHoarded",
         [](Scene& s) {
             for (unsigned n = 0; n < 4; ++n)
                 if (!clock_until(s, abi::rpc::command))
                     return false;
             return true;
         }},
    When{"WithCachedArguments", [](Scene& s) {
             LinuxGuest caching{s.machine.vm(0), caching_driver};
             return caching.probe() && caching.open(App::loadable).ok();
         }});

class VmDestroy : public testing::TestWithParam<When> {
protected:
    Machine machine = Machine::with_vms(2).ram_pages(8192).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    LinuxGuest bystander{machine.vm(1), plain_driver};
    Scene scene{machine, guest, {}};
};

TEST_P(VmDestroy, DrainsCallsThenTellsOpteeThenGivesPagesBack)
{
    auto& vm = machine.vm(0);
    ASSERT_TRUE(GetParam().reach(scene));
    auto const pins = vm.pins();
    auto const suspended = machine.optee().partition(vm)->suspended_threads();
    std::uint64_t pins_when_told = 0;
    std::uint32_t suspended_when_told = 0;
    unsigned told = 0;
    Watch telling{[&](Moment const& moment) {
        if (moment.point != Point::smc || moment.number != abi::smc::vm_destroyed)
            return;
        ++told;
        pins_when_told = vm.pins();
        suspended_when_told = machine.optee().partition(vm)->suspended_threads();
    }};
    machine.add(telling);
    EXPECT_EQ(vm.destroy(), OPTEE_MEDIATOR_OK);
    machine.remove(telling);
    EXPECT_EQ(told, 1u);
    EXPECT_LE(vm.counter("calls_drained"), suspended);
    if (GetParam().ends_when_drained) {
        EXPECT_EQ(vm.counter("calls_drained"), suspended);
    }
    EXPECT_EQ(pins_when_told, pins) << "nothing goes back before OP-TEE was told";
    if (GetParam().ends_when_drained) {
        EXPECT_EQ(suspended_when_told, 0u);
    }
    EXPECT_TRUE(holds_nothing(vm));
    EXPECT_TRUE(works(bystander));
    expect_clean_end(machine);
}

TEST_P(VmDestroy, PreemptedAtEveryPointIsRestartedUntilItIsDone)
{
    ASSERT_TRUE(GetParam().reach(scene));
    machine.preempt(Preemption::always());
    unsigned steps = 1;
    while (machine.vm(0).destroy_step() == OPTEE_MEDIATOR_AGAIN)
        ASSERT_LT(++steps, 1000u);
    EXPECT_FALSE(machine.vm(0).exists());
    EXPECT_TRUE(holds_nothing(machine.vm(0)));
    machine.preempt(Preemption::never());
    EXPECT_TRUE(works(bystander));
    expect_clean_end(machine);
}

TEST_P(VmDestroy, RefusedByOpteeGivesNothingBackEver)
{
    auto& vm = machine.vm(0);
    ASSERT_TRUE(GetParam().reach(scene));
    auto const pins = vm.pins();
    auto const pages = vm.mediator_pages();
    machine.optee().answer_every(abi::smc::vm_destroyed, abi::ret::not_available);
    EXPECT_EQ(vm.destroy(), OPTEE_MEDIATOR_QUARANTINED);
    machine.optee().behave();
    EXPECT_EQ(vm.pins(), pins);
    EXPECT_EQ(vm.mediator_pages(), pages);
    auto const lines = machine.log_lines();
    EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [](Machine::LogLine const& line) { return line.is_error; }));
    auto const answer = ask(vm, abi::smc::calls_uid);
    EXPECT_EQ(answer.a0(), abi::ret::unknown_function) << "nobody gets in any more";
    EXPECT_EQ(answer.work.smcs, 0u);
    EXPECT_TRUE(works(bystander));
    expect_clean_end(machine);
}

INSTANTIATE_TEST_SUITE_P(At, VmDestroy, moments, name_of_case<When>);

TEST(VmDestroyed, WhileAVcpuIsInsideIsBusyAndLetsNobodyElseIn)
{
    auto machine = Machine::with_one_vm().vcpus(2).boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const session = guest.open(App::echo).session;
    auto call = guest.begin_invoke(session, command::echo_add_one, {value_inout(41)});
    optee_mediator_status first = OPTEE_MEDIATOR_OK;
    std::uint32_t late = 0;
    Once inside{Point::smc, 0, [&](Moment const&) {
                    first = vm.destroy_step();
                    late = ask_on(1, vm, {{abi::smc::calls_uid, 0, 0, 0, 0, 0, 0, 0}}).a0();
                }};
    machine.add(inside);
    call.start_on(0);
    EXPECT_EQ(first, OPTEE_MEDIATOR_BUSY);
    EXPECT_EQ(late, abi::ret::unknown_function);
    EXPECT_TRUE(call.result().ok()) << "the call that was inside comes to its end";
    EXPECT_EQ(vm.destroy(), OPTEE_MEDIATOR_OK);
    expect_clean_end(machine);
}

TEST(VmDestroyed, BeforeItsFirstCallLeavesNothing)
{
    auto machine = Machine::with_one_vm().boot();
    EXPECT_EQ(machine.vm(0).destroy(), OPTEE_MEDIATOR_OK);
    expect_clean_end(machine);
}

TEST(VmDestroyed, AndCreatedUnderTheSameIdIsFresh)
{
    auto machine = Machine::with_one_vm().boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const session = guest.open(App::echo).session;
    auto const clock = guest.open(App::clock).session;
    auto const shm = guest.register_memory(3 * page_bytes);
    auto call = guest.begin_invoke(clock, command::clock_get, {value_out()});
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
    auto const client = vm.client();
    ASSERT_EQ(vm.destroy(), OPTEE_MEDIATOR_OK);
    ASSERT_EQ(vm.create(client, machine.default_policy()), OPTEE_MEDIATOR_OK);

    EXPECT_EQ(ask_on(0, vm, return_from_rpc(call.handle())).a0(), abi::ret::resume_failed);
    LinuxGuest fresh{vm, plain_driver};
    ASSERT_TRUE(fresh.probe());
    EXPECT_FALSE(fresh.invoke(session, command::echo_add_one).ok());
    auto const memory = fresh.open(App::memory).session;
    EXPECT_TRUE(
        is_refused(fresh.invoke(memory, command::memory_invert, {shared_inout(shm)}), abi::result::bad_parameters));
    EXPECT_TRUE(fresh.register_shm(shm).ok()) << "a new kernel may use the names of the old one";
    EXPECT_TRUE(works(fresh));
    EXPECT_EQ(vm.counter("register_shm"), 1u) << "counters begin anew";
    expect_clean_end(machine);
}

TEST(VmDestroyed, DrainsACallThatGoesOnAskingAndGivesUpAfterABound)
{
    auto machine = Machine::with_one_vm().boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto call = guest.begin_invoke(guest.open(App::clock).session, command::clock_get, {value_out()});
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
    machine.optee().interrupt_without_end();
    auto const before = machine.steps();
    EXPECT_EQ(vm.destroy(), OPTEE_MEDIATOR_OK);
    EXPECT_LT(machine.steps() - before, 1000u);
    expect_clean_end(machine);
}

} // namespace
} // namespace sim::scenario
