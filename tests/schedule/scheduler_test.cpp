// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// The scheduler itself, on stories so small that one can count what they can do.

#include "sim/machine/machine.hpp"
#include "sim/schedule/exploration.hpp"
#include "sim/schedule/priorities.hpp"
#include "tests/sim/scripted_mediator.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <set>
#include <string>

namespace sim::schedule {
namespace {

constexpr std::uint32_t any_number = 100; ///< of preemptions: more than a story has choices

class Schedules : public testing::Test {
protected:
    /// A vCPU that writes its letter `times` times, with a choice between any two.
    Body writer(char letter, unsigned times)
    {
        return [this, letter, times] {
            for (unsigned n = 0; n < times; ++n) {
                if (n != 0)
                    machine().at({Point::optee_step, &world.vm(), 0, Pa{0}, 0});
                written += letter;
            }
        };
    }
    /// What was written, in every schedule of the bodies.
    std::multiset<std::string> explore(std::uint32_t preemptions, std::vector<Body> const& bodies)
    {
        std::multiset<std::string> all;
        Exploration exploration{preemptions};
        while (exploration.next()) {
            written.clear();
            EXPECT_EQ(scheduler.run(machine(), exploration, bodies).failure, "");
            all.insert(written);
        }
        EXPECT_EQ(exploration.explored(), all.size());
        return all;
    }
    Machine& machine() { return world.machine; }

    ByHand world{Machine::with_one_vm().ram_pages(32)};
    Scheduler scheduler{3};
    std::string written;
};

TEST_F(Schedules, AreAllExploredAndEachOnce)
{
    auto const all = explore(any_number, {writer('a', 3), writer('b', 3)});
    EXPECT_EQ(all.size(), 20u) << "6 over 3";
    EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 20u);
    EXPECT_EQ(explore(any_number, {writer('a', 2), writer('b', 2), writer('c', 2)}).size(), 90u) << "6! / 2! 2! 2!";
}

TEST_F(Schedules, HaveAsManyPreemptionsAsTheBoundSays)
{
    EXPECT_EQ(explore(0, {writer('a', 3), writer('b', 3)}), (std::multiset<std::string>{"aaabbb", "bbbaaa"}));
    auto const one = explore(1, {writer('a', 3), writer('b', 3)});
    EXPECT_EQ(one.size(), 6u);
    EXPECT_EQ(one.count("abbbaa"), 1u);
    EXPECT_EQ(one.count("ababba"), 0u);
}

TEST_F(Schedules, AreTheSameWhenReplayed)
{
    std::vector<Body> const bodies{writer('a', 4), writer('b', 4)};
    Exploration exploration{2};
    while (exploration.next()) {
        written.clear();
        scheduler.run(machine(), exploration, bodies);
        auto const before = written;
        written.clear();
        auto const read_again = path_from(text_of(exploration.path()));
        ASSERT_TRUE(read_again.has_value());
        Replay replay{*read_again};
        scheduler.run(machine(), replay, bodies);
        EXPECT_TRUE(replay.was_followed());
        EXPECT_EQ(written, before) << text_of(exploration.path());
    }
}

TEST_F(Schedules, ByChanceAreTheSameFromTheSameSeed)
{
    std::vector<Body> const bodies{writer('a', 20), writer('b', 20), writer('c', 20)};
    std::set<std::string> seen;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        std::string first;
        for (unsigned time = 0; time < 2; ++time) {
            written.clear();
            RandomPriorities strategy{seed, 3};
            scheduler.run(machine(), strategy, bodies);
            first = time == 0 ? written : first;
        }
        EXPECT_EQ(written, first);
        seen.insert(written);
    }
    EXPECT_GT(seen.size(), 25u);
}

TEST_F(Schedules, ThatWereNotFoundInThisStoryAreNotFollowed)
{
    Replay replay{*path_from("1000:1")};
    scheduler.run(machine(), replay, {writer('a', 2), writer('b', 2)});
    EXPECT_FALSE(replay.was_followed());
}

TEST_F(Schedules, AsTextAreReadOnlyIfTheyAreOne)
{
    EXPECT_EQ(path_from("-"), Path{});
    EXPECT_EQ(path_from("3:1,17:0"), (Path{{3, 1}, {17, 0}}));
    for (auto const* const wrong : {"", "3", "3:", ":1", "3:1,", "3:1,3:0", "17:0,3:1", "3:1;4:0", "-3:1", "3:1x"})
        EXPECT_EQ(path_from(wrong), std::nullopt) << wrong;
}

TEST_F(Schedules, WakeWhoWaitsForTheGuest)
{
    auto const sleeper = [this] {
        Moment const moment{Point::guest_blocks, &world.vm(), 0, Pa{0}, 0};
        machine().at(moment);
        EXPECT_TRUE(machine().waits(moment));
        written += 's';
    };
    auto const waker = [this] {
        written += 'w';
        machine().at({Point::guest_wakes, &world.vm(), 0, Pa{0}, 0});
    };
    Replay usual_way{{}};
    EXPECT_EQ(scheduler.run(machine(), usual_way, {sleeper, waker}).failure, "");
    EXPECT_EQ(written, "ws");
}

TEST_F(Schedules, EndWhenNobodyCanGoOnAndSayWhoWaitsForWhat)
{
    auto const sleeper = [this] {
        Moment const moment{Point::guest_blocks, &world.vm(), 0, Pa{0}, 0};
        machine().at(moment);
        machine().waits(moment);
        written += 's';
    };
    Replay usual_way{{}};
    auto const outcome = scheduler.run(machine(), usual_way, {sleeper, writer('a', 2), sleeper});
    EXPECT_EQ(
        outcome.failure,
        "deadlock: vCPU 0 of VM 0 waits until its guest wakes it; vCPU 2 of VM 0 waits until its guest wakes it");
    EXPECT_EQ(written, "aa") << "who is woken to be told runs no further";
    written.clear();
    EXPECT_EQ(scheduler.run(machine(), usual_way, {writer('a', 1), writer('b', 1)}).failure, "");
    EXPECT_EQ(written, "ab") << "the scheduler can be used again";
}

TEST_F(Schedules, EndWhenAVcpuGoesRoundInACircle)
{
    auto const restless = [this] {
        while (true)
            world.traps([](Entry&, optee_smc_frame&) {});
    };
    Replay usual_way{{}};
    EXPECT_EQ(scheduler.run(machine(), usual_way, {restless}).failure, "no end in sight: vCPU 0 of VM 0 runs");
}

} // namespace
} // namespace sim::schedule
