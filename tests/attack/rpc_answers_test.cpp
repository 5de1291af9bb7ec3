// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group R: what a guest writes into the argument of an RPC in place of the answer.

#include "tests/attack/rpc_words.hpp"

namespace sim::attack {
namespace {

constexpr std::uint64_t listed = abi::attr::tmem_output | abi::attr::noncontig;

/// The guest leaves the mediator's request to free alone: what it names may be in use.
void end_without_freeing(Call& call)
{
    pass_interrupts(call);
    while (call.asks_for(abi::rpc_cmd::shm_free)) {
        call.rpc_message().set_ret(abi::result::success);
        resume(call, back_from_rpc(call.last()));
    }
    call.run_on(0);
}

/// OP-TEE got no memory, and nothing that the guest wrote.
void expect_refused(Offer& offer, Rpcs const& rpcs)
{
    ASSERT_TRUE(offer.call.done());
    EXPECT_EQ(offer.call.result().a0, abi::ret::ok);
    EXPECT_EQ(offer.call.result().ret, abi::result::out_of_memory) << "what the application makes of it";
    EXPECT_TRUE(rpcs.last(abi::rpc::command).is_failure());
}

void expect_asked_to_free(Offer& offer, std::uint64_t cookie)
{
    ASSERT_TRUE(offer.call.asks_for(abi::rpc_cmd::shm_free)) << "the guest may have back what it offered";
    EXPECT_EQ(offer.call.rpc_message().num_params(), 1u);
    EXPECT_EQ(offer.call.rpc_message().param(0).attr, abi::attr::value_input);
    EXPECT_EQ(offer.call.rpc_message().param(0).b, cookie);
}

constexpr std::uint32_t other_commands[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 21, 128, 0xffff'ffff};

ATTACK(R07,
       "writes another command into the argument before it answers",
       "the answer is read by the command that was asked",
       Schedules::usual)
{
    boot();
    Rpcs const rpcs{machine(), vm()};
    for (auto const cmd : other_commands) {
        SCOPED_TRACE(cmd);
        Offer offer{guest()};
        ASSERT_TRUE(offer.is_asked_for());
        offer.call.rpc_message().set_field(abi::arg::cmd, cmd);
        resume(offer.call, offer.answer);
        EXPECT_EQ(rpcs.last(abi::rpc::command).argument.cmd(), abi::rpc_cmd::shm_alloc);
        offer.call.run_on(0);
        EXPECT_TRUE(offer.call.result().ok());

        Question question{guest()};
        ASSERT_TRUE(question.is_asked());
        auto const list = guest().memory().write_page_list(*offer.shm);
        question.call.rpc_message().set_field(abi::arg::cmd, cmd);
        question.call.rpc_message().set_param(0, {listed, list.raw, 3 * page_bytes, 0x5000});
        resume(question.call, question.answer);
        auto const& seen = rpcs.last(abi::rpc::command).argument;
        EXPECT_EQ(seen.cmd(), abi::rpc_cmd::get_time);
        EXPECT_EQ(seen.param(0), (abi::Param{abi::attr::value_output, list.raw, 3 * page_bytes, 0x5000}));
        question.call.run_on(0);
        EXPECT_TRUE(question.call.result().ok());
        EXPECT_EQ(question.call.result().params.at(0).a, list.raw) << "a value, and nothing but a value";
        guest().memory().free(list, 1);
        EXPECT_EQ(vm().pins(), 0u);
    }
}

ATTACK(R08,
       "writes another number of parameters into the argument",
       "OP-TEE's number stays; SHM_ALLOC fails at OP-TEE",
       Schedules::usual)
{
    boot();
    Rpcs const rpcs{machine(), vm()};
    for (auto const count : {0u, 2u, 3u, 4u, 5u, 127u, 128u, 0x8000'0001u, 0xffff'ffffu}) {
        SCOPED_TRACE(count);
        Offer offer{guest()};
        ASSERT_TRUE(offer.is_asked_for());
        offer.call.rpc_message().set_field(abi::arg::num_params, count);
        resume(offer.call, offer.answer);
        offer.call.run_on(0);
        expect_refused(offer, rpcs);
        EXPECT_EQ(vm().pins(), 0u);

        Question question{guest()};
        ASSERT_TRUE(question.is_asked());
        question.call.rpc_message().set_field(abi::arg::num_params, count);
        resume(question.call, question.answer);
        EXPECT_EQ(rpcs.last(abi::rpc::command).argument.num_params(), 1u);
        question.call.run_on(0);
        EXPECT_TRUE(question.call.result().ok());
    }
    EXPECT_TRUE(works(guest()));
}

ATTACK(R09,
       "changes the argument while the answer is read",
       "one snapshot decides: the whole offer, or a failure",
       Schedules::straight)
{
    unsigned accepted = 0;
    unsigned refused = 0;
    for (auto const point : {Point::look_up, Point::read_guest, Point::unlock, Point::smc}) {
        Offer* offer = nullptr;
        in_race(
            point,
            [&] {
                if (offer == nullptr)
                    return;
                auto message = offer->call.rpc_message();
                message.set_field(abi::arg::num_params, 0xffff'ffff);
                message.set_field(abi::arg::cmd, abi::rpc_cmd::get_time);
                message.set_field(abi::arg::ret, 0);
                message.set_param(0, {abi::attr::rmem_output, 8, std::uint64_t{1} << 44, offer->shm->cookie});
            },
            [&] {
                boot();
                Rpcs const rpcs{machine(), vm()};
                Offer one{guest()};
                ASSERT_TRUE(one.is_asked_for());
                offer = &one;
                race_begins();
                one.call.resume_on(0, one.answer);
                offer = nullptr;
                end_without_freeing(one.call);
                ASSERT_TRUE(one.call.done());
                if (one.call.result().ok()) {
                    ++accepted;
                } else {
                    ++refused;
                    expect_refused(one, rpcs);
                }
                EXPECT_EQ(vm().pins(), 0u);
                EXPECT_TRUE(works(guest()));
            });
    }
    EXPECT_GE(accepted, 3u) << "the change came too late";
    EXPECT_GE(refused, 1u) << "the change came in time";
}

ATTACK(R10,
       "offers memory by address, without a page list",
       "refused at OP-TEE; or, of one page, translated and pinned",
       Schedules::usual)
{
    boot();
    Rpcs const rpcs{machine(), vm()};
    auto const own = vm().pa_of(vm().ram(40)).raw;
    auto const theirs = vm(1).pa_of(vm(1).ram(40)).raw;
    for (auto const bytes : {3 * page_bytes, 100u}) {
        Offer honest{guest(), bytes};
        ASSERT_TRUE(honest.is_asked_for());
        auto const mine = honest.shm->pages.front().raw;
        resume(honest.call, honest.answer);
        honest.call.run_on(0);
        EXPECT_TRUE(honest.call.result().ok());
        for (auto const place : {own, theirs, mine, std::uint64_t{8}, std::uint64_t{page_bytes}, ~page_mask}) {
            SCOPED_TRACE(testing::Message() << std::hex << place << " of " << bytes);
            Offer offer{guest(), bytes};
            ASSERT_TRUE(offer.is_asked_for());
            offer.change({abi::attr::tmem_output, place, offer.param.b, offer.param.c});
            resume(offer.call, offer.answer);
            offer.call.run_on(0);
            if (bytes == 100u && place == mine && offer.call.result().ok()) {
                EXPECT_FALSE(rpcs.last(abi::rpc::command).argument.holds(mine));
            } else {
                expect_refused(offer, rpcs);
            }
            EXPECT_EQ(vm().pins(), 0u);
        }
    }
}

ATTACK(R11,
       "offers memory under another type of parameter",
       "refused at OP-TEE; the guest is asked to free it",
       Schedules::usual)
{
    boot();
    Rpcs const rpcs{machine(), vm()};
    auto const with_cookie = [&](std::uint64_t attr) {
        SCOPED_TRACE(attr);
        Offer offer{guest()};
        ASSERT_TRUE(offer.is_asked_for());
        offer.change({attr, offer.param.a, offer.param.b, offer.param.c});
        resume(offer.call, offer.answer);
        expect_asked_to_free(offer, offer.param.c);
        offer.call.run_on(0);
        expect_refused(offer, rpcs);
        EXPECT_EQ(vm().pins(), 0u);
    };
    for (auto const attr : {abi::attr::tmem_input, abi::attr::tmem_inout})
        with_cookie(attr | abi::attr::noncontig);
    for (auto const attr : {abi::attr::rmem_input, abi::attr::rmem_output, abi::attr::rmem_inout})
        with_cookie(attr);
    for (unsigned bit = 8; bit < 64; ++bit)
        if (bit != 9)
            with_cookie(listed | std::uint64_t{1} << bit);

    std::vector<std::uint64_t> other_types{0, 1, 2, 3, 4, 8}; // nothing, values, and what does not exist
    for (std::uint64_t type = 12; type < 256; type += 9)
        other_types.push_back(type);
    for (auto const type : other_types) {
        SCOPED_TRACE(type);
        Offer offer{guest()};
        ASSERT_TRUE(offer.is_asked_for());
        offer.change({type, offer.param.a, offer.param.b, offer.param.c});
        resume(offer.call, offer.answer);
        end_without_freeing(offer.call);
        expect_refused(offer, rpcs);
        EXPECT_EQ(vm().pins(), 0u);
        guest().memory().free(offer.shm);
    }
}

ATTACK(R12,
       "offers less memory than was asked for, or more than there is",
       "refused at OP-TEE; the guest is asked to free it",
       Schedules::usual)
{
    boot();
    Rpcs const rpcs{machine(), vm()};
    auto const too_many = std::uint64_t{limits().pages + 1} * page_bytes;
    for (auto const bytes : {std::uint64_t{0},
                             std::uint64_t{1},
                             std::uint64_t{3 * page_bytes - 1},
                             too_many,
                             std::uint64_t{1} << 32,
                             std::uint64_t{1} << 44,
                             (std::uint64_t{1} << 44) + 1,
                             std::uint64_t{1} << 63,
                             ~page_mask,
                             ~std::uint64_t{0}}) {
        SCOPED_TRACE(testing::Message() << std::hex << bytes);
        Offer offer{guest()};
        ASSERT_TRUE(offer.is_asked_for());
        offer.change({listed, offer.param.a, bytes, offer.param.c});
        resume(offer.call, offer.answer);
        EXPECT_LE(offer.call.last().work.pins, 2 * std::uint64_t{limits().pages_of_buffer});
        expect_asked_to_free(offer, offer.param.c);
        offer.call.run_on(0);
        expect_refused(offer, rpcs);
        EXPECT_EQ(vm().pins(), 0u);
    }
    EXPECT_TRUE(works(guest()));
}

ATTACK(R13,
       "offers memory under a name that is in use",
       "refused at OP-TEE; what has the name keeps it",
       Schedules::usual)
{
    for (auto const* const whose :
         {"nobody", "registered", "temporary", "own argument", "other argument", "RPC data"}) {
        SCOPED_TRACE(whose);
        boot();
        auto const kind = std::string{whose};
        auto const memory = guest().open(App::memory).session;
        auto const registered = guest().register_memory(2 * page_bytes);
        auto const brief = guest().memory().allocate_scattered(2 * page_bytes);
        auto const clock = guest().open(App::clock).session;
        auto other = guest().begin_invoke(clock, command::clock_get, {value_out(), value_in(1), temporary_in(brief)});
        ASSERT_TRUE(run_until_command(other, abi::rpc_cmd::get_time));
        Rpcs const rpcs{machine(), vm()};
        Loading data{guest()};
        ASSERT_TRUE(data.waits());
        Offer offer{guest()};
        ASSERT_TRUE(offer.is_asked_for());
        auto const pins = vm().pins();
        offer.change({listed,
                      offer.param.a,
                      offer.param.b,
                      kind == "nobody"           ? 0
                      : kind == "registered"     ? registered->cookie
                      : kind == "temporary"      ? brief->cookie
                      : kind == "own argument"   ? offer.call.last().pair(1)
                      : kind == "other argument" ? other.last().pair(1)
                                                 : data.cookie()});
        resume(offer.call, offer.answer);
        // The allocator's memory that goes on living is given back by its own call only.
        end_without_freeing(offer.call);
        expect_refused(offer, rpcs);
        EXPECT_EQ(vm().pins(), pins);
        data.call.run_on(0);
        EXPECT_TRUE(data.call.result().ok());
        EXPECT_TRUE(guest().invoke(memory, command::memory_invert, {shared_inout(registered)}).ok());
        EXPECT_TRUE(guest().unregister_shm(registered).ok());
        other.run_on(0);
        EXPECT_TRUE(other.result().ok());
        EXPECT_EQ(vm().pins(), 0u);
    }
}

ATTACK(R14,
       "offers memory with a page that is not its own RAM",
       "refused at OP-TEE; nothing stays pinned",
       Schedules::usual)
{
    boot();
    Rpcs const rpcs{machine(), vm()};
    auto const bytes = std::uint64_t{limits().pages_of_buffer} * page_bytes;
    auto const try_with = [&](Ipa (*victim)(Offer const&), SpoiltPage::How how) {
        Offer offer{guest(), bytes};
        ASSERT_TRUE(offer.is_asked_for());
        auto const pins = vm().pins();
        {
            SpoiltPage const spoilt{vm(), vm(1), victim(offer), how};
            resume(offer.call, offer.answer);
            EXPECT_EQ(vm().pins(), pins);
        }
        offer.call.run_on(0);
        expect_refused(offer, rpcs);
    };
    for (auto const how : SpoiltPage::every) {
        SCOPED_TRACE(name_of(how));
        try_with([](Offer const& offer) { return offer.shm->pages.front(); }, how);
        try_with([](Offer const& offer) { return offer.shm->pages.at(offer.shm->pages.size() / 2); }, how);
        try_with([](Offer const& offer) { return offer.shm->pages.back(); }, how);
        try_with([](Offer const& offer) { return offer.list(); }, how);
    }
    for (auto const entry : {std::uint64_t{0},
                             std::uint64_t{8},
                             ~page_mask,
                             vm().ram(7).raw + 8,
                             vm().ram(1 << 20).raw,
                             vm(1).pa_of(vm(1).ram(3)).raw}) {
        SCOPED_TRACE(testing::Message() << std::hex << entry);
        Offer offer{guest(), bytes};
        ASSERT_TRUE(offer.is_asked_for());
        vm().poke(Ipa{offer.list().raw + 8 * (offer.shm->pages.size() - 1)}, entry);
        auto const pins = vm().pins();
        resume(offer.call, offer.answer);
        EXPECT_EQ(vm().pins(), pins);
        offer.call.run_on(0);
        expect_refused(offer, rpcs);
    }
    Offer honest{guest(), bytes};
    resume(honest.call, honest.answer);
    honest.call.run_on(0);
    EXPECT_TRUE(honest.call.result().ok()) << std::hex << honest.call.result().ret;
}

ATTACK(R15,
       "says that it has no memory, and offers some",
       "OP-TEE gets the error, and nothing of the offer",
       Schedules::usual)
{
    boot();
    Rpcs const rpcs{machine(), vm()};
    for (auto const ret : {abi::result::out_of_memory, abi::result::generic, 1u, 0x7fff'ffffu, 0xffff'ffffu}) {
        SCOPED_TRACE(ret);
        Offer offer{guest()};
        ASSERT_TRUE(offer.is_asked_for());
        offer.call.rpc_message().set_ret(ret);
        resume(offer.call, offer.answer);
        end_without_freeing(offer.call);
        auto const& seen = rpcs.last(abi::rpc::command).argument;
        EXPECT_EQ(seen.ret(), ret);
        EXPECT_EQ(seen.num_params(), 0u);
        EXPECT_FALSE(seen.holds(offer.param.a));
        EXPECT_FALSE(seen.holds(offer.param.c));
        EXPECT_EQ(offer.call.result().ret, abi::result::out_of_memory);
        EXPECT_EQ(vm().pins(), 0u);
        guest().memory().free(offer.shm);
    }
}

} // namespace
} // namespace sim::attack
