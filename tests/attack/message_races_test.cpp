// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group B, continued: the message changes, or its page does, while the call is under way.

#include "tests/attack/words.hpp"

#include <algorithm>
#include <numeric>

namespace sim::attack {
namespace {

constexpr std::uint32_t canary = 0x7777'7777;

/// The driver's answers, in the registers and the page that the guest was asked in, wherever that is.
Registers tells_the_time(Vm& vm, Answer const& request, Ipa argument)
{
    GuestMessage message{vm, argument};
    message.set_param(0, {abi::attr::value_output, 1234, 0, 0});
    message.set_ret(abi::result::success);
    return back_from_rpc(request);
}

// --- B08: one call that uses a bit of everything, and what a second vCPU changes in it

/// What came of the call, for the guest.
struct Outcome {
    std::uint32_t a0 = 0;
    std::uint32_t ret = 0;
    std::vector<std::uint64_t> sums; ///< of the memory that it might have changed

    friend bool operator==(Outcome const&, Outcome const&) = default;
};

void PrintTo(Outcome const& outcome, std::ostream* out)
{
    *out << std::hex << "a0 " << outcome.a0 << ", ret " << outcome.ret << ", sums";
    for (auto const sum : outcome.sums)
        *out << ' ' << sum;
}

/// A call with a registered and a temporary reference and a value, and memory that it does not name.
struct BusyCall {
    explicit BusyCall(LinuxGuest& its_guest)
        : guest{its_guest}, registered{guest.register_memory(2 * page_bytes)},
          other_registered{guest.register_memory(2 * page_bytes)}, brief{guest.memory().allocate_scattered(
                                                                       2 * page_bytes)},
          other_brief{guest.memory().allocate_scattered(2 * page_bytes)}, other_list{guest, other_brief->pages},
          bad_list{guest, {Ipa{8}, Ipa{8}}}, call{guest.begin_invoke(
                                                 guest.open(App::memory).session,
                                                 command::memory_invert,
                                                 {shared_inout(registered), temporary_inout(brief), value_inout(1)})}
    {
    }

    Outcome outcome() const
    {
        Outcome outcome{call.last().a0(), call.result().ret, {}};
        for (auto const& shm : {registered, other_registered, brief, other_brief}) {
            auto const octets = guest.contents(shm);
            outcome.sums.push_back(std::accumulate(octets.begin(), octets.end(), std::uint64_t{0}));
        }
        return outcome;
    }

