// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include <optee_mediator/mediator.h>

#include <array>
#include <atomic>
#include <cstdint>

namespace optee {

/// Kinds of events; the names that a hypervisor prints are in trace.cpp.
enum class Event : std::uint32_t {
    call_begins,    ///< detail: the command
    call_ends,      ///< detail: a0 in the high half, the message's result in the low one
    call_refused,   ///< detail: a0 in the high half, the message's result in the low one
    request,        ///< the guest is asked to carry out an RPC command; detail: the command
    suspended,      ///< the guest is asked for something else; detail: a0
    resumed,        ///< detail: none
    request_failed, ///< an RPC was answered by the mediator; detail: none
    answer_refused, ///< the guest's answer did not reach OP-TEE; detail: none
    anomaly,        ///< OP-TEE did what it should not; detail: the a0 concerned
    quarantined,    ///< detail: the a0 that caused it
    fast_call,      ///< detail: function id
    vm_created,     ///< detail: client id
    vm_destroyed,   ///< detail: client id

    end
};

char const* event_name(Event event);

/// The newest events of one VM. Any number of CPUs write and read at once, none waits for another.
class Trace {
public:
    static constexpr std::uint32_t capacity = 64;

    void record(Event what, std::uint32_t call, std::uint64_t detail);
    /// Copies up to `room` of the newest events, oldest first, without those that are just being written.
    std::uint32_t copy(optee_mediator_event* events, std::uint32_t room) const;

private:
    struct Entry {
        std::atomic<std::uint32_t> ticket{0}; ///< one more than the event's number; 0 while it is written
        std::atomic<std::uint32_t> what{0};
        std::atomic<std::uint32_t> call{0};
        std::atomic<std::uint64_t> counter{0};
        std::atomic<std::uint64_t> detail{0};
    };

    std::atomic<std::uint32_t> next_{0};
    std::array<Entry, capacity> ring_{};
    static_assert((capacity & (capacity - 1)) == 0, "event numbers wrap around at 2^32");
};

} // namespace optee
