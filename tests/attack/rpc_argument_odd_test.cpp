// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group A, continued: pages that go away under a call with room for its RPCs, limits, an odd OP-TEE.

#include "tests/attack/rpc_argument_words.hpp"

#include <vector>

namespace sim::attack {
namespace {

/// CALL_WITH_RPC_ARG of the clock, with its message in that page.
Call clock_in_page(LinuxGuest& guest, Ipa page, std::uint32_t session)
{
    write_message(guest.vm(),
                  page,
                  abi::cmd::invoke_command,
                  command::clock_get,
                  session,
                  {{abi::attr::value_output, 0, 0, 0}, {abi::attr::value_input, 1, 0, 0}});
    return Call{guest,
                {{abi::smc::call_with_rpc_arg, abi::high(page.raw), abi::low(page.raw), 0, 0, 0, 0, 0}},
                GuestMessage{guest.vm(), page},
                true};
}

ATTACK(AX12,
       "takes away the page of its message, and of the room for RPCs, before it answers",
       "OP-TEE gets a failure, the guest EBADADDR; what came in place of the page is as it was",
       Schedules::straight)
{
    for (auto const how : SpoiltPage::every) {
        if (!boot_with_rpc_arguments())
            return;
        auto const page = guest().memory().allocate(1);
        auto call = clock_in_page(guest(), page, guest().open(App::clock).session);
        Rpcs const rpcs{machine(), vm()};
        ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time)) << name_of(how);
        auto const answer = call.serve_rpc().value();
        {
            SpoiltPage const spoilt{vm(), vm(1), page, how};
            resume(call, answer);
            spoilt.expect_others_as_they_were();
        }
        EXPECT_TRUE(rpcs.last(abi::rpc::command).is_failure()) << name_of(how);
        EXPECT_EQ(call.last().a0(), abi::ret::bad_address) << name_of(how);
        EXPECT_EQ(vm().pins(), 0u);
    }
}

ATTACK(AX13,
       "puts other pages in place of the registered one that its message is in, before it answers",
       "the call goes on in the registered page; what came in its place is as it was",
       Schedules::straight)
{
    for (auto const how : SpoiltPage::every) {
        if (!boot_with_rpc_arguments())
            return;
        auto const shm = guest().allocate_shm(page_bytes);
        auto call = registered_clock(guest(), shm, 0, guest().open(App::clock).session);
        ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time)) << name_of(how);
        auto const answer = call.serve_rpc().value();
        {
            SpoiltPage const spoilt{vm(), vm(1), shm->at(0), how};
            resume(call, answer);
            spoilt.expect_others_as_they_were();
        }
        EXPECT_TRUE(call.result().ok()) << name_of(how);
        EXPECT_TRUE(guest().unregister_shm(shm).ok());
        EXPECT_EQ(vm().pins(), 0u);
    }
}

ATTACK(AX14,
       "goes on with a call after the policy took the capability away",
       "the call comes to its end; the next one is UNKNOWN",
       Schedules::usual)
{
    if (!boot_with_rpc_arguments())
        return;
    auto const shm = guest().allocate_shm(page_bytes);
    auto call = registered_clock(guest(), shm, 0, guest().open(App::clock).session);
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
    auto policy = vm().policy();
    policy.capabilities &= ~abi::cap::rpc_arg;
    vm().set_policy(policy);
    auto const asked = registered_message(shm->cookie, 1024);
    EXPECT_TRUE(is_unknown(asked, vm().smc(1, asked)));
    call.run_on(0);
    EXPECT_TRUE(call.result().ok());
    EXPECT_TRUE(guest().unregister_shm(shm).ok());
    EXPECT_EQ(vm().pins(), 0u);
}

ATTACK(AX15,
       "OP-TEE names an argument page, or registered memory, for the request of a call that brought room",
       "no request is delivered; the call ends with an error",
       Schedules::straight)
{
    if (!boot_with_rpc_arguments())
        return;
    Household household{guest()};
    ASSERT_TRUE(household.is_ready);
    for (auto const& [name, cookie] : household.cookies()) {
        auto const page = guest().memory().allocate(1);
        fill_page(vm(), page, 0);
        auto call = clock_in_page(guest(), page, guest().open(App::clock).session);
        {
            Rpcs rpcs{machine(), vm()};
            rpcs.change_leaving = [odd = cookie](optee_smc_frame& frame) {
                if (frame.a[0] != abi::rpc::command)
                    return;
                frame.a[1] = abi::high(odd);
                frame.a[2] = abi::low(odd);
            };
            call.start_on(0);
            pass_interrupts(call);
        }
        EXPECT_TRUE(call.done()) << name;
        EXPECT_EQ(call.last().a0(), abi::ret::ok) << name;
        EXPECT_NE(call.message().ret(), abi::result::success) << name;
        EXPECT_EQ(call.rpc_message().cmd(), 0u) << name;
    }
    household.expect_intact();
}

ATTACK(AX16,
       "OP-TEE makes a request with more parameters than there is room for behind the message",
       "OP-TEE gets a failure; the guest's memory behind the room is as it was",
       Schedules::straight)
{
    if (!boot_with_rpc_arguments())
        return;
    for (auto const params : {5u, 127u, 0x0800'0000u, 0xffff'ffffu}) {
        auto const page = guest().memory().allocate(1);
        fill_page(vm(), page, 0x5a5a'5a5a);
        auto call = clock_in_page(guest(), page, guest().open(App::clock).session);
        auto const before = contents_of(vm(), page);
        {
            Rpcs rpcs{machine(), vm()};
            rpcs.change_request = [params](SeenArgument& argument) {
                argument.set_field(abi::arg::num_params, params);
            };
            call.start_on(0);
            pass_interrupts(call);
            EXPECT_TRUE(rpcs.last(abi::rpc::command).is_failure()) << params;
        }
        EXPECT_TRUE(call.done()) << params;
        for (auto const place : changes(before, contents_of(vm(), page)))
            EXPECT_LT(place, abi::arg::bytes(2)) << params;
    }
}

ATTACK(AX17,
       "begins more calls with registered messages than it has threads, and gives back the memory of the last",
       "ETHREAD_LIMIT; the memory of that one is not in use",
       Schedules::usual)
{
    if (!boot_with_rpc_arguments())
        return;
    auto const threads = machine().optee().options().threads;
    std::vector<Shm> messages;
    std::vector<Call> calls;
    for (std::uint32_t n = 0; n <= threads; ++n) {
        auto const session = guest().open(App::clock).session;
        messages.push_back(guest().allocate_shm(page_bytes));
        calls.push_back(registered_clock(guest(), messages.back(), 0, session));
    }
    auto last = std::move(calls.back());
    calls.pop_back();
    for (auto& call : calls)
        ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
    EXPECT_EQ(last.start_on(1).a0(), abi::ret::thread_limit);
    calls.front().run_on(0);
    EXPECT_TRUE(guest().unregister_shm(messages.back()).ok());
    for (auto& call : calls)
        call.run_on(0);
    messages.pop_back();
    for (auto const& shm : messages)
        EXPECT_TRUE(guest().unregister_shm(shm).ok());
    EXPECT_EQ(vm().pins(), 0u);
}

} // namespace
} // namespace sim::attack
