// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// tools/replay builds and starts this: replay TRACE...

#include "tests/replay/replay.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>

namespace {

/// False: the trace and the model differ.
bool play(char const* path)
{
    std::ifstream file{path};
    if (!file)
        throw sim::replay::BadTrace{"cannot be read"};
    auto const trace = sim::replay::read_trace(file);
    auto const report = sim::replay::replay(trace);
    (void)std::printf("%s (%s)\n%s", path, trace.title.c_str(), report.text().c_str());
    return report.agrees();
}

} // namespace

int main(int argc, char** argv)
{
    bool agrees = true;
    for (int n = 1; n < argc; ++n) {
        try {
            agrees = play(argv[n]) && agrees;
        } catch (std::exception const& problem) {
            (void)std::fprintf(stderr, "%s: %s\n", argv[n], problem.what());
            return 2;
        }
    }
    return agrees ? EXIT_SUCCESS : EXIT_FAILURE;
}
