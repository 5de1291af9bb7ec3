// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// What a guest puts into a call that is not for OP-TEE to see, and what the guest is not to see.

#include "tests/scenario/scenario.hpp"

namespace sim::scenario {
namespace {

TEST(HostileMessage, DoesNotBringItsRegistersToOptee)
{
    auto machine = Machine::with_vms(2).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto call = guest.begin_invoke(guest.open(App::echo).session, command::echo_add_one, {value_inout(41)});
    optee_smc_frame seen{};
    machine.optee().instead_of_next(abi::smc::call_with_arg, [&](tee::Smc& smc) {
        seen = smc.frame;
        smc.proceed();
    });
    auto registers = call.registers();
    registers.a[3] = 0x3333;
    registers.a[4] = 0x4444;
    registers.a[5] = 0x5555;
    registers.a[6] = 0x6666;
    registers.a[7] = machine.vm(1).client();
    auto const answer = ask_on(0, machine.vm(0), registers);
    EXPECT_EQ(answer.a0(), abi::ret::ok);
    EXPECT_EQ(call.message().param(0).a, 42u);
    for (unsigned n = 4; n < 7; ++n)
        EXPECT_EQ(seen.a[n], 0u) << n;
    EXPECT_EQ(seen.a[7], machine.vm(0).client());
    for (unsigned n = 1; n < 8; ++n)
        EXPECT_EQ(answer.registers.a[n], registers.a[n]) << n;
    expect_clean_end(machine);
}

TEST(HostileMessage, SeesNoAddressInTheRegistersOfAnRpc)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto call = guest.begin_invoke(guest.open(App::clock).session, command::clock_get, {value_out()});
    ASSERT_TRUE(run_until_rpc(call, abi::rpc::alloc));
    auto const answer = call.serve_rpc().value();
    auto const name = (answer.a[4] << 32) | answer.a[5];
    call.resume_on(0, answer);
    ASSERT_EQ(call.rpc(), abi::rpc::command);
    EXPECT_EQ(call.last().pair(1), name) << "the guest's own name for its page";
    expect_clean_end(machine);
}

TEST(HostileMessage, WithAttributesThatTheAbiDoesNotHaveIsRefused)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::memory).session;
    auto const shm = guest.register_memory(page_bytes);
    auto const brief = guest.memory().allocate_scattered(page_bytes);
    auto const is_refused_with = [&](Argument const& argument, std::uint64_t attributes) {
        auto call = guest.begin_invoke(session, command::memory_invert, {argument});
        auto param = call.message().param(0);
        param.attr = attributes;
        call.message().set_param(0, param);
        return call.start_on(0).work.smcs == 0 && is_refused(call.result(), abi::result::bad_parameters);
    };
    for (unsigned bit = 10; bit < 64; ++bit) {
        auto const unknown = std::uint64_t{1} << bit;
        EXPECT_TRUE(is_refused_with(temporary_inout(brief), abi::attr::tmem_inout | abi::attr::noncontig | unknown));
        EXPECT_TRUE(is_refused_with(shared_inout(shm), abi::attr::rmem_inout | unknown));
        EXPECT_TRUE(is_refused_with(value_in(1), abi::attr::value_input | unknown));
    }
    for (std::uint64_t type = 0; type < 256; ++type)
        if (type != abi::attr::none && !abi::attr::is_value(type) && !abi::attr::is_rmem(type) &&
            !abi::attr::is_tmem(type)) {
            EXPECT_TRUE(is_refused_with(value_in(1), type)) << type;
        }
    expect_clean_end(machine);
}

TEST(HostileMessage, WithAContiguousReferenceIsRefused)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::memory).session;
    auto const page = guest.memory().allocate_scattered(page_bytes);
    for (auto const type : {abi::attr::tmem_input, abi::attr::tmem_output, abi::attr::tmem_inout}) {
        abi::Param const param{type, page->pages[0].raw, page_bytes, page->cookie};
        auto call = guest.begin(abi::cmd::invoke_command, command::memory_invert, session, {{param, nullptr}});
        EXPECT_EQ(call.start_on(0).work.smcs, 0u);
        EXPECT_TRUE(is_refused(call.result(), abi::result::bad_parameters));
    }
    expect_clean_end(machine);
}

} // namespace
} // namespace sim::scenario
