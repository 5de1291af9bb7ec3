// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// ./bench --host builds and starts this: once for times, and once under valgrind for instructions.

#include "tests/bench/cases.hpp"

#include <benchmark/benchmark.h>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <valgrind/callgrind.h>

namespace {

using namespace bench;

constexpr std::uint64_t repeated_under_valgrind = 16;

std::vector<Subject const*> subjects()
{
    return {&ours(), &upstream()};
}

Work difference(Work const& after, Work const& before)
{
    return {.look_ups = after.look_ups - before.look_ups,
            .pages_pinned = after.pages_pinned - before.pages_pinned,
            .bytes_copied = after.bytes_copied - before.bytes_copied,
            .pages_allocated = after.pages_allocated - before.pages_allocated,
            .blocks_allocated = after.blocks_allocated - before.blocks_allocated,
            .locks = after.locks - before.locks,
            .smcs = after.smcs - before.smcs};
}

// What was asked of the machine, for each time that the thing was done.
void report(benchmark::State& state, Work const& asked)
{
    auto const each = [&](std::uint64_t sum) {
        return benchmark::Counter(static_cast<double>(sum), benchmark::Counter::kAvgIterations);
    };
    state.counters["look_ups"] = each(asked.look_ups);
    state.counters["pages_pinned"] = each(asked.pages_pinned);
    state.counters["bytes_copied"] = each(asked.bytes_copied);
    state.counters["pages_allocated"] = each(asked.pages_allocated);
    state.counters["blocks_allocated"] = each(asked.blocks_allocated);
    state.counters["locks"] = each(asked.locks);
    state.counters["smcs"] = each(asked.smcs);
}

void run(benchmark::State& state, Case const& which, Subject const& subject)
{
    static std::unique_ptr<Stage> stage; // of all threads of this case
    if (state.thread_index() == 0) {
        stage.reset(); // one machine at a time
        stage = which.make(subject);
        stage->again(0);
        stage->take_entries();
    }
    auto const thread = static_cast<std::uint64_t>(state.thread_index());
    auto before = work;
    for (auto _ : state) // the first step waits for all threads
        stage->again(thread);
    if (which.with_threads) {
        state.SetItemsProcessed(state.iterations());
    } else {
        report(state, difference(work, before));
        state.counters["entries"] =
            benchmark::Counter(static_cast<double>(stage->take_entries()), benchmark::Counter::kAvgIterations);
    }
}

void measure_times()
{
    for (auto const& which : cases(true)) {
        for (auto const* const subject : subjects()) {
            if (!which.fits(*subject))
                continue;
            auto* const one = benchmark::RegisterBenchmark(
                which.title(*subject).c_str(),
                [which, subject](benchmark::State& state) { run(state, which, *subject); });
            if (which.with_threads)
                one->Threads(static_cast<int>(which.x))->UseRealTime();
        }
    }
    benchmark::RunSpecifiedBenchmarks();
}

// Each dump of valgrind's is named after its case; between the dumps it counts what the mediator itself executes.
void count_instructions()
{
    for (auto const& which : cases(false)) {
        for (auto const* const subject : subjects()) {
            if (!which.fits(*subject))
                continue;
            auto const title = which.title(*subject); // valgrind reads it after the expression with it has ended
            auto const stage = which.make(*subject);
            stage->again(0);
            CALLGRIND_ZERO_STATS;
            for (std::uint64_t n = 0; n < repeated_under_valgrind; ++n)
                stage->again(0);
            CALLGRIND_DUMP_STATS_AT(title.c_str());
        }
    }
    std::printf("%llu\n", static_cast<unsigned long long>(repeated_under_valgrind));
}

void print_memory()
{
    for (auto const* const subject : subjects()) {
        auto const memory = memory_of(*subject);
        std::printf("%s vm=%.0f call=%.0f buffer=%.1f page=%.2f\n",
                    std::string{subject->name}.c_str(),
                    memory.vm,
                    memory.call,
                    memory.buffer,
                    memory.page);
    }
}

} // namespace

int main(int argc, char** argv)
{
    if (argc == 2 && std::string_view{argv[1]} == "--instructions") {
        count_instructions();
        return EXIT_SUCCESS;
    }
    if (argc == 2 && std::string_view{argv[1]} == "--memory") {
        print_memory();
        return EXIT_SUCCESS;
    }
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return EXIT_FAILURE;
    measure_times();
    return EXIT_SUCCESS;
}
