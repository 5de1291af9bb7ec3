// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "trace.hpp"

#include <optee_mediator/port.h>

namespace optee {

char const* event_name(Event event)
{
    switch (event) {
    case Event::call_begins:    return "call_begins";
    case Event::call_ends:      return "call_ends";
    case Event::call_refused:   return "call_refused";
    case Event::request:        return "request";
    case Event::suspended:      return "suspended";
    case Event::resumed:        return "resumed";
    case Event::request_failed: return "request_failed";
    case Event::answer_refused: return "answer_refused";
    case Event::anomaly:        return "anomaly";
    case Event::quarantined:    return "quarantined";
    case Event::fast_call:      return "fast_call";
    case Event::vm_created:     return "vm_created";
    case Event::vm_destroyed:   return "vm_destroyed";
    case Event::end:            return nullptr;
    }
    return nullptr;
}

void Trace::record(Event what, std::uint32_t call, std::uint64_t detail)
{
    auto const number = next_.fetch_add(1, std::memory_order_relaxed);
    auto& entry = ring_[number % capacity];
    // A CPU that was passed by all the others on the way round still writes here: this event is lost, not both.
    // not covered: a race: 64 events of other CPUs in the middle of this one
    if (entry.ticket.exchange(0, std::memory_order_acq_rel) == 0 && number >= capacity)
        return;
    // Release: whoever sees a new field sees that the ticket is gone.
    entry.counter.store(optee_port_counter(), std::memory_order_release);
    entry.what.store(static_cast<std::uint32_t>(what), std::memory_order_release);
    entry.call.store(call, std::memory_order_release);
    entry.detail.store(detail, std::memory_order_release);
    entry.ticket.store(number + 1, std::memory_order_release);
}

std::uint32_t Trace::copy(optee_mediator_event* events, std::uint32_t room) const
{
    auto const end = next_.load(std::memory_order_acquire);
    auto const wanted = room < capacity ? room : capacity;
    auto const first = end < wanted ? 0 : end - wanted;
    std::uint32_t copied = 0;
    for (auto number = first; number != end; ++number) {
        auto const& entry = ring_[number % capacity];
        auto const before = entry.ticket.load(std::memory_order_acquire);
        optee_mediator_event const event{.counter = entry.counter.load(std::memory_order_acquire),
                                         .what = entry.what.load(std::memory_order_acquire),
                                         .call = entry.call.load(std::memory_order_acquire),
                                         .detail = entry.detail.load(std::memory_order_acquire)};
        // The ticket again, after the fields: another CPU may have begun to write over them meanwhile.
        // not covered: a race: that it has
        if (before == number + 1 && entry.ticket.load(std::memory_order_relaxed) == before)
            events[copied++] = event;
    }
    return copied;
}

} // namespace optee
