// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/attack/ordinary_use.hpp"

#include "tests/attack/attack.hpp"

#include <cctype>
#include <utility>

namespace sim::attack {

namespace {

/// Plays steps until one fails, and remembers its name.
class Steps {
public:
    template <typename Step>
    void play(char const* name, Step const& step)
    {
        if (failed_.empty() && !step())
            failed_ = name;
    }
    std::string const& failed() const { return failed_; }

private:
    std::string failed_;
};

void use_values(Steps& steps, LinuxGuest& guest)
{
    steps.play("a session that adds one", [&] { return works(guest); });
    steps.play("a cancelled command", [&] {
        auto const session = guest.open(App::echo).session;
        return guest.cancel(session).ok() && guest.close(session).ok();
    });
}

void use_shared_memory(Steps& steps, LinuxGuest& guest)
{
    auto const session = guest.open(App::memory).session;
    auto const bytes = counting(5000);
    steps.play("registered memory", [&] {
        auto const shm = guest.register_memory(bytes.size(), 100);
        if (shm == nullptr)
            return false;
        guest.fill(shm, bytes);
        auto const done = guest.invoke(session, command::memory_invert, {shared_inout(shm)}).ok();
        auto const inverts = guest.contents(shm) == inverted(bytes);
        guest.free_shm(shm);
        return done && inverts && guest.vm().pins_of(shm->pages.front()) == 0;
    });
    steps.play("temporary memory", [&] {
        auto const shm = guest.memory().allocate_scattered(3 * page_bytes, 8);
        guest.fill(shm, counting(3 * page_bytes));
        auto const done = guest.invoke(session, command::memory_invert, {temporary_inout(shm)}).ok();
        return done && guest.contents(shm) == inverted(counting(3 * page_bytes));
    });
    steps.play("the end of a session", [&] { return guest.close(session).ok(); });
}

void use_services(Steps& steps, LinuxGuest& guest)
{
    steps.play("the time", [&] {
        auto const session = guest.open(App::clock).session;
        return guest.invoke(session, command::clock_get, {value_out(), value_in(3)}).ok() &&
               guest.close(session).ok();
    });
    steps.play("a trusted application that is loaded", [&] {
        auto const opened = guest.open(App::loadable);
        return opened.ok() && guest.close(opened.session).ok();
    });
    steps.play("secure storage", [&] {
        auto const session = guest.open(App::storage).session;
        auto const shm = guest.allocate_shm(2 * page_bytes);
        guest.fill(shm, counting(2 * page_bytes));
        auto const written = guest.invoke(session, command::storage_write, {shared_in(shm), value_in(7)}).ok();
        guest.fill(shm, std::vector<std::uint8_t>(2 * page_bytes));
        auto const read = guest.invoke(session, command::storage_read, {shared_out(shm), value_in(7)}).ok();
        auto const is_same = guest.contents(shm) == counting(2 * page_bytes);
        guest.free_shm(shm);
        return written && read && is_same && guest.close(session).ok();
    });
    steps.play("memory that a trusted application asks for", [&] {
        auto const session = guest.open(App::allocator).session;
        auto const some = value_in(20 * page_bytes, 2);
        return guest.invoke(session, command::allocator_appl, {some}).ok() && guest.close(session).ok();
    });
}

void use_two_vcpus(Steps& steps, LinuxGuest& guest)
{
    steps.play("a sleeper that another vCPU wakes", [&] {
        auto const session = guest.open(App::sleeper).session;
        auto sleeper = guest.begin_invoke(session, command::sleeper_wait);
        sleeper.run_on(0);
        auto const slept = sleeper.is_blocked() && sleeper.asks_for(abi::rpc_cmd::notification);
        auto const woken = guest.invoke(session, command::sleeper_wake, {}, 1).ok();
        return slept && woken && sleeper.run_on(1) == Call::State::done && sleeper.result().ok();
    });
}

void find_habits(LinuxGuest::Options const& driver, std::set<Habit>& found)
{
    Machine machine{Machine::with_vms(2).vcpus(2).mediated_by(under_test().make), true};
    for (std::size_t n = 0; n < machine.vms(); ++n) {
        LinuxGuest guest{machine.vm(n), driver};
        if (guest.probe() && use_as_linux_does(guest).empty())
            stop_in_the_middle(guest);
        machine.vm(n).destroy();
    }
    for (auto const& violation : machine.log().all())
        found.emplace(violation.invariant, violation.sentence);
}

} // namespace

std::string use_as_linux_does(LinuxGuest& guest)
{
    Steps steps;
    use_values(steps, guest);
    use_shared_memory(steps, guest);
    use_services(steps, guest);
    use_two_vcpus(steps, guest);
    guest.remove();
    return steps.failed();
}

void stop_in_the_middle(LinuxGuest& guest)
{
    guest.register_memory(page_bytes);
    auto const session = guest.open(App::clock).session;
    auto call = guest.begin_invoke(session, command::clock_get, {value_out(), value_in(3)});
    static_cast<void>(run_until_command(call, abi::rpc_cmd::get_time));
}

std::set<Habit> const& habits()
{
    static auto const found = [] {
        std::set<Habit> all;
        for (auto const& driver : ordinary_drivers)
            find_habits(driver, all);
        return all;
    }();
    return found;
}

bool names(std::string_view text, Invariant invariant)
{
    auto const name = name_of(invariant);
    auto const is_part_of_word = [&text](std::size_t at) {
        return at < text.size() && std::isalnum(static_cast<unsigned char>(text[at])) != 0;
    };
    for (auto at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1))
        if (!is_part_of_word(at - 1) && !is_part_of_word(at + name.size()))
            return true;
    return false;
}

} // namespace sim::attack
