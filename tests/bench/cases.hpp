// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// What is measured: each case sets a stage once, and then does the same thing again and again.

#include "tests/bench/guest.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace bench {

/// The machine and the guests of one case, and what is done in it.
struct Stage {
    std::unique_ptr<NullMachine> machine{};
    std::vector<std::unique_ptr<Guest>> guests{};
    std::function<void(std::uint64_t thread)> again{};

    std::uint64_t take_entries();
};

struct Case {
    std::string curve;         ///< what grows, or "call"
    std::string name;          ///< what is done
    std::uint64_t x = 0;       ///< how much of it there is
    bool with_threads = false; ///< x is how many threads do it at once
    std::function<bool(Subject const&)> fits;
    std::function<std::unique_ptr<Stage>(Subject const&)> make;

    /// The case on a mediator, as "curve/name/x/mediator".
    std::string title(Subject const&) const;
};

/// `large`: also those that valgrind would take minutes for.
std::vector<Case> cases(bool large);

/// Bytes that a mediator holds of the machine: for an idle VM, a call, a buffer, a page.
struct Memory {
    double vm, call, buffer, page;
};
Memory memory_of(Subject const&);

} // namespace bench
