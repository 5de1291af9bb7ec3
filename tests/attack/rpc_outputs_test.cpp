// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group R: answers to requests that are not about memory, and what becomes of an answer that is late, or none.

#include "tests/attack/rpc_words.hpp"

#include <optional>

namespace sim::attack {
namespace {

ATTACK(R16,
       "answers requests of every kind with memory where a value was asked for",
       "only outputs that OP-TEE declared change, and of memory only the size",
       Schedules::usual)
{
    boot();
    auto const session = guest().open(App::clock).session;
    Rpcs rpcs{machine(), vm()};
    abi::Param const wrong{abi::attr::tmem_inout | abi::attr::noncontig, vm().ram(3).raw, 0x1'2345'6789, 0x77};
    // GET_TIME; RPMB, SUSPEND, SOCKET, GPROF, FTRACE, PLUGIN, I2C and some that do not exist yet.
    for (auto const cmd : {3u, 1u, 5u, 10u, 9u, 11u, 12u, 21u, 27u, 0x7fff'ffffu}) {
        SCOPED_TRACE(cmd);
        rpcs.change_request = [cmd](SeenArgument& request) {
            request.set_field(abi::arg::cmd, cmd);
            request.set_field(abi::arg::num_params, 4);
            request.set_param(0, {abi::attr::value_output, 1, 2, 3});
            request.set_param(1, {abi::attr::value_input, 4, 5, 6});
            request.set_param(2, {abi::attr::value_inout, 7, 8, 9});
            request.set_param(3, {abi::attr::tmem_output, 0, 10, 0});
        };
        auto call = guest().begin_invoke(session, command::clock_get, {value_out()});
        ASSERT_TRUE(run_until_command(call, cmd));
        auto message = call.rpc_message();
        ASSERT_EQ(message.num_params(), 4u);
        EXPECT_EQ(message.param(1), (abi::Param{abi::attr::value_input, 4, 5, 6}));
        for (std::uint32_t n = 0; n < 4; ++n)
            message.set_param(n, wrong);
        message.set_ret(abi::result::success);
        resume(call, back_from_rpc(call.last()));
        auto const& seen = rpcs.last(abi::rpc::command).argument;
        EXPECT_EQ(seen.cmd(), cmd);
        EXPECT_EQ(seen.num_params(), 4u);
        EXPECT_EQ(seen.param(0), (abi::Param{abi::attr::value_output, wrong.a, wrong.b, wrong.c}));
        EXPECT_EQ(seen.param(1), (abi::Param{abi::attr::value_input, 4, 5, 6}));
        EXPECT_EQ(seen.param(2), (abi::Param{abi::attr::value_inout, wrong.a, wrong.b, wrong.c}));
        EXPECT_EQ(seen.param(3), (abi::Param{abi::attr::tmem_output, 0, wrong.b, 0}));
        call.run_on(0);
        EXPECT_TRUE(call.result().ok());
        EXPECT_EQ(vm().pins(), 0u);
    }
}

bool asks_to_read(Call const& call)
{
    return call.asks_for(abi::rpc_cmd::fs) && call.rpc_message().param(0).a == abi::rpc_cmd::fs_read;
}

ATTACK(R17,
       "answers with more bytes than the buffer has, in another buffer",
       "the size passes and is used for nothing; the reference stays",
       Schedules::usual)
{
    boot();
    auto const storage = guest().open(App::storage).session;
    auto const shm = guest().register_memory(page_bytes);
    guest().fill(shm, counting(page_bytes));
    ASSERT_TRUE(guest().invoke(storage, command::storage_write, {shared_in(shm), value_in(7)}).ok());
    auto const pins = vm().pins();
    Rpcs const rpcs{machine(), vm()};
    for (auto const bytes : {std::uint64_t{page_bytes + 1},
                             std::uint64_t{1} << 31,
                             std::uint64_t{1} << 32,
                             std::uint64_t{1} << 63,
                             ~std::uint64_t{0}}) {
        SCOPED_TRACE(bytes);
        guest().fill(shm, std::vector<std::uint8_t>(page_bytes));
        auto call = guest().begin_invoke(storage, command::storage_read, {shared_out(shm), value_in(7)});
        ASSERT_TRUE(run_until(call, asks_to_read));
        auto const answer = call.serve_rpc().value();
        auto const asked = call.rpc_message().param(1);
        call.rpc_message().set_param(1, {abi::attr::tmem_output, vm().ram(3).raw, bytes, shm->cookie});
        resume(call, answer);
        std::optional<abi::Param> seen;
        for (auto const& answered : rpcs.returns())
            if (answered.to == abi::rpc::command && answered.argument.param(0).a == abi::rpc_cmd::fs_read)
                seen = answered.argument.param(1);
        ASSERT_TRUE(seen.has_value());
        EXPECT_EQ(seen->attr, asked.attr);
        EXPECT_EQ(seen->a, asked.a);
        EXPECT_EQ(seen->c, asked.c);
        EXPECT_TRUE(seen->b == bytes || seen->b == asked.b) << seen->b;
        call.run_on(0);
        EXPECT_TRUE(call.result().ok());
        EXPECT_EQ(guest().contents(shm), counting(page_bytes)) << "the supplicant's bytes, from the offered buffer";
        EXPECT_EQ(vm().pins(), pins);
    }
}

ATTACK(R26, "changes the argument after its answer was taken", "no effect", Schedules::straight)
{
    for (auto const point : {Point::smc, Point::smc_returns, Point::optee_touches_page}) {
        std::optional<Ipa> page;
        unsigned changes = 0;
        in_race(
            point,
            [&] {
                if (!page)
                    return;
                ++changes;
                GuestMessage message{vm(), *page};
                message.set_param(0, {abi::attr::value_output, 99, 99, 99});
                message.set_ret(abi::result::security);
            },
            [&] {
                boot();
                Question question{guest()};
                ASSERT_TRUE(question.is_asked());
                page = question.call.rpc_message().ipa();
                question.call.rpc_message().set_param(0, {abi::attr::value_output, 77, 0, 0});
                race_begins();
                question.call.resume_on(0, question.answer);
                page.reset();
                question.call.run_on(0);
                EXPECT_TRUE(question.call.result().ok());
                EXPECT_EQ(question.call.result().params.at(0).a, 77u);
            });
        EXPECT_GE(changes, 1u);
    }
}

ATTACK(R27,
       "answers the mediator's own request to free with nonsense",
       "OP-TEE gets no memory; the VM goes on",
       Schedules::usual)
{
    boot();
    Rpcs const rpcs{machine(), vm()};
    for (unsigned how = 0; how < 4 + SpoiltPage::every.size(); ++how) {
        SCOPED_TRACE(how);
        Offer offer{guest()};
        ASSERT_TRUE(offer.is_asked_for());
        offer.change({offer.param.attr, offer.param.a, 1, offer.param.c});
        resume(offer.call, offer.answer);
        ASSERT_TRUE(offer.call.asks_for(abi::rpc_cmd::shm_free));
        auto message = offer.call.rpc_message();
        switch (how) {
        case 0: message.set_ret(abi::result::busy); break;
        case 1: message.set_field(abi::arg::num_params, 0xffff'ffff); break;
        case 2: message.set_param(0, offer.param); break;
        case 3:
            for (std::uint32_t at = 0; at < page_bytes; at += 4)
                message.set_field(at, 0xffff'ffff);
            break;
        default: break;
        }
        std::optional<SpoiltPage> gone;
        if (how >= 4)
            gone.emplace(vm(), vm(1), message.ipa(), SpoiltPage::every.at(how - 4));
        resume(offer.call, back_from_rpc(offer.call.last()));
        gone.reset();
        EXPECT_TRUE(rpcs.last(abi::rpc::command).is_failure());
        offer.call.run_on(0);
        EXPECT_EQ(offer.call.result().ret, abi::result::out_of_memory);
        EXPECT_EQ(vm().pins(), 0u);
        EXPECT_TRUE(works(guest()));
    }
}

} // namespace
} // namespace sim::attack
