// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "call_state.hpp"
#include "tests/unit/core_fixture.hpp"

#include <array>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace optee {
namespace {

using enum CallState;
constexpr std::array all_states{free, preparing, in_tee, waiting_for_rpc, resuming, completing, quarantined};

// The automaton, edge by edge; docs/lifecycles.md has it with its reasons.
std::set<std::pair<CallState, CallState>> const edges{
    {free, preparing},
    {preparing, in_tee},
    {preparing, waiting_for_rpc},
    {preparing, completing},
    {in_tee, resuming},
    {in_tee, waiting_for_rpc},
    {in_tee, completing},
    {in_tee, quarantined},
    {waiting_for_rpc, resuming},
    {resuming, in_tee},
    {resuming, waiting_for_rpc},
    {resuming, completing},
    {resuming, quarantined},
    {completing, waiting_for_rpc},
    {completing, free},
};

// The shortest way from free to each state.
std::vector<CallState> way_to(CallState state)
{
    switch (state) {
    case free:            return {};
    case preparing:       return {preparing};
    case in_tee:          return {preparing, in_tee};
    case waiting_for_rpc: return {preparing, in_tee, waiting_for_rpc};
    case resuming:        return {preparing, in_tee, resuming};
    case completing:      return {preparing, completing};
    case quarantined:     return {preparing, in_tee, quarantined};
    }
    return {};
}

class ACallsState : public CoreTest {
protected:
    void bring_to(CallState state)
    {
        for (auto const step : way_to(state))
            step == waiting_for_rpc ? state_.suspend() : state_.move(step);
    }
    AtomicCallState state_;
};

TEST_F(ACallsState, HasExactlyTheseSteps)
{
    for (auto const from : all_states)
        for (auto const to : all_states)
            EXPECT_EQ(allowed(from, to), edges.count({from, to}) != 0)
                << static_cast<int>(from) << " to " << static_cast<int>(to);
}

TEST_F(ACallsState, HasTheSameStepsAsANumber)
{
    std::uint64_t steps = 0;
    for (auto const& [from, to] : edges)
        steps |= std::uint64_t{1} << (static_cast<unsigned>(from) * bits_from_each + static_cast<unsigned>(to));
    EXPECT_EQ(call_steps, steps);
}

TEST_F(ACallsState, TakesEachAllowedStep)
{
    for (auto const& [from, to] : edges) {
        AtomicCallState state;
        for (auto const step : way_to(from))
            step == waiting_for_rpc ? state.suspend() : state.move(step);
        ASSERT_EQ(state.state(), from);
        to == waiting_for_rpc ? state.suspend() : state.move(to);
        EXPECT_EQ(state.state(), to);
    }
}

TEST_F(ACallsState, StopsTheMachineAtAStepThatDoesNotExist)
{
    bring_to(quarantined);
    EXPECT_DEATH(state_.move(free), "");
    EXPECT_DEATH(state_.suspend(), "");
    AtomicCallState fresh;
    EXPECT_DEATH(fresh.move(in_tee), "");
    EXPECT_DEATH(fresh.suspend(), "");
}

TEST_F(ACallsState, CountsSuspensionsAndNothingElse)
{
    bring_to(in_tee);
    EXPECT_EQ(state_.generation(), 0u);
    EXPECT_EQ(state_.next_generation(), 1u);
    state_.suspend();
    EXPECT_EQ(state_.generation(), 1u);
    ASSERT_TRUE(state_.claim(1));
    state_.move(in_tee);
    state_.move(completing);
    state_.move(free);
    EXPECT_EQ(state_.generation(), 1u);
}

TEST_F(ACallsState, IsClaimedOnceForEachSuspension)
{
    bring_to(waiting_for_rpc);
    EXPECT_FALSE(state_.claim(0)); // a stale handle
    EXPECT_FALSE(state_.claim(2));
    EXPECT_EQ(state_.state(), waiting_for_rpc);
    EXPECT_TRUE(state_.claim(1));
    EXPECT_EQ(state_.state(), resuming);
    EXPECT_FALSE(state_.claim(1));
    state_.suspend();
    EXPECT_FALSE(state_.claim(1));
    EXPECT_TRUE(state_.claim(2));
}

TEST_F(ACallsState, IsNotClaimedWhileItDoesNotWait)
{
    for (auto const state : all_states) {
        if (state == waiting_for_rpc)
            continue;
        AtomicCallState other;
        for (auto const step : way_to(state))
            other.move(step);
        EXPECT_FALSE(other.claim(other.generation())) << static_cast<int>(state);
        EXPECT_EQ(other.state(), state);
    }
}

TEST_F(ACallsState, BeginsAgainWithGenerationZeroAfterTheLast)
{
    bring_to(waiting_for_rpc);
    // A call is not suspended sixteen million times here: its only word is set as if it had been.
    static_assert(std::is_standard_layout_v<AtomicCallState> && sizeof(AtomicCallState) == 4);
    auto& word = reinterpret_cast<std::atomic<std::uint32_t>&>(state_);
    ASSERT_EQ(word.load(), 0x100U | static_cast<std::uint32_t>(waiting_for_rpc));
    word = (CallHandle::generation_mask << 8) | static_cast<std::uint32_t>(waiting_for_rpc);
    ASSERT_TRUE(state_.claim(CallHandle::generation_mask));
    EXPECT_EQ(state_.next_generation(), 0u);
    state_.suspend();
    EXPECT_EQ(state_.generation(), 0u);
    EXPECT_EQ(state_.state(), waiting_for_rpc);
    EXPECT_TRUE(state_.claim(0));
}

TEST_F(ACallsState, IsClaimedByExactlyOneOfTheVcpusThatRace)
{
    constexpr std::uint32_t rounds = 400;
    constexpr int cpus = 4;
    bring_to(waiting_for_rpc);
    std::atomic<std::uint32_t> generation{1};
    int winners = 0; // not atomic: two winners at once would be a data race
    std::vector<std::thread> threads;
    for (int cpu = 0; cpu != cpus; ++cpu) {
        threads.emplace_back([&] {
            for (;;) {
                auto const handle = generation.load();
                if (handle > rounds)
                    return;
                if (!state_.claim(handle)) {
                    std::this_thread::yield();
                    continue;
                }
                ++winners;
                state_.suspend();
                generation = handle + 1;
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(winners, static_cast<int>(rounds));
    EXPECT_EQ(state_.generation(), rounds + 1);
}

TEST(ACallHandle, NamesASlotAndAGeneration)
{
    for (std::uint32_t const slot : {0U, 1U, 254U, 255U}) {
        for (std::uint32_t const generation : {0U, 1U, 0x00ff'ffffU}) {
            CallHandle const handle{slot, generation};
            EXPECT_EQ(handle.slot(), slot);
            EXPECT_EQ(handle.generation(), generation);
            EXPECT_EQ(CallHandle::from_guest(0xdead'0000'0000'0000 | handle.raw()).raw(), handle.raw());
        }
    }
}

TEST(ACallHandle, HoldsNoMoreOfAGenerationThanThereIsRoomFor)
{
    CallHandle const handle{7, 0x0100'0000};
    EXPECT_EQ(handle.slot(), 7u);
    EXPECT_EQ(handle.generation(), 0u);
}

} // namespace
} // namespace optee
