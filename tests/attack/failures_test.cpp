// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group Q: the hypervisor has no page to give, or finds no page of the guest's, at each place where it is asked.

#include "tests/attack/rpc_words.hpp"

#include <algorithm>
#include <functional>

namespace sim::attack {
namespace {

constexpr std::uint32_t most_places = 600;

/// What a guest does in which something fails; each call of it must end.
struct Story {
    char const* name;
    std::function<std::vector<CallResult>(LinuxGuest&)> play;
};

std::vector<CallResult> share_use_and_take_back(LinuxGuest& guest)
{
    auto const shm = guest.memory().allocate_scattered(6 * page_bytes);
    std::vector<CallResult> results{guest.register_shm(shm), guest.open(App::memory)};
    if (results.at(0).ok() && results.at(1).ok())
        results.push_back(guest.invoke(results.at(1).session, command::memory_invert, {shared_inout(shm)}));
    // Whether it is registered the guest cannot know where the result did not come back.
    guest.unregister_shm(shm);
    guest.unregister_shm(shm);
    guest.unregister_shm(shm);
    guest.memory().free(shm);
    return results;
}

std::vector<CallResult> lend_for_a_call(LinuxGuest& guest)
{
    auto const one = guest.memory().allocate_scattered(6 * page_bytes);
    auto const two = guest.memory().allocate_scattered(1, 7);
    std::vector<CallResult> results{guest.open(App::memory)};
    if (results.at(0).ok())
        results.push_back(
            guest.invoke(results.at(0).session, command::memory_invert, {temporary_inout(one), temporary_out(two)}));
    guest.memory().free(one);
    guest.memory().free(two);
    return results;
}

std::vector<CallResult> load_an_application(LinuxGuest& guest)
{
    return {guest.open(App::loadable)};
}

std::vector<CallResult> lend_to_an_application(LinuxGuest& guest)
{
    std::vector<CallResult> results{guest.open(App::allocator)};
    if (results.at(0).ok())
        results.push_back(
            guest.invoke(results.at(0).session, command::allocator_appl, {value_in(4 * page_bytes, 2)}));
    return results;
}

std::vector<CallResult> ask_for_the_time(LinuxGuest& guest)
{
    std::vector<CallResult> results{guest.open(App::clock)};
    if (results.at(0).ok())
        results.push_back(guest.invoke(results.at(0).session, command::clock_get, {value_out(), value_in(3)}));
    return results;
}

Story const stories[] = {{"shares, uses and takes back", share_use_and_take_back},
                         {"lends for a call", lend_for_a_call},
                         {"loads an application", load_an_application},
                         {"lends to an application", lend_to_an_application},
                         {"asks for the time", ask_for_the_time}};

bool is_good(std::vector<CallResult> const& results)
{
    return std::all_of(results.begin(), results.end(), [](CallResult const& result) { return result.ok(); });
}

/// ENOMEM, OUT_OF_MEMORY, or what OP-TEE made of a request that the mediator failed.
bool is_out_of_memory(CallResult const& result)
{
    return result.a0 == abi::ret::no_memory ||
           (result.a0 == abi::ret::ok &&
            (result.ret == abi::result::success || result.ret == abi::result::out_of_memory ||
             result.ret == abi::result::generic));
}

/// The same, or that a page was not found.
bool is_page_not_found(CallResult const& result)
{
    return result.a0 == abi::ret::bad_address || is_out_of_memory(result) ||
           (result.a0 == abi::ret::ok && result.ret == abi::result::bad_parameters);
}

class Sweep {
public:
    Sweep(std::function<void()> boot, std::function<Machine&()> machine, std::function<LinuxGuest&()> guest)
        : boot_{std::move(boot)}, machine_{std::move(machine)}, guest_{std::move(guest)}
    {
    }

    /// Lets the first, the second, ... attempt fail, until the story does not come so far.
    void run(Point point, Failure::Extent extent, Story const& story, bool (*allowed)(CallResult const&))
    {
        SCOPED_TRACE(story.name);
        SCOPED_TRACE(extent == Failure::Extent::once ? "once" : "from then on");
        auto came_so_far = true;
        std::uint32_t nth = 0;
        for (; came_so_far && !testing::Test::HasFailure(); ++nth) {
            SCOPED_TRACE(nth);
            ASSERT_LT(nth, most_places);
            boot_();
            ASSERT_TRUE(is_good(story.play(guest_()))) << "pages that are kept for later are there now";
            came_so_far = play_once(point, nth, extent, story, allowed);
        }
        EXPECT_GE(nth, point == Point::look_up ? 2u : 1u);
    }

private:
    bool play_once(Point point,
                   std::uint32_t nth,
                   Failure::Extent extent,
                   Story const& story,
                   bool (*allowed)(CallResult const&))
    {
        auto& vm = guest_().vm();
        auto const before = Possessions::of(vm);
        auto const pages = vm.mediator_pages();
        Failure failure{point, nth, extent};
        machine_().add(failure);
        auto const results = story.play(guest_());
        machine_().remove(failure);
        for (auto const& result : results)
            EXPECT_TRUE(allowed(result)) << std::hex << "a0 " << result.a0 << ", ret " << result.ret;
        auto const came_so_far = failure.attempts() > nth;
        if (point == Point::look_up)
            story.play(guest_()); // takes back what was registered though the guest got no result
        EXPECT_TRUE(is_good(story.play(guest_()))) << "with all that it needs it works";
        EXPECT_EQ(Possessions::of(vm).pins, before.pins);
        EXPECT_EQ(Possessions::of(vm).calls, before.calls);
        EXPECT_EQ(Possessions::of(vm).buffers, before.buffers);
        EXPECT_EQ(Possessions::of(vm).pages, before.pages);
        EXPECT_EQ(Possessions::of(vm).arguments, before.arguments);
        EXPECT_EQ(Possessions::of(vm).busy_threads, before.busy_threads);
        EXPECT_LE(vm.mediator_pages(), pages + 1);
        EXPECT_TRUE(works(guest_()));
        return came_so_far;
    }

    std::function<void()> boot_;
    std::function<Machine&()> machine_;
    std::function<LinuxGuest&()> guest_;
};

ATTACK(Q05,
       "does all that needs pages of the hypervisor, which has none: each time once, and from each time on",
       "ENOMEM, OUT_OF_MEMORY or a request that fails at OP-TEE; nothing is lost",
       Schedules::usual)
{
    Sweep sweep{[&] { boot(); }, [&]() -> Machine& { return machine(); }, [&]() -> LinuxGuest& { return guest(); }};
    for (auto const& story : stories)
        for (auto const extent : {Failure::Extent::once, Failure::Extent::from_then_on})
            sweep.run(Point::allocate_page, extent, story, is_out_of_memory);
}

ATTACK(QX01,
       "takes a page away at the very look-up, each time once, and from each time on",
       "an error, or a request that fails at OP-TEE; nothing is lost",
       Schedules::usual)
{
    Sweep sweep{[&] { boot(); }, [&]() -> Machine& { return machine(); }, [&]() -> LinuxGuest& { return guest(); }};
    for (auto const& story : stories)
        for (auto const extent : {Failure::Extent::once, Failure::Extent::from_then_on})
            sweep.run(Point::look_up, extent, story, is_page_not_found);
}

} // namespace
} // namespace sim::attack
