// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group S: registered buffers and their names. Races: registry_races_test.cpp; one name space for all kinds:
// names_test.cpp.

#include "tests/attack/words.hpp"

#include <algorithm>

namespace sim::attack {
namespace {

ATTACK(S01,
       "registers a cookie twice, with the same pages and with others",
       "BAD_PARAMETERS for the second; the first is as it was",
       Schedules::all)
{
    boot();
    auto const session = guest().open(App::memory).session;
    auto const shm = guest().register_memory(2 * page_bytes);
    guest().fill(shm, counting(2 * page_bytes));
    auto const other = renamed(guest().memory().allocate_scattered(3 * page_bytes), shm->cookie);
    auto const before = Possessions::of(vm());
    Smcs const smcs{vm()};
    EXPECT_TRUE(is_refused(guest().register_shm(other), abi::result::bad_parameters));
    EXPECT_TRUE(is_refused(guest().register_shm(renamed(shm, shm->cookie)), abi::result::bad_parameters));
    EXPECT_EQ(smcs.seen(), 0u);
    EXPECT_EQ(Possessions::of(vm()), before);
    EXPECT_TRUE(invert(guest(), session, {shared_inout(shm)}).ok());
    EXPECT_EQ(guest().contents(shm), inverted(counting(2 * page_bytes)));
    EXPECT_TRUE(guest().unregister_shm(shm).ok());
    EXPECT_EQ(vm().pins(), 0u);
    EXPECT_TRUE(works(guest()));
}

ATTACK(S02, "registers under cookie 0", "BAD_PARAMETERS: 0 is no name in OP-TEE", Schedules::usual)
{
    boot();
    auto const shm = renamed(guest().memory().allocate_scattered(2 * page_bytes), 0);
    Smcs const smcs{vm()};
    for (unsigned n = 0; n < 3; ++n)
        EXPECT_TRUE(is_refused(guest().register_shm(shm), abi::result::bad_parameters));
    EXPECT_TRUE(is_refused(guest().unregister_shm(shm), abi::result::bad_parameters));
    EXPECT_EQ(smcs.seen(), 0u);
    EXPECT_EQ(vm().pins(), 0u);
    EXPECT_TRUE(works(guest()));
}

ATTACK(S03,
       "OP-TEE has no room for a registration",
       "its error is passed on; the pages go back; the name is free",
       Schedules::usual)
{
    boot();
    auto const shm = guest().memory().allocate_scattered(70 * page_bytes);
    auto const before = Possessions::of(vm());
    machine().optee().return_result(abi::cmd::register_shm, abi::result::out_of_memory);
    for (unsigned n = 0; n < 2 * limits().buffers; ++n) {
        auto const result = guest().register_shm(shm);
        EXPECT_EQ(result.a0, abi::ret::ok);
        EXPECT_EQ(result.ret, abi::result::out_of_memory);
        EXPECT_EQ(result.origin, abi::origin::tee);
        EXPECT_EQ(Possessions::of(vm()), before);
    }
    machine().optee().behave();
    EXPECT_TRUE(guest().register_shm(shm).ok());
    EXPECT_EQ(vm().pins(), 70u);
    EXPECT_TRUE(guest().unregister_shm(shm).ok());
    EXPECT_EQ(vm().pins(), 0u);
}

ATTACK(S05,
       "ends the registration of what nobody registered, or another VM did",
       "BAD_PARAMETERS by the mediator; OP-TEE hears nothing",
       Schedules::all)
{
    boot();
    auto const session = guest(1).open(App::memory).session;
    auto const theirs = renamed(guest(1).memory().allocate_scattered(2 * page_bytes), odd_cookie());
    ASSERT_TRUE(guest(1).register_shm(theirs).ok());
    auto const unknown = guest().memory().allocate_scattered(page_bytes);
    Smcs const smcs{vm()};
    auto const before = Possessions::of(vm());
    for (auto const cookie : {odd_cookie(),
                              unknown->cookie,
                              std::uint64_t{0},
                              std::uint64_t{1},
                              ~std::uint64_t{0},
                              unknown->pages[0].raw})
        EXPECT_TRUE(is_refused(guest().unregister_shm(renamed(unknown, cookie)), abi::result::bad_parameters))
            << std::hex << cookie;
    EXPECT_EQ(smcs.seen(), 0u);
    EXPECT_EQ(Possessions::of(vm()), before);
    EXPECT_EQ(vm(1).pins(), 2u);
    EXPECT_TRUE(invert(guest(1), session, {shared_inout(theirs)}).ok());
    EXPECT_TRUE(guest(1).unregister_shm(theirs).ok());
}

ATTACK(S08,
       "OP-TEE refuses to let a buffer go",
       "its error is passed on; the buffer and its pins stay, and it is still used and ended like any other",
       Schedules::usual)
{
    boot();
    auto const session = guest().open(App::memory).session;
    auto const shm = guest().register_memory(3 * page_bytes);
    auto const before = Possessions::of(vm());
    machine().optee().return_result(abi::cmd::unregister_shm, abi::result::busy);
    for (unsigned n = 0; n < 3; ++n) {
        auto const result = guest().unregister_shm(shm);
        EXPECT_EQ(result.ret, abi::result::busy);
        EXPECT_EQ(result.origin, abi::origin::tee);
        EXPECT_EQ(Possessions::of(vm()), before);
        EXPECT_TRUE(invert(guest(), session, {shared_inout(shm)}).ok());
        EXPECT_TRUE(is_refused(guest().register_shm(renamed(shm, shm->cookie)), abi::result::bad_parameters));
    }
    machine().optee().behave();
    EXPECT_TRUE(guest().unregister_shm(shm).ok());
    EXPECT_EQ(vm().pins(), 0u);
}

ATTACK(S10,
       "registers as much as it may, ends none of it, and is shut down",
       "nothing of it is left pinned or held",
       Schedules::all)
{
    boot();
    auto const each = std::min(limits().pages_of_buffer, limits().pages / limits().buffers);
    HandMadeList const list{guest(), std::vector<Ipa>(each, vm().ram(3))};
    for (std::uint32_t n = 0; n < limits().buffers; ++n) {
        auto call = guest().begin(
            abi::cmd::register_shm, 0, 0, {as_is(list.reference(abi::attr::tmem_output, odd_cookie(n)))});
        call.run_on(0);
        ASSERT_TRUE(call.result().ok()) << n;
    }
    EXPECT_EQ(vm().pins_of(vm().ram(3)), each * limits().buffers);
    EXPECT_EQ(vm().destroy(), OPTEE_MEDIATOR_OK);
    EXPECT_EQ(vm().pins(), 0u);
    EXPECT_EQ(vm().mediator_pages(), 0u);
}

ATTACK(S11,
       "registers the same pages under two names, and ends one of them",
       "allowed: two pins; the other name still has the pages",
       Schedules::usual)
{
    boot();
    auto const session = guest().open(App::memory).session;
    auto const shm = guest().register_memory(3 * page_bytes);
    auto const twin = renamed(shm, odd_cookie());
    EXPECT_TRUE(guest().register_shm(twin).ok());
    for (auto const page : shm->pages)
        EXPECT_EQ(vm().pins_of(page), 2u);
    EXPECT_TRUE(guest().unregister_shm(shm).ok());
    for (auto const page : shm->pages)
        EXPECT_EQ(vm().pins_of(page), 1u);
    EXPECT_FALSE(vm().give_away(shm->pages[0], vm(1), vm(1).ram(6)));
    guest().fill(twin, counting(3 * page_bytes));
    EXPECT_TRUE(invert(guest(), session, {shared_inout(twin)}).ok());
    EXPECT_EQ(guest().contents(twin), inverted(counting(3 * page_bytes)));
    EXPECT_TRUE(guest().unregister_shm(twin).ok());
    EXPECT_EQ(vm().pins(), 0u);
}

// The catalogue says 10^5 rounds; what must not grow is exact from the first round on, so fewer show it.
ATTACK(S13,
       "registers and ends thousands of times, the same pages and the same name at once again",
       "no growth (I5): after each round the same memory, and no round is more work than the first",
       Schedules::usual)
{
    boot();
    auto const session = guest().open(App::memory).session;
    auto const shm = guest().memory().allocate_scattered(2 * page_bytes);
    auto const round = [&] {
        auto const registered = guest().register_shm(shm).ok();
        return registered && guest().unregister_shm(shm).ok();
    };
    ASSERT_TRUE(round());
    auto const held = Possessions::of(vm());
    auto const pages = vm().mediator_pages();
    auto const work = machine().largest_entry();
    for (unsigned n = 0; n < 1500; ++n) {
        ASSERT_TRUE(round());
        ASSERT_EQ(Possessions::of(vm()), held);
        ASSERT_EQ(vm().mediator_pages(), pages);
    }
    EXPECT_LE(machine().largest_entry().look_ups, work.look_ups);
    EXPECT_LE(machine().largest_entry().allocations, work.allocations);
    EXPECT_TRUE(guest().register_shm(shm).ok());
    EXPECT_TRUE(invert(guest(), session, {shared_inout(shm)}).ok());
    EXPECT_TRUE(guest().unregister_shm(shm).ok());
}

ATTACK(SX01,
       "fills its quota with names that differ in one bit, then uses, ends and guesses them",
       "each name is one buffer; a name of no buffer is none",
       Schedules::usual)
{
    boot();
    auto const session = guest().open(App::memory).session;
    auto const pages = guest().memory().allocate_scattered(page_bytes);
    auto const count = limits().buffers;
    for (unsigned first = 0; first + count <= 64; first += count) {
        auto const name = [&](unsigned n) { return odd_cookie() ^ (std::uint64_t{1} << (first + n)); };
        for (unsigned n = 0; n < count; ++n)
            ASSERT_TRUE(guest().register_shm(renamed(pages, name(n))).ok()) << std::hex << name(n);
        EXPECT_EQ(vm().pins_of(pages->pages[0]), count);
        for (unsigned n = 0; n < count; ++n) {
            EXPECT_TRUE(invert(guest(), session, {shared_inout(renamed(pages, name(n)))}).ok());
            EXPECT_TRUE(is_refused(invert(guest(), session, {shared_inout(renamed(pages, name(n) ^ 0x700))}),
                                   abi::result::bad_parameters))
                << std::hex << name(n);
        }
        EXPECT_TRUE(is_refused(guest().unregister_shm(renamed(pages, odd_cookie())), abi::result::bad_parameters));
        for (unsigned n = count; n-- > 0;) {
            EXPECT_TRUE(guest().unregister_shm(renamed(pages, name(n))).ok());
            EXPECT_EQ(vm().pins_of(pages->pages[0]), n);
        }
    }
    EXPECT_TRUE(works(guest()));
}

ATTACK(SX02,
       "names that look like something else: an address of its own, a handle, the largest number, an error",
       "each is a name like any other",
       Schedules::usual)
{
    boot();
    auto const session = guest().open(App::memory).session;
    auto const shm = guest().memory().allocate_scattered(2 * page_bytes);
    for (auto const cookie : {std::uint64_t{1},
                              std::uint64_t{0xffff'ffff},
                              std::uint64_t{1} << 32,
                              std::uint64_t{1} << 63,
                              ~std::uint64_t{0},
                              shm->pages[0].raw,
                              shm->pages[0].raw >> 12,
                              std::uint64_t{abi::rpc::command},
                              std::uint64_t{page_bytes}}) {
        SCOPED_TRACE(cookie);
        auto const odd = renamed(shm, cookie);
        EXPECT_TRUE(guest().register_shm(odd).ok());
        EXPECT_TRUE(invert(guest(), session, {shared_inout(odd)}).ok());
        EXPECT_TRUE(is_refused(guest().register_shm(odd), abi::result::bad_parameters));
        EXPECT_TRUE(guest().unregister_shm(odd).ok());
        EXPECT_TRUE(guest().invoke(session, command::memory_invert, {temporary_inout(odd)}).ok());
        EXPECT_EQ(vm().pins(), 0u);
    }
    EXPECT_TRUE(works(guest()));
}

} // namespace
} // namespace sim::attack