    LinuxGuest& guest;
    Shm registered;
    Shm other_registered;
    Shm brief;
    Shm other_brief;
    HandMadeList other_list;
    HandMadeList bad_list;
    Call call;
};

struct Flip {
    char const* name;
    void (*make)(BusyCall&);
};

void set_word(BusyCall& busy, std::uint32_t param, std::uint64_t abi::Param::*word, std::uint64_t value)
{
    auto changed = busy.call.message().param(param);
    changed.*word = value;
    busy.call.message().set_param(param, changed);
}

constexpr auto noncontig = abi::attr::noncontig;
Flip const flips[] = {
    {"fewer parameters", [](BusyCall& b) { b.call.message().set_field(abi::arg::num_params, 1); }},
    {"too many parameters", [](BusyCall& b) { b.call.message().set_field(abi::arg::num_params, 0xffff'ffff); }},
    {"register", [](BusyCall& b) { b.call.message().set_field(abi::arg::cmd, abi::cmd::register_shm); }},
    {"close", [](BusyCall& b) { b.call.message().set_field(abi::arg::cmd, abi::cmd::close_session); }},
    {"no command", [](BusyCall& b) { b.call.message().set_field(abi::arg::cmd, 99); }},
    {"contiguous", [](BusyCall& b) { set_word(b, 1, &abi::Param::attr, abi::attr::tmem_inout); }},
    {"a value", [](BusyCall& b) { set_word(b, 1, &abi::Param::attr, abi::attr::value_inout); }},
    {"registered", [](BusyCall& b) { set_word(b, 1, &abi::Param::attr, abi::attr::rmem_inout); }},
    {"a value as memory", [](BusyCall& b) { set_word(b, 2, &abi::Param::attr, abi::attr::tmem_inout | noncontig); }},
    {"another list", [](BusyCall& b) { set_word(b, 1, &abi::Param::a, b.other_list.page().raw); }},
    {"a bad list", [](BusyCall& b) { set_word(b, 1, &abi::Param::a, b.bad_list.page().raw); }},
    {"no list", [](BusyCall& b) { set_word(b, 1, &abi::Param::a, 0); }},
    {"one byte", [](BusyCall& b) { set_word(b, 1, &abi::Param::b, 1); }},
    {"more bytes than there are", [](BusyCall& b) { set_word(b, 1, &abi::Param::b, ~std::uint64_t{0}); }},
    {"another cookie", [](BusyCall& b) { set_word(b, 0, &abi::Param::c, b.other_registered->cookie); }},
    {"no cookie", [](BusyCall& b) { set_word(b, 0, &abi::Param::c, odd_cookie(9)); }},
    {"beyond the end", [](BusyCall& b) { set_word(b, 0, &abi::Param::a, 1); }},
};

ATTACK(B08,
       "another vCPU changes the message while it is read: number of parameters, command, attributes, list, size, "
       "cookie, each at every moment",
       "what happens is what would happen to the message before the change, or after it; no byte is read twice (I9)",
       Schedules::straight)
{
    World world; // of many worlds, each small
    world.ram_pages = 128;
    for (auto const& flip : flips) {
        SCOPED_TRACE(flip.name);
        Outcome before;
        Outcome after;
        for (auto const changed : {false, true}) {
            boot(world);
            BusyCall busy{guest()};
            if (changed)
                flip.make(busy);
            busy.call.run_on(0);
            (changed ? after : before) = busy.outcome();
        }
        ASSERT_NE(before, after);
        BusyCall* racing = nullptr;
        auto const moments = in_race(
            {Point::entry_begins,
             Point::look_up,
             Point::read_guest,
             Point::smc,
             Point::smc_returns,
             Point::entry_ends},
            [&] { flip.make(*racing); },
            [&] {
                boot(world);
                BusyCall busy{guest()};
                racing = &busy;
                auto const held = Possessions::of(vm());
                race_begins();
                busy.call.run_on(0);
                auto const outcome = busy.outcome();
                EXPECT_TRUE(outcome == before || outcome == after) << testing::PrintToString(outcome);
                EXPECT_EQ(Possessions::of(vm()), held);
            });
        EXPECT_GE(moments, 3u);
    }
}

ATTACK(B09,
       "another vCPU overwrites the whole message after it was read, at every moment until the end",
       "results go where the message had outputs when it was read, and nowhere else",
       Schedules::straight)
{
    Ipa page{0};
    auto const moments = in_race(
        every_point,
        [&] { fill_page(vm(), page, canary); },
        [&] {
            boot();
            auto const shm = guest().register_memory(page_bytes);
            auto call = guest().begin_invoke(guest().open(App::clock).session,
                                             command::clock_get,
                                             {value_out(), value_in(2), shared_inout(shm), shared_in(shm)});
            page = call.message().ipa();
            ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
            auto const untouched = contents_of(vm(), page);
            race_begins();
            EXPECT_EQ(call.run_on(0), Call::State::done);
            EXPECT_EQ(call.last().a0(), abi::ret::ok);
            PageContents overwritten;
            overwritten.fill(canary);
            auto const is_overwritten = call.message().cmd() == canary;
            EXPECT_TRUE(
                changed_only(changes(is_overwritten ? overwritten : untouched, contents_of(vm(), page)),
                             {outputs_of_result(), outputs_of_param(0, {1, 2, 3}), outputs_of_param(2, {2})}));
            EXPECT_TRUE(guest().unregister_shm(shm).ok());
            EXPECT_EQ(vm().pins(), 0u);
        });
    EXPECT_GE(moments, 3u);
}

ATTACK(B10,
       "the page of the message goes during the call, or becomes one that the guest may not write",
       "the call ends (I6) and gives everything back; EBADADDR, never OK; nothing of another VM is written",
       Schedules::all)
{
    for (auto const& [name, put] : bad_pages()) {
        SCOPED_TRACE(name);
        boot();
        auto const session = guest().open(App::clock).session;
        auto const brief = guest().memory().allocate_scattered(3 * page_bytes);
        auto const held = Possessions::of(vm());
        auto call =
            guest().begin_invoke(session, command::clock_get, {value_out(), value_in(1), temporary_in(brief)});
        ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
        EXPECT_GE(vm().pins(), held.pins + 3);
        fill_page(vm(1), innocent_page(machine()), canary);
        put(machine(), call.message().ipa());
        EXPECT_EQ(call.run_on(0), Call::State::done);
        EXPECT_EQ(call.last().a0(), abi::ret::bad_address);
        EXPECT_EQ(Possessions::of(vm()), held);
        PageContents untouched;
        untouched.fill(canary);
        EXPECT_TRUE(changes(untouched, contents_of(vm(1), innocent_page(machine()))).empty());
        EXPECT_TRUE(works(guest()));
    }
}

ATTACK(B11,
       "another own page is put in the place of the message during the call",
       "the results are in the page that is there now, or in the one that was; nothing else is written in either "
       "(I8)",
       Schedules::all)
{
    boot();
    auto const session = guest().open(App::clock).session;
    auto call = guest().begin_invoke(session, command::clock_get, {value_out(), value_in(1)});
    auto const here = call.message().ipa();
    auto const there = vm().ram(3);
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
    vm().swap(here, there);
    fill_page(vm(), here, canary);
    auto const new_before = contents_of(vm(), here);
    auto const old_before = contents_of(vm(), there);
    EXPECT_EQ(call.run_on(0), Call::State::done);
    EXPECT_EQ(call.last().a0(), abi::ret::ok);
    auto const in_new = changes(new_before, contents_of(vm(), here));
    auto const in_old = changes(old_before, contents_of(vm(), there));
    EXPECT_NE(in_new.empty(), in_old.empty());
    GuestMessage const results{vm(), in_new.empty() ? there : here};
    EXPECT_EQ(results.ret(), abi::result::success);
    EXPECT_EQ(results.param(0).a, 1'700'000'000u);
    EXPECT_TRUE(
        changed_only(in_new.empty() ? in_old : in_new, {outputs_of_result(), outputs_of_param(0, {1, 2, 3})}));
    vm().swap(here, there);
    EXPECT_TRUE(works(guest()));
}

ATTACK(B12,
       "two vCPUs make a call with the same message at once, at every moment",
       "each has a shadow of its own; both end well, the later result stays",
       Schedules::straight)
{
    Ipa page{0};
    auto const moments = in_race(
        every_point,
        [&] {
            auto second = call_at(guest(), page);
            second.run_on(1);
            EXPECT_TRUE(second.result().ok());
        },
        [&] {
            boot();
            auto first = guest().begin_invoke(echo_session(guest()), command::echo_add_one, {value_inout(41)});
            page = first.message().ipa();
            race_begins();
            first.run_on(0);
            EXPECT_TRUE(first.result().ok());
            auto const value = first.result().params.at(0).a;
            EXPECT_TRUE(value == 42 || value == 43) << value;
            EXPECT_EQ(Possessions::of(vm()).busy_threads, 0u);
        });
    EXPECT_GE(moments, 3u);

    boot();
    auto one = guest().begin_invoke(guest().open(App::clock).session, command::clock_get, {value_out(), value_in(2)});
    auto other = call_at(guest(), one.message().ipa());
    ASSERT_TRUE(run_until_command(one, abi::rpc_cmd::get_time));
    other.start_on(1);
    ASSERT_TRUE(other.waits_for_rpc()) << "for its turn in the session, or an interrupt";
    EXPECT_NE(one.handle(), other.handle());
    one.run_on(1);
    EXPECT_TRUE(one.result().ok());
    one.message().set_ret(canary, canary);
    other.run_on(0);
    EXPECT_TRUE(other.done() && other.result().ok());
    EXPECT_TRUE(works(guest()));
}

ATTACK(B13,
       "the page of the message is the memory that the call works on, its own page list, or the page of its RPCs",
       "allowed: what OP-TEE sees are shadows (I10)",
       Schedules::usual)
{
    boot();
    machine().log().tolerate(Invariant::i9); // the guest names one page for two things
    auto const session = guest().open(App::memory).session;
    auto const shm = guest().register_memory(2 * page_bytes);
    write_message(vm(),
                  shm->pages[0],
                  abi::cmd::invoke_command,
                  command::memory_invert,
                  session,
                  {shared_inout(shm).raw, value_inout(5).raw});
    auto in_buffer = call_at(guest(), shm->pages[0]);
    in_buffer.run_on(0);
    EXPECT_EQ(in_buffer.last().a0(), abi::ret::ok);
    EXPECT_EQ(in_buffer.message().ret(), abi::result::success);
    EXPECT_EQ(in_buffer.message().cmd(), ~abi::cmd::invoke_command) << "OP-TEE inverted the message in its memory";
    EXPECT_TRUE(guest().unregister_shm(shm).ok());

    // OPEN_SESSION, function 1: as the first entry of a list this is a page at 4 GiB.
    Ipa const high_page{std::uint64_t{1} << 32};
    ASSERT_TRUE(vm().populate(high_page));
    auto const page = guest().memory().allocate(1);
    auto const uuid = tee::uuid_of(App::echo);
    constexpr auto meta = abi::attr::meta | abi::attr::value_input;
    write_message(vm(),
                  page,
                  abi::cmd::open_session,
                  1,
                  0,
                  {{meta, uuid.a, uuid.b, 0},
                   {meta, 0, 0, 0},
                   {abi::attr::tmem_input | noncontig, page.raw, page_bytes, odd_cookie()}});
    auto in_list = call_at(guest(), page);
    in_list.run_on(0);
    EXPECT_TRUE(in_list.result().ok());
    EXPECT_EQ(vm().pins(), 0u);

    auto asking = guest().begin_invoke(guest().open(App::clock).session, command::clock_get, {value_out()});
    auto const message = asking.message().ipa();
    ASSERT_TRUE(run_until_rpc(asking, abi::rpc::alloc));
    auto answer = asking.serve_rpc().value();
    answer.a[1] = abi::high(message.raw);
    answer.a[2] = abi::low(message.raw);
    asking.resume_on(0, answer);
    while (asking.waits_for_rpc()) {
        if (asking.rpc() == abi::rpc::command)
            asking.resume_on(0, tells_the_time(vm(), asking.last(), message));
        else
            asking.answer_on(0);
    }
    EXPECT_EQ(asking.last().a0(), abi::ret::ok);
    EXPECT_EQ(asking.message().ret(), abi::result::success);
    EXPECT_EQ(asking.message().param(0).a, 1234u);
    EXPECT_EQ(Possessions::of(vm()).arguments, 0u);
    EXPECT_TRUE(works(guest()));
}

ATTACK(BX01,
       "takes the right to write the message's page away, at every moment of the call",
       "OK with the result in place, or EBADADDR with nothing written; never OK without a result",
       Schedules::straight)
{
    Ipa page{0};
    auto const moments = in_race(
        every_point,
        [&] { vm().write_protect(page); },
        [&] {
            boot();
            auto call = guest().begin_invoke(echo_session(guest()), command::echo_add_one, {value_inout(41)});
            call.message().set_ret(canary, canary);
            page = call.message().ipa();
            race_begins();
            call.run_on(0);
            vm().allow_writing(page);
            if (call.last().a0() == abi::ret::ok) {
                EXPECT_TRUE(call.result().ok());
                EXPECT_EQ(call.result().params.at(0).a, 42u);
            } else {
                EXPECT_EQ(call.last().a0(), abi::ret::bad_address);
                EXPECT_EQ(call.message().ret(), canary);
                EXPECT_EQ(call.result().params.at(0).a, 41u);
            }
            EXPECT_EQ(Possessions::of(vm()).busy_threads, 0u);
            EXPECT_EQ(vm().pins(), 0u);
            EXPECT_TRUE(works(guest()));
        });
    EXPECT_GE(moments, 3u);
}

ATTACK(BX02,
       "calls with a message that a TA is writing over at this moment",
       "the call is what was read: done, or refused; the TA's call ends well",
       Schedules::straight)
{
    Ipa page{0};
    auto points = every_point;
    points.push_back(Point::optee_touches_page);
    auto const moments = in_race(
        points,
        [&] {
            auto inner = call_at(guest(), page);
            inner.run_on(1);
            EXPECT_TRUE(inner.done());
            EXPECT_TRUE(inner.last().a0() == abi::ret::ok || inner.last().a0() == abi::ret::bad_command)
                << inner.last().a0();
        },
        [&] {
            boot();
            auto const echo = echo_session(guest());
            auto const memory = guest().open(App::memory).session;
            auto const shm = guest().register_memory(2 * page_bytes);
            page = shm->pages[1];
            write_message(vm(), page, abi::cmd::invoke_command, command::echo_add_one, echo, {value_inout(41).raw});
            auto outer = guest().begin_invoke(memory, command::memory_invert, {shared_inout(shm)});
            race_begins();
            outer.run_on(0);
            EXPECT_TRUE(outer.result().ok());
            EXPECT_TRUE(guest().unregister_shm(shm).ok());
            EXPECT_EQ(vm().pins(), 0u);
        });
    EXPECT_GE(moments, 3u);
}

ATTACK(BX03,
       "makes a call out of the page of another call's RPC, and answers with what came of it",
       "the answer is judged by what OP-TEE asked; both calls end",
       Schedules::usual)
{
    boot();
    auto const echo = echo_session(guest());
    auto outer = guest().begin_invoke(guest().open(App::clock).session, command::clock_get, {value_out()});
    ASSERT_TRUE(run_until_command(outer, abi::rpc_cmd::get_time));
    auto const page = outer.rpc_message().ipa();
    write_message(vm(), page, abi::cmd::invoke_command, command::echo_add_one, echo, {value_inout(41, 7, 9).raw});
    auto inner = call_at(guest(), page);
    inner.run_on(1);
    EXPECT_TRUE(inner.result().ok());
    outer.resume_on(0, back_from_rpc(outer.last()));
    outer.run_on(0);
    EXPECT_EQ(outer.last().a0(), abi::ret::ok);
    EXPECT_TRUE(outer.result().ok());
    EXPECT_EQ(outer.result().params.at(0).a, 42u) << "GET_TIME has one output, and the guest wrote this there";
    EXPECT_EQ(Possessions::of(vm()).arguments, 0u);
    EXPECT_TRUE(works(guest()));
}

ATTACK(BX04,
       "occupies every thread with one and the same message, then puts a page of another VM in its place",
       "EBADADDR for each; all threads are free again; the other VM's page is untouched",
       Schedules::all)
{
    boot();
    auto const session = guest().open(App::clock).session;
    auto first = guest().begin_invoke(session, command::clock_get, {value_out()});
    auto const page = first.message().ipa();
    std::vector<Call> calls;
    for (std::uint32_t n = 0; n < limits().threads; ++n) {
        calls.push_back(call_at(guest(), page));
        calls.back().start_on(n % 3);
        ASSERT_TRUE(calls.back().waits_for_rpc());
    }
    fill_page(vm(1), innocent_page(machine()), canary);
    vm().map_of(vm(1), innocent_page(machine()), page, MappingKind::foreign);
    // One session serves one call at a time: whoever waits for it is woken by the one before.
    for (unsigned round = 0; round < calls.size(); ++round)
        for (auto& call : calls)
            if (!call.done())
                call.run_on(0);
    for (auto const& call : calls)
        EXPECT_EQ(call.last().a0(), abi::ret::bad_address);
    PageContents untouched;
    untouched.fill(canary);
    EXPECT_TRUE(changes(untouched, contents_of(vm(1), innocent_page(machine()))).empty());
    EXPECT_EQ(Possessions::of(vm()).busy_threads, 0u);
    EXPECT_TRUE(works(guest()));
}

} // namespace
} // namespace sim::attack
