// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// Answers of OP-TEE, recorded or of the model, in the same words.

#include "sim/linux/call.hpp"
#include "tests/replay/trace.hpp"

#include <map>
#include <string>

namespace sim::replay {

/// The guest's buffers: what the trace calls them, and which they are in the simulator.
class Names {
public:
    void give(std::string const& name, Shm const& memory);
    Shm take_back(std::string const& name); ///< nullptr: there is none
    Shm find(std::string const& name) const;
    std::string of(std::uint64_t cookie) const; ///< "0" for none; a name that no trace has for an unknown one

private:
    std::map<std::string, Shm> memory_;
};

/// What an answer says, without the thread and the session.
std::string words_of(Event const& answer);
std::string words_of(Call const&, Names const&);

} // namespace sim::replay
