// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// ./check --schedules: as many schedules as the time allows. First every pair of scripts of two vCPUs, in rounds: short
// scripts before long ones, few preemptions before many; then schedules by chance of three VMs with four vCPUs each.
// tools/schedules builds and starts it, and knows the options.

#include "sim/schedule/exploration.hpp"
#include "sim/schedule/priorities.hpp"
#include "tests/schedule/operations.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sim::schedule {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t vms = 3;
constexpr std::uint32_t vcpus = 4;
constexpr std::uint32_t change_points = 3;
constexpr std::string_view by_chance = "random:";
constexpr auto between_lines = std::chrono::seconds{5};

struct Options {
    std::uint64_t seconds = 60;
    std::uint64_t random = 10'000;
    std::uint64_t seed = 1;
    std::string report; ///< a line for each pair goes there
    std::string replay;
};

/// One round: all pairs of so many operations altogether, with so many preemptions.
struct Round {
    std::uint32_t operations;
    std::uint32_t preemptions;
};
constexpr Round rounds[] = {{2, 1}, {2, 2}, {3, 1}, {2, 3}, {4, 1}, {3, 2}, {4, 2}, {3, 3}, {4, 3}};

double seconds_since(Clock::time_point start)
{
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Scripts that say nothing that a shorter one does not: `resume` of nothing, something after the end of the VM.
bool is_idle(Script const& script)
{
    bool has_begun = false;
    for (std::size_t n = 0; n < script.size(); ++n) {
        if (script[n] == Operation::resume && !has_begun)
            return true;
        if (script[n] == Operation::destroy && n + 1 != script.size())
            return true;
        has_begun = script[n] == Operation::begin;
    }
    return false;
}

bool has(Script const& script, Operation operation)
{
    return std::count(script.begin(), script.end(), operation) != 0;
}

std::vector<Script> scripts_of(std::uint32_t operations)
{
    std::vector<Script> all{{}};
    for (std::uint32_t n = 0; n < operations; ++n) {
        std::vector<Script> longer;
        for (auto const& script : all)
            for (auto const operation : all_operations()) {
                longer.push_back(script);
                longer.back().push_back(operation);
            }
        all = std::move(longer);
    }
    all.erase(std::remove_if(all.begin(), all.end(), is_idle), all.end());
    return all;
}

std::vector<Plan> pairs_of(std::uint32_t operations)
{
    std::vector<Plan> pairs;
    for (std::uint32_t first = 1; 2 * first <= operations; ++first)
        for (auto const& one : scripts_of(first))
            for (auto const& other : scripts_of(operations - first)) {
                auto const is_twin = 2 * first == operations && other < one;
                auto const is_futile = (has(one, Operation::resume_other) && !has(other, Operation::begin)) ||
                                       (has(other, Operation::resume_other) && !has(one, Operation::begin));
                if (is_twin || is_futile)
                    continue;
                for (auto const uses_rpc_arguments : {false, true})
                    pairs.push_back(pair_of(one, other, uses_rpc_arguments));
            }
    return pairs;
}

class Campaign {
public:
    explicit Campaign(Options options) : options_{std::move(options)}
    {
        if (!options_.report.empty())
            report_ = std::fopen(options_.report.c_str(), "w");
    }
    ~Campaign()
    {
        if (report_ != nullptr)
            (void)std::fclose(report_);
    }
    Campaign(Campaign const&) = delete;
    Campaign& operator=(Campaign const&) = delete;

    bool run()
    {
        auto const end = start_ + std::chrono::seconds{options_.seconds};
        for (auto const& round : rounds)
            if (failures_ == 0 && Clock::now() < end)
                play_round(round, end);
        auto const explored = total_;
        auto const exploring = seconds_since(start_);
        if (failures_ == 0)
            play_by_chance();
        std::printf("schedules: %llu explored, %llu by chance, %llu violations, %.0f explored per second\n",
                    count(explored),
                    count(total_ - explored),
                    count(failures_),
                    static_cast<double>(explored) / exploring);
        return failures_ == 0;
    }

    bool replay(std::string_view text)
    {
        if (text.substr(0, by_chance.size()) == by_chance) {
            std::uint64_t seed = 0;
            auto const digits = text.substr(by_chance.size());
            std::from_chars(digits.data(), digits.data() + digits.size(), seed);
            play_seed(seed);
        } else {
            auto const slash = std::min(text.rfind('/'), text.size());
            auto const plan = pair_from(text.substr(0, slash));
            auto const path = path_from(slash == text.size() ? "-" : text.substr(slash + 1));
            if (!plan || !path) {
                (void)std::fprintf(stderr,
                                   "schedules: not a schedule: %.*s; say random:SEED or SCRIPT+SCRIPT/PATH\n",
                                   static_cast<int>(text.size()),
                                   text.data());
                return false;
            }
            Replay strategy{*path};
            play(pair_scheduler_, *plan, strategy, std::string{text});
            if (!strategy.was_followed())
                std::printf("the story has no such choices any more\n");
        }
        std::printf("replayed: %llu violations\n", count(failures_));
        return failures_ == 0;
    }

private:
    static unsigned long long count(std::uint64_t number) { return number; }

    void play(Scheduler& scheduler, Plan const& plan, Strategy& strategy, std::string const& name)
    {
        ++total_;
        auto const again = "./check --schedules --replay '" + name + "'";
        World world{plan};
        auto const outcome = scheduler.run(world.machine(), strategy, world.bodies(), again);
        auto const wrong = world.verdict(outcome);
        if (wrong.empty())
            return;
        ++failures_;
        std::printf("VIOLATION in %s\n%s%s\n", text_of(plan).c_str(), wrong.c_str(), again.c_str());
    }

    void play_round(Round round, Clock::time_point end)
    {
        auto const begun = total_;
        auto const start = Clock::now();
        auto const pairs = pairs_of(round.operations);
        std::size_t done = 0;
        for (auto const& plan : pairs) {
            auto const before = total_;
            Exploration exploration{round.preemptions};
            while (failures_ == 0 && Clock::now() < end && exploration.next()) {
                play(pair_scheduler_, plan, exploration, text_of(plan) + "/" + text_of(exploration.path()));
                say_progress(round, done, pairs.size());
            }
            if (failures_ != 0 || Clock::now() >= end)
                break;
            ++done;
            if (report_ != nullptr)
                (void)std::fprintf(
                    report_, "%s %u %llu\n", text_of(plan).c_str(), round.preemptions, count(total_ - before));
        }
        std::printf("%u operations, %u preemptions: %zu of %zu pairs of scripts, %llu schedules, %.0f s\n",
                    round.operations,
                    round.preemptions,
                    done,
                    pairs.size(),
                    count(total_ - begun),
                    seconds_since(start));
        (void)std::fflush(stdout);
    }

    void play_seed(std::uint64_t seed)
    {
        RandomPriorities strategy{seed, change_points};
        play(
            crowd_scheduler_, random_plan(seed, vms, vcpus), strategy, std::string{by_chance} + std::to_string(seed));
    }

    void play_by_chance()
    {
        auto const start = Clock::now();
        for (std::uint64_t n = 0; n < options_.random && failures_ == 0; ++n)
            play_seed(options_.seed + n);
        std::printf("%u VMs with %u vCPUs: %llu schedules by chance from seed %llu on, %.0f per second\n",
                    vms,
                    vcpus,
                    count(options_.random),
                    count(options_.seed),
                    static_cast<double>(options_.random) / seconds_since(start));
    }

    void say_progress(Round round, std::size_t done, std::size_t pairs)
    {
        if (Clock::now() - last_line_ < between_lines)
            return;
        last_line_ = Clock::now();
        (void)std::fprintf(stderr,
                           "%.0f s: %llu schedules; %u operations, %u preemptions: pair %zu of %zu\n",
                           seconds_since(start_),
                           count(total_),
                           round.operations,
                           round.preemptions,
                           done + 1,
                           pairs);
    }

    Options options_;
    Clock::time_point start_ = Clock::now();
    Clock::time_point last_line_ = start_;
    Scheduler pair_scheduler_{2};
    Scheduler crowd_scheduler_{vms * vcpus};
    std::FILE* report_ = nullptr;
    std::uint64_t total_ = 0;
    std::uint64_t failures_ = 0;
};

/// As tools/schedules gives them: name and value, in turns.
Options options_from(int argc, char** argv)
{
    Options options;
    std::map<std::string_view, std::uint64_t*> const numbers{
        {"--seconds", &options.seconds}, {"--random", &options.random}, {"--seed", &options.seed}};
    for (int n = 1; n + 1 < argc; n += 2) {
        std::string_view const name = argv[n];
        std::string_view const value = argv[n + 1];
        if (auto const number = numbers.find(name); number != numbers.end())
            std::from_chars(value.data(), value.data() + value.size(), *number->second);
        else if (name == "--report")
            options.report = value;
        else if (name == "--replay")
            options.replay = value;
    }
    return options;
}

} // namespace
} // namespace sim::schedule

int main(int argc, char** argv)
{
    auto const options = sim::schedule::options_from(argc, argv);
    sim::schedule::Campaign campaign{options};
    return (options.replay.empty() ? campaign.run() : campaign.replay(options.replay)) ? 0 : 1;
}
