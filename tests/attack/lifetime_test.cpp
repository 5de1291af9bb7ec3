// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group L: the end of a VM whatever it was doing, its beginning, and pages that leave it meanwhile.

#include "tests/attack/rpc_words.hpp"

#include <algorithm>
#include <functional>

namespace sim::attack {
namespace {

/// When OP-TEE hears that a VM ends, and what was pinned then.
class Telling : public Observer {
public:
    explicit Telling(Vm& vm) : vm_{vm} { vm_.machine().add(*this); }
    ~Telling() override { vm_.machine().remove(*this); }
    void at(Moment const& moment) override
    {
        if (moment.vm != &vm_ || moment.point != Point::smc)
            return;
        ++smcs;
        if (moment.number != abi::smc::vm_destroyed)
            return;
        ++times;
        pins = vm_.pins();
    }

    std::uint32_t smcs = 0;
    std::uint32_t times = 0;
    std::uint64_t pins = 0;

private:
    Vm& vm_;
};

/// A guest with buffers, and a call in each kind of RPC that its threads allow.
class Busy {
public:
    explicit Busy(LinuxGuest& guest, std::uint64_t bytes = 20 * page_bytes)
        : shm{guest.register_memory(bytes)}, brief{guest.memory().allocate_scattered(5 * page_bytes)},
          clock{guest.open(App::clock).session},
          call{guest.begin_invoke(clock, command::clock_get, {value_out(), value_in(3), temporary_in(brief)})},
          loading{guest}, offer{guest}
    {
        is_ready = shm && run_until_command(call, abi::rpc_cmd::get_time) && loading.waits() && offer.is_asked_for();
    }
    Shm shm;
    Shm brief;
    std::uint32_t clock;
    Call call;
    Loading loading;
    Offer offer;
    bool is_ready = false;
};

ATTACK(L01,
       "ends with a call in each kind of RPC",
       "OP-TEE is told once, then all goes back; nothing is pinned",
       Schedules::all)
{
    for (auto const rpc : {abi::rpc::alloc, abi::rpc::command, abi::rpc::free}) {
        boot();
        auto const clock = guest().open(App::clock).session;
        auto call = guest().begin_invoke(clock, command::clock_get, {value_out()});
        ASSERT_TRUE(run_until_rpc(call, rpc));
        Busy const busy{guest()};
        ASSERT_TRUE(busy.is_ready);
        auto const pins = vm().pins();
        EXPECT_GE(pins, 25u);
        Telling const telling{vm()};
        EXPECT_EQ(vm().destroy(), OPTEE_MEDIATOR_OK);
        EXPECT_EQ(telling.times, 1u);
        EXPECT_EQ(telling.pins, pins) << "nothing goes back before";
        EXPECT_EQ(vm().pins(), 0u);
        EXPECT_EQ(vm().mediator_pages(), 0u);
    }
}

ATTACK(L02,
       "ends while a vCPU is in the mediator, at every moment",
       "not before the vCPU has left; the call comes to its end",
       Schedules::straight)
{
    std::uint32_t moments = 0;
    bool is_racing = false;
    moments = in_race(
        {Point::lock, Point::unlock, Point::look_up, Point::smc, Point::smc_returns},
        [&] {
            if (!is_racing || !vm().exists())
                return;
            auto const pins = vm().pins();
            Telling const telling{vm()};
            EXPECT_NE(vm().destroy_step(), OPTEE_MEDIATOR_OK) << "a vCPU is inside";
            EXPECT_EQ(telling.times, 0u);
            EXPECT_EQ(vm().pins(), pins);
        },
        [&] {
            boot();
            auto const memory = guest().open(App::memory).session;
            auto const shm = guest().memory().allocate_scattered(3 * page_bytes);
            is_racing = true;
            race_begins();
            auto call = guest().begin_invoke(memory, command::memory_invert, {temporary_inout(shm)});
            call.run_on(0);
            auto const inverted_and_out = call.done() && call.result().ok();
            if (call.last().a0() != abi::ret::unknown_function) {
                EXPECT_TRUE(inverted_and_out);
            }
            is_racing = false;
            EXPECT_EQ(vm().destroy(), OPTEE_MEDIATOR_OK);
            EXPECT_EQ(vm().pins(), 0u);
        });
    EXPECT_GE(moments, 3u);
}

ATTACK(L03, "ends after it answered a request under a wrong cookie", "gone; nothing is pinned", Schedules::usual)
{
    for (auto const cookie : {std::uint64_t{0}, std::uint64_t{0x1234}, ~std::uint64_t{0}}) {
        boot();
        Busy busy{guest()};
        ASSERT_TRUE(busy.is_ready);
        auto answer = busy.call.serve_rpc().value();
        answer.a[1] = answer.a[4] = abi::high(cookie);
        answer.a[2] = answer.a[5] = abi::low(cookie);
        busy.call.resume_on(0, answer);
        EXPECT_EQ(vm().destroy(), OPTEE_MEDIATOR_OK);
        EXPECT_EQ(vm().pins(), 0u);
    }
}

ATTACK(L04,
       "ends, with the hypervisor in a hurry after every step",
       "each step goes on where the last one stopped",
       Schedules::straight)
{
    // The n-th time that the mediator asks whether it may go on, in each step.
    for (std::uint32_t queries = 0; queries < 6; ++queries) {
        SCOPED_TRACE(queries);
        World world{.ram_pages = 4096};
        boot(world);
        std::vector<Shm> buffers;
        for (std::uint32_t n = 0; n + 4 < limits().buffers; ++n)
            buffers.push_back(guest().register_memory(limits().pages_of_buffer * page_bytes));
        Busy const busy{guest()};
        ASSERT_TRUE(busy.is_ready);
        machine().preempt(Preemption::after(queries));
        Telling const telling{vm()};
        std::uint32_t steps = 1;
        for (; vm().destroy_step() == OPTEE_MEDIATOR_AGAIN; ++steps)
            ASSERT_LT(steps, 5000u);
        EXPECT_FALSE(vm().exists());
        EXPECT_EQ(telling.times, 1u);
        EXPECT_EQ(vm().pins(), 0u);
        EXPECT_EQ(vm().mediator_pages(), 0u);
        if (queries == 0) {
            EXPECT_GT(steps, 3u) << "it was in steps";
        }
        machine().preempt(Preemption::never());
    }
}

ATTACK(L05, "ends, but OP-TEE does not let it go", "its pages are kept for ever, and it is reported", Schedules::all)
{
    for (auto const code :
         {abi::ret::not_available, abi::ret::busy, abi::ret::unknown_function, abi::ret::bad_address}) {
        SCOPED_TRACE(code);
        boot();
        Busy const busy{guest()};
        ASSERT_TRUE(busy.is_ready);
        auto const pins = vm().pins();
        machine().optee().answer_every(abi::smc::vm_destroyed, code);
        EXPECT_EQ(vm().destroy(), OPTEE_MEDIATOR_QUARANTINED);
        machine().optee().behave();
        EXPECT_EQ(vm().pins(), pins);
        EXPECT_FALSE(vm().give_away(busy.shm->pages.front(), vm(1), vm(1).ram(5000)));
        auto const lines = machine().log_lines();
        EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [](auto const& line) { return line.is_error; }));
    }
}

