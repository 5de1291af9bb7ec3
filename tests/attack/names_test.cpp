// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group S, continued: one name space for all that a VM shares.

#include "tests/attack/words.hpp"

namespace sim::attack {
namespace {

/// A call, stopped at a moment at which the VM has something of each kind.
struct Shared {
    explicit Shared(LinuxGuest& its_guest)
        : guest{its_guest}, storage{guest.open(App::storage).session}, memory{guest.open(App::memory).session},
          registered{guest.register_memory(2 * page_bytes)}, brief{guest.memory().allocate_scattered(2 * page_bytes)},
          holder{guest.begin_invoke(storage, command::storage_write, {temporary_in(brief), value_in(7)})}
    {
        if (!run_until_command(holder, abi::rpc_cmd::fs))
            return;
        rpc_argument = holder.last().pair(1);
        rpc_data = holder.rpc_message().param(1).c;
        before = Possessions::of(guest.vm());
    }
    void expect_intact()
    {
        EXPECT_EQ(Possessions::of(guest.vm()), before);
        holder.run_on(0);
        ASSERT_TRUE(holder.done());
        EXPECT_TRUE(holder.result().ok());
        EXPECT_TRUE(guest.invoke(memory, command::memory_invert, {shared_inout(registered)}).ok());
        EXPECT_TRUE(guest.unregister_shm(registered).ok());
        EXPECT_EQ(guest.vm().pins(), 0u);
        EXPECT_TRUE(works(guest));
    }

    LinuxGuest& guest;
    std::uint32_t storage;
    std::uint32_t memory;
    Shm registered;
    Shm brief;
    Call holder;
    std::uint64_t rpc_data = 0;
    std::uint64_t rpc_argument = 0;
    Possessions before{};
};

struct Kind {
    char const* name;
    std::uint64_t (*cookie)(Shared const&);
};

Kind const kinds[] = {
    {"registered memory", [](Shared const& s) { return s.registered->cookie; }},
    {"a temporary reference", [](Shared const& s) { return s.brief->cookie; }},
    {"an RPC argument", [](Shared const& s) { return s.rpc_argument; }},
    {"RPC data", [](Shared const& s) { return s.rpc_data; }},
};

/// Answers to the end; on the way the guest is never asked to free what has this name, since it is in use.
void run_without_freeing(Call& call, std::uint64_t cookie)
{
    while (call.waits_for_rpc()) {
        auto const frees = (call.rpc() == abi::rpc::free && call.last().pair(1) == cookie) ||
                           (call.asks_for(abi::rpc_cmd::shm_free) && call.rpc_message().param(0).b == cookie);
        ASSERT_FALSE(frees) << "the guest would free what is in use";
        call.answer_on(1);
    }
    EXPECT_EQ(call.last().a0(), abi::ret::ok);
    EXPECT_NE(call.result().ret, abi::result::success);
}

void registers(Shared& shared, std::uint64_t cookie)
{
    auto const other = renamed(shared.guest.memory().allocate_scattered(page_bytes), cookie);
    EXPECT_TRUE(is_refused(shared.guest.register_shm(other, 1), abi::result::bad_parameters));
}

void shares_for_a_call(Shared& shared, std::uint64_t cookie)
{
    auto const other = renamed(shared.guest.memory().allocate_scattered(page_bytes), cookie);
    EXPECT_TRUE(is_refused(shared.guest.invoke(shared.memory, command::memory_invert, {temporary_inout(other)}, 1),
                           abi::result::bad_parameters));
}

void gives_an_rpc_argument(Shared& shared, std::uint64_t cookie)
{
    auto call = shared.guest.begin_invoke(shared.guest.open(App::clock).session, command::clock_get, {value_out()});
    ASSERT_TRUE(run_until_rpc(call, abi::rpc::alloc));
    auto answer = call.serve_rpc().value();
    answer.a[4] = abi::high(cookie);
    answer.a[5] = abi::low(cookie);
    call.resume_on(1, answer);
    run_without_freeing(call, cookie);
}

void answers_shm_alloc(Shared& shared, std::uint64_t cookie)
{
    auto call = shared.guest.begin_invoke(
        shared.guest.open(App::allocator).session, command::allocator_appl, {value_in(2 * page_bytes, 1)});
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::shm_alloc));
    auto const answer = call.serve_rpc().value();
    auto offer = call.rpc_message().param(0);
    offer.c = cookie;
    call.rpc_message().set_param(0, offer);
    call.resume_on(1, answer);
    run_without_freeing(call, cookie);
}

