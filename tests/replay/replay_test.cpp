// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// The traces of the real stack agree with the model; a trace in which anything is changed that the model predicts does not.

#include "tests/replay/replay.hpp"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <string>
#include <vector>

namespace sim::replay {
namespace {

// As OP-TEE does it: the driver lets it cache arguments, a buffer is registered, a session is opened to a TA that is looked for in
// secure storage and then loaded, cancelled and closed, and the driver takes the cached argument back.
constexpr char const* story = R"(# recorded on: paper
0 fast function=0xb200000b
1 of 0 ends a0=0
2 call with_arg cmd=4 func=0 session=0 cancel=0 p=0x20a,0x10,0x1800,m1
3 of 2 ends a0=0 ret=0 origin=2 session=0 p=0x20a,0x10,0x1800,m1
4 call with_arg cmd=0 func=0 session=0 cancel=0 p=0x101,0x11,0x22,0 p=0x101 p=0x6,0x8,0x100,m1 p=0xa,null,0,0
5 of 4 asks alloc thread=0 size=0xa0
6 back thread=0 argument=m2
7 of 6 asks cmd thread=0 argument=m2 cmd=6 p=0x1,0,0x1000,0x8
8 back thread=0 ret=0 p=0x20a,0,0x1000,m3
9 of 8 asks cmd thread=0 argument=m2 cmd=2 p=0x1,0,0,0 p=0x5,0,0x15e,m3 p=0x2,0,0,0
10 back thread=0 ret=0xffff0008 p=0x1,0,0,0 p=0x5,0,0x15e,m3 p=0x2,0,0,0
11 of 10 asks cmd thread=0 argument=m2 cmd=0 p=0x1,0x11,0x22,0 p=0xa,null,0,0
12 back thread=0 ret=0 p=0x1,0x11,0x22,0 p=0xa,null,0x2345,0
13 of 12 asks cmd thread=0 argument=m2 cmd=6 p=0x1,0,0x2345,0x8
14 back thread=0 ret=0 p=0x20a,0,0x2345,m4
15 of 14 asks cmd thread=0 argument=m2 cmd=0 p=0x1,0x11,0x22,0 p=0x6,0,0x2345,m4
16 back thread=0 ret=0 p=0x1,0x11,0x22,0 p=0x6,0,0x2345,m4
17 of 16 asks cmd thread=0 argument=m2 cmd=7 p=0x1,0,m4,0
18 back thread=0 ret=0 p=0x1,0,m4,0
19 of 18 asks cmd thread=0 argument=m2 cmd=7 p=0x1,0,m3,0
20 back thread=0 ret=0 p=0x1,0,m3,0
21 of 20 ends a0=0 ret=0 origin=4 session=0x1
22 call with_arg cmd=3 func=0 session=0x1 cancel=0
23 of 22 ends a0=0 ret=0 origin=3 session=0x1
24 call with_arg cmd=1 func=0x7 session=0x1 cancel=0 p=0x1 p=0x2 p=0 p=0
25 of 24 asks cmd thread=0 argument=m2 cmd=3 p=0x2,0,0,0
26 back thread=0 ret=0 p=0x2,0x5,0x6,0
27 of 26 ends a0=0 ret=0 origin=4 session=0x1
28 call with_arg cmd=2 func=0 session=0x1 cancel=0
29 of 28 ends a0=0 ret=0 origin=3 session=0x1
30 call with_arg cmd=2 func=0 session=0x1 cancel=0
31 of 30 ends a0=0 ret=0xffff0008 origin=3 session=0x1
32 call with_arg cmd=5 func=0 session=0 cancel=0 p=0x5,0,0,m1
33 of 32 ends a0=0 ret=0 origin=2 session=0
34 fast function=0xb200000a
35 of 34 ends a0=0 argument=m2
36 fast function=0xb200000a
37 of 36 ends a0=0x7
)";

Report replay_text(std::string const& text)
{
    std::istringstream in{text};
    return replay(read_trace(in));
}

/// The story with every `from` as `to`.
std::string story_with(std::string const& from, std::string const& to)
{
    std::string text{story};
    auto place = text.find(from);
    EXPECT_NE(place, std::string::npos) << "nothing is changed: " << from;
    for (; place != std::string::npos; place = text.find(from, place + to.size()))
        text.replace(place, from.size(), to);
    return text;
}

TEST(Replay, OfWhatTheModelDoesFindsNoDifference)
{
    auto const report = replay_text(story);
    EXPECT_TRUE(report.agrees()) << report.text();
    EXPECT_EQ(report.calls, 7u);
    EXPECT_EQ(report.requests, 9u);
    EXPECT_EQ(report.predicted, 14u);
    EXPECT_EQ(report.given, 5u);
    EXPECT_EQ(report.not_compared, 0u);
}

struct Change {
    char const* name;
    char const* from;
    char const* to;
};

class ChangedTrace : public testing::TestWithParam<Change> {};

TEST_P(ChangedTrace, IsFoundToDiffer)
{
    auto const report = replay_text(story_with(GetParam().from, GetParam().to));
    EXPECT_FALSE(report.differences.empty()) << report.text();
    EXPECT_FALSE(report.agrees());
}

INSTANTIATE_TEST_SUITE_P(
    Replay,
    ChangedTrace,
    testing::Values(
        Change{"NoArgumentIsAskedFor",
               "5 of 4 asks alloc thread=0 size=0xa0\n6 back thread=0 argument=m2\n7 of 6 asks cmd thread=0 "
               "argument=m2 cmd=6 "
               "p=0x1,0,0x1000,0x8\n8 back thread=0 ret=0 p=0x20a,0,0x1000,m3\n",
               "5 of 4 asks cmd thread=0 argument=m2 cmd=6 p=0x1,0,0x1000,0x8\n6 back thread=0 ret=0 "
               "p=0x20a,0,0x1000,m3\n7 of "
               "6 asks alloc thread=0 size=0xa0\n8 back thread=0 argument=m2\n"},
        Change{"TheBuffersAreFreedInTheOtherOrder",
               "17 of 16 asks cmd thread=0 argument=m2 cmd=7 p=0x1,0,m4,0\n18 back thread=0 ret=0 p=0x1,0,m4,0\n19 "
               "of 18 asks cmd "
               "thread=0 argument=m2 cmd=7 p=0x1,0,m3,0\n20 back thread=0 ret=0 p=0x1,0,m3,0\n",
               "17 of 16 asks cmd thread=0 argument=m2 cmd=7 p=0x1,0,m3,0\n18 back thread=0 ret=0 p=0x1,0,m3,0\n19 "
               "of 18 asks cmd "
               "thread=0 argument=m2 cmd=7 p=0x1,0,m4,0\n20 back thread=0 ret=0 p=0x1,0,m4,0\n"},
        Change{"TheArgumentIsSmaller", "size=0xa0", "size=0x80"},
        Change{"ThePayloadIsOfAnotherKind", "cmd=6 p=0x1,0,0x1000,0x8", "cmd=6 p=0x1,0x1,0x1000,0x8"},
        Change{"ThePayloadIsLarger", "cmd=6 p=0x1,0,0x1000,0x8", "cmd=6 p=0x1,0,0x2000,0x8"},
        Change{"TheFileIsAskedForWithAnotherSize",
               "asks cmd thread=0 argument=m2 cmd=0 p=0x1,0x11,0x22,0 p=0x6,0,0x2345,m4",
               "asks cmd thread=0 argument=m2 cmd=0 p=0x1,0x11,0x22,0 p=0x6,0,0x2340,m4"},
        Change{"TheNameIsShorter",
               "asks cmd thread=0 argument=m2 cmd=2 p=0x1,0,0,0 p=0x5,0,0x15e,m3",
               "asks cmd thread=0 argument=m2 cmd=2 p=0x1,0,0,0 p=0x5,0,0x40,m3"},
        Change{"ARequestHasAParameterLess",
               "cmd=2 p=0x1,0,0,0 p=0x5,0,0x15e,m3 p=0x2,0,0,0\n10",
               "cmd=2 p=0x1,0,0,0 p=0x5,0,0x15e,m3\n10"},
        Change{"TheThreadIsAnother", "thread=0", "thread=1"},
        Change{"ARequestHasAParameterMore", "cmd=3 p=0x2,0,0,0", "cmd=3 p=0x2,0,0,0 p=0"},
        Change{"TheSessionHasAnotherId", "session=0x1", "session=0x2"},
        Change{"CancelFails", "23 of 22 ends a0=0 ret=0 ", "23 of 22 ends a0=0 ret=0xffff0006 "},
        Change{"ClosingTwiceSucceeds", "ret=0xffff0008 origin=3", "ret=0 origin=3"},
        Change{"RegistrationSaysWhoAnswered", "3 of 2 ends a0=0 ret=0 origin=2", "3 of 2 ends a0=0 ret=0 origin=3"},
        Change{"ACallEndsInAnotherWay", "21 of 20 ends a0=0", "21 of 20 ends a0=0x5"},
        Change{"TheCacheIsEmptyAtOnce", "35 of 34 ends a0=0 argument=m2", "35 of 34 ends a0=0x7"},
        Change{"TheCacheGivesBackAnother", "35 of 34 ends a0=0 argument=m2", "35 of 34 ends a0=0 argument=m1"}),
    [](auto const& change) { return std::string{change.param.name}; });

TEST(Replay, SaysWhereTheFirstDifferenceIs)
{
    auto const report = replay_text(story_with("size=0xa0", "size=0x80"));
    ASSERT_FALSE(report.differences.empty());
    EXPECT_EQ(report.differences.front(), "event 5: OP-TEE asks alloc size=0x80; the model asks alloc size=0xa0");
    EXPECT_NE(report.not_comparable, 0u) << "the rest of that call means nothing any more";
}

TEST(Replay, DoesNotAgreeWhenACallNamesWhatWasNeverShared)
{
    auto const report = replay_text("0 call with_arg cmd=5 func=0 session=0 cancel=0 p=0x5,0,0,m9\n"
                                    "1 of 0 ends a0=0 ret=0 origin=2 session=0\n");
    EXPECT_EQ(report.not_comparable, 1u);
    EXPECT_FALSE(report.agrees());
}

TEST(Trace, IsRefusedWhenAnEventIsMissing)
{
    EXPECT_THROW(replay_text(story_with("22 call with_arg cmd=3 func=0 session=0x1 cancel=0\n", "")), BadTrace);
    EXPECT_THROW(replay_text("# recorded on: nothing\n"), BadTrace);
}

TEST(Trace, IsRefusedWhenALineMakesNoSense)
{
    for (auto const* line : {"0 sings",
                             "0 call",
                             "0 call with_arg cmd",
                             "0 of 0 asks beer",
                             "0 fast function=0x p=1,2",
                             "x fast function=1",
                             "0 fast p=1,z,2,3"})
        EXPECT_THROW(replay_text(std::string{line} + "\n"), BadTrace) << line;
    EXPECT_THROW(replay_text("0 back thread=0 ret=0\n"), BadTrace) << "nobody waits";
    EXPECT_THROW(replay_text("0 fast function=1\n1 of 0 ends a0=0\n2 of 0 ends a0=0\n"), BadTrace) << "two answers";
    EXPECT_THROW(replay_text("0 call with_arg cmd=2 func=0 session=0\n1 of 0 ends ret=0\n"), BadTrace) << "no a0";
}

TEST(RecordedTraces, AgreeWithTheModel)
{
    std::size_t traces = 0;
    for (auto const& entry : std::filesystem::directory_iterator{MEDIATOR_TRACES}) {
        if (entry.path().extension() != ".trace")
            continue;
        ++traces;
        std::ifstream file{entry.path()};
        auto const report = replay(read_trace(file));
        EXPECT_TRUE(report.agrees()) << entry.path() << "\n" << report.text();
        EXPECT_GE(report.predicted + report.given, 100u) << entry.path() << ": too little to show anything";
        EXPECT_GT(report.predicted, 10u) << entry.path();
    }
    EXPECT_GE(traces, 1u) << "no trace in " << MEDIATOR_TRACES;
}

} // namespace
} // namespace sim::replay
