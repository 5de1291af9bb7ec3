// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group N, continued: a list, or what it names, changes while it is read.

#include "tests/attack/words.hpp"

namespace sim::attack {
namespace {

/// Of many worlds, each small.
World small_world()
{
    World world;
    world.ram_pages = 192;
    return world;
}

/// Registers the list of `shm`'s pages; what came of it, and what is pinned, fit each other. Ends it again.
struct Registration {
    Registration(LinuxGuest& its_guest, Shm its_memory)
        : guest{its_guest}, shm{std::move(its_memory)}, list{guest, shm->pages},
          call{
              guest.begin(abi::cmd::register_shm, 0, 0, {as_is(list.reference(abi::attr::tmem_output, shm->cookie))})}
    {
    }

    /// True: registered. Else refused, and nothing is pinned.
    bool run()
    {
        EXPECT_EQ(call.run_on(0), Call::State::done);
        if (!call.result().ok()) {
            EXPECT_TRUE(is_refused(call.result(), abi::result::bad_parameters));
        }
        EXPECT_EQ(guest.vm().pins(), call.result().ok() ? shm->pages.size() : 0u);
        return call.result().ok();
    }
    void end()
    {
        EXPECT_TRUE(guest.unregister_shm(shm).ok());
        EXPECT_EQ(guest.vm().pins(), 0u);
        EXPECT_TRUE(works(guest));
    }

