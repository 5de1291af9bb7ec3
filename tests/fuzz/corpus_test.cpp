// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Every script that taught the fuzzer something, or once broke something, played again in every build.

#include "tests/fuzz/player.hpp"

#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace sim::fuzz {
namespace {

std::vector<std::uint8_t> from_hex(std::string const& line)
{
    std::vector<std::uint8_t> script;
    for (std::size_t n = 0; n + 1 < line.size(); n += 2)
        script.push_back(static_cast<std::uint8_t>(std::stoul(line.substr(n, 2), nullptr, 16)));
    return script;
}

class Corpus : public testing::Test {
protected:
    void SetUp() override
    {
        std::ifstream file{MEDIATOR_FUZZ_CORPUS};
        for (std::string line; std::getline(file, line);)
            if (!line.empty() && line.front() != '#')
                lines.push_back(line);
        ASSERT_FALSE(lines.empty()) << "no script in " << MEDIATOR_FUZZ_CORPUS << ": nothing would be shown";
    }

    std::vector<std::string> lines;
};

TEST_F(Corpus, BreaksNoInvariantAndPlaysTheSameWayTwice)
{
    for (auto const& line : lines) {
        auto const outcome = play(from_hex(line));
        EXPECT_EQ(outcome.broken, "") << "script " << line;
        EXPECT_EQ(play(from_hex(line)).steps, outcome.steps) << "script " << line;
    }
}

} // namespace
} // namespace sim::fuzz
