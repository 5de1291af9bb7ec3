// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group F, continued: the fast calls that do something, and fast calls in the middle of others.

#include "tests/attack/words.hpp"

#include <algorithm>
#include <set>

namespace sim::attack {
namespace {

Registers asking(std::uint32_t function)
{
    return {{function, 0x1111, 0x2222, 0x3333, 4, 5, 6, 7}};
}

/// Empties the cache as a driver does. False: a cookie came that is none of the guest's.
bool takes_its_cache_back(LinuxGuest& guest, std::uint32_t vcpu = 0)
{
    for (auto answer = guest.vm().smc(vcpu, asking(abi::smc::disable_shm_cache)); answer.a0() == abi::ret::ok;
         answer = guest.vm().smc(vcpu, asking(abi::smc::disable_shm_cache))) {
        auto const shm = guest.memory().find(answer.pair(1));
        if (!shm)
            return false;
        guest.memory().free(shm);
    }
    return true;
}

ATTACK(F14,
       "takes the cache of RPC arguments back, again and again, while a call uses one; and from an OP-TEE that names "
       "the wrong ones",
       "EBUSY, and nothing is freed; then each page once; a cookie that is none of this VM's argument pages is not "
       "passed on, and frees nothing",
       Schedules::all)
{
    World world;
    world.driver = scenario::caching_driver;
    boot(world);
    auto const session = guest().open(App::clock).session;
    auto const shm = guest().register_memory(2 * page_bytes);
    ASSERT_NE(shm, nullptr);
    auto call = guest().begin_invoke(session, command::clock_get, {value_out(), value_in(3)});
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
    auto const argument = call.last().pair(1);
    auto before = Possessions::of(vm());
    auto const asked = asking(abi::smc::disable_shm_cache);
    for (unsigned n = 0; n < 50; ++n)
        ASSERT_TRUE(is_only(abi::ret::busy, asked, vm().smc(1, asked)));
    EXPECT_EQ(Possessions::of(vm()), before);
    EXPECT_EQ(call.run_on(0), Call::State::done);
    EXPECT_TRUE(call.result().ok());

    before = Possessions::of(vm());
    for (auto const cookie : {odd_cookie(), shm->cookie, std::uint64_t{0}, vm().ram(3).raw, ~std::uint64_t{0}}) {
        hand_back_next(machine(), cookie);
        EXPECT_TRUE(is_only(abi::ret::not_available, asked, vm().smc(0, asked))) << std::hex << cookie;
        EXPECT_EQ(Possessions::of(vm()), before);
    }
    auto const answer = vm().smc(0, asked);
    EXPECT_EQ(answer.a0(), abi::ret::ok);
    EXPECT_EQ(answer.pair(1), argument);
    hand_back_next(machine(), argument);
    EXPECT_TRUE(is_only(abi::ret::not_available, asked, vm().smc(0, asked))) << "the same one a second time";
    EXPECT_TRUE(takes_its_cache_back(guest()));
    EXPECT_EQ(Possessions::of(vm()).arguments, 0u);
    EXPECT_TRUE(guest().unregister_shm(shm).ok());
    EXPECT_EQ(vm().pins(), 0u);
    EXPECT_TRUE(guest().invoke(session, command::clock_get, {value_out()}).ok());
}

// The immediate of the SMC never comes this far: hypervisors look at it where they take the trap.
ATTACK(F15,
       "is an AArch32 guest",
       "every answer fits its registers, none is sign-extended, and every kind of call works",
       Schedules::usual)
{
    boot();
    auto const fits = [](Answer const& answer) {
        for (auto const value : answer.registers.a)
            if (value > 0xffff'ffff)
                return false;
        return true;
    };
    for (auto const function : {abi::smc::calls_uid,
                                abi::smc::calls_revision,
                                abi::smc::get_os_uuid,
                                abi::smc::get_os_revision,
                                abi::smc::get_shm_config,
                                abi::smc::exchange_capabilities,
                                abi::smc::vm_created,
                                abi::smc::enable_async_notif,
                                abi::smc::return_from_rpc,
                                abi::smc::call_with_arg})
        EXPECT_TRUE(fits(vm().smc(0, {{function, 0, 0, 0, 0xffff'ffff, 0xffff'ffff, 0xffff'ffff, 0xffff'ffff}})))
            << std::hex << function;
    auto call = guest().begin_open(App::loadable);
    std::set<std::uint32_t> requests;
    for (call.start_on(0); call.waits_for_rpc(); call.answer_on(0)) {
        requests.insert(call.rpc());
        EXPECT_TRUE(fits(call.last()));
    }
    EXPECT_TRUE(call.result().ok());
    EXPECT_TRUE(requests.count(abi::rpc::alloc) != 0 && requests.count(abi::rpc::command) != 0 &&
                requests.count(abi::rpc::free) != 0);
    EXPECT_TRUE(works(guest()));
}

ATTACK(F16,
       "asks who OP-TEE is, thousands of times",
       "constant work (I13) and memory; a0 to a3 at most; all other registers as they were (I7)",
       Schedules::usual)
{
    boot();
    struct Identity {
        std::uint32_t function;
        unsigned first_kept; ///< the first register that the answer does not use
    };
    auto const pages = vm().mediator_pages();
    for (auto const& [function, first_kept] : {Identity{abi::smc::calls_uid, 4},
                                               Identity{abi::smc::get_os_uuid, 4},
                                               Identity{abi::smc::calls_revision, 2},
                                               Identity{abi::smc::get_os_revision, 3}}) {
        auto const first = vm().smc(0, asking(function));
        for (unsigned n = 0; n < 2500; ++n) {
            auto const answer = vm().smc(n % 3, asking(function));
            ASSERT_LE(answer.work.smcs, 1u);
            ASSERT_EQ(answer.work.allocations + answer.work.look_ups + answer.work.guest_writes, 0u);
            for (unsigned i = 0; i < 8; ++i)
                ASSERT_EQ(answer.registers.a[i], i < first_kept ? first.registers.a[i] : asking(function).a[i]) << i;
        }
    }
    EXPECT_EQ(vm().mediator_pages(), pages);
    EXPECT_TRUE(works(guest()));
}

ATTACK(F17,
       "asks how many threads there are",
       "UNKNOWN, or as many as this VM may use, and not one more",
       Schedules::all)
{
    World world;
    world.limits.threads = std::min(world.limits.threads, 3u);
    boot(world);
    auto const asked = asking(abi::smc::get_thread_count);
    auto const answer = vm().smc(0, asked);
    if (is_unknown(asked, answer))
        return;
    ASSERT_EQ(answer.a0(), abi::ret::ok);
    auto const threads = answer.a(1);
    for (unsigned n = 2; n < 8; ++n)
        EXPECT_EQ(answer.registers.a[n], asked.a[n]);
    ASSERT_LE(threads, limits().threads);
    std::vector<Call> calls;
    for (std::uint32_t n = 0; n < threads; ++n) {
        calls.push_back(guest().begin_open(App::loadable));
        calls.back().start_on(0);
        ASSERT_TRUE(calls.back().waits_for_rpc()) << n;
    }
    auto const one_more = guest().begin_open(App::echo);
    EXPECT_TRUE(is_only(abi::ret::thread_limit, one_more.registers(), vm().smc(0, one_more.registers())));
    for (auto& call : calls) {
        call.run_on(0);
        EXPECT_TRUE(call.result().ok());
    }
    EXPECT_TRUE(works(guest()));
}

ATTACK(FX01,
       "takes the cached RPC arguments back at every moment of a call that uses one",
       "EBUSY, nothing left, or one of its own pages that no call uses; the call succeeds",
       Schedules::straight)
{
    World world;
    world.driver = scenario::caching_driver;
    std::uint32_t session = 0;
    auto const moments = in_race(
        every_point,
        [&] {
            auto const asked = asking(abi::smc::disable_shm_cache);
            auto const answer = vm().smc(1, asked);
            if (answer.a0() == abi::ret::ok) {
                auto const shm = guest().memory().find(answer.pair(1));
                ASSERT_NE(shm, nullptr);
                guest().memory().free(shm);
            } else {
                EXPECT_TRUE(is_only(answer.a0(), asked, answer));
                EXPECT_TRUE(answer.a0() == abi::ret::busy || answer.a0() == abi::ret::not_available) << answer.a0();
            }
        },
        [&] {
            boot(world);
            session = guest().open(App::clock).session;
            ASSERT_TRUE(guest().invoke(session, command::clock_get, {value_out()}).ok());
            auto call = guest().begin_invoke(session, command::clock_get, {value_out(), value_in(2)});
            race_begins();
            EXPECT_EQ(call.run_on(0), Call::State::done);
            EXPECT_TRUE(call.result().ok());
            EXPECT_TRUE(takes_its_cache_back(guest()));
            EXPECT_EQ(Possessions::of(vm()).arguments, 0u);
            EXPECT_TRUE(works(guest()));
        });
    EXPECT_GE(moments, 3u);
}

ATTACK(FX02,
       "ends itself in the hypervisor's place at every moment of one of its calls",
       "UNKNOWN each time; the call succeeds",
       Schedules::straight)
{
    auto const moments = in_race(
        every_point,
        [&] {
            for (auto const function : {abi::smc::vm_destroyed, abi::smc::vm_created}) {
                Registers const asked{{function, vm().client(), 0, 0, 0, 0, 0, 0}};
                EXPECT_TRUE(is_unknown(asked, vm().smc(1, asked)));
            }
        },
        [&] {
            boot();
            auto call = guest().begin_open(App::clock);
            race_begins();
            call.run_on(0);
            EXPECT_TRUE(call.result().ok());
            EXPECT_TRUE(works(guest()));
        });
    EXPECT_GE(moments, 3u);
}

ATTACK(FX03,
       "drives a call from all its vCPUs in turn, and asks for other things on the others meanwhile",
       "no answer of one vCPU has anything of another's",
       Schedules::usual)
{
    boot();
    auto const uid = vm().smc(0, asking(abi::smc::calls_uid));
    auto call = guest().begin_open(App::loadable);
    std::uint32_t vcpu = 0;
    for (call.start_on(0); call.waits_for_rpc(); call.answer_on(vcpu)) {
        auto const handle = call.handle();
        auto const request = call.rpc();
        vcpu = (vcpu + 1) % 3;
        for (auto other = 0u; other < 3; ++other) {
            auto const answer = vm().smc(other, asking(abi::smc::calls_uid));
            EXPECT_TRUE(std::equal(
                std::begin(answer.registers.a), std::end(answer.registers.a), std::begin(uid.registers.a)));
            auto const stranger = return_from_rpc(handle + 0x1000);
            EXPECT_TRUE(is_only(abi::ret::resume_failed, stranger, vm().smc(other, stranger)));
        }
        EXPECT_EQ(call.handle(), handle);
        EXPECT_EQ(call.rpc(), request);
    }
    EXPECT_TRUE(call.result().ok());
    EXPECT_TRUE(works(guest()));
}

} // namespace
} // namespace sim::attack