struct Use {
    char const* name;
    void (*make)(Shared&, std::uint64_t cookie);
};

Use const uses[] = {
    {"registers", registers},
    {"shares for a call", shares_for_a_call},
    {"gives an RPC argument", gives_an_rpc_argument},
    {"answers SHM_ALLOC", answers_shm_alloc},
};

ATTACK(S09,
       "takes a name that is in use for something else: each kind of memory under the name of each",
       "one name space: BAD_PARAMETERS, or the request fails at OP-TEE; whoever has the name keeps it",
       Schedules::all)
{
    for (auto const& kind : kinds)
        for (auto const& use : uses) {
            SCOPED_TRACE(std::string{use.name} + " as " + kind.name);
            boot();
            Shared shared{guest()};
            ASSERT_NE(shared.rpc_data, 0u);
            use.make(shared, kind.cookie(shared));
            shared.expect_intact();
        }
}

ATTACK(S12,
       "ends as a registration what is a temporary reference, an RPC argument or RPC data",
       "BAD_PARAMETERS; OP-TEE hears nothing, since it may refuse for ever what it still uses",
       Schedules::all)
{
    for (auto const& kind : kinds) {
        SCOPED_TRACE(kind.name);
        boot();
        Shared shared{guest()};
        ASSERT_NE(shared.rpc_data, 0u);
        auto const cookie = kind.cookie(shared);
        if (cookie != shared.registered->cookie) {
            Smcs const smcs{vm()};
            auto const same_name = renamed(shared.registered, cookie);
            EXPECT_TRUE(is_refused(guest().unregister_shm(same_name, 1), abi::result::bad_parameters));
            EXPECT_TRUE(
                is_refused(guest().invoke(shared.memory, command::memory_invert, {shared_inout(same_name, 0, 1)}, 1),
                           abi::result::bad_parameters))
                << "nor is it used as one";
            EXPECT_EQ(smcs.seen(), 0u);
        }
        shared.expect_intact();
    }
}

ATTACK(SX06,
       "gives a name that is in use, at every moment of the call that uses it, to a registration",
       "BAD_PARAMETERS while it is in use; the call is not disturbed",
       Schedules::straight)
{
    World world;
    world.ram_pages = 128;
    std::uint64_t cookie = 0;
    std::uint32_t taken = 0;
    auto const moments = in_race(
        {Point::entry_begins, Point::lock, Point::unlock, Point::smc, Point::smc_returns, Point::entry_ends},
        [&] {
            auto const other = renamed(guest().memory().allocate_scattered(page_bytes), cookie);
            auto const result = guest().register_shm(other, 1);
            if (!result.ok()) {
                EXPECT_TRUE(is_refused(result, abi::result::bad_parameters));
                return;
            }
            ++taken;
            EXPECT_TRUE(guest().unregister_shm(other, 1).ok());
        },
        [&] {
            boot(world);
            auto const storage = guest().open(App::storage).session;
            auto const brief = guest().memory().allocate_scattered(page_bytes);
            cookie = brief->cookie;
            auto call = guest().begin_invoke(storage, command::storage_write, {temporary_in(brief), value_in(7)});
            race_begins();
            call.run_on(0);
            race_ends();
            EXPECT_TRUE(call.result().ok());
            EXPECT_EQ(vm().pins(), 0u);
        });
    EXPECT_GE(moments, 3u);
    EXPECT_GT(taken, 0u) << "before the call and after it the name is free";
    EXPECT_LT(taken, moments);
}

} // namespace
} // namespace sim::attack
