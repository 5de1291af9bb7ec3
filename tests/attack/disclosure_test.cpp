// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group D: what a guest may learn, of addresses and of others.

#include "tests/attack/rpc_words.hpp"

#include <array>
#include <map>
#include <set>
#include <tuple>

namespace sim::attack {
namespace {

constexpr std::uint32_t pattern = 0x5a5a'5a5a;

ATTACK(D01,
       "looks for addresses in the message that comes back",
       "of a reference only the size has changed",
       Schedules::all)
{
    boot();
    auto const session = guest().open(App::memory).session;
    auto const shm = guest().memory().allocate_scattered(3 * page_bytes);
    for (auto const function : {command::memory_invert, command::memory_sum, command::memory_grow, 77u}) {
        for (auto const attr : {abi::attr::tmem_input, abi::attr::tmem_output, abi::attr::tmem_inout}) {
            SCOPED_TRACE(testing::Message() << function << ", " << attr);
            auto call = guest().begin_invoke(session, function, {temporary(attr, shm), value_out()});
            auto const page = call.message().ipa();
            auto const before = contents_of(vm(), page);
            call.run_on(0);
            EXPECT_EQ(call.result().a0, abi::ret::ok);
            auto const sizes =
                attr == abi::attr::tmem_input ? std::vector<std::uint32_t>{} : outputs_of_param(0, {2});
            EXPECT_TRUE(changed_only(changes(before, contents_of(vm(), page)),
                                     {outputs_of_result(), sizes, outputs_of_param(1, {1, 2, 3})}));
        }
    }
    auto call = guest().begin_register(shm);
    auto const before = contents_of(vm(), call.message().ipa());
    call.run_on(0);
    EXPECT_TRUE(changed_only(changes(before, contents_of(vm(), call.message().ipa())),
                             {outputs_of_result(), outputs_of_param(0, {2})}));
}

ATTACK(D02,
       "reads past its message what an earlier one left in the mediator's copy",
       "nothing past the message changes; OP-TEE sees zeros there",
       Schedules::usual)
{
    boot();
    auto const secret = guest(1).open(App::echo).session;
    std::vector<Argument> long_ones(127, value_in(0x0123'4567'89ab'cdef, 2, 3));
    guest(1).invoke(secret, command::echo_add_one, long_ones);
    ASSERT_EQ(vm(1).destroy(), OPTEE_MEDIATOR_OK); // its shadow pages go to whoever asks next
    ASSERT_EQ(vm().destroy(), OPTEE_MEDIATOR_OK);
    ASSERT_EQ(vm().create(machine().fresh_client(), vm().policy()), OPTEE_MEDIATOR_OK);
    auto const session = guest().open(App::echo).session;
    guest().invoke(session, command::echo_add_one, long_ones);
    for (std::uint32_t count = 0; count <= 4; ++count) {
        SCOPED_TRACE(count);
        auto call = guest().begin_invoke(session, command::echo_add_one, Arguments(count, value_inout(1, 2, 3)));
        auto const page = call.message().ipa();
        for (auto at = abi::arg::bytes(count); at < page_bytes; at += 4)
            vm().poke(Ipa{page.raw + at}, pattern);
        auto const before = contents_of(vm(), page);
        call.run_on(0); // the model of OP-TEE looks past the message
        EXPECT_TRUE(call.result().ok());
        for (auto const change : changes(before, contents_of(vm(), page)))
            EXPECT_LT(change, abi::arg::bytes(count));
    }
}

ATTACK(D03,
       "gets a request that is longer than what OP-TEE wrote",
       "past OP-TEE's words there are zeros, or what was there",
       Schedules::usual)
{
    boot();
    // Arguments of somebody else, and of itself, went through the same pages before.
    ASSERT_TRUE(guest(1).open(App::loadable).ok());
    auto const storage = guest(1).open(App::storage).session;
    auto const shm = guest(1).register_memory(page_bytes);
    ASSERT_TRUE(guest(1).invoke(storage, command::storage_write, {shared_in(shm), value_in(7)}).ok());
    ASSERT_EQ(vm(1).destroy(), OPTEE_MEDIATOR_OK);
    ASSERT_TRUE(guest().open(App::loadable).ok());
    auto const clock = guest().open(App::clock).session;
    Rpcs rpcs{machine(), vm()};
    rpcs.change_request = [](SeenArgument& request) { request.set_field(abi::arg::num_params, 4); };
    for (unsigned n = 0; n < 5; ++n) {
        auto call = guest().begin_invoke(clock, command::clock_get, {value_out()});
        ASSERT_TRUE(run_until_rpc(call, abi::rpc::alloc));
        auto const answer = call.serve_rpc().value();
        auto const page = Ipa{abi::joined(answer.a[1], answer.a[2])};
        fill_page(vm(), page, pattern);
        resume(call, answer);
        ASSERT_EQ(call.rpc(), abi::rpc::command);
        auto const seen = contents_of(vm(), page);
        for (auto at = abi::arg::bytes(1); at < page_bytes; at += 4)
            EXPECT_TRUE(seen.at(at / 4) == 0 || seen.at(at / 4) == pattern) << at;
        resume(call, call.serve_rpc().value());
        call.run_on(0);
        EXPECT_TRUE(call.result().ok());
    }
}

ATTACK(D04,
       "shares less than somebody before it, so that the list's page has old addresses",
       "OP-TEE sees zeros after the last entry",
       Schedules::usual)
{
    boot({.ram_pages = 4096});
    for (std::uint32_t n = 0; n < limits().buffers; ++n)
        ASSERT_NE(guest(1).register_memory(limits().pages_of_buffer * page_bytes), nullptr);
    ASSERT_EQ(vm(1).destroy(), OPTEE_MEDIATOR_OK);
    Forwarded const forwarded{vm()};
    using Entries = std::array<std::uint64_t, page_bytes / 8>;
    std::map<std::uint64_t, Entries> seen; // what OP-TEE found where it looked
    Watch watch{[&](Moment const& moment) {
        if (moment.point == Point::optee_touches_page)
            machine().memory().read(moment.pa, seen[moment.pa.raw].data(), page_bytes);
    }};
    machine().add(watch);
    for (auto const pages : {1u, 2u, 5u, limits().pages_of_buffer}) {
        SCOPED_TRACE(pages);
        seen.clear();
        auto const shm = guest().register_memory(pages * page_bytes);
        ASSERT_NE(shm, nullptr);
        auto const entries = seen.at(forwarded.last().params.at(0).a & ~page_mask);
        for (std::size_t n = 0; n < entries.size(); ++n)
            EXPECT_EQ(entries.at(n) != 0, n < pages) << n;
        guest().free_shm(shm);
    }
    machine().remove(watch);
}

ATTACK(D05, "looks at its registers when a call is over", "they are those that it came with", Schedules::usual)
{
    boot();
    auto const dirt = vm(1).pa_of(vm(1).ram(3)).raw;
    Rpcs rpcs{machine(), vm()};
    rpcs.change_leaving = [dirt](optee_smc_frame& frame) {
        if (!abi::is_rpc(frame.a[0]))
            frame.a[1] = frame.a[2] = frame.a[3] = dirt;
    };
    auto const clock = guest().open(App::clock).session;
    auto call = guest().begin_invoke(clock, command::clock_get, {value_out()});
    auto sent = call.registers();
    for (unsigned n = 3; n < 8; ++n)
        sent.a[n] = 0xffff'0000'0000'0000 + n;
    auto answer = call.take(vm().smc(0, sent));
    while (call.waits_for_rpc()) {
        auto const served = call.serve_rpc().value();
        sent = served;
        for (auto const n : {0u, 1u, 2u, 3u, 4u, 5u, 6u, 7u})
            sent.a[n] |= 0x0bad'0000'0000'0000;
        answer = call.take(vm().smc(0, sent));
    }
    EXPECT_EQ(answer.a0(), abi::ret::ok);
    for (unsigned n = 1; n < 8; ++n)
        EXPECT_EQ(answer.registers.a[n], sent.a[n]) << "a" << n;
    EXPECT_TRUE(call.result().ok());
}

ATTACK(D06,
       "makes OP-TEE fail with addresses in its registers",
       "an error shows none of OP-TEE's registers",
       Schedules::usual)
{
    for (auto const code : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 0x1234u, 0x8000'0000u, 0xffff'ffffu}) {
        SCOPED_TRACE(code);
        boot();
        auto const dirt = vm().pa_of(vm().ram(3)).raw;
        auto const fail = [&](std::uint32_t function) {
            machine().optee().instead_of_next(function, [=](tee::Smc& smc) {
                smc.frame.a[0] = code;
                smc.frame.a[1] = dirt >> 32;
                smc.frame.a[2] = dirt;
                smc.frame.a[3] = dirt;
            });
        };
        auto const expect_only_a0 = [&](Registers const& sent, Answer const& answer) {
            EXPECT_NE(answer.a0(), abi::ret::ok);
            for (unsigned n = 1; n < 8; ++n)
                EXPECT_EQ(answer.registers.a[n], sent.a[n]) << "a" << n;
        };
        for (auto const function :
             {abi::smc::exchange_capabilities, abi::smc::enable_shm_cache, abi::smc::disable_shm_cache}) {
            SCOPED_TRACE(function);
            fail(function);
            Registers const sent{{function, 0, 2, 3, 4, 5, 6, 7}};
            expect_only_a0(sent, ask_on(0, vm(), sent));
        }
        fail(abi::smc::call_with_arg);
        auto call = guest().begin_cancel(1);
        auto sent = call.registers();
        sent.a[3] = 33;
        expect_only_a0(sent, ask_on(0, vm(), sent));
        if (code == abi::ret::thread_limit || code == abi::ret::busy)
            continue; // no thread that was suspended can answer so: group T
        Question question{guest()};
        ASSERT_TRUE(question.is_asked());
        fail(abi::smc::return_from_rpc);
        sent = question.answer;
        sent.a[6] = 66;
        expect_only_a0(sent, ask_on(0, vm(), sent));
        machine().optee().behave();
    }
}

/// All that a guest gets to see of some calls.
std::vector<std::uint64_t> seen_by(LinuxGuest& guest)
{
    std::vector<std::uint64_t> seen;
    auto const live = [&](Call call) {
        for (call.start_on(0); call.waits_for_rpc(); call.answer_on(0))
            seen.insert(seen.end(), call.last().registers.a, call.last().registers.a + 4);
        seen.push_back(call.result().a0);
        seen.push_back(call.result().ret);
        seen.push_back(call.result().session);
        return call.result().session;
    };
    auto const clock = live(guest.begin_open(App::clock));
    live(guest.begin_invoke(clock, command::clock_get, {value_out(), value_in(3)}));
    live(guest.begin_open(App::loadable));
    auto const shm = guest.memory().allocate_scattered(3 * page_bytes);
    live(guest.begin_register(shm));
    live(guest.begin_unregister(shm));
    return seen;
}

ATTACK(D07,
       "reads of another VM from handles, sessions and cookies",
       "they are the same whatever the other one has",
       Schedules::straight)
{
    boot();
    auto const alone = seen_by(guest());
    boot();
    std::vector<Question> calls;
    for (unsigned n = 0; n < 3; ++n) {
        calls.emplace_back(guest(1));
        ASSERT_TRUE(calls.back().is_asked());
    }
    auto const theirs = guest(1).register_memory(3 * page_bytes);
    ASSERT_NE(theirs, nullptr);
    EXPECT_EQ(seen_by(guest()), alone);
    auto const memory = guest().open(App::memory).session;
    EXPECT_TRUE(is_refused(guest().invoke(memory, command::memory_sum, {shared_in(theirs), value_out()}),
                           abi::result::bad_parameters));
    EXPECT_TRUE(is_refused(guest().unregister_shm(theirs), abi::result::bad_parameters));
    EXPECT_EQ(vm(1).pins(), 3u);
}

ATTACK(D08, "measures by its own limits how much another VM uses", "the limits are its own", Schedules::straight)
{
    auto const measure = [&] {
        std::vector<std::uint64_t> seen;
        for (std::uint32_t n = 0; n < limits().buffers + 2; ++n) {
            auto const shm = guest().memory().allocate_scattered(limits().pages_of_buffer * page_bytes);
            auto const result = guest().register_shm(shm);
            seen.insert(seen.end(), {result.a0, result.ret, result.origin});
        }
        for (std::uint32_t n = 0; n < limits().threads + 1; ++n) {
            auto call = guest().begin_open(App::loadable);
            seen.push_back(call.start_on(0).a0());
        }
        return seen;
    };
    World const world{.ram_pages = 4096};
    boot(world);
    auto const alone = measure();
    boot(world);
    for (std::uint32_t n = 0; n < limits().buffers; ++n)
        ASSERT_NE(guest(1).register_memory(limits().pages_of_buffer * page_bytes), nullptr);
    std::vector<Question> calls;
    for (std::uint32_t n = 0; n + 1 < limits().threads; ++n)
        calls.emplace_back(guest(1));
    EXPECT_EQ(measure(), alone);
}

/// What a guest sees of a page that is not its own RAM: all that it gets back.
using Outcome = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t>;

ATTACK(D09, "tells absent pages from other VMs' by the error", "one answer for all", Schedules::usual)
{
    boot();
    auto const shm = guest().memory().allocate_scattered(6 * page_bytes);
    auto const with = [&](Ipa page, auto const& use) {
        std::set<Outcome> outcomes;
        for (auto const how : SpoiltPage::every) {
            SpoiltPage const spoilt{vm(), vm(1), page, how};
            outcomes.insert(use());
        }
        return outcomes.size();
    };
    auto const registration = [&]() -> Outcome {
        auto const result = guest().register_shm(shm);
        return {result.a0, result.ret, result.origin, 0};
    };
    EXPECT_EQ(with(shm->pages.front(), registration), 1u) << "the first page";
    EXPECT_EQ(with(shm->pages.back(), registration), 1u) << "the last page";

    auto const list = guest().memory().write_page_list(*shm);
    auto const by_hand = [&]() -> Outcome {
        auto call =
            guest().begin(abi::cmd::register_shm,
                          0,
                          0,
                          {as_is({abi::attr::tmem_output | abi::attr::noncontig, list.raw, shm->size, shm->cookie})});
        call.run_on(0);
        return {call.result().a0, call.result().ret, call.result().origin, 0};
    };
    EXPECT_EQ(with(list, by_hand), 1u) << "the list";

    auto const page = guest().memory().allocate(1);
    auto const message = [&]() -> Outcome {
        Registers const sent{{abi::smc::call_with_arg, abi::high(page.raw), abi::low(page.raw), 0, 0, 0, 0, 0}};
        auto const answer = ask_on(0, vm(), sent);
        return {answer.a0(), answer.a(1), answer.a(2), answer.a(3)};
    };
    EXPECT_EQ(with(page, message), 1u) << "the message";

    std::set<Outcome> argument;
    std::set<Outcome> offered;
    for (auto const how : SpoiltPage::every) {
        auto call = guest().begin_open(App::loadable);
        ASSERT_TRUE(run_until_rpc(call, abi::rpc::alloc));
        auto const answer = call.serve_rpc().value();
        {
            SpoiltPage const spoilt{vm(), vm(1), Ipa{abi::joined(answer.a[1], answer.a[2])}, how};
            resume(call, answer);
        }
        call.run_on(0);
        argument.insert({call.result().a0, call.result().ret, call.result().origin, 0});

        Offer offer{guest()};
        ASSERT_TRUE(offer.is_asked_for());
        {
            SpoiltPage const spoilt{vm(), vm(1), offer.shm->pages.back(), how};
            resume(offer.call, offer.answer);
        }
        auto const asked = offer.call.last().a0();
        offer.call.run_on(0);
        offered.insert({asked, offer.call.result().a0, offer.call.result().ret, offer.call.result().origin});
    }
    EXPECT_EQ(argument.size(), 1u) << "an argument page";
    EXPECT_EQ(offered.size(), 1u) << "memory for OP-TEE";
}

ATTACK(D10, "makes the mediator log what fails", "no address in any line", Schedules::usual)
{
    boot();
    Household household{guest()};
    ASSERT_TRUE(household.is_ready);
    auto const shm = guest().memory().allocate_scattered(3 * page_bytes);
    {
        SpoiltPage const spoilt{vm(), vm(1), shm->pages.back(), SpoiltPage::How::foreign};
        EXPECT_FALSE(guest().register_shm(shm).ok());
    }
    for (auto const place : {vm().pa_of(vm().ram(3)).raw, vm(1).pa_of(vm(1).ram(3)).raw, vm().ram(1).raw + 8})
        ask(vm(), abi::smc::call_with_arg, abi::high(place), abi::low(place));
    machine().optee().answer_every(abi::smc::vm_destroyed, abi::ret::not_available);
    EXPECT_EQ(vm().destroy(), OPTEE_MEDIATOR_QUARANTINED);
    machine().optee().behave();
    ASSERT_FALSE(machine().log_lines().empty()) << "the end in quarantine is reported";
    for (auto const& line : machine().log_lines()) {
        EXPECT_FALSE(PhysicalMemory::in_a_bank(line.number)) << line.text;
        EXPECT_FALSE(PhysicalMemory::in_a_bank(line.number * page_bytes)) << line.text;
        EXPECT_EQ(line.text.find("0x"), std::string::npos) << line.text;
    }
}

ATTACK(D11, "gets memory that the mediator has used", "each page is zero when it is freed", Schedules::all)
{
    boot();
    std::uint32_t freed = 0;
    Watch watch{[&](Moment const& moment) {
        if (moment.point != Point::free_page)
            return;
        ++freed;
        EXPECT_TRUE(machine().memory().is_zero(moment.pa));
    }};
    machine().add(watch);
    Household household{guest()};
    ASSERT_TRUE(household.is_ready);
    household.expect_intact();
    EXPECT_GE(freed, 3u);
    Household again{guest()};
    ASSERT_TRUE(again.is_ready);
    EXPECT_EQ(vm().destroy(), OPTEE_MEDIATOR_OK);
    EXPECT_GE(freed, 3u + limits().threads);
    machine().remove(watch);
}

} // namespace
} // namespace sim::attack