ATTACK(L06,
       "is made, but OP-TEE has no room for it",
       "it is not made; nothing is left; later it is",
       Schedules::usual)
{
    tee::Options small;
    small.partitions = 1;
    boot({.optee = small, .probes = false, .boots = false});
    ASSERT_EQ(machine().probe(), OPTEE_MEDIATOR_OK);
    auto const first = machine().fresh_client();
    auto const second = machine().fresh_client();
    ASSERT_EQ(vm(1).create(first, machine().default_policy()), OPTEE_MEDIATOR_OK);
    for (unsigned n = 0; n < 50; ++n)
        ASSERT_NE(vm().create(second, machine().default_policy()), OPTEE_MEDIATOR_OK);
    EXPECT_EQ(vm().mediator_pages(), 0u);
    EXPECT_TRUE(works(guest(1)));
    EXPECT_EQ(vm(1).destroy(), OPTEE_MEDIATOR_OK);
    EXPECT_EQ(vm().create(second, machine().default_policy()), OPTEE_MEDIATOR_OK);
    EXPECT_TRUE(works(guest()));
}

ATTACK(L07,
       "ends, and comes back under the same id",
       "handles, names and sessions of its first life mean nothing",
       Schedules::all)
{
    boot();
    auto const echo = guest().open(App::echo).session;
    Busy busy{guest()};
    ASSERT_TRUE(busy.is_ready);
    auto const client = vm().client();
    auto const policy = vm().policy();
    ASSERT_EQ(vm().destroy(), OPTEE_MEDIATOR_OK);
    ASSERT_EQ(vm().create(client, policy), OPTEE_MEDIATOR_OK);
    for (auto const handle : {busy.call.handle(), busy.loading.call.handle(), busy.offer.call.handle()}) {
        auto const answer = ask_on(0, vm(), return_from_rpc(handle));
        EXPECT_EQ(answer.a0(), abi::ret::resume_failed);
        EXPECT_EQ(answer.work.smcs, 0u);
    }
    LinuxGuest fresh{vm(), World{}.driver};
    ASSERT_TRUE(fresh.probe());
    EXPECT_FALSE(fresh.invoke(echo, command::echo_add_one).ok());
    auto const memory = fresh.open(App::memory).session;
    EXPECT_TRUE(is_refused(fresh.invoke(memory, command::memory_invert, {shared_inout(busy.shm)}),
                           abi::result::bad_parameters));
    EXPECT_TRUE(is_refused(fresh.unregister_shm(busy.shm), abi::result::bad_parameters));
    EXPECT_TRUE(fresh.register_shm(busy.shm).ok());
    EXPECT_TRUE(fresh.invoke(memory, command::memory_invert, {shared_inout(busy.shm)}).ok());
    EXPECT_EQ(vm().pins(), 20u);
}

