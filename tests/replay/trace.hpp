// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// A trace of the real stack (./run --trace): what passed between the mediator and OP-TEE on behalf of one guest.
//
//     304 call with_arg cmd=0 func=0 session=0 cancel=0 p=0x101,0x...,0x...,0 p=0x101
//     305 of 304 asks alloc thread=0 size=0xa0
//     306 back thread=0 argument=m2
//     307 of 306 asks cmd thread=0 argument=m2 cmd=6 p=0x1,0,0x1000,0x8
//
// ports/xen/README.md says what is in a line. m1, m2, ... stand for the names that the guest gave to its buffers.

#include <cstdint>
#include <iosfwd>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace sim::replay {

/// Something in a trace that is not as it should be, with its line.
class BadTrace : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct Param {
    std::uint64_t attr = 0;
    bool is_null = false;   ///< a TMEM without a buffer
    bool has_words = false; ///< values of a call are not recorded
    std::uint64_t a = 0;    ///< of memory: offset
    std::uint64_t b = 0;    ///< of memory: size
    std::uint64_t c = 0;
    std::string name; ///< of memory, or of what a value says

    bool is_memory() const;
};

enum class EventKind : std::uint8_t { call, back, fast, asks_alloc, asks_free, asks_command, ends };

struct Event {
    std::uint64_t number = 0;
    std::uint64_t of = 0; ///< the SMC that this is the answer to
    EventKind kind{};
    bool with_rpc_argument = false;
    std::vector<Param> params;

    bool is_smc() const { return kind == EventKind::call || kind == EventKind::back || kind == EventKind::fast; }
    bool has(std::string const& field) const { return fields.count(field) != 0; }
    std::uint64_t number_of(std::string const& field) const; ///< throws BadTrace when it is not there
    std::string const& text_of(std::string const& field) const;

    std::map<std::string, std::string> fields;
};

struct Trace {
    std::string title; ///< what the head says that it was recorded on
    std::vector<Event> events;
};

/// Throws BadTrace; also when a number is missing, since what follows then means something else.
Trace read_trace(std::istream&);

} // namespace sim::replay
