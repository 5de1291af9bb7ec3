// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group N: page lists. What happens to one while it is read: page_list_races_test.cpp.

#include "tests/attack/words.hpp"

#include <algorithm>
#include <set>

namespace sim::attack {
namespace {

constexpr std::size_t long_list = 600; ///< pages: more than one page of a list

World large_world()
{
    World world;
    world.ram_pages = 2048;
    return world;
}

/// What a list with something wrong gets. One that is longer than a mediator's buffers may be gets that: ours counts all
/// pages of a VM instead.
std::uint32_t refusal_of(std::size_t pages)
{
    auto const is_too_long = !under_test().is_core && pages > under_test().limits.pages_of_buffer;
    return is_too_long ? abi::result::out_of_memory : abi::result::bad_parameters;
}

CallResult register_list(LinuxGuest& guest, abi::Param const& reference)
{
    auto call = guest.begin(abi::cmd::register_shm, 0, 0, {as_is(reference)});
    call.run_on(0);
    return call.result();
}

CallResult invoke_list(LinuxGuest& guest, std::uint32_t session, abi::Param const& reference)
{
    auto call = guest.begin_invoke(session, command::memory_invert, {as_is(reference)});
    call.run_on(0);
    return call.result();
}

/// Memory that was registered by hand.
Shm named(std::uint64_t cookie, std::vector<Ipa> const& pages = {})
{
    auto shm = std::make_shared<SharedMemory>();
    shm->cookie = cookie;
    shm->pages = pages;
    shm->size = pages.size() * page_bytes;
    return shm;
}

/// The list is refused as lasting and as temporary memory; nothing stays pinned, nothing comes to OP-TEE.
void expect_refused(LinuxGuest& guest, std::uint32_t session, HandMadeList const& list, std::uint32_t ret)
{
    auto const before = Possessions::of(guest.vm());
    Smcs const smcs{guest.vm()};
    EXPECT_TRUE(is_refused(register_list(guest, list.reference(abi::attr::tmem_output, odd_cookie())), ret));
    EXPECT_TRUE(is_refused(invoke_list(guest, session, list.reference(abi::attr::tmem_inout, odd_cookie())), ret));
    EXPECT_EQ(smcs.seen(), 0u);
    EXPECT_EQ(Possessions::of(guest.vm()), before);
}

/// A list without an end is taken as that many pages, or refused: in either case it ends, with nothing left.
void expect_bounded(LinuxGuest& guest, HandMadeList const& list)
{
    auto const endless = list.reference(abi::attr::tmem_output, odd_cookie(), long_list * page_bytes, 0);
    auto const result = register_list(guest, endless);
    if (result.ok()) {
        EXPECT_EQ(guest.vm().pins(), long_list);
        EXPECT_TRUE(guest.unregister_shm(named(odd_cookie())).ok());
    } else {
        EXPECT_TRUE(is_refused(result, refusal_of(long_list)));
    }
    EXPECT_EQ(guest.vm().pins(), 0u);
    EXPECT_TRUE(works(guest));
}

/// The VM may still share as much as before it was refused.
void expect_whole_quota(LinuxGuest& guest, Limits const& limits)
{
    auto const each = std::min(limits.pages_of_buffer, limits.pages / limits.buffers);
    HandMadeList const list{guest, std::vector<Ipa>(each, guest.vm().ram(3))};
    for (std::uint32_t n = 0; n < limits.buffers; ++n)
        EXPECT_TRUE(register_list(guest, list.reference(abi::attr::tmem_output, odd_cookie(n))).ok()) << n;
    EXPECT_EQ(guest.vm().pins(), std::uint64_t{each} * limits.buffers);
    for (std::uint32_t n = 0; n < limits.buffers; ++n)
        EXPECT_TRUE(guest.unregister_shm(named(odd_cookie(n))).ok());
    EXPECT_EQ(guest.vm().pins(), 0u);
}

ATTACK(N01,
       "a list page that leads back to itself",
       "as many pages as were asked for, repeated, or BAD_PARAMETERS; never without end",
       Schedules::usual)
{
    boot(large_world());
    machine().log().tolerate(Invariant::i9); // the guest names one page for two things
    HandMadeList const list{guest(), own_pages(guest(), abi::entries_per_list)};
    list.set_next(0, list.page());
    expect_bounded(guest(), list);
}

ATTACK(N02,
       "two list pages that lead to each other",
       "as many pages as were asked for, repeated, or BAD_PARAMETERS; never without end",
       Schedules::usual)
{
    boot(large_world());
    machine().log().tolerate(Invariant::i9); // the guest names one page for two things
    auto entries = own_pages(guest(), abi::entries_per_list);
    entries.insert(entries.end(), entries.begin(), entries.end());
    HandMadeList const list{guest(), entries};
    list.set_next(1, list.page());
    expect_bounded(guest(), list);
    HandMadeList const short_circle{guest(), {}};
    short_circle.set_next(0, short_circle.page());
    EXPECT_TRUE(is_refused(
        register_list(guest(), short_circle.reference(abi::attr::tmem_output, odd_cookie(), page_bytes, 0)),
        abi::result::bad_parameters))
        << "the circle is never reached, the entry is 0";
}

ATTACK(N03,
       "a list that leads on to no page, to none of its own, or to the middle of one",
       "BAD_PARAMETERS; every page that was pinned is given back",
       Schedules::usual)
{
    boot(large_world());
    auto const session = guest().open(App::memory).session;
    put_ram_at_null(vm());
    HandMadeList const list{guest(), own_pages(guest(), long_list)};
    auto const good = list.page(1);
    std::vector<Ipa> wrong{Ipa{0}, Ipa{1}, Ipa{0x800}, Ipa{good.raw + 1}, Ipa{good.raw + 8}, Ipa{good.raw + 0xff8}};
    for (auto const& address : addresses_of_nothing(vm()))
        wrong.push_back(address.ipa);
    for (auto const next : wrong) {
        SCOPED_TRACE(next.raw);
        list.set_next(0, next);
        expect_refused(guest(), session, list, refusal_of(long_list));
    }
    std::uint64_t place = 6;
    for (auto const& [name, put] : bad_pages()) {
        SCOPED_TRACE(name);
        auto const at = vm().ram(place++);
        vm().poke(at, contents_of(vm(), good));
        vm(1).poke(innocent_page(machine()), contents_of(vm(), good));
        put(machine(), at);
        list.set_next(0, at);
        expect_refused(guest(), session, list, refusal_of(long_list));
    }
    EXPECT_TRUE(works(guest()));
}

ATTACK(N04,
       "an entry that is 0, where the VM has RAM, or beyond all RAM, or the middle of a page",
       "BAD_PARAMETERS; nothing stays pinned",
       Schedules::usual)
{
    boot();
    auto const session = guest().open(App::memory).session;
    put_ram_at_null(vm());
    auto const pages = own_pages(guest(), 40);
    HandMadeList const list{guest(), pages};
    std::vector<Ipa> wrong{Ipa{0}, Ipa{1}, Ipa{0xfff}};
    for (unsigned bit = 0; bit < 12; ++bit)
        wrong.push_back(Ipa{pages[0].raw + (std::uint64_t{1} << bit)});
    for (auto const& address : addresses_of_nothing(vm()))
        wrong.push_back(address.ipa);
    for (auto const entry : wrong)
        for (auto const place : {0u, 20u, 39u}) {
            SCOPED_TRACE(entry.raw);
            list.set_entry(place, entry);
            expect_refused(guest(), session, list, abi::result::bad_parameters);
            list.set_entry(place, pages[place]);
        }
    EXPECT_TRUE(invoke_list(guest(), session, list.reference(abi::attr::tmem_inout, odd_cookie())).ok());
    EXPECT_EQ(vm().pins(), 0u);
}

ATTACK(N05,
       "an entry that is a page which the VM may not write, or another VM's, or a device",
       "BAD_PARAMETERS, one answer for all; the other VM's page is not touched",
       Schedules::all)
{
    boot();
    auto const session = guest().open(App::memory).session;
    auto const pages = own_pages(guest(), 5);
    HandMadeList const list{guest(), pages};
    fill_page(vm(1), innocent_page(machine()), 0x5a5a'5a5a);
    auto const before = contents_of(vm(1), innocent_page(machine()));
    std::uint64_t place = 6;
    for (auto const& [name, put] : bad_pages()) {
        SCOPED_TRACE(name);
        auto const at = vm().ram(place++);
        put(machine(), at);
        list.set_entry(2, at);
        expect_refused(guest(), session, list, abi::result::bad_parameters);
    }
    EXPECT_TRUE(changes(before, contents_of(vm(1), innocent_page(machine()))).empty());
    EXPECT_EQ(vm(1).pins(), 0u);
    EXPECT_TRUE(works(guest()));
}

ATTACK(N06,
       "the same page in every entry, as often as a buffer may have pages",
       "allowed: a pin for each, and each given back",
       Schedules::usual)
{
    boot();
    auto const session = guest().open(App::memory).session;
    auto const page = own_pages(guest(), 1).front();
    auto const times = limits().pages_of_buffer;
    HandMadeList const list{guest(), std::vector<Ipa>(times, page)};
    EXPECT_TRUE(register_list(guest(), list.reference(abi::attr::tmem_output, odd_cookie())).ok());
    EXPECT_EQ(vm().pins_of(page), times);
    fill_page(vm(), page, 0x0f0f'0f0f);
    EXPECT_TRUE(invoke_list(guest(), session, list.reference(abi::attr::tmem_inout, odd_cookie(1))).ok());
    EXPECT_EQ(vm().peek<std::uint32_t>(page), times % 2 == 0 ? 0x0f0f'0f0f : 0xf0f0'f0f0);
    EXPECT_EQ(vm().pins_of(page), times);
    EXPECT_FALSE(vm().give_away(page, vm(1), vm(1).ram(6)));
    EXPECT_TRUE(guest().unregister_shm(named(odd_cookie())).ok());
    EXPECT_EQ(vm().pins_of(page), 0u);
}

ATTACK(N07,
       "the list itself and the message are pages of the buffer, and the TA writes over them",
       "allowed: OP-TEE has the mediator's list; everything is given back",
       Schedules::usual)
{
    boot();
    auto const session = guest().open(App::memory).session;
    auto const pages = own_pages(guest(), 3);
    HandMadeList const list{guest(), pages};
    auto call =
        guest().begin(abi::cmd::register_shm, 0, 0, {as_is(list.reference(abi::attr::tmem_output, odd_cookie()))});
    list.set_entry(0, list.page());
    list.set_entry(1, call.message().ipa());
    call.run_on(0);
    ASSERT_TRUE(call.result().ok());
    auto const shm = named(odd_cookie(), {list.page(), call.message().ipa(), pages[2]});
    fill_page(vm(), pages[2], 0x0f0f'0f0f);
    auto invert = guest().begin_invoke(session, command::memory_invert, {shared_inout(shm)});
    invert.run_on(0);
    EXPECT_TRUE(invert.result().ok());
    EXPECT_EQ(vm().peek<std::uint64_t>(list.page()), ~list.page().raw) << "the guest's list is ruined";
    EXPECT_EQ(vm().peek<std::uint32_t>(pages[2]), 0xf0f0'f0f0u);
    EXPECT_TRUE(guest().unregister_shm(shm).ok());
    EXPECT_EQ(vm().pins(), 0u);
    EXPECT_TRUE(works(guest()));
}

ATTACK(N09,
       "one bad entry: the first, one in the middle, the last, those at the end of a list page",
       "BAD_PARAMETERS; no pin is left (I4), and the whole quota is (I5)",
       Schedules::usual)
{
    boot(large_world());
    auto const session = guest().open(App::memory).session;
    auto const pages = own_pages(guest(), 1000);
    for (std::size_t kind = 0; kind < bad_pages().size(); ++kind)
        bad_pages()[kind].put(machine(), vm().ram(6 + kind));
    for (auto const count : {std::size_t{limits().pages_of_buffer}, pages.size()}) {
        HandMadeList const list{guest(), {pages.begin(), pages.begin() + static_cast<std::ptrdiff_t>(count)}};
        std::set<std::size_t> places{0, 1, 31, 32, count / 2, count - 2, count - 1};
        if (count > abi::entries_per_list)
            places.insert({abi::entries_per_list - 1, abi::entries_per_list});
        for (std::size_t kind = 0; kind < bad_pages().size(); ++kind)
            for (auto const place : places) {
                SCOPED_TRACE(std::string{bad_pages()[kind].name} + " at " + std::to_string(place));
                list.set_entry(place, vm().ram(6 + kind));
                expect_refused(guest(), session, list, refusal_of(count));
                list.set_entry(place, pages[place]);
            }
    }
    expect_whole_quota(guest(), limits());
}

ATTACK(N11,
       "an offset because of which one more page is needed, which the list does not have, or has",
       "the offset counts: BAD_PARAMETERS, or that page too is pinned and used",
       Schedules::usual)
{
    boot();
    auto const session = guest().open(App::memory).session;
    auto const pages = own_pages(guest(), 4);
    HandMadeList const list{guest(), pages};
    for (auto const offset : {1u, 8u, 0x800u, 0xfffu}) {
        SCOPED_TRACE(offset);
        auto const reference = [&](std::uint64_t attr) {
            return list.reference(attr, odd_cookie(), 3 * page_bytes, offset);
        };
        list.set_entry(3, Ipa{0});
        EXPECT_TRUE(
            is_refused(register_list(guest(), reference(abi::attr::tmem_output)), abi::result::bad_parameters));
        EXPECT_TRUE(
            is_refused(invoke_list(guest(), session, reference(abi::attr::tmem_inout)), abi::result::bad_parameters));
        EXPECT_EQ(vm().pins(), 0u);
        list.set_entry(3, pages[3]);
        for (auto const page : pages)
            fill_page(vm(), page, 0);
        EXPECT_TRUE(register_list(guest(), reference(abi::attr::tmem_output)).ok());
        EXPECT_EQ(vm().pins(), 4u);
        auto const shm = named(odd_cookie(), pages);
        auto invert = guest().begin_invoke(session, command::memory_invert, {shared_inout(shm, 0, 3 * page_bytes)});
        invert.run_on(0);
        EXPECT_TRUE(invert.result().ok());
        EXPECT_EQ(vm().peek<std::uint8_t>(Ipa{pages[0].raw + offset - 1}), 0u);
        EXPECT_EQ(vm().peek<std::uint8_t>(Ipa{pages[0].raw + offset}), 0xffu);
        EXPECT_EQ(vm().peek<std::uint8_t>(Ipa{pages[3].raw + offset - 1}), 0xffu);
        EXPECT_EQ(vm().peek<std::uint8_t>(Ipa{pages[3].raw + offset}), 0u);
        EXPECT_TRUE(guest().unregister_shm(shm).ok());
        EXPECT_EQ(vm().pins(), 0u);
    }
}

ATTACK(NX01,
       "begins to register long lists with every thread, comes back to none of them, and is ended",
       "every page goes back with the VM",
       Schedules::all)
{
    boot(large_world());
    HandMadeList const list{guest(), std::vector<Ipa>(limits().pages_of_buffer, vm().ram(3))};
    std::vector<Call> calls;
    for (std::uint32_t n = 0; n < limits().threads; ++n) {
        calls.push_back(guest().begin(
            abi::cmd::register_shm, 0, 0, {as_is(list.reference(abi::attr::tmem_output, odd_cookie(n)))}));
        calls.back().start_on(n % 3);
        EXPECT_TRUE(calls.back().waits_for_rpc() || calls.back().result().ok());
    }
    EXPECT_GT(vm().pins(), 0u);
    EXPECT_EQ(vm().destroy(), OPTEE_MEDIATOR_OK);
    EXPECT_EQ(vm().pins(), 0u);
    EXPECT_EQ(vm().mediator_pages(), 0u);
}

ATTACK(NX02,
       "one page of RAM at two addresses, both in one list, then one address is taken away",
       "allowed: two pins of the page, which stays until both are given back",
       Schedules::usual)
{
    boot();
    auto const session = guest().open(App::memory).session;
    auto const page = own_pages(guest(), 1).front();
    Ipa const alias{std::uint64_t{1} << 32};
    vm().stage2().map(alias, {MappingKind::ram, Pa{vm().pa_of(page).raw}});
    HandMadeList const list{guest(), {page, alias}};
    EXPECT_TRUE(register_list(guest(), list.reference(abi::attr::tmem_output, odd_cookie())).ok());
    EXPECT_EQ(vm().pins_of(page), 2u);
    vm().unmap(alias);
    fill_page(vm(), page, 0x0f0f'0f0f);
    auto const shm = named(odd_cookie(), {page, page});
    auto invert = guest().begin_invoke(session, command::memory_invert, {shared_inout(shm, 0, page_bytes)});
    invert.run_on(0);
    EXPECT_TRUE(invert.result().ok());
    EXPECT_EQ(vm().peek<std::uint32_t>(page), 0xf0f0'f0f0u);
    EXPECT_FALSE(vm().give_away(page, vm(1), vm(1).ram(6)));
    EXPECT_TRUE(guest().unregister_shm(shm).ok());
    EXPECT_EQ(vm().pins_of(page), 0u);
    EXPECT_TRUE(works(guest()));
}

} // namespace
} // namespace sim::attack
