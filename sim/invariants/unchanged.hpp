// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// I16: what a VM has, and that it has the same after something that failed.

#include <cstdint>
#include <iosfwd>
#include <string>

namespace sim {

class Vm;

/// All that a call can take and must give back. Counters of events are not in it: a failure may be counted.
struct Possessions {
    std::uint64_t pins = 0;
    std::uint64_t mediator_pages = 0;
    std::uint64_t calls = 0;
    std::uint64_t buffers = 0;
    std::uint64_t pages = 0;
    std::uint64_t arguments = 0;
    std::uint64_t names_at_optee = 0; ///< buffers that OP-TEE keeps
    std::uint64_t busy_threads = 0;

    static Possessions of(Vm&);

    /// Of all but mediator_pages: an empty page of records may be kept for the next one.
    friend bool operator==(Possessions const&, Possessions const&);
};
std::ostream& operator<<(std::ostream&, Possessions const&);

/// `what` failed, so the VM has what it had `before`, and at most that empty page more.
void check_unchanged(Vm&, Possessions const& before, std::string const& what);

} // namespace sim
