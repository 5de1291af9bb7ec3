// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// Plays the guest's side of a trace against the core and the model of OP-TEE, and holds each answer against the one that
// was recorded. README.md says what is a prediction of the model, and what it is told.

#include "tests/replay/trace.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace sim::replay {

struct Report {
    std::uint64_t events = 0;
    std::uint64_t calls = 0;
    std::uint64_t requests = 0;       ///< RPCs in the trace
    std::uint64_t predicted = 0;      ///< answers that the model came to by itself: as recorded
    std::uint64_t given = 0;          ///< answers whose cause was given to the model: made as recorded
    std::uint64_t not_compared = 0;   ///< of those: a thread or a session that two CPUs raced for
    std::uint64_t not_comparable = 0; ///< answers after a difference, or about what the trace does not tell
    std::vector<std::string> differences;
    std::vector<std::string> violations; ///< of the invariants, while it was played

    bool agrees() const { return differences.empty() && violations.empty() && not_comparable == 0; }
    std::string text() const;
};

/// Throws BadTrace.
Report replay(Trace const&);

} // namespace sim::replay
