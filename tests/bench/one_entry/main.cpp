// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// For tools/core_instructions, which runs this instruction by instruction: lists the cases that are calls, or does one of
// them, once to warm up and once between two marks. What the mediator itself executes between them is what the case costs.

#include "tests/bench/cases.hpp"

#include <cstdio>
#include <cstdlib>
#include <string_view>

extern "C" [[gnu::noinline]] void measured_mark()
{
    asm volatile("" ::: "memory");
}

int main(int argc, char** argv)
{
    for (auto const& which : bench::cases(false)) {
        if (which.curve != "call")
            continue;
        if (argc < 2) {
            std::puts(which.name.c_str());
            continue;
        }
        if (which.name != std::string_view{argv[1]})
            continue;
        auto const stage = which.make(bench::ours());
        stage->again(0);
        measured_mark();
        stage->again(0);
        measured_mark();
        return EXIT_SUCCESS;
    }
    return argc < 2 ? EXIT_SUCCESS : EXIT_FAILURE;
}
