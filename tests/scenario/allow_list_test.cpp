// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Which TAs a VM may open sessions with: judged when a session is opened, changed while the VM runs.

#include "tests/scenario/scenario.hpp"

#include <atomic>
#include <thread>

namespace sim::scenario {
namespace {

using tee::only;

constexpr auto denied = abi::result::access_denied;

optee_mediator_ta_list everybody()
{
    return {};
}

TEST(AllowList, LetsAVmOpenWhatItNames)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    EXPECT_TRUE(guest.open(App::memory).ok()) << "a VM is created without one";
    ASSERT_TRUE(machine.vm(0).set_tas(only({App::clock, App::echo})));
    EXPECT_TRUE(guest.open(App::echo).ok());
    EXPECT_TRUE(guest.open(App::clock).ok());
    EXPECT_TRUE(is_refused(guest.open(App::memory), denied));
    EXPECT_EQ(machine.vm(0).counter("ta_refused"), 1u);
    EXPECT_EQ(machine.vm(0).counter("open_session"), 3u) << "what was refused is no session";
    expect_clean_end(machine);
}

TEST(AllowList, RefusesWithoutOptee)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    ASSERT_TRUE(machine.vm(0).set_tas(only({App::echo})));
    auto call = guest.begin_open(App::loadable);
    auto const& answer = call.start_on(0);
    EXPECT_EQ(answer.work.smcs, 0u);
    EXPECT_EQ(answer.a0(), abi::ret::ok);
    EXPECT_TRUE(is_refused(call.result(), denied));
    EXPECT_EQ(call.result().session, 0u);
    expect_clean_end(machine);
}

TEST(AllowList, ThatNamesNobodyRefusesAll)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    ASSERT_TRUE(machine.vm(0).set_tas(only({})));
    for (auto const app : {App::echo, App::memory, App::loadable})
        EXPECT_TRUE(is_refused(guest.open(app), denied));
    ASSERT_TRUE(machine.vm(0).set_tas(everybody()));
    EXPECT_TRUE(guest.open(App::loadable).ok());
    expect_clean_end(machine);
}

TEST(AllowList, IsReplacedWhileTheVmRunsAndSessionsStay)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::clock).session;
    auto call = guest.begin_invoke(session, command::clock_get, {value_out()});
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
    ASSERT_TRUE(machine.vm(0).set_tas(only({App::echo})));
    EXPECT_EQ(call.run_on(1), Call::State::done);
    EXPECT_TRUE(call.result().ok()) << "a call under way";
    EXPECT_TRUE(guest.invoke(session, command::clock_get, {value_out()}).ok()) << "a session that was open";
    EXPECT_TRUE(is_refused(guest.open(App::clock), denied));
    ASSERT_TRUE(machine.vm(0).set_tas(only({App::echo, App::clock})));
    EXPECT_TRUE(guest.open(App::clock).ok());
    EXPECT_TRUE(guest.close(session).ok());
    expect_clean_end(machine);
}

TEST(AllowList, IsOfOneVmAndNotOfAnother)
{
    auto machine = Machine::with_vms(2).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    LinuxGuest other{machine.vm(1), plain_driver};
    ASSERT_TRUE(machine.vm(0).set_tas(only({App::echo})));
    ASSERT_TRUE(machine.vm(1).set_tas(only({App::clock})));
    EXPECT_TRUE(guest.open(App::echo).ok());
    EXPECT_TRUE(other.open(App::clock).ok());
    EXPECT_TRUE(is_refused(guest.open(App::clock), denied));
    EXPECT_TRUE(is_refused(other.open(App::echo), denied));
    EXPECT_EQ(machine.vm(1).counter("ta_refused"), 1u);
    expect_clean_end(machine);
}

TEST(AllowList, IsNotAskedForWhatOpensNoSession)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::memory).session;
    ASSERT_TRUE(machine.vm(0).set_tas(only({})));
    auto const shm = guest.register_memory(3 * page_bytes);
    ASSERT_NE(shm, nullptr);
    EXPECT_TRUE(guest.invoke(session, command::memory_invert, {shared_inout(shm)}).ok());
    EXPECT_TRUE(guest.unregister_shm(shm).ok());
    EXPECT_TRUE(guest.close(session).ok());
    EXPECT_EQ(machine.vm(0).counter("ta_refused"), 0u);
    expect_clean_end(machine);
}

