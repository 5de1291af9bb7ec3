// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group S, continued: two vCPUs and one name.

#include "tests/attack/words.hpp"

#include <optional>

namespace sim::attack {
namespace {

/// Of many worlds, each small.
World small_world()
{
    World world;
    world.ram_pages = 128;
    return world;
}

/// Starts a call that OP-TEE interrupts at once.
void start_interrupted(Machine& machine, Call& call)
{
    machine.optee().interrupt_without_end();
    call.start_on(0);
    machine.optee().interrupt_without_end(false);
}

ATTACK(S04,
       "registers a name that another vCPU is registering, while OP-TEE is interrupted in it",
       "BAD_PARAMETERS; the registration that came first goes on",
       Schedules::usual)
{
    boot();
    auto const first = guest().memory().allocate_scattered(2 * page_bytes);
    auto call = guest().begin_register(first);
    start_interrupted(machine(), call);
    ASSERT_TRUE(call.waits_for_rpc());
    auto const other = renamed(guest().memory().allocate_scattered(3 * page_bytes), first->cookie);
    Smcs const smcs{vm()};
    EXPECT_TRUE(is_refused(guest().register_shm(other, 1), abi::result::bad_parameters));
    EXPECT_EQ(smcs.seen(), 0u);
    call.run_on(0);
    EXPECT_TRUE(call.result().ok());
    EXPECT_EQ(vm().pins(), 2u);
    EXPECT_TRUE(guest().unregister_shm(first).ok());
    EXPECT_EQ(vm().pins(), 0u);
}

ATTACK(SX07,
       "ends a registration that is under way, while OP-TEE is interrupted in it",
       "BAD_PARAMETERS by the mediator; the registration goes on",
       Schedules::usual)
{
    boot();
    auto const shm = guest().memory().allocate_scattered(2 * page_bytes);
    auto call = guest().begin_register(shm);
    start_interrupted(machine(), call);
    ASSERT_TRUE(call.waits_for_rpc());
    Smcs const smcs{vm()};
    EXPECT_TRUE(is_refused(guest().unregister_shm(shm, 1), abi::result::bad_parameters));
    EXPECT_EQ(smcs.seen(), 0u);
    call.run_on(0);
    EXPECT_TRUE(call.result().ok());
    EXPECT_EQ(vm().pins(), 2u);
    EXPECT_TRUE(guest().unregister_shm(shm).ok());
    EXPECT_EQ(vm().pins(), 0u);
}

ATTACK(SX03,
       "registers a name that another vCPU is registering, at every moment",
       "one of the two has the name, with its own pages; the other gets BAD_PARAMETERS",
       Schedules::straight)
{
    Shm two;
    Shm three;
    CallResult second;
    auto const moments = in_race(
        every_point,
        [&] { second = guest().register_shm(three, 1); },
        [&] {
            boot(small_world());
            two = guest().memory().allocate_scattered(2 * page_bytes);
            three = renamed(guest().memory().allocate_scattered(3 * page_bytes), two->cookie);
            second = {};
            second.a0 = abi::ret::bad_command; // it did not happen
            race_begins();
            auto const first = guest().register_shm(two);
            race_ends();
            EXPECT_TRUE(first.ok() || is_refused(first, abi::result::bad_parameters));
            if (second.a0 == abi::ret::ok) {
                EXPECT_NE(first.ok(), second.ok());
                EXPECT_TRUE(second.ok() || is_refused(second, abi::result::bad_parameters));
            }
            EXPECT_EQ(vm().pins(), first.ok() ? 2u : 3u);
            EXPECT_TRUE(guest().unregister_shm(two).ok());
            EXPECT_EQ(vm().pins(), 0u);
        });
    EXPECT_GE(moments, 3u);
}

ATTACK(S06,
       "ends one registration twice: in turn, and from two vCPUs at every moment",
       "one wins, the other gets BAD_PARAMETERS; one release",
       Schedules::straight)
{
    boot();
    auto shm = guest().register_memory(2 * page_bytes);
    EXPECT_TRUE(guest().unregister_shm(shm).ok());
    EXPECT_TRUE(is_refused(guest().unregister_shm(shm), abi::result::bad_parameters));
    std::optional<CallResult> second;
    auto const moments = in_race(
        every_point,
        [&] { second = guest().unregister_shm(shm, 1); },
        [&] {
            boot(small_world());
            shm = guest().register_memory(3 * page_bytes);
            second = std::nullopt;
            race_begins();
            auto const first = guest().unregister_shm(shm);
            race_ends();
            EXPECT_TRUE(first.ok() || is_refused(first, abi::result::bad_parameters));
            EXPECT_TRUE(first.ok() || second);
            if (second) {
                EXPECT_NE(first.ok(), second->ok());
                EXPECT_TRUE(second->ok() || is_refused(*second, abi::result::bad_parameters));
            }
            EXPECT_EQ(vm().pins(), 0u);
            EXPECT_TRUE(guest().register_shm(shm).ok()) << "the name is free";
            EXPECT_TRUE(guest().unregister_shm(shm).ok());
        });
    EXPECT_GE(moments, 3u);
}

/// Ends a registration while a call that uses the buffer waits for an RPC.
void end_in_an_rpc_of_a_user(LinuxGuest& guest, Shm const& shm)
{
    auto const& vm = guest.vm();
    auto const storage = guest.open(App::storage).session;
    auto user = guest.begin_invoke(storage, command::storage_write, {shared_in(shm), value_in(7)});
    ASSERT_TRUE(run_until_command(user, abi::rpc_cmd::fs));
    auto end = guest.begin_unregister(shm);
    end.start_on(1);
    EXPECT_TRUE(end.waits_for_rpc() || is_refused(end.result(), abi::result::busy));
    EXPECT_EQ(vm.pins_of(shm->pages[0]), 1u);
    user.run_on(0);
    EXPECT_TRUE(user.result().ok());
    if (end.done())
        end.start_on(1);
    end.run_on(1);
    EXPECT_TRUE(end.result().ok());
    EXPECT_EQ(vm.pins_of(shm->pages[0]), 0u);
}

ATTACK(S07,
       "ends a registration while a call uses the buffer: in an RPC of the call, and at every moment",
       "BUSY, or it waits in OP-TEE; the pages stay pinned until OP-TEE has let go and no call uses them",
       Schedules::straight)
{
    boot();
    auto shm = guest().register_memory(2 * page_bytes);
    end_in_an_rpc_of_a_user(guest(), shm);

    std::uint32_t session = 0;
    std::optional<Call> ending;
    auto points = every_point;
    points.push_back(Point::optee_touches_page);
    auto const moments = in_race(
        points,
        [&] {
            ending.emplace(guest().begin_unregister(shm));
            ending->run_on(1);
        },
        [&] {
            ending.reset();
            boot(small_world());
            session = guest().open(App::memory).session;
            shm = guest().register_memory(2 * page_bytes);
            auto call = guest().begin_invoke(session, command::memory_invert, {shared_inout(shm)});
            race_begins();
            call.run_on(0);
            race_ends();
            EXPECT_TRUE(call.result().ok() || is_refused(call.result(), abi::result::bad_parameters));
            if (ending)
                ending->run_on(1);
            auto const ended = ending && ending->result().ok();
            EXPECT_TRUE(!ending || ended || is_refused(ending->result(), abi::result::busy));
            EXPECT_EQ(vm().pins(), ended ? 0u : 2u);
            EXPECT_EQ(guest().unregister_shm(shm).ok(), !ended);
            EXPECT_EQ(vm().pins(), 0u);
            ending.reset();
        });
    EXPECT_GE(moments, 3u);
}

ATTACK(SX04,
       "ends a registration and gives its name to other pages, at every moment of a call that uses it",
       "the call has the old pages or the new ones, not some of both, or it is refused",
       Schedules::straight)
{
    std::uint32_t session = 0;
    Shm old_memory;
    Shm new_memory;
    auto renewed = false;
    std::optional<Call> ending;
    auto points = every_point;
    points.push_back(Point::optee_touches_page);
    auto const moments = in_race(
        points,
        [&] {
            ending.emplace(guest().begin_unregister(old_memory));
            if (ending->run_on(1) == Call::State::done && ending->result().ok())
                renewed = guest().register_shm(new_memory, 1).ok();
        },
        [&] {
            boot(small_world());
            renewed = false;
            ending.reset();
            session = guest().open(App::memory).session;
            old_memory = guest().register_memory(2 * page_bytes);
            new_memory = renamed(guest().memory().allocate_scattered(2 * page_bytes), old_memory->cookie);
            for (auto const& shm : {old_memory, new_memory})
                guest().fill(shm, counting(2 * page_bytes));
            auto call = guest().begin_invoke(session, command::memory_invert, {shared_inout(old_memory)});
            race_begins();
            call.run_on(0);
            race_ends();
            auto const of_old = guest().contents(old_memory);
            auto const of_new = guest().contents(new_memory);
            auto const untouched = counting(2 * page_bytes);
            if (call.result().ok()) {
                EXPECT_TRUE((of_old == untouched && of_new == inverted(untouched)) ||
                            (of_new == untouched && of_old == inverted(untouched)));
            } else {
                EXPECT_TRUE(is_refused_or_busy(call.result()));
                EXPECT_TRUE(of_old == untouched && of_new == untouched);
            }
            if (ending)
                ending->run_on(1); // it may have waited in OP-TEE for the end of the call
            auto const ended = ending && ending->result().ok();
            EXPECT_TRUE(!ending || ended || is_refused(ending->result(), abi::result::busy));
            EXPECT_EQ(vm().pins_of(old_memory->pages[0]), ended ? 0u : 1u);
            EXPECT_EQ(vm().pins_of(new_memory->pages[0]), renewed ? 1u : 0u);
            EXPECT_EQ(guest().unregister_shm(new_memory).ok(), renewed || !ended);
            EXPECT_EQ(vm().pins(), 0u);
            ending.reset();
        });
    EXPECT_GE(moments, 3u);
}

ATTACK(SX05,
       "uses a buffer at every moment of an end of its registration that OP-TEE refuses",
       "refused, or served: OP-TEE has it all the time; afterwards it is as before",
       Schedules::straight)
{
    std::uint32_t session = 0;
    Shm shm;
    auto const moments = in_race(
        every_point,
        [&] {
            auto call = guest().begin_invoke(session, command::memory_invert, {shared_inout(shm)});
            call.run_on(1);
            EXPECT_TRUE(call.result().ok() || is_refused_or_busy(call.result())) << call.result().ret;
            EXPECT_TRUE(is_refused(guest().register_shm(renamed(shm, shm->cookie), 1), abi::result::bad_parameters));
        },
        [&] {
            boot(small_world());
            session = guest().open(App::memory).session;
            shm = guest().register_memory(2 * page_bytes);
            machine().optee().return_result(abi::cmd::unregister_shm, abi::result::out_of_memory);
            auto call = guest().begin_unregister(shm);
            race_begins();
            call.run_on(0);
            race_ends();
            EXPECT_NE(call.result().ret, abi::result::success);
            EXPECT_EQ(vm().pins(), 2u);
            machine().optee().behave();
            EXPECT_TRUE(guest().invoke(session, command::memory_invert, {shared_inout(shm)}).ok());
            EXPECT_TRUE(guest().unregister_shm(shm).ok());
            EXPECT_EQ(vm().pins(), 0u);
        });
    EXPECT_GE(moments, 3u);
}

} // namespace
} // namespace sim::attack
