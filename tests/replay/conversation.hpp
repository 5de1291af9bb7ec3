// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// One yielding call in a trace, from its first SMC to its last answer, and what of it the model is told.

#include "sim/optee/performance.hpp"
#include "tests/replay/trace.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sim::replay {

struct Exchange {
    Event const* smc = nullptr;
    Event const* answer = nullptr; ///< nullptr: the trace ends before
};

struct Conversation {
    std::vector<Exchange> exchanges;

    Event const& call() const { return *exchanges.front().smc; }
    bool ended() const;
    /// What the guest answered to the request of this exchange; nullptr: the trace ends before.
    Event const* answer_of_guest(std::size_t exchange) const;
};

/// Which conversation an SMC belongs to, by the number of its event. Throws BadTrace.
std::map<std::uint64_t, std::shared_ptr<Conversation>> conversations_of(Trace const&);

/// What the application asked for by itself. Left out is what OP-TEE's kernel does about it: arguments, payloads of the
/// file system and of sockets, the second half of a load.
tee::Performance performance_of(Conversation const&);

/// True for a request that performance_of() hands to the model: then only how it is made is a prediction.
bool is_given(Event const& request);

} // namespace sim::replay