ATTACK(L08,
       "is made under the id of a VM that lives",
       "refused without a word to OP-TEE; the other one lives on",
       Schedules::usual)
{
    boot({.probes = false, .boots = false});
    ASSERT_EQ(machine().probe(), OPTEE_MEDIATOR_OK);
    auto const client = machine().fresh_client();
    ASSERT_EQ(vm(1).create(client, machine().default_policy()), OPTEE_MEDIATOR_OK);
    {
        Entry entry{machine(), &vm(), 0, Entry::Kind::create};
        EXPECT_NE(machine().mediator().create(vm(), client, machine().default_policy()), OPTEE_MEDIATOR_OK);
        entry.finish();
        EXPECT_EQ(entry.work().smcs, 0u);
    }
    EXPECT_EQ(vm().mediator_pages(), 0u);
    EXPECT_TRUE(works(guest(1)));
}

ATTACK(L09,
       "starts another kernel, which knows nothing of what the first one shared",
       "its names are taken: BAD_PARAMETERS; what is left is bounded and can be undone",
       Schedules::usual)
{
    boot();
    std::vector<Shm> left;
    for (std::uint32_t n = 0; n < limits().buffers; ++n) {
        left.push_back(guest().register_memory(page_bytes));
        ASSERT_NE(left.back(), nullptr) << n;
    }
    LinuxGuest fresh{vm(), World{}.driver};
    ASSERT_TRUE(fresh.probe(1));
    auto const pins = vm().pins();
    for (auto const& old : left) {
        auto const mine = fresh.memory().allocate_scattered(page_bytes);
        auto const result = fresh.register_shm(renamed(mine, old->cookie), 1);
        EXPECT_TRUE(is_refused_with(result, {abi::result::bad_parameters, abi::result::out_of_memory}));
        EXPECT_EQ(vm().pins(), pins);
    }
    for (auto const& old : left)
        EXPECT_TRUE(fresh.unregister_shm(old, 1).ok());
    EXPECT_EQ(vm().pins(), 0u);
    EXPECT_NE(fresh.register_memory(page_bytes), nullptr);
}

