// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group A: calls that bring room for their RPCs (CALL_WITH_RPC_ARG, CALL_WITH_REGD_ARG). A mediator that does not offer
// them refuses them, and has withstood.

#include "tests/attack/rpc_argument_words.hpp"

namespace sim::attack {
namespace {

ATTACK(AX01,
       "sends a message in memory that is not registered: the names of other objects, of the other VM, of nothing",
       "EBADADDR; OP-TEE hears nothing; all objects as they were",
       Schedules::all)
{
    auto const offered = boot_with_rpc_arguments();
    Household household{guest()};
    ASSERT_TRUE(household.is_ready);
    auto const innocent = guest(1).register_memory(page_bytes);
    auto cookies = household.cookies();
    cookies.erase(cookies.begin()); // that is registered
    cookies.emplace_back("of the other VM", innocent->cookie + odd_cookie());
    cookies.emplace_back("nothing", 0);
    cookies.emplace_back("unknown", odd_cookie());
    auto const known = Possessions::of(vm());
    Smcs const smcs{vm()};
    for (auto const& [name, cookie] : cookies) {
        auto const asked = registered_message(cookie, 0);
        auto const answer = vm().smc(0, asked);
        EXPECT_TRUE(is_not_there(offered, asked, answer)) << name;
    }
    EXPECT_EQ(smcs.seen(), 0u);
    EXPECT_EQ(Possessions::of(vm()), known);
    household.expect_intact();
    EXPECT_TRUE(guest(1).unregister_shm(innocent).ok());
}

ATTACK(AX02,
       "sends a message at offsets out of line, over the end, and around 2^32",
       "EBADADDR; OP-TEE hears nothing; the buffer can be given back; of a3 the low half counts",
       Schedules::usual)
{
    auto const offered = boot_with_rpc_arguments();
    auto const shm = guest().register_memory(2 * page_bytes, 64);
    auto const known = Possessions::of(vm());
    {
        Smcs const smcs{vm()};
        for (std::uint64_t const offset : {std::uint64_t{1},
                                           std::uint64_t{4},
                                           std::uint64_t{12},
                                           shm->size - 24,
                                           shm->size,
                                           shm->size + 8,
                                           std::uint64_t{0x8000'0000},
                                           std::uint64_t{0xffff'fff8},
                                           std::uint64_t{0xffff'ffe0},
                                           std::uint64_t{0xffff'ffff},
                                           ~std::uint64_t{0}}) {
            auto const asked = registered_message(shm->cookie, offset);
            EXPECT_TRUE(is_not_there(offered, asked, vm().smc(0, asked))) << offset;
        }
        EXPECT_EQ(smcs.seen(), 0u);
    }
    EXPECT_EQ(Possessions::of(vm()), known);
    if (offered) {
        auto call = registered_clock(guest(), shm, 128, guest().open(App::clock).session);
        auto dirty = call.registers();
        for (auto const n : {1u, 2u, 3u})
            dirty.a[n] |= 0xdead'beef'0000'0000;
        call.resume_on(0, dirty);
        call.run_on(0);
        EXPECT_TRUE(call.result().ok());
    }
    EXPECT_TRUE(guest().unregister_shm(shm).ok());
    EXPECT_EQ(vm().pins(), 0u);
}

ATTACK(AX03,
       "sends messages so long that they and the room for RPCs do not fit: into a page, or before the buffer's end",
       "BAD_PARAMETERS by the mediator; what just fits goes to OP-TEE",
       Schedules::usual)
{
    if (!boot_with_rpc_arguments())
        return;
    auto const page = guest().memory().allocate(1);
    auto const shm = guest().allocate_shm(3 * page_bytes);
    constexpr std::uint64_t in_the_middle = 2048;
    Forwarded const forwarded{vm()};
    for (std::uint32_t const params : {123u, 126u, 127u, 128u, 0x0800'0000u, 0x1000'0000u, 0xffff'ffffu}) {
        auto call = message_in_page(guest(), page, params);
        call.run_on(0);
        EXPECT_TRUE(is_refused(call.result(), abi::result::bad_parameters)) << params;
        auto registered = message_in_buffer(guest(), shm, in_the_middle, params);
        registered.run_on(0);
        EXPECT_TRUE(is_refused(registered.result(), abi::result::bad_parameters)) << params;
    }
    EXPECT_TRUE(forwarded.all().empty());
    // The message fits, the room behind it goes over the end of the buffer.
    auto over = message_in_buffer(guest(), shm, 3 * page_bytes - 32 - 32 - 152, 1);
    over.run_on(0);
    EXPECT_TRUE(is_refused(over.result(), abi::result::bad_parameters));
    EXPECT_TRUE(forwarded.all().empty());
    // In turns, so that each finds nothing of the other behind it (I15).
    for (auto const params : {122u, 0u, 122u, 4u}) {
        auto call = message_in_page(guest(), page, params);
        call.run_on(0);
        EXPECT_EQ(call.result().a0, abi::ret::ok);
        auto registered = message_in_buffer(guest(), shm, in_the_middle, params);
        registered.run_on(0);
        EXPECT_EQ(registered.result().a0, abi::ret::ok);
    }
    EXPECT_EQ(forwarded.all().size(), 8u);
    EXPECT_TRUE(guest().unregister_shm(shm).ok());
}

ATTACK(AX04,
       "ends the registration of the memory that a message is in, and registers other memory under its name, at each "
       "RPC",
       "BUSY, BAD_PARAMETERS; the call ends where it began",
       Schedules::usual)
{
    if (!boot_with_rpc_arguments())
        return;
    auto const session = guest().open(App::clock).session;
    auto const shm = guest().allocate_shm(page_bytes);
    auto const other = renamed(guest().memory().allocate_scattered(page_bytes), shm->cookie);
    auto call = registered_clock(guest(), shm, 0, session);
    call.start_on(0);
    std::uint32_t rounds = 0;
    for (; call.waits_for_rpc(); ++rounds) {
        EXPECT_TRUE(is_refused(guest().unregister_shm(shm, 1), abi::result::busy));
        EXPECT_TRUE(is_refused(guest().register_shm(other, 1), abi::result::bad_parameters));
        call.answer_on(0);
    }
    EXPECT_GE(rounds, 1u);
    EXPECT_TRUE(call.result().ok());
    EXPECT_TRUE(guest().unregister_shm(shm).ok());
    EXPECT_EQ(vm().pins(), 0u);
}

ATTACK(AX05,
       "ends the registration of the memory that a message is in, on another vCPU, at every moment of the call",
       "one of the two is refused; no page is touched that is not pinned",
       Schedules::straight)
{
    Shm shm;
    std::optional<CallResult> ended;
    auto const moments = in_race(
        every_point,
        [&] { ended = guest().unregister_shm(shm, 1); },
        [&] {
            ended = std::nullopt;
            if (!boot_with_rpc_arguments(small_world()))
                return;
            auto const session = guest().open(App::clock).session;
            shm = guest().allocate_shm(page_bytes);
            auto call = registered_clock(guest(), shm, 0, session);
            race_begins();
            call.run_on(0);
            race_ends();
            auto const is_begun = call.last().a0() == abi::ret::ok;
            EXPECT_TRUE(is_begun || call.last().a0() == abi::ret::bad_address);
            if (is_begun) {
                EXPECT_TRUE(call.result().ok());
            }
            if (ended) {
                EXPECT_TRUE(ended->ok() || is_refused_or_busy(*ended));
            }
            if (!ended || !ended->ok()) {
                EXPECT_TRUE(guest().unregister_shm(shm).ok());
            }
            EXPECT_EQ(vm().pins(), 0u);
        });
    EXPECT_GE(moments, is_core() ? 10u : 0u);
}

ATTACK(AX06,
       "makes two calls at once with one message in registered memory",
       "each has its own copy and its own requests; the memory is free when both are over",
       Schedules::all)
{
    if (!boot_with_rpc_arguments())
        return;
    auto const shm = guest().allocate_shm(page_bytes);
    auto first = registered_clock(guest(), shm, 0, guest().open(App::clock).session);
    ASSERT_TRUE(run_until_command(first, abi::rpc_cmd::get_time));
    auto second = registered_clock(guest(), shm, 0, guest().open(App::clock).session);
    ASSERT_TRUE(run_until_command(second, abi::rpc_cmd::get_time));
    for (auto* const call : {&second, &first}) {
        EXPECT_TRUE(is_refused(guest().unregister_shm(shm, 1), abi::result::busy));
        auto const answer = call->serve_rpc().value();
        call->rpc_message().set_param(0, {abi::attr::value_output, call == &first ? 11u : 22u, 0, 0});
        resume(*call, answer);
        EXPECT_TRUE(call->done());
        EXPECT_EQ(call->result().params.at(0).a, call == &first ? 11u : 22u);
    }
    EXPECT_TRUE(guest().unregister_shm(shm).ok());
    EXPECT_EQ(vm().pins(), 0u);
}

ATTACK(AX07,
       "changes num_params of its message during the call, so that the room for RPCs would be elsewhere",
       "requests stay behind the message as it was read; nothing else of the page is written",
       Schedules::usual)
{
    if (!boot_with_rpc_arguments())
        return;
    auto const shm = guest().allocate_shm(page_bytes);
    auto call = registered_clock(guest(), shm, 0, guest().open(App::clock).session, 3);
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
    auto const answer = call.serve_rpc().value();
    for (std::uint32_t const params : {0u, 4u, 60u, 0xffff'ffffu}) {
        call.message().set_field(abi::arg::num_params, params);
        if (!call.waits_for_rpc())
            break;
        auto const before = contents_of(vm(), shm->at(0));
        auto again = answer;
        again.a[3] = call.handle();
        resume(call, again);
        auto const room = abi::arg::bytes(2);
        for (auto const place : changes(before, contents_of(vm(), shm->at(0))))
            EXPECT_LT(place, room + abi::arg::bytes(abi::max_rpc_params));
    }
    while (call.waits_for_rpc())
        resume(call, back_from_rpc(call.last()));
    EXPECT_EQ(call.last().a0(), abi::ret::ok);
    EXPECT_TRUE(guest().unregister_shm(shm).ok());
}

ATTACK(AX08,
       "answers a request behind its message with another command, more parameters, and references to memory",
       "OP-TEE gets the outputs of what it asked, and nothing else",
       Schedules::usual)
{
    if (!boot_with_rpc_arguments())
        return;
    auto const shm = guest().allocate_shm(page_bytes);
    auto call = registered_clock(guest(), shm, 0, guest().open(App::clock).session);
    Rpcs const rpcs{machine(), vm()};
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
    auto const answer = call.serve_rpc().value();
    auto room = call.rpc_message();
    room.set_field(abi::arg::cmd, abi::rpc_cmd::shm_alloc);
    room.set_field(abi::arg::num_params, 4);
    for (std::uint32_t n = 0; n != 4; ++n)
        room.set_param(n, {abi::attr::tmem_output | abi::attr::noncontig, 0x4000'0000 + n, 55, 66});
    resume(call, answer);
    auto const& seen = rpcs.last(abi::rpc::command).argument;
    EXPECT_EQ(seen.cmd(), abi::rpc_cmd::get_time);
    EXPECT_EQ(seen.num_params(), 1u);
    EXPECT_EQ(seen.param(0).attr, abi::attr::value_output);
    EXPECT_EQ(seen.param(0).b, 55u);
    EXPECT_EQ(seen.param(1).attr, 0u);
    EXPECT_TRUE(call.result().ok());
    machine().optee().behave();
    EXPECT_TRUE(guest().unregister_shm(shm).ok());
}

ATTACK(AX09,
       "lets OP-TEE write over the message of the call, and the room behind it, by a reference to the same memory",
       "the guest's own loss: results are OP-TEE's, no other page changes",
       Schedules::usual)
{
    if (!boot_with_rpc_arguments())
        return;
    auto const session = guest().open(App::memory).session;
    auto const shm = guest().allocate_shm(page_bytes);
    write_message(
        vm(), shm->at(0), abi::cmd::invoke_command, command::memory_invert, session, {shared_inout(shm).raw});
    Call call{guest(), registered_message(shm->cookie, 0), GuestMessage{vm(), shm->at(0)}, true};
    call.run_on(0);
    EXPECT_EQ(call.last().a0(), abi::ret::ok);
    EXPECT_EQ(call.message().ret(), abi::result::success);
    EXPECT_EQ(call.message().cmd(), ~abi::cmd::invoke_command);
    EXPECT_TRUE(guest().unregister_shm(shm).ok());
    EXPECT_EQ(vm().pins(), 0u);
}

ATTACK(AX10,
       "rewrites its message, and the room behind it, at every moment of the call",
       "what OP-TEE sees is one of the two messages, or a refusal; every byte is read once (I9)",
       Schedules::straight)
{
    Shm shm;
    auto const moments = in_race(
        every_point,
        [&] {
            for (std::uint64_t at = 0; at != page_bytes; at += 4)
                vm().poke(shm->at(at), at == abi::arg::cmd ? abi::cmd::invoke_command : 0x0000'0005u);
        },
        [&] {
            if (!boot_with_rpc_arguments(small_world()))
                return;
            auto const session = guest().open(App::clock).session;
            shm = guest().allocate_shm(page_bytes);
            auto call = registered_clock(guest(), shm, 0, session);
            race_begins();
            call.start_on(0);
            while (call.waits_for_rpc())
                call.resume_on(0, back_from_rpc(call.last()));
            race_ends();
            EXPECT_EQ(call.last().a0(), abi::ret::ok);
            EXPECT_TRUE(guest().unregister_shm(shm).ok());
            EXPECT_EQ(vm().pins(), 0u);
        });
    EXPECT_GE(moments, is_core() ? 8u : 0u);
}

ATTACK(AX11,
       "asks OP-TEE, by a message in registered memory, to end the registration of that memory",
       "BUSY; the call does not wait for itself",
       Schedules::all)
{
    if (!boot_with_rpc_arguments())
        return;
    auto const shm = guest().allocate_shm(page_bytes);
    write_message(vm(), shm->at(0), abi::cmd::unregister_shm, 0, 0, {{abi::attr::rmem_input, 0, 0, shm->cookie}});
    Call call{guest(), registered_message(shm->cookie, 0), GuestMessage{vm(), shm->at(0)}, true};
    call.run_on(0);
    EXPECT_TRUE(is_refused(call.result(), abi::result::busy));
    EXPECT_EQ(vm().pins(), 1u);
    EXPECT_TRUE(guest().unregister_shm(shm).ok());
    EXPECT_EQ(vm().pins(), 0u);
}

} // namespace
} // namespace sim::attack