TEST(AllowList, WithMoreThanThereIsRoomForIsNotTaken)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    ASSERT_TRUE(machine.vm(0).set_tas(only({App::echo})));
    auto too_long = only({App::clock});
    too_long.count = OPTEE_MEDIATOR_MAX_TAS + 1;
    EXPECT_FALSE(machine.vm(0).set_tas(too_long));
    EXPECT_TRUE(guest.open(App::echo).ok());
    EXPECT_TRUE(is_refused(guest.open(App::clock), denied));
    expect_clean_end(machine);
}

TEST(AllowList, RefusesAMessageInRegisteredMemoryAndLetsItGo)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0)};
    ASSERT_TRUE(guest.probe());
    ASSERT_TRUE(guest.open(App::echo).ok());
    ASSERT_EQ(machine.vm(0).counter("with_regd_arg"), 1u);
    ASSERT_TRUE(machine.vm(0).set_tas(only({App::echo})));
    EXPECT_TRUE(is_refused(guest.open(App::memory), denied));
    EXPECT_TRUE(guest.open(App::echo).ok());
    guest.remove(); // which unregisters the messages: none is in use
    EXPECT_EQ(machine.vm(0).counter("buffers_live"), 0u);
    expect_clean_end(machine);
}

TEST(AllowList, ReplacedWhileVcpusOpenSessionsJudgesEachByOneList)
{
    auto machine = Machine::with_one_vm().vcpus(4).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    ASSERT_TRUE(machine.vm(0).set_tas(only({App::echo, App::clock})));
    std::atomic<unsigned> wrong{0};
    std::atomic<unsigned> running{3};
    std::vector<std::thread> vcpus;
    for (std::uint32_t vcpu = 1; vcpu < 4; ++vcpu)
        vcpus.emplace_back([&, vcpu] {
            for (unsigned n = 0; n < 60; ++n) {
                auto const always = guest.open(App::echo, {}, vcpu);
                auto const never = guest.open(App::memory, {}, vcpu);
                auto const at_times = guest.open(App::clock, {}, vcpu);
                wrong += !always.ok() || !is_refused(never, denied);
                wrong += !at_times.ok() && !is_refused(at_times, denied);
                wrong += !guest.close(always.session, vcpu).ok();
                wrong += at_times.ok() && !guest.close(at_times.session, vcpu).ok();
            }
            --running;
        });
    for (unsigned n = 0; running != 0; ++n) {
        EXPECT_TRUE(
            machine.vm(0).set_tas(n % 2 == 0 ? only({App::sleeper, App::echo}) : only({App::echo, App::clock})));
        std::this_thread::yield();
    }
    for (auto& vcpu : vcpus)
        vcpu.join();
    EXPECT_EQ(wrong, 0u);
    expect_clean_end(machine);
}

TEST(OverQuota, CountsWhatWasRefusedForTheQuotaAndNothingElse)
{
    auto policy = optee_mediator_default_policy();
    policy.pages = 50;
    policy.buffers = 100;
    auto machine = Machine::with_one_vm().policy(policy).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto& vm = machine.vm(0);
    EXPECT_EQ(guest.register_memory(51 * page_bytes), nullptr);
    EXPECT_EQ(vm.counter("over_quota"), 1u);
    EXPECT_EQ(vm.counter("out_of_memory"), 1u);
    auto const session = guest.open(App::allocator).session;
    EXPECT_FALSE(guest.invoke(session, command::allocator_appl, {value_in(51 * page_bytes, 1)}).ok());
    EXPECT_EQ(vm.counter("over_quota"), 2u) << "what a guest offers in an answer counts, too";
    {
        Failure failure{Point::allocate_page, 0, Failure::Extent::from_then_on};
        machine.add(failure);
        EXPECT_EQ(guest.register_memory(page_bytes), nullptr);
        machine.remove(failure);
    }
    EXPECT_EQ(vm.counter("out_of_memory"), 2u);
    EXPECT_EQ(vm.counter("over_quota"), 2u) << "the hypervisor had no page: that is no quota";
    expect_clean_end(machine);
}

} // namespace
} // namespace sim::scenario
