// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// What libFuzzer calls. tools/fuzz builds the program, with the preset `fuzz`, and runs it.

#include "tests/fuzz/player.hpp"

#include <cstdio>
#include <cstdlib>

namespace {

std::uint64_t steps = 0;

void print_steps()
{
    std::fprintf(stderr, "steps: %llu\n", static_cast<unsigned long long>(steps));
}

} // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***)
{
    return std::atexit(print_steps);
}

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t bytes)
{
    auto const outcome = sim::fuzz::play({data, bytes});
    steps += outcome.steps;
    if (!outcome.broken.empty()) {
        std::fprintf(stderr, "broken:\n%s\n", outcome.broken.c_str());
        print_steps(); // abort() does not come to what atexit() has
        std::abort();
    }
    return 0;
}