ATTACK(L10, "gives up a page that it has shared", "the frame stays its own until it is unpinned", Schedules::usual)
{
    boot();
    auto const memory = guest().open(App::memory).session;
    auto const shm = guest().register_memory(3 * page_bytes);
    auto const page = shm->pages.at(1);
    auto const& frame = *machine().memory().frame(vm().pa_of(page).raw);
    ASSERT_TRUE(vm().balloon_out(page));
    EXPECT_EQ(frame.use.load(), FrameUse::guest_ram);
    EXPECT_EQ(frame.pins.load(), 1u);
    EXPECT_TRUE(guest().invoke(memory, command::memory_invert, {shared_inout(shm)}).ok()) << "OP-TEE still has it";
    EXPECT_EQ(frame.use.load(), FrameUse::guest_ram);
    ASSERT_TRUE(vm().populate(page));
    EXPECT_TRUE(guest().unregister_shm(shm).ok());
    EXPECT_EQ(frame.use.load(), FrameUse::free) << "with the last pin it goes";
    EXPECT_TRUE(guest().register_shm(shm).ok());
    EXPECT_EQ(vm().pins(), 3u);
}

ATTACK(L11, "gives a shared page to another VM", "the hypervisor refuses while it is pinned", Schedules::usual)
{
    boot();
    auto const shm = guest().register_memory(3 * page_bytes);
    Busy busy{guest()};
    ASSERT_TRUE(busy.is_ready);
    for (auto const& pages : {shm->pages, busy.shm->pages, busy.brief->pages})
        for (auto const page : pages)
            EXPECT_FALSE(vm().give_away(page, vm(1), vm(1).ram(5000)));
    EXPECT_TRUE(guest().unregister_shm(shm).ok());
    EXPECT_TRUE(vm().give_away(shm->pages.front(), vm(1), vm(1).ram(5000)));
    EXPECT_TRUE(is_refused(guest().register_shm(shm), abi::result::bad_parameters)) << "it is not its own any more";
    ASSERT_TRUE(vm().populate(shm->pages.front()));
}

ATTACK(L12,
       "is suspended with calls under way, and goes on",
       "it can be seen that something is under way; all of it goes on",
       Schedules::all)
{
    boot();
    Busy busy{guest()};
    ASSERT_TRUE(busy.is_ready);
    // A hypervisor that would save this VM sees that it may not.
    EXPECT_GT(vm().pins(), 0u);
    if (is_core()) {
        EXPECT_EQ(vm().counter("calls_live"), 3u);
        EXPECT_GE(vm().counter("buffers_live"), 3u);
    }
    for (unsigned n = 0; n < 20; ++n)
        ASSERT_TRUE(works(guest(1))); // time passes
    busy.call.run_on(2);
    EXPECT_TRUE(busy.call.result().ok());
    busy.loading.call.run_on(1);
    EXPECT_TRUE(busy.loading.call.result().ok());
    resume(busy.offer.call, busy.offer.answer, 2);
    busy.offer.call.run_on(1);
    EXPECT_TRUE(busy.offer.call.result().ok());
    EXPECT_TRUE(guest().unregister_shm(busy.shm).ok());
    EXPECT_EQ(vm().pins(), 0u);
}

ATTACK(L13,
       "stops a vCPU for ever in the middle of an RPC",
       "its call counts as one; another vCPU may take it up",
       Schedules::all)
{
    boot();
    Question stopped{guest(), 5};
    ASSERT_TRUE(stopped.is_asked());
    for (unsigned n = 0; n < 10; ++n)
        ASSERT_TRUE(works(guest(), 1 + n % 2));
    std::vector<Question> others;
    for (std::uint32_t n = 1; n < limits().threads; ++n)
        others.emplace_back(guest());
    EXPECT_EQ(guest().begin_open(App::echo).start_on(2).a0(), abi::ret::thread_limit);
    stopped.call.run_on(2);
    EXPECT_TRUE(stopped.call.result().ok());
    EXPECT_TRUE(works(guest(), 1));
}

