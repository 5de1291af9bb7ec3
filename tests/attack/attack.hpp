// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// An attack is a test with an id, a sentence that says what is tried, and what must come of it. It knows no mediator:
// the same script runs against the core and against others (see under_test.hpp), under several schedules.
//
//     ATTACK(B01, "the message's address is not that of a page", "EBADADDR; nothing pinned", Schedules::usual)
//     {
//         boot();
//         auto call = guest().begin_close(1);
//         ...
//         EXPECT_EQ(call.last().a0(), abi::ret::bad_address);
//     }
//
// When the script is over, its world is taken down: every VM must go, nothing be left, no invariant be broken.

#include "tests/attack/under_test.hpp"
#include "tests/scenario/scenario.hpp"

#include <cstdint>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <vector>

namespace sim::attack {

using scenario::ask;
using scenario::ask_on;
using scenario::caching_driver;
using scenario::counting;
using scenario::inverted;
using scenario::is_refused;
using scenario::return_from_rpc;
using scenario::run_until;
using scenario::run_until_command;
using scenario::run_until_rpc;
using scenario::works;
using tee::App;
namespace command = tee::command;

/// What goes on beside the script.
enum class Schedule : std::uint8_t {
    straight,    ///< nothing
    interrupted, ///< interrupts, at OP-TEE and at the mediator, at every turn
    crowded,     ///< another VM makes a call of its own at every SMC of the hostile one
};

/// The schedules of an attack.
enum class Schedules : std::uint8_t {
    usual,    ///< straight, interrupted
    all,      ///< those, and crowded
    straight, ///< the script makes its own: every moment of a race, by at_every() or in_race()
};

struct Attack {
    char const* id;
    char const* title;
    char const* required; ///< the outcome, for the table
};

/// Moments at which another CPU may step in.
using Points = std::vector<Point>;

/// Those at which an entry of any mediator can be divided.
inline Points const every_point{Point::entry_begins,
                                Point::lock,
                                Point::unlock,
                                Point::look_up,
                                Point::unpin,
                                Point::read_guest,
                                Point::write_guest,
                                Point::allocate_page,
                                Point::free_page,
                                Point::smc,
                                Point::smc_returns,
                                Point::entry_ends};

/// What the world of a script is made of.
struct World {
    std::uint32_t vms = 2; ///< 0: hostile, the others innocent
    std::uint32_t vcpus = 3;
    std::uint64_t ram_pages = 1024;
    Placement placement = Placement::scattered;
    tee::Options optee{};
    LinuxGuest::Options driver = scenario::plain_driver;
    /// Of the hostile VM and the others. A mediator with fixed limits has its own: see limits().
    Limits limits = under_test().limits;
    bool probes = true; ///< the guests' drivers look for OP-TEE first, as Linux does
    bool boots = true;  ///< false: only switched on. The mediator has not looked for OP-TEE, and there is no VM
};

class Script : public testing::Test {
protected:
    Script(Attack const& attack, Schedule schedule) : attack_{attack}, schedule_{schedule} {}
    void SetUp() override;
    void TearDown() override;

    // --- the world. boot() once more is a new one, after the old was taken down: no Call of that one may be left.
    void boot(World const& = {});
    /// Tells whether calls may bring room for their RPCs. Ours must offer it; a mediator that does not has withstood what
    /// can only be done with such calls.
    [[nodiscard]] bool boot_with_rpc_arguments(World const& = {});
    void take_down();
    Machine& machine() { return *machine_; }
    LinuxGuest& guest(std::size_t vm = 0) { return *guests_.at(vm); } ///< what is in it is hostile if the script is
    Vm& vm(std::size_t n = 0) { return machine().vm(n); }
    Limits const& limits() const { return world_.limits; }
    bool is_core() const { return under_test().is_core; } ///< for checks of what only our own ABI shows
    Schedule schedule() const { return schedule_; }

    // --- races
    /// Plays the story in a new world for each n: `then` happens at the n-th time that the hostile VM comes to `point`
    /// (as if on another CPU), until a story has fewer of them. The story begins with boot(); `then` sees that world.
    void at_every(Point point, std::function<void()> const& then, std::function<void()> const& story);
    /// The same, but moments count only from where the story says race_begins(): `then` never happens before.
    void in_race(Point point, std::function<void()> const& then, std::function<void()> const& story);
    /// With several points; returns how many moments there were.
    std::uint32_t in_race(Points const&, std::function<void()> const& then, std::function<void()> const& story);
    void race_begins();
    void race_ends(); ///< what comes after is no part of it

private:
    void boot_machine();
    void crowd();
    std::uint32_t play_rounds(Points const&,
                              bool from_mark,
                              std::function<void()> const& then,
                              std::function<void()> const& story);

    Attack attack_;
    Schedule schedule_;
    World world_;
    std::unique_ptr<Machine> machine_;
    std::vector<std::unique_ptr<LinuxGuest>> guests_;
    std::unique_ptr<Observer> crowd_;
    std::function<void()> arm_;   ///< at the end of boot(): at_every()'s watch
    std::function<void()> start_; ///< at race_begins()
    std::function<void()> stop_;  ///< at race_ends()
};

/// Says which attacks there are; tests come of it.
template <typename TheScript>
bool announce(Attack const& attack, Schedules, char const* file, int line);

std::vector<Schedule> schedules_of(Schedules);
char const* name_of(Schedule);

template <typename TheScript>
bool announce(Attack const& attack, Schedules schedules, char const* file, int line)
{
    for (auto const schedule : schedules_of(schedules))
        testing::RegisterTest(
            attack.id, name_of(schedule), attack.title, attack.required, file, line, [schedule]() -> Script* {
                return new TheScript{schedule};
            });
    return true;
}

// NOLINTNEXTLINE(cppcoreguidelines-macro-usage): a class with a constructor and a body, as TEST_F makes
#define ATTACK(id_, title_, required_, schedules_)                                                                   \
    class id_##Script : public Script {                                                                              \
    public:                                                                                                          \
        static constexpr Attack attack{#id_, title_, required_};                                                     \
        explicit id_##Script(Schedule schedule) : Script{attack, schedule} {}                                        \
        void TestBody() override;                                                                                    \
    };                                                                                                               \
    bool const id_##_is_announced = announce<id_##Script>(id_##Script::attack, schedules_, __FILE__, __LINE__);      \
    void id_##Script::TestBody()

} // namespace sim::attack
