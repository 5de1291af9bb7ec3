// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// What a guest can tell of its yielding calls: which wait for it, under which handle. Knows no mediator.

#include "sim/invariants/unchanged.hpp"

#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <set>

namespace sim {

class Vm;
struct Answer;

/// Entries of several vCPUs come and go at once, so two may come with one handle, or with one that is just given out.
class OpenCalls {
public:
    /// An entry of one vCPU, from its registers to its answer.
    struct Visit {
        std::uint32_t function = 0;
        bool begins_call = false;
        std::optional<std::uint32_t> handle{}; ///< of a RETURN_FROM_RPC
        bool was_waiting = false;              ///< a call waited under the handle
        bool is_contested = false;             ///< another vCPU came with it meanwhile
        std::uint32_t limit = 0;               ///< of calls at once
        std::uint64_t lost = 0;                ///< calls in quarantine when it began
        std::uint32_t others = 0;              ///< calls besides this one, at most, while it was inside
        std::optional<Possessions> held{};     ///< what the VM had, if no other entry was under way
    };
    using Ticket = std::list<Visit>::iterator;

    void begin_anew(); ///< a VM is created

    Ticket enter(Vm&, std::uint64_t a0, std::uint64_t a3, bool is_alone);
    /// I6: an answer is taken only from a handle that waits, once. I16: an entry that comes to nothing leaves nothing.
    /// I17: a call is turned away for want of threads only while all that the VM may have are busy and one may end,
    /// and a handle that was given out is not refused. What OP-TEE itself answered is not judged.
    /// `was_alone`: so far; asked again after figures were read.
    void leave(Vm&, Ticket, Answer const&, std::function<bool()> const& was_alone);

    std::uint32_t calls() const;

private:
    void note_handles(Vm&, Visit const&, Answer const&);
    void note_end(Visit const&, Answer const&);
    void check_progress(Vm&, Visit const&, Answer const&) const;

    mutable std::mutex mutex_;
    std::list<Visit> visits_;
    std::set<std::uint32_t> waiting_;     ///< handles that the guest was given and nobody came back with
    std::set<std::uint32_t> unexplained_; ///< taken, but perhaps about to be given out by an entry under way
    std::uint32_t calls_ = 0;             ///< begun and not ended; one too many rather than one too few
};

/// I17: when a fair guest and a fair OP-TEE have nothing left to do, no call is under way.
void check_all_complete(Vm&);

} // namespace sim