    LinuxGuest& guest;
    Shm shm;
    HandMadeList list;
    Call call;
};

ATTACK(
    N08,
    "another vCPU changes the entries while the list is read, at every moment: to other own pages, and to pages that "
    "it has not",
    "each entry is read once (I9): the page that was pinned is the one that OP-TEE gets",
    Schedules::straight)
{
    for (auto const to_own : {true, false}) {
        std::vector<Ipa> others;
        HandMadeList const* list = nullptr;
        auto const moments = in_race(
            every_point,
            [&] {
                for (std::size_t n = 0; n < 3; ++n)
                    list->set_entry(n, to_own ? others[n] : vm().ram(vm().ram_pages() + n));
            },
            [&] {
                boot(small_world());
                auto const session = guest().open(App::memory).session;
                others = own_pages(guest(), 3);
                Registration registration{guest(), guest().memory().allocate_scattered(3 * page_bytes)};
                list = &registration.list;
                race_begins();
                auto const registered = registration.run();
                race_ends();
                EXPECT_TRUE(registered || !to_own);
                if (!registered)
                    return;
                auto const& pages = registration.shm->pages;
                for (auto const& page : pages)
                    fill_page(vm(), page, 0);
                for (auto const& page : others)
                    fill_page(vm(), page, 0);
                EXPECT_TRUE(invert(guest(), session, {shared_inout(registration.shm)}).ok());
                for (std::size_t n = 0; n < 3; ++n) {
                    EXPECT_EQ(vm().pins_of(pages[n]) + vm().pins_of(others[n]), 1u);
                    EXPECT_EQ(vm().peek<std::uint32_t>(pages[n]) != 0, vm().pins_of(pages[n]) == 1);
                    EXPECT_EQ(vm().peek<std::uint32_t>(others[n]) != 0, vm().pins_of(others[n]) == 1);
                }
                registration.end();
            });
        EXPECT_GE(moments, 3u);
    }
}

ATTACK(N10,
       "the page of the list goes while it is read, or becomes one that the guest may not write, at every moment",
       "BAD_PARAMETERS, or what was read before; nothing of another VM is read; everything is given back",
       Schedules::straight)
{
    for (auto const& bad : bad_pages()) {
        SCOPED_TRACE(bad.name);
        Ipa page{0};
        auto const moments = in_race(
            {Point::entry_begins, Point::look_up, Point::read_guest, Point::smc, Point::entry_ends},
            [&] { bad.put(machine(), page); },
            [&] {
                boot(small_world());
                Registration registration{guest(), guest().memory().allocate_scattered(40 * page_bytes)};
                page = registration.list.page();
                vm(1).poke(innocent_page(machine()), contents_of(vm(), page));
                auto const innocent = contents_of(vm(1), innocent_page(machine()));
                race_begins();
                auto const registered = registration.run();
                race_ends();
                if (registered)
                    registration.end();
                EXPECT_TRUE(changes(innocent, contents_of(vm(1), innocent_page(machine()))).empty());
                EXPECT_EQ(vm(1).pins(), 0u);
            });
        EXPECT_GE(moments, 3u);
    }
}

ATTACK(N12,
       "a page of the buffer becomes another one, or another VM's, between any two steps of the mediator",
       "looking up and pinning is one step: BAD_PARAMETERS, or a page of the VM's own",
       Schedules::straight)
{
    for (auto const& bad : bad_pages()) {
        SCOPED_TRACE(bad.name);
        Ipa page{0};
        auto const moments = in_race(
            every_point,
            [&] { bad.put(machine(), page); },
            [&] {
                boot(small_world());
                auto const session = guest().open(App::memory).session;
                Registration registration{guest(), guest().memory().allocate_scattered(3 * page_bytes)};
                page = registration.shm->pages[1];
                fill_page(vm(1), innocent_page(machine()), 0x5a5a'5a5a);
                auto const innocent = contents_of(vm(1), innocent_page(machine()));
                race_begins();
                auto const registered = registration.run();
                race_ends();
                if (registered) {
                    EXPECT_TRUE(invert(guest(), session, {shared_inout(registration.shm)}).ok());
                    registration.end();
                }
                EXPECT_TRUE(changes(innocent, contents_of(vm(1), innocent_page(machine()))).empty());
                EXPECT_EQ(vm(1).pins(), 0u);
            });
        EXPECT_GE(moments, 3u);
    }
}

ATTACK(N13,
       "RAM of one large entry of stage-2, which is taken apart while the list is read",
       "the same as without: every page is pinned and used",
       Schedules::straight)
{
    auto world = small_world();
    world.placement = Placement::contiguous;
    Shm shm;
    auto const moments = in_race(
        every_point,
        [&] {
            // Page by page, what is mapped is taken out and put back: to a look-up it was there all the time.
            for (auto const page : shm->pages)
                vm().stage2().map(page, vm().stage2().look_up(page).value());
        },
        [&] {
            boot(world);
            auto const session = guest().open(App::memory).session;
            shm = guest().memory().allocate_contiguous(40 * page_bytes);
            guest().fill(shm, counting(40 * page_bytes));
            Registration registration{guest(), shm};
            race_begins();
            ASSERT_TRUE(registration.run());
            race_ends();
            EXPECT_TRUE(invert(guest(), session, {shared_inout(shm)}).ok());
            EXPECT_EQ(guest().contents(shm), inverted(counting(40 * page_bytes)));
            registration.end();
        });
    EXPECT_GE(moments, 3u);
}

ATTACK(
    NX03,
    "the VM gives pages up while a long list with them is half read, in every pause, and spoils the rest of the list",
    "BAD_PARAMETERS, or the pages that were pinned stay until they are given back; nothing is freed twice",
    Schedules::usual)
{
    for (auto const spoils : {false, true}) {
        boot();
        auto const session = guest().open(App::memory).session;
        Registration registration{guest(), guest().memory().allocate_scattered(129 * page_bytes)};
        auto const& pages = registration.shm->pages;
        auto& call = registration.call;
        std::uint32_t given_up = 0;
        for (call.start_on(0); call.waits_for_rpc(); call.answer_on(given_up % 3)) {
            vm().balloon_out(pages[given_up++]); // of those that were read first
            if (spoils)
                registration.list.set_entry(128, vm().ram(vm().ram_pages()));
        }
        if (call.result().ok()) {
            EXPECT_EQ(vm().pins(), 129u);
            EXPECT_TRUE(invert(guest(), session, {shared_inout(registration.shm)}).ok());
            EXPECT_TRUE(guest().unregister_shm(registration.shm).ok());
        } else {
            EXPECT_TRUE(is_refused(call.result(), abi::result::bad_parameters));
        }
        EXPECT_EQ(vm().pins(), 0u);
        for (std::uint32_t n = 0; n < given_up; ++n)
            EXPECT_TRUE(vm().populate(pages[n]));
        EXPECT_TRUE(works(guest()));
    }
}

ATTACK(NX04,
       "a TA writes over the list while it is read, at every moment",
       "BAD_PARAMETERS, or what was read before; OP-TEE's own writing is not trusted either",
       Schedules::straight)
{
    std::uint32_t session = 0;
    Shm over_list;
    auto const moments = in_race(
        every_point,
        [&] { EXPECT_TRUE(invert(guest(), session, {shared_inout(over_list)}, 1).ok()); },
        [&] {
            boot(small_world());
            session = guest().open(App::memory).session;
            Registration registration{guest(), guest().memory().allocate_scattered(5 * page_bytes)};
            over_list = renamed(guest().memory().allocate_scattered(page_bytes), odd_cookie());
            over_list->pages = {registration.list.page()};
            ASSERT_TRUE(guest().register_shm(over_list).ok());
            race_begins();
            registration.call.run_on(0);
            race_ends();
            auto const result = registration.call.result();
            EXPECT_TRUE(result.ok() || is_refused(result, abi::result::bad_parameters));
            EXPECT_EQ(vm().pins(), result.ok() ? 6u : 1u);
            if (result.ok()) {
                EXPECT_TRUE(guest().unregister_shm(registration.shm).ok());
            }
            EXPECT_TRUE(guest().unregister_shm(over_list).ok());
            EXPECT_EQ(vm().pins(), 0u);
        });
    EXPECT_GE(moments, 3u);
}

} // namespace
} // namespace sim::attack
