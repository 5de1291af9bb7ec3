// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Beyond the catalogue: what a guest can do with two features at once.

#include "tests/attack/rpc_words.hpp"

#include <functional>
#include <memory>
#include <optional>

namespace sim::attack {
namespace {

/// As many pages as make the mediator's own work yield several times, where it does yield.
World world_with_long_buffers(bool is_core)
{
    World world{.ram_pages = 8192};
    if (is_core)
        world.limits.pages = world.limits.pages_of_buffer = 2000;
    return world;
}

std::uint64_t pages_of_long_buffer(bool is_core, Limits const& limits)
{
    return is_core ? 700 : limits.pages_of_buffer;
}

ATTACK(RX02,
       "shares a buffer under a name whose release is not over yet, uses it, and ends it again",
       "two buffers, each released once; none of them lost",
       Schedules::straight)
{
    boot(world_with_long_buffers(is_core()));
    auto const pages = pages_of_long_buffer(is_core(), limits());
    auto const memory = guest().open(App::memory).session;
    auto const old = guest().register_memory(static_cast<std::uint32_t>(pages) * page_bytes);
    ASSERT_NE(old, nullptr);
    auto const mine = guest().memory().allocate_scattered(2 * page_bytes);
    machine().preempt(Preemption::always());
    auto release = guest().begin_unregister(old);
    unsigned tries = 0;
    for (release.start_on(0); release.waits_for_rpc(); release.answer_on(0)) {
        ++tries;
        auto const next = renamed(mine, old->cookie);
        auto const result = guest().register_shm(next, 1);
        EXPECT_TRUE(result.ok() || is_refused(result, abi::result::bad_parameters));
        auto const use = guest().invoke(memory, command::memory_invert, {shared_inout(next)}, 1);
        EXPECT_EQ(use.ok(), result.ok()) << "usable if it is shared";
        auto const again = guest().unregister_shm(next, 2);
        EXPECT_EQ(again.ok(), result.ok());
        EXPECT_LE(vm().pins(), pages);
    }
    EXPECT_TRUE(release.result().ok());
    EXPECT_EQ(vm().pins(), 0u);
    if (is_core()) {
        EXPECT_GE(tries, 3u) << "the release took several entries";
    }
}

ATTACK(RX03,
       "comes back from the mediator's own interrupt with an answer, on another vCPU, while the first one is inside",
       "one goes on, the other gets ERESUME; registers count for nothing",
       Schedules::straight)
{
    std::uint32_t handle = 0;
    auto const nonsense = [&] {
        auto registers = return_from_rpc(handle);
        for (auto const n : {1u, 2u, 4u, 5u, 6u, 7u})
            registers.a[n] = vm().ram(3).raw + n;
        return registers;
    };
    std::optional<Answer> second;
    in_race(
        {Point::entry_begins, Point::look_up, Point::read_guest, Point::smc},
        [&] {
            if (handle != 0)
                second = ask_on(1, vm(), nonsense());
        },
        [&] {
            boot();
            handle = 0;
            second.reset();
            auto const shm = guest().memory().allocate_scattered(70 * page_bytes);
            machine().preempt(Preemption::always());
            auto call = guest().begin_register(shm);
            call.start_on(0);
            race_begins();
            while (call.waits_for_rpc()) {
                ASSERT_EQ(call.rpc(), abi::rpc::foreign_interrupt);
                handle = call.handle();
                second.reset();
                auto const first = ask_on(0, vm(), nonsense());
                handle = 0;
                auto const first_lost = first.a0() == abi::ret::resume_failed;
                if (second) {
                    EXPECT_NE(first_lost, second->a0() == abi::ret::resume_failed);
                }
                call.take(first_lost && second ? *second : first);
            }
            EXPECT_TRUE(call.result().ok());
            EXPECT_EQ(vm().pins(), 70u);
            machine().preempt(Preemption::never());
            auto const memory = guest().open(App::memory).session;
            EXPECT_EQ(guest().invoke(memory, command::memory_grow, {shared_inout(shm)}).ret,
                      abi::result::short_buffer);
            EXPECT_TRUE(guest().invoke(memory, command::memory_invert, {shared_inout(shm, 69 * page_bytes)}).ok());
        });
}

ATTACK(RX04,
       "gives one and the same page as message, argument, page list and memory",
       "every call ends; OP-TEE sees copies; nothing is left",
       Schedules::usual)
{
    boot();
    machine().log().tolerate(Invariant::i9); // one page in several roles is read once in each of them
    auto const allocator = guest().open(App::allocator).session;
    for (unsigned n = 0; n < 4; ++n) {
        SCOPED_TRACE(n);
        auto call = guest().begin_invoke(allocator, command::allocator_appl, {value_in(page_bytes, 1)});
        auto const page = call.message().ipa();
        ASSERT_TRUE(run_until_rpc(call, abi::rpc::alloc));
        auto answer = call.serve_rpc().value();
        answer.a[1] = abi::high(page.raw);
        answer.a[2] = abi::low(page.raw);
        resume(call, answer);
        ASSERT_EQ(call.rpc(), abi::rpc::command);
        // SHM_ALLOC stands in the message. The list is in it too, and names it: its first word is the entry.
        auto const cookie = odd_cookie(n);
        GuestMessage here{vm(), page};
        EXPECT_EQ(here.cmd(), abi::rpc_cmd::shm_alloc);
        if (n == 1)
            vm().poke(page, page.raw);
        here.set_field(abi::arg::num_params, 1);
        here.set_ret(abi::result::success);
        here.set_param(0,
                       {abi::attr::tmem_output | (n < 2 ? abi::attr::noncontig : 0), page.raw, page_bytes, cookie});
        resume(call, return_from_rpc(call.handle()));
        for (unsigned rounds = 0; call.waits_for_rpc(); ++rounds) {
            ASSERT_LT(rounds, 100u);
            call.resume_on(0, return_from_rpc(call.handle()));
        }
        EXPECT_EQ(call.last().a0(), abi::ret::ok);
        EXPECT_EQ(vm().pins(), 0u);
        EXPECT_TRUE(works(guest()));
    }
}

ATTACK(RX05,
       "gives the same page for the arguments of two calls",
       "each answer is judged by its own request; both calls end",
       Schedules::usual)
{
    boot();
    auto const clock = guest().open(App::clock).session;
    auto const allocator = guest().open(App::allocator).session;
    auto time = guest().begin_invoke(clock, command::clock_get, {value_out()});
    auto memory = guest().begin_invoke(allocator, command::allocator_appl, {value_in(2 * page_bytes, 1)});
    auto const page = guest().memory().allocate(1);
    for (auto* const call : {&time, &memory}) {
        ASSERT_TRUE(run_until_rpc(*call, abi::rpc::alloc));
        auto answer = call->serve_rpc().value();
        answer.a[1] = abi::high(page.raw);
        answer.a[2] = abi::low(page.raw);
        resume(*call, answer);
        ASSERT_EQ(call->rpc(), abi::rpc::command);
    }
    // In the page is the newer request, and an answer to it that offers memory. The older one asked for the time.
    auto const shm = guest().memory().allocate_scattered(2 * page_bytes);
    auto const list = guest().memory().write_page_list(*shm);
    GuestMessage here{vm(), page};
    EXPECT_EQ(here.cmd(), abi::rpc_cmd::shm_alloc);
    abi::Param const offer{abi::attr::tmem_output | abi::attr::noncontig, list.raw, shm->size, shm->cookie};
    here.set_param(0, offer);
    here.set_ret(abi::result::success);
    resume(time, return_from_rpc(time.handle()));
    EXPECT_EQ(vm().pins(), 0u) << "the time is no memory";
    ASSERT_EQ(time.rpc(), abi::rpc::free);
    resume(time, return_from_rpc(time.handle()));
    ASSERT_TRUE(time.done());
    EXPECT_EQ(time.result().params.at(0).a, list.raw) << "a value like any other";
    here.set_field(abi::arg::num_params, 1);
    here.set_param(0, offer);
    resume(memory, return_from_rpc(memory.handle()));
    for (unsigned rounds = 0; memory.waits_for_rpc(); ++rounds) {
        ASSERT_LT(rounds, 100u);
        memory.resume_on(0, return_from_rpc(memory.handle()));
    }
    EXPECT_TRUE(memory.result().ok());
    EXPECT_EQ(vm().pins(), 0u);
}

ATTACK(RX06,
       "offers OP-TEE pages that it has registered, and ends the registration while OP-TEE has the offer",
       "each of the two is pinned until it is given back itself",
       Schedules::usual)
{
    boot();
    auto const registered = guest().register_memory(3 * page_bytes);
    Loading loading{guest()};
    ASSERT_TRUE(loading.waits());
    auto const pins = vm().pins();
    Offer offer{guest()};
    ASSERT_TRUE(offer.is_asked_for());
    for (std::size_t n = 0; n < 3; ++n)
        vm().poke(Ipa{offer.list().raw + 8 * n}, registered->pages.at(n).raw);
    // The registration ends before the answer, and at the same moment as it.
    auto unregister = guest().begin_unregister(registered);
    resume(offer.call, offer.answer, 1);
    unregister.run_on(0);
    EXPECT_TRUE(unregister.result().ok());
    offer.call.run_on(1);
    EXPECT_TRUE(offer.call.result().ok());
    EXPECT_EQ(vm().pins(), pins - 3) << "what the loading call has";
    // Memory that OP-TEE has is registered as well, and that registration ends: OP-TEE keeps its own.
    auto const given = guest().memory().find(loading.cookie());
    ASSERT_NE(given, nullptr);
    auto const twice = renamed(given, odd_cookie());
    EXPECT_TRUE(guest().register_shm(twice).ok());
    EXPECT_TRUE(guest().unregister_shm(twice).ok());
    EXPECT_EQ(vm().pins(), pins - 3);
    loading.call.run_on(0);
    EXPECT_TRUE(loading.call.result().ok());
    EXPECT_EQ(vm().pins(), 0u);
}

ATTACK(RX07,
       "uses cookies that are equal in one half",
       "each is a name of its own, and comes back whole",
       Schedules::usual)
{
    boot();
    Rpcs const rpcs{machine(), vm()};
    auto const clock = guest().open(App::clock).session;
    std::uint64_t const cookies[] = {1,
                                     std::uint64_t{1} << 32,
                                     (std::uint64_t{1} << 32) | 1,
                                     std::uint64_t{1} << 63,
                                     0xffff'ffff,
                                     0xffff'ffff'0000'0000,
                                     ~std::uint64_t{0}};
    std::vector<Shm> shared;
    for (auto const cookie : cookies) {
        shared.push_back(renamed(guest().memory().allocate_scattered(page_bytes), cookie));
        EXPECT_TRUE(guest().register_shm(shared.back()).ok()) << std::hex << cookie;
    }
    for (auto const& shm : shared)
        EXPECT_TRUE(guest().unregister_shm(shm).ok()) << std::hex << shm->cookie;
    EXPECT_EQ(vm().pins(), 0u);
    for (auto const cookie : cookies) {
        auto call = guest().begin_invoke(clock, command::clock_get, {value_out()});
        ASSERT_TRUE(run_until_rpc(call, abi::rpc::alloc));
        auto answer = call.serve_rpc().value();
        answer.a[4] = abi::high(cookie);
        answer.a[5] = abi::low(cookie);
        resume(call, answer);
        EXPECT_EQ(abi::joined(rpcs.last(abi::rpc::alloc).frame.a[4], rpcs.last(abi::rpc::alloc).frame.a[5]), cookie);
        ASSERT_EQ(call.rpc(), abi::rpc::command);
        EXPECT_EQ(call.last().pair(1), cookie);
        resume(call, return_from_rpc(call.handle()));
        ASSERT_EQ(call.rpc(), abi::rpc::free);
        EXPECT_EQ(call.last().pair(1), cookie);
        resume(call, return_from_rpc(call.handle()));
        EXPECT_TRUE(call.done());
    }
}

ATTACK(RX08,
       "cancels a call at every moment at which its answer to SHM_ALLOC is worked on",
       "both calls end; nothing is lost",
       Schedules::straight)
{
    std::uint32_t session = 0;
    std::optional<CallResult> cancelled;
    auto const moments = in_race(
        {Point::look_up, Point::read_guest, Point::smc, Point::smc_returns, Point::allocate_page},
        [&] { cancelled = guest().cancel(session, 1); },
        [&] {
            boot();
            cancelled.reset();
            Offer offer{guest(), 40 * page_bytes};
            ASSERT_TRUE(offer.is_asked_for());
            session = offer.session;
            race_begins();
            resume(offer.call, offer.answer);
            offer.call.run_on(0);
            EXPECT_TRUE(offer.call.result().ok());
            EXPECT_TRUE(!cancelled || cancelled->ok());
            EXPECT_EQ(vm().pins(), 0u);
        });
    EXPECT_GE(moments, 5u);
}

ATTACK(LX01,
       "ends at each point at which the mediator's own long work for it yields",
       "gone, in steps; nothing is pinned",
       Schedules::straight)
{
    std::function<std::unique_ptr<Call>(std::uint32_t)> const works_of_all_kinds[] = {
        [&](std::uint32_t bytes) {
            return std::make_unique<Call>(guest().begin_register(guest().memory().allocate_scattered(bytes)));
        },
        [&](std::uint32_t bytes) {
            auto const shm = guest().register_memory(bytes);
            return std::make_unique<Call>(guest().begin_unregister(shm));
        },
        [&](std::uint32_t bytes) {
            auto const memory = guest().open(App::memory).session;
            auto const shm = guest().memory().allocate_scattered(bytes);
            return std::make_unique<Call>(guest().begin_invoke(memory, command::memory_grow, {temporary_inout(shm)}));
        },
        [&](std::uint32_t bytes) {
            auto const allocator = guest().open(App::allocator).session;
            return std::make_unique<Call>(
                guest().begin_invoke(allocator, command::allocator_appl, {value_in(bytes, 1)}));
        },
    };
    for (auto const& begin : works_of_all_kinds) {
        auto is_over = false;
        std::uint32_t yields = 0;
        for (; !is_over && yields < 60; yields += 1 + yields / 6) {
            SCOPED_TRACE(yields);
            boot(world_with_long_buffers(is_core()));
            auto const call =
                begin(static_cast<std::uint32_t>(pages_of_long_buffer(is_core(), limits())) * page_bytes);
            machine().preempt(Preemption::always());
            call->start_on(0);
            for (std::uint32_t n = 0; n < yields && call->waits_for_rpc(); ++n)
                call->answer_on(0);
            is_over = call->done();
            auto steps = 1;
            while (vm().destroy_step() == OPTEE_MEDIATOR_AGAIN)
                ASSERT_LT(++steps, 1000);
            machine().preempt(Preemption::never());
            EXPECT_FALSE(vm().exists());
            EXPECT_EQ(vm().pins(), 0u);
            EXPECT_EQ(vm().mediator_pages(), 0u);
        }
        EXPECT_TRUE(is_over);
    }
}

ATTACK(LX02,
       "takes away message, argument and shared memory, all at once, in the middle of a call",
       "the call ends with EBADADDR; nothing is lost; OP-TEE keeps what it has",
       Schedules::usual)
{
    boot();
    for (auto const how : SpoiltPage::every) {
        SCOPED_TRACE(name_of(how));
        auto const brief = guest().memory().allocate_scattered(2 * page_bytes);
        auto const clock = guest().open(App::clock).session;
        auto call = guest().begin_invoke(clock, command::clock_get, {value_out(), value_in(2), temporary_in(brief)});
        ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
        auto const answer = call.serve_rpc().value();
        {
            SpoiltPage const message{vm(), vm(1), call.message().ipa(), how};
            SpoiltPage const argument{vm(), vm(1), call.rpc_message().ipa(), how};
            SpoiltPage const memory{vm(), vm(1), brief->pages.front(), how};
            EXPECT_EQ(vm().pins(), 2u);
            resume(call, answer);
            call.run_on(0);
            EXPECT_EQ(call.last().a0(), abi::ret::bad_address);
        }
        EXPECT_EQ(vm().pins(), 0u);
        EXPECT_TRUE(works(guest()));
    }
}

ATTACK(QX02,
       "parks as many calls as it may in the mediator's own interrupts, before OP-TEE sees any",
       "they count as calls; OP-TEE and other VMs notice nothing",
       Schedules::all)
{
    boot();
    machine().preempt(Preemption::always());
    auto const shm = guest().memory().allocate_scattered(limits().pages_of_buffer * page_bytes);
    std::vector<Call> parked;
    Smcs const smcs{vm()};
    for (std::uint32_t n = 0; n < limits().threads; ++n) {
        parked.push_back(guest().begin_register(renamed(shm, odd_cookie(n))));
        parked.back().start_on(n % 3);
    }
    if (is_core()) {
        EXPECT_EQ(smcs.seen(), 0u);
        EXPECT_EQ(machine().optee().partition(vm())->busy_threads(), 0u);
        EXPECT_EQ(guest().begin_open(App::echo).start_on(0).a0(), abi::ret::thread_limit);
        EXPECT_TRUE(works(guest(1)));
        parked.back().run_on(1);
        EXPECT_TRUE(parked.back().result().ok());
        EXPECT_TRUE(works(guest())) << "one place is free";
    }
    EXPECT_EQ(vm().destroy(), OPTEE_MEDIATOR_OK);
    EXPECT_EQ(vm().pins(), 0u);
    machine().preempt(Preemption::never());
}

ATTACK(XX01,
       "offers to OP-TEE the very page that another VM has registered there and granted to it",
       "refused; the other VM's buffer works on",
       Schedules::usual)
{
    boot();
    auto const theirs = guest(1).register_memory(page_bytes);
    guest(1).fill(theirs, counting(page_bytes));
    auto const memory = guest(1).open(App::memory).session;
    Rpcs const rpcs{machine(), vm()};
    for (auto const kind : {MappingKind::grant, MappingKind::foreign}) {
        auto const here = vm().ram(6000);
        vm().map_of(vm(1), theirs->pages.front(), here, kind);
        Offer offer{guest(), page_bytes};
        ASSERT_TRUE(offer.is_asked_for());
        vm().poke(offer.list(), here.raw);
        auto const pins = vm().pins();
        resume(offer.call, offer.answer);
        EXPECT_EQ(vm().pins(), pins);
        offer.call.run_on(0);
        EXPECT_EQ(offer.call.result().ret, abi::result::out_of_memory);
        EXPECT_TRUE(rpcs.last(abi::rpc::command).is_failure());
        auto call = guest().begin_open(App::loadable);
        ASSERT_TRUE(run_until_rpc(call, abi::rpc::alloc));
        auto answer = call.serve_rpc().value();
        answer.a[1] = abi::high(here.raw);
        answer.a[2] = abi::low(here.raw);
        resume(call, answer);
        EXPECT_TRUE(rpcs.last(abi::rpc::alloc).has_nothing());
        vm().unmap(here);
    }
    EXPECT_EQ(guest(1).contents(theirs), counting(page_bytes));
    EXPECT_TRUE(guest(1).invoke(memory, command::memory_invert, {shared_inout(theirs)}).ok());
    EXPECT_EQ(vm(1).pins(), 1u);
}

} // namespace
} // namespace sim::attack
