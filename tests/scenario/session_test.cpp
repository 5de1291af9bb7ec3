// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Yielding calls that carry values: sessions, results, and messages that are refused.

#include "tests/scenario/scenario.hpp"

namespace sim::scenario {
namespace {

TEST(Session, IsOpenedUsedAndClosed)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const opened = guest.open(App::echo);
    ASSERT_TRUE(opened.ok());
    EXPECT_NE(opened.session, 0u);
    EXPECT_TRUE(guest.invoke(opened.session, command::echo_add_one).ok());
    EXPECT_TRUE(guest.close(opened.session).ok());
    EXPECT_EQ(machine.optee().partition(machine.vm(0))->open_sessions(), 0u);
    EXPECT_EQ(machine.vm(0).counter("open_session"), 1u);
    EXPECT_EQ(machine.vm(0).counter("invoke_command"), 1u);
    EXPECT_EQ(machine.vm(0).counter("close_session"), 1u);
    expect_clean_end(machine);
}

TEST(Session, TakesValuesInAndGivesOnlyOutputsBack)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::echo).session;
    auto const result = guest.invoke(
        session, command::echo_add_one, {value_in(7, 8, 9), value_inout(10, 20), value_out(), no_value()});
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(result.params[0], (abi::Param{abi::attr::value_input, 7, 8, 9}));
    EXPECT_EQ(result.params[1].a, 11u);
    EXPECT_EQ(result.params[1].b, 21u);
    EXPECT_EQ(result.params[2].a, 1u);
    EXPECT_EQ(result.params[3], abi::Param{});
    expect_clean_end(machine);
}

TEST(Session, HandsTheTrustedApplicationsOwnErrorOn)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::echo).session;
    auto const result = guest.invoke(session, command::echo_fail, {value_in(abi::result::short_buffer)});
    EXPECT_EQ(result.a0, abi::ret::ok);
    EXPECT_EQ(result.ret, abi::result::short_buffer);
    EXPECT_EQ(result.origin, abi::origin::trusted_app);
    expect_clean_end(machine);
}

TEST(Session, OfNobodyIsRefusedByOptee)
{
    auto machine = Machine::with_vms(2).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    LinuxGuest other{machine.vm(1), plain_driver};
    auto const session = other.open(App::echo).session;
    EXPECT_EQ(guest.close(session).ret, abi::result::item_not_found);
    EXPECT_EQ(guest.invoke(12345, command::echo_add_one).ret, abi::result::bad_parameters);
    EXPECT_TRUE(other.close(session).ok()) << "another VM closed it";
    expect_clean_end(machine);
}

TEST(Cancel, EndsACallThatSleepsInOptee)
{
    auto machine = Machine::with_one_vm().vcpus(2).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::sleeper).session;
    auto sleeper = guest.begin_invoke(session, command::sleeper_wait);
    sleeper.run_on(0);
    ASSERT_TRUE(sleeper.is_blocked());
    EXPECT_TRUE(guest.cancel(session, 1).ok());
    EXPECT_EQ(sleeper.run_on(0), Call::State::done);
    EXPECT_EQ(sleeper.result().ret, abi::result::cancel);
    EXPECT_EQ(machine.vm(0).counter("cancel"), 1u);
    expect_clean_end(machine);
}

TEST(Message, OfAllParametersThatFitIsReadAndOneMoreIsNot)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    Arguments const many(abi::max_params, value_in(1));
    auto call = guest.begin(abi::cmd::invoke_command, 0, 1, many);
    call.start_on(0);
    EXPECT_EQ(call.result().ret, abi::result::bad_parameters);
    EXPECT_EQ(call.result().origin, abi::origin::tee) << "OP-TEE takes four, but it sees all of them";

    for (auto const count : {abi::max_params + 1, 0x0800'0001u, 0x7fff'ffffu, 0xffff'ffffu}) {
        auto refused = guest.begin_invoke(1, command::echo_add_one);
        refused.message().set_field(abi::arg::num_params, count);
        auto const work = refused.start_on(0).work;
        EXPECT_TRUE(is_refused(refused.result(), abi::result::bad_parameters)) << count;
        EXPECT_EQ(work.smcs, 0u);
    }
    expect_clean_end(machine);
}

