// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/unit/core_fixture.hpp"
#include "trace.hpp"

#include <array>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace optee {
namespace {

class ATrace : public CoreTest {
protected:
    std::vector<optee_mediator_event> newest(std::uint32_t room) const
    {
        std::vector<optee_mediator_event> events(room);
        events.resize(trace_.copy(events.data(), room));
        return events;
    }
    Trace trace_;
};

TEST(AnEvent, HasANameOfItsOwn)
{
    std::set<std::string> names;
    for (std::uint32_t i = 0; i != static_cast<std::uint32_t>(Event::end); ++i) {
        auto const* const name = event_name(static_cast<Event>(i));
        ASSERT_NE(name, nullptr) << i;
        EXPECT_TRUE(names.insert(name).second) << name;
    }
    EXPECT_EQ(event_name(Event::end), nullptr);
    EXPECT_EQ(event_name(static_cast<Event>(~0U)), nullptr);
}

TEST_F(ATrace, ThatIsEmptyGivesNothing)
{
    EXPECT_TRUE(newest(Trace::capacity).empty());
}

TEST_F(ATrace, GivesWhatWasRecordedOldestFirst)
{
    trace_.record(Event::call_begins, 0x105, 0xffff'ffff'ffff'fffe);
    trace_.record(Event::call_ends, 0x106, 7);
    auto const events = newest(10);
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0].what, static_cast<std::uint32_t>(Event::call_begins));
    EXPECT_EQ(events[0].call, 0x105u);
    EXPECT_EQ(events[0].detail, 0xffff'ffff'ffff'fffeu);
    EXPECT_EQ(events[1].what, static_cast<std::uint32_t>(Event::call_ends));
    EXPECT_LT(events[0].counter, events[1].counter);
}

TEST_F(ATrace, GivesTheNewestWhereThereIsNoRoomForAll)
{
    for (std::uint32_t i = 0; i != 10; ++i)
        trace_.record(Event::request, i, i);
    EXPECT_TRUE(newest(0).empty());
    auto const events = newest(3);
    ASSERT_EQ(events.size(), 3u);
    EXPECT_EQ(events[0].call, 7u);
    EXPECT_EQ(events[2].call, 9u);
}

TEST_F(ATrace, KeepsAsManyAsItHasRoomForWhenItWrapsAround)
{
    constexpr auto recorded = 3 * Trace::capacity + 5;
    for (std::uint32_t i = 0; i != recorded; ++i)
        trace_.record(Event::request, i, i);
    auto const events = newest(2 * Trace::capacity);
    ASSERT_EQ(events.size(), Trace::capacity);
    for (std::uint32_t i = 0; i != Trace::capacity; ++i)
        EXPECT_EQ(events[i].call, recorded - Trace::capacity + i);
}

TEST_F(ATrace, NeverGivesPartsOfTwoEventsAsOne)
{
    constexpr std::uint64_t factor = 0x1'0000'0003;
    std::atomic<bool> done{false};
    std::vector<std::thread> writers;
    for (std::uint32_t cpu = 1; cpu != 4; ++cpu) {
        writers.emplace_back([this, cpu] {
            sim::Entry entry{machine_, &guest_, cpu, sim::Entry::Kind::smc};
            for (std::uint32_t i = 0; i != 3000; ++i) {
                auto const number = (i << 2) | cpu;
                trace_.record(
                    static_cast<Event>(number % static_cast<std::uint32_t>(Event::end)), number, number * factor);
            }
            entry.finish();
        });
    }
    std::uint32_t torn = 0;
    std::thread reader{[&] {
        while (!done) {
            for (auto const& event : newest(Trace::capacity)) {
                if (event.detail != event.call * factor ||
                    event.what != event.call % static_cast<std::uint32_t>(Event::end))
                    ++torn;
            }
        }
    }};
    for (auto& writer : writers)
        writer.join();
    done = true;
    reader.join();
    EXPECT_EQ(torn, 0u);

    // An event that others passed by is lost, and that may be one of the last: then fewer are there. But no place in the
    // ring is lost with it, a CPU on its own fills them all.
    for (std::uint32_t i = 0; i != Trace::capacity; ++i)
        trace_.record(Event::request, i, i);
    EXPECT_EQ(newest(Trace::capacity).size(), Trace::capacity);
}

} // namespace
} // namespace optee