ATTACK(L14,
       "ends at every moment of another VM's calls, and the other way round",
       "the other VM notices nothing",
       Schedules::straight)
{
    auto const everything = [&](LinuxGuest& of) {
        auto const shm = of.register_memory(3 * page_bytes);
        auto const memory = of.open(App::memory).session;
        EXPECT_TRUE(of.invoke(memory, command::memory_invert, {shared_inout(shm)}).ok());
        EXPECT_TRUE(of.open(App::loadable).ok());
        EXPECT_TRUE(of.unregister_shm(shm).ok());
        EXPECT_EQ(of.vm().pins(), 0u);
    };
    auto const with_three = World{.vms = 3};
    auto const moments = in_race(
        {Point::smc, Point::smc_returns, Point::look_up},
        [&] {
            if (vm(1).exists()) {
                EXPECT_EQ(vm(1).destroy(), OPTEE_MEDIATOR_OK);
            }
        },
        [&] {
            boot(with_three);
            Busy const busy{guest(1)};
            ASSERT_TRUE(busy.is_ready);
            race_begins();
            everything(guest());
        });
    EXPECT_GE(moments, 10u);
    auto const others = in_race(
        {Point::smc, Point::unpin, Point::free_page},
        [&] { everything(guest(1)); },
        [&] {
            boot(with_three);
            Busy const busy{guest()};
            ASSERT_TRUE(busy.is_ready);
            race_begins();
            EXPECT_EQ(vm().destroy(), OPTEE_MEDIATOR_OK);
            EXPECT_EQ(vm().pins(), 0u);
        });
    EXPECT_GE(others, 10u);
}

ATTACK(L15,
       "goes on calling an OP-TEE that is dead",
       "an error each time; what OP-TEE may use stays pinned",
       Schedules::usual)
{
    boot({.vms = 1});
    auto const memory = guest().open(App::memory).session;
    Busy busy{guest()};
    ASSERT_TRUE(busy.is_ready);
    auto const pins = vm().pins();
    for (auto const function : {abi::smc::call_with_arg,
                                abi::smc::return_from_rpc,
                                abi::smc::exchange_capabilities,
                                abi::smc::enable_shm_cache,
                                abi::smc::disable_shm_cache,
                                abi::smc::vm_destroyed})
        machine().optee().answer_every(function, abi::ret::unknown_function);
    auto const is_error = [](std::uint32_t a0) {
        return a0 == abi::ret::unknown_function || a0 == abi::ret::thread_limit || a0 == abi::ret::not_available;
    };
    auto const brief = guest().memory().allocate_scattered(4 * page_bytes);
    for (unsigned n = 0; n < 2 * limits().threads; ++n) {
        auto call = guest().begin_invoke(memory, command::memory_invert, {temporary_inout(brief)});
        call.run_on(0);
        EXPECT_TRUE(is_error(call.last().a0())) << call.last().a0();
        for (auto const function : {abi::smc::exchange_capabilities, abi::smc::disable_shm_cache})
            EXPECT_TRUE(is_error(ask(vm(), function).a0())) << function;
    }
    for (auto* const waiting : {&busy.call, &busy.loading.call, &busy.offer.call})
        EXPECT_TRUE(is_error(ask_on(0, vm(), waiting->serve_rpc().value()).a0()));
    // Nothing can come back any more: who is told to wait for a thread would wait for ever.
    for (unsigned n = 0; n < 3; ++n) {
        auto call = guest().begin_invoke(memory, command::memory_invert, {temporary_inout(brief)});
        call.run_on(0);
        EXPECT_EQ(call.last().a0(), abi::ret::not_available);
        EXPECT_EQ(call.last().work.smcs, 0u);
    }
    EXPECT_EQ(vm().counter("not_available"), 3u);
    EXPECT_GE(vm().pins(), pins);
    EXPECT_EQ(vm().destroy(), OPTEE_MEDIATOR_QUARANTINED);
    EXPECT_GE(vm().pins(), pins);
}

ATTACK(L16, "ends before its first call", "gone; nothing is left", Schedules::usual)
{
    boot({.probes = false});
    EXPECT_EQ(vm().destroy(), OPTEE_MEDIATOR_OK);
    EXPECT_EQ(vm().mediator_pages(), 0u);
    EXPECT_TRUE(works(guest(1)));
}

} // namespace
} // namespace sim::attack