TEST(Message, WithAnUnknownCommandNeverReachesOptee)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    for (auto const cmd : {abi::cmd::do_bottom_half, abi::cmd::stop_async_notif, 8u, 15u, 0xffffu, 0xffff'ffffu}) {
        auto call = guest.begin(cmd, 0, 0, {value_in(0x1234'5000)});
        auto const work = call.start_on(0).work;
        EXPECT_EQ(call.result().a0, abi::ret::bad_command) << cmd;
        EXPECT_NE(call.result().ret, abi::result::success) << "the result in the message is an error too";
        EXPECT_EQ(work.smcs, 0u);
    }
    expect_clean_end(machine);
}

TEST(Message, OfCloseOrCancelHasNoParameters)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const shm = guest.memory().allocate_scattered(10 * page_bytes);
    for (auto const cmd : {abi::cmd::close_session, abi::cmd::cancel}) {
        for (auto const& argument : {value_in(1), temporary_in(shm)}) {
            auto call = guest.begin(cmd, 0, 1, {argument});
            auto const work = call.start_on(0).work;
            EXPECT_TRUE(is_refused(call.result(), abi::result::bad_parameters));
            EXPECT_EQ(work.smcs, 0u);
            EXPECT_LE(work.pins, 2u) << "the message's own page, on its way in and out";
        }
    }
    expect_clean_end(machine);
}

TEST(Message, ReachesOpteeWithoutReservedFields)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto call = guest.begin_open(App::echo);
    call.message().set_field(abi::arg::pad, 0xdead'beef);
    call.start_on(0);
    EXPECT_TRUE(call.result().ok());
    expect_clean_end(machine);
}

TEST(Message, ElsewhereThanAtTheBeginningOfAPageIsRefused)
{
    auto machine = Machine::with_one_vm().boot();
    auto& vm = machine.vm(0);
    for (auto const offset : {1u, 8u, 2048u, 4095u}) {
        auto const ipa = vm.ram(3).raw + offset;
        auto const answer = ask(vm, abi::smc::call_with_arg, abi::high(ipa), abi::low(ipa));
        EXPECT_EQ(answer.a0(), abi::ret::bad_address) << offset;
        EXPECT_EQ(answer.work.look_ups, 0u);
        EXPECT_EQ(answer.work.smcs, 0u);
    }
    expect_clean_end(machine);
}

struct NoPage {
    char const* name;
    std::function<void(Machine&, Ipa)> make;
};

class MessageInNoPageOfTheVm : public testing::TestWithParam<NoPage> {};

// xen-devel, 2019, point 7: the page's type is checked, and by the look-up that takes the reference.
TEST_P(MessageInNoPageOfTheVm, IsRefusedAlikeForEveryReason)
{
    auto machine = Machine::with_vms(2).boot();
    auto& vm = machine.vm(0);
    auto const ipa = vm.ram(3);
    GetParam().make(machine, ipa);
    auto const answer = ask(vm, abi::smc::call_with_arg, abi::high(ipa.raw), abi::low(ipa.raw));
    EXPECT_EQ(answer.a0(), abi::ret::bad_address);
    EXPECT_EQ(answer.work.smcs, 0u);
    EXPECT_TRUE(answer.writes.empty());
    expect_clean_end(machine);
}

INSTANTIATE_TEST_SUITE_P(Reason,
                         MessageInNoPageOfTheVm,
                         testing::Values(NoPage{"Absent", [](Machine& m, Ipa at) { m.vm(0).balloon_out(at); }},
                                         NoPage{"ReadOnly", [](Machine& m, Ipa at) { m.vm(0).write_protect(at); }},
                                         NoPage{"Foreign",
                                                [](Machine& m, Ipa at) {
                                                    m.vm(0).map_of(m.vm(1), m.vm(1).ram(5), at, MappingKind::foreign);
                                                }},
                                         NoPage{"Granted",
                                                [](Machine& m, Ipa at) {
                                                    m.vm(0).map_of(m.vm(1), m.vm(1).ram(5), at, MappingKind::grant);
                                                }},
                                         NoPage{"Device", [](Machine& m, Ipa at) { m.vm(0).map_mmio(at); }}),
                         name_of_case<NoPage>);

TEST(Message, BeyondTheVmsRamIsRefused)
{
    auto machine = Machine::with_one_vm().boot();
    auto& vm = machine.vm(0);
    for (auto const ipa :
         {std::uint64_t{0}, vm.ram(vm.ram_pages()).raw, std::uint64_t{1} << 48, ~std::uint64_t{4095}}) {
        auto const answer = ask(vm, abi::smc::call_with_arg, abi::high(ipa), abi::low(ipa));
        EXPECT_EQ(answer.a0(), abi::ret::bad_address) << std::hex << ipa;
        EXPECT_EQ(answer.work.smcs, 0u);
    }
    expect_clean_end(machine);
}

// xen-devel, 2019, point 2: the guest must not change what was checked.
TEST(Message, ChangedByAnotherVcpuAfterItWasReadIsWhatItWasWhenRead)
{
    auto machine = Machine::with_one_vm().vcpus(2).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::echo).session;
    auto call = guest.begin_invoke(session, command::echo_add_one, {value_inout(41), value_in(5)});
    Once change{Point::smc, 0, [&](Moment const&) {
                    auto& message = call.message();
                    message.set_field(abi::arg::cmd, abi::cmd::register_shm);
                    message.set_field(abi::arg::num_params, 100);
                    message.set_param(0, {abi::attr::tmem_output | abi::attr::noncontig, 0, 4096, 7});
                    message.set_param(1, {abi::attr::value_output, 5, 6, 7});
                }};
    machine.add(change);
    call.start_on(0);
    EXPECT_TRUE(change.happened());
    EXPECT_EQ(call.last().a0(), abi::ret::ok);
    EXPECT_EQ(call.message().ret(), abi::result::success);
    EXPECT_EQ(call.message().param(0).a, 42u) << "the output goes where the message that was read had one";
    EXPECT_EQ(call.message().param(1).a, 5u) << "an input is not written, whatever it calls itself now";
    expect_clean_end(machine);
}

TEST(Message, InOnePageOfTwoCallsServesBoth)
{
    auto machine = Machine::with_one_vm().vcpus(2).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::echo).session;
    auto call = guest.begin_invoke(session, command::echo_add_one, {value_inout(41)});
    std::uint32_t second = ~0u;
    Once same{Point::smc, 0, [&](Moment const&) { second = ask_on(1, machine.vm(0), call.registers()).a0(); }};
    machine.add(same);
    call.start_on(0);
    EXPECT_EQ(second, abi::ret::ok);
    EXPECT_TRUE(call.result().ok());
    EXPECT_EQ(call.result().params.at(0).a, 42u);
    expect_clean_end(machine);
}

} // namespace
} // namespace sim::scenario
