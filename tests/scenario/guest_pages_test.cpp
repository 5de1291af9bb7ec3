// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// A page that was the guest's read-write RAM when the call came in need not be that later. xen-devel, 2019, points 7
// and 8: copying in and copying back are in different entries, and what the guest replaced is its own loss.

#include "tests/scenario/scenario.hpp"

namespace sim::scenario {
namespace {

struct Change {
    char const* name;
    std::function<void(Machine&, Ipa)> make;
};

void PrintTo(Change const& change, std::ostream* out)
{
    *out << change.name;
}

// What can become of the page at an address of VM 0.
auto const changes = testing::Values(
    Change{"BalloonedOut", [](Machine& m, Ipa at) { m.vm(0).balloon_out(at); }},
    Change{"ReadOnly", [](Machine& m, Ipa at) { m.vm(0).write_protect(at); }},
    Change{"Foreign", [](Machine& m, Ipa at) { m.vm(0).map_of(m.vm(1), m.vm(1).ram(5), at, MappingKind::foreign); }},
    Change{"Granted", [](Machine& m, Ipa at) { m.vm(0).map_of(m.vm(1), m.vm(1).ram(5), at, MappingKind::grant); }},
    Change{"Device", [](Machine& m, Ipa at) { m.vm(0).map_mmio(at); }});

class MessagePageDuringTheCall : public testing::TestWithParam<Change> {};

TEST_P(MessagePageDuringTheCall, ThatIsNoPageOfTheVmAnyMoreGetsNoResultAndTheCallEnds)
{
    auto machine = Machine::with_vms(2).boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const session = guest.open(App::clock).session;
    auto const brief = guest.memory().allocate_scattered(5 * page_bytes);
    auto call = guest.begin_invoke(session, command::clock_get, {value_out(), value_in(1), temporary_in(brief)});
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
    EXPECT_EQ(vm.pins(), 5u);
    GetParam().make(machine, call.message().ipa());
    call.run_on(0);
    ASSERT_TRUE(call.done());
    EXPECT_EQ(call.last().a0(), abi::ret::bad_address);
    EXPECT_TRUE(call.last().writes.empty());
    EXPECT_EQ(vm.pins(), 0u) << "the call is over: what it shared is the guest's again";
    EXPECT_EQ(vm.counter("calls_live"), 0u);
    EXPECT_EQ(machine.optee().partition(vm)->busy_threads(), 0u);
    EXPECT_TRUE(works(guest));
    expect_clean_end(machine);
}

INSTANTIATE_TEST_SUITE_P(Is, MessagePageDuringTheCall, changes, name_of_case<Change>);

TEST(MessagePage, ReplacedByAnotherOfTheVmsOwnGetsTheOutputsAndNothingElse)
{
    auto machine = Machine::with_one_vm().boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const session = guest.open(App::clock).session;
    auto call = guest.begin_invoke(session, command::clock_get, {value_out(), value_in(1)});
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
    auto const before = call.message().param(0);
    auto const at = call.message().ipa();
    vm.swap(at, vm.ram(3));
    for (std::uint32_t byte = 0; byte < page_bytes; byte += 4)
        vm.poke(Ipa{at.raw + byte}, 0x7777'7777u);
    call.run_on(0);
    EXPECT_EQ(call.last().a0(), abi::ret::ok);
    auto const there = call.message();
    EXPECT_EQ(there.ret(), abi::result::success);
    EXPECT_EQ(there.param(0).a, 1'700'000'000u);
    EXPECT_EQ(there.cmd(), 0x7777'7777u);
    EXPECT_EQ(there.field(abi::arg::session), 0x7777'7777u);
    EXPECT_EQ(there.param(0).attr, 0x7777'7777'7777'7777u);
    EXPECT_EQ(there.param(1).a, 0x7777'7777'7777'7777u);
    EXPECT_EQ(vm.peek<std::uint32_t>(Ipa{at.raw + abi::arg::bytes(2)}), 0x7777'7777u);
    vm.swap(at, vm.ram(3));
    EXPECT_EQ(call.message().param(0), before) << "the page of the beginning is untouched";
    expect_clean_end(machine);
}

class RpcPageWhenOpteeAsks : public testing::TestWithParam<Change> {};

TEST_P(RpcPageWhenOpteeAsks, ThatIsNoPageOfTheVmAnyMoreMakesTheRequestFail)
{
    auto machine = Machine::with_vms(2).vcpus(2).boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const session = guest.open(App::clock).session;
    auto call = guest.begin_invoke(session, command::clock_get, {value_out()});
    call.start_on(0);
    ASSERT_EQ(call.rpc(), abi::rpc::alloc);
    auto const answer = call.serve_rpc().value();
    Once while_optee_runs{
        Point::smc, 0, [&](Moment const&) { GetParam().make(machine, Ipa{abi::joined(answer.a[1], answer.a[2])}); }};
    machine.add(while_optee_runs);
    call.resume_on(0, answer);
    EXPECT_EQ(call.rpc(), abi::rpc::free) << "OP-TEE got an error, and gives the argument back";
    call.run_on(0);
    ASSERT_TRUE(call.done());
    EXPECT_EQ(call.result().a0, abi::ret::ok);
    EXPECT_EQ(call.result().ret, abi::result::generic);
    EXPECT_EQ(vm.counter("requests_failed"), 1u);
    EXPECT_EQ(vm.counter("arguments_live"), 0u);
    expect_clean_end(machine);
}

TEST_P(RpcPageWhenOpteeAsks, ThatGoesBeforeTheAnswerMakesTheRequestFail)
{
    auto machine = Machine::with_vms(2).boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const session = guest.open(App::clock).session;
    auto call = guest.begin_invoke(session, command::clock_get, {value_out()});
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
    auto const answer = call.serve_rpc().value();
    GetParam().make(machine, call.rpc_message().ipa());
    call.resume_on(0, answer);
    call.run_on(0);
    ASSERT_TRUE(call.done());
    EXPECT_EQ(call.result().ret, abi::result::generic);
    EXPECT_EQ(vm.counter("requests_failed"), 1u);
    expect_clean_end(machine);
}

INSTANTIATE_TEST_SUITE_P(Is, RpcPageWhenOpteeAsks, changes, name_of_case<Change>);

TEST(RpcPage, ThatNeverComesBackEndsWithTheCallAndNotBeforeABound)
{
    auto machine = Machine::with_one_vm().boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, caching_driver};
    ASSERT_TRUE(guest.probe());
    auto const session = guest.open(App::clock).session;
    auto first = guest.begin_invoke(session, command::clock_get, {value_out()});
    ASSERT_TRUE(run_until_command(first, abi::rpc_cmd::get_time));
    auto const page = first.rpc_message().ipa();
    first.run_on(0);
    ASSERT_TRUE(first.result().ok());
    // OP-TEE keeps the argument for the next call, the guest does not keep the page.
    vm.balloon_out(page);
    EXPECT_EQ(guest.invoke(session, command::clock_get, {value_out()}).ret, abi::result::generic);
    EXPECT_EQ(guest.open(App::loadable).a0, abi::ret::ok);
    EXPECT_TRUE(works(guest)) << "what needs no RPC still works";
    vm.populate(page);
    EXPECT_TRUE(guest.invoke(session, command::clock_get, {value_out()}).ok()) << "and all does with a page there";
    expect_clean_end(machine);
}

TEST(RpcPage, ChangedAfterTheAnswerWasReadHasNoEffect)
{
    auto machine = Machine::with_one_vm().vcpus(2).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::clock).session;
    auto call = guest.begin_invoke(session, command::clock_get, {value_out()});
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
    auto message = call.rpc_message();
    Once late{Point::smc, 0, [&](Moment const&) {
                  message.set_ret(abi::result::busy);
                  message.set_param(0, {abi::attr::value_output, 666, 666, 666});
              }};
    auto const answer = call.serve_rpc().value();
    machine.add(late);
    call.resume_on(0, answer);
    call.run_on(0);
    EXPECT_TRUE(late.happened());
    EXPECT_TRUE(call.result().ok());
    EXPECT_EQ(call.result().params.at(0).a, 1'700'000'000u);
    expect_clean_end(machine);
}

// N10, N12: the pages of a list may go while it is read; what is pinned is what was looked up.
TEST(PageListDuringTheCall, ThatChangesUnderTheMediatorsHandsIsRefusedOrTakenAsItWas)
{
    for (std::uint32_t moment = 1; moment < 12; ++moment) {
        auto machine = Machine::with_one_vm().vcpus(2).boot();
        auto& vm = machine.vm(0);
        LinuxGuest guest{vm, plain_driver};
        auto const shm = guest.memory().allocate_scattered(10 * page_bytes);
        auto call = guest.begin_register(shm);
        auto const list = call.message().param(0).a & ~page_mask;
        Once change{Point::look_up, moment, [&](Moment const&) {
                        vm.unmap(shm->pages[4]);
                        vm.poke(Ipa{list + 5 * 8}, std::uint64_t{8});
                        vm.unmap(Ipa{list});
                    }};
        machine.add(change);
        call.run_on(0);
        ASSERT_TRUE(call.done());
        EXPECT_TRUE(change.happened());
        EXPECT_EQ(vm.pins(), call.result().ok() ? 10u : 0u) << moment;
        expect_clean_end(machine);
    }
}

} // namespace
} // namespace sim::scenario
