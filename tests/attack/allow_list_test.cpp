// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group A, continued: a TA that is kept from the VM. A mediator without such lists keeps none from anybody.

#include "tests/attack/words.hpp"

#include <utility>
#include <vector>

namespace sim::attack {
namespace {

using tee::only;

constexpr auto denied = abi::result::access_denied;
constexpr auto meta = abi::attr::meta | abi::attr::value_input;

/// OPEN_SESSION, with these as its first parameters.
Call open_with(LinuxGuest& guest, std::vector<abi::Param> const& params)
{
    Arguments arguments;
    for (auto const& param : params)
        arguments.push_back(as_is(param));
    return guest.begin(abi::cmd::open_session, 0, 0, arguments);
}

abi::Param uuid_param(App app, std::uint64_t attr = meta)
{
    auto const uuid = tee::uuid_of(app);
    return {attr, uuid.a, uuid.b, 0};
}

constexpr abi::Param login{meta, 0, 0, 0};

ATTACK(AX20,
       "asks for a TA that is kept from it, more often than it has threads",
       "ACCESS_DENIED; OP-TEE does not hear of it; no thread is lost",
       Schedules::all)
{
    if (!is_core())
        return;
    boot();
    ASSERT_TRUE(vm().set_tas(only({App::echo})));
    {
        Smcs const smcs{vm()};
        for (std::uint32_t n = 0; n < 3 * limits().threads; ++n)
            EXPECT_TRUE(is_refused(guest().open(App::memory, {}, n % 3), denied)) << n;
        EXPECT_EQ(smcs.seen(), 0u);
    }
    EXPECT_EQ(vm().counter("calls_live"), 0u);
    EXPECT_TRUE(works(guest()));
    EXPECT_TRUE(guest(1).open(App::memory).ok()) << "another VM has no list";
}

ATTACK(AX21,
       "exchanges the UUID in its message, for that of a TA that is kept from it, at any moment",
       "OP-TEE is asked for the TA that was judged",
       Schedules::straight)
{
    if (!is_core())
        return;
    for (auto const& [first, then] : {std::pair{App::echo, App::memory}, std::pair{App::memory, App::echo}}) {
        Call* theirs = nullptr;
        auto const moments = in_race(
            {Point::look_up,
             Point::read_guest,
             Point::lock,
             Point::unlock,
             Point::unpin,
             Point::smc,
             Point::write_guest},
            [&, other = then] {
                if (theirs != nullptr)
                    theirs->message().set_param(0, uuid_param(other));
            },
            [&, mine = first] {
                boot();
                ASSERT_TRUE(vm().set_tas(only({App::echo})));
                auto call = guest().begin_open(mine);
                theirs = &call;
                race_begins();
                call.run_on(0);
                theirs = nullptr;
                ASSERT_TRUE(call.done());
                // The invariant says whether OP-TEE was asked for what the VM may not have. Here: it is one or the other.
                EXPECT_TRUE(call.result().ok() || is_refused(call.result(), denied));
                EXPECT_EQ(vm().pins(), 0u);
            });
        EXPECT_GE(moments, 4u);
    }
}

ATTACK(AX22,
       "names an allowed TA in another byte order, with its words exchanged, or in the wrong parameter",
       "ACCESS_DENIED",
       Schedules::usual)
{
    if (!is_core())
        return;
    boot();
    ASSERT_TRUE(vm().set_tas(only({App::echo})));
    auto const good = uuid_param(App::echo);
    auto const swapped = [](std::uint64_t word) { return __builtin_bswap64(word); };
    std::vector<abi::Param> const others{{meta, good.b, good.a, 0},
                                         {meta, swapped(good.a), swapped(good.b), 0},
                                         {meta, good.a, swapped(good.b), 0},
                                         {meta, swapped(good.b), swapped(good.a), 0},
                                         {meta, 0, good.a, good.b},
                                         {meta, good.a, 0, good.b},
                                         {meta, 0, 0, 0},
                                         {meta, ~0ull, ~0ull, ~0ull}};
    Smcs const smcs{vm()};
    for (auto const& other : others) {
        auto call = open_with(guest(), {other, good});
        call.start_on(0);
        EXPECT_TRUE(is_refused(call.result(), denied)) << std::hex << other.a;
    }
    EXPECT_EQ(smcs.seen(), 0u);
    auto call = open_with(guest(), {{meta, good.a, good.b, ~0ull}, login});
    call.run_on(0);
    EXPECT_TRUE(call.result().ok()) << "c is no part of a UUID";
}

ATTACK(AX23,
       "opens a session without naming a TA as the ABI has it, while there is a list",
       "BAD_PARAMETERS without OP-TEE; without a list that is OP-TEE's to say",
       Schedules::usual)
{
    if (!is_core())
        return;
    boot();
    auto const echo = [](std::uint64_t attr) { return uuid_param(App::echo, attr); };
    std::vector<std::vector<abi::Param>> const odd{
        {},
        {echo(abi::attr::value_input), login},
        {echo(abi::attr::value_inout | abi::attr::meta), login},
        {echo(abi::attr::value_output | abi::attr::meta), login},
        {echo(abi::attr::none), login},
        {echo(abi::attr::none | abi::attr::meta), login},
        {{abi::attr::none, 0, 0, 0}, echo(meta)},
    };
    for (auto const& params : odd) {
        ASSERT_TRUE(vm().set_tas(only({App::echo, App::memory})));
        auto call = open_with(guest(), params);
        {
            Smcs const smcs{vm()};
            call.start_on(0);
            EXPECT_EQ(smcs.seen(), 0u) << params.size();
        }
        EXPECT_TRUE(is_refused(call.result(), abi::result::bad_parameters)) << params.size();
        ASSERT_TRUE(vm().set_tas({}));
        auto again = open_with(guest(), params);
        again.run_on(0);
        EXPECT_TRUE(is_refused_by_optee(again.result())) << params.size();
    }
    // The client's login is OP-TEE's business: it refuses a message that has none.
    ASSERT_TRUE(vm().set_tas(only({App::echo})));
    auto call = open_with(guest(), {uuid_param(App::echo)});
    call.run_on(0);
    EXPECT_TRUE(is_refused_by_optee(call.result()));
}

ATTACK(AX24,
       "asks for a TA that is kept from it with memory of every kind in the message",
       "ACCESS_DENIED before any of it is looked at; nothing is held, names are free, buffers not in use",
       Schedules::usual)
{
    if (!is_core())
        return;
    boot();
    auto const shm = guest().register_memory(2 * page_bytes);
    ASSERT_NE(shm, nullptr);
    ASSERT_TRUE(vm().set_tas(only({App::echo})));
    auto const brief = guest().memory().allocate_scattered(3 * page_bytes);
    auto const pins = vm().pins();
    for (unsigned n = 0; n < 20; ++n) {
        auto const result =
            guest().open(App::memory, {temporary_inout(brief), shared_inout(shm), value_inout(n), shared_in(shm)});
        EXPECT_TRUE(is_refused(result, denied)) << n;
        EXPECT_EQ(vm().pins(), pins) << n;
    }
    EXPECT_TRUE(guest().register_shm(brief).ok()) << "the cookie is free";
    EXPECT_TRUE(guest().unregister_shm(brief).ok());
    EXPECT_TRUE(guest().unregister_shm(shm).ok()) << "no call uses it";
    EXPECT_EQ(vm().counter("buffers_live"), 0u);
}

ATTACK(AX25,
       "opens a session at the moment at which its list is replaced",
       "judged by the old list or by the new one; sessions that are open stay",
       Schedules::straight)
{
    if (!is_core())
        return;
    for (auto const allowed_then : {false, true}) {
        bool racing = false;
        bool replaced = false;
        auto const moments = in_race(
            {Point::entry_begins, Point::look_up, Point::lock, Point::unlock, Point::smc, Point::entry_ends},
            [&] {
                if (!std::exchange(racing, false))
                    return;
                replaced = true;
                EXPECT_TRUE(vm().set_tas(allowed_then ? only({App::clock, App::echo}) : only({App::echo})));
            },
            [&] {
                boot();
                racing = replaced = false;
                ASSERT_TRUE(vm().set_tas(allowed_then ? only({App::echo}) : only({App::clock, App::echo})));
                racing = true;
                race_begins();
                auto const result = guest().open(App::clock);
                race_ends();
                racing = false;
                EXPECT_TRUE(result.ok() || is_refused(result, denied));
                if (!replaced) {
                    EXPECT_EQ(result.ok(), !allowed_then);
                }
                if (result.ok()) {
                    EXPECT_TRUE(guest().invoke(result.session, command::clock_get, {value_out()}).ok());
                    EXPECT_TRUE(guest().close(result.session).ok());
                }
            });
        EXPECT_GE(moments, 3u);
    }
}

} // namespace
} // namespace sim::attack
