// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace optee {

/// What is counted for each VM. The names that a hypervisor prints are in statistics.cpp, in the same order.
enum class Counter : std::uint32_t {
    // Entries, by what the guest asked for.
    fast_calls,
    unknown_calls,
    open_session,
    invoke_command,
    close_session,
    cancel,
    register_shm,
    unregister_shm,
    with_rpc_arg,  ///< of those six, with room for RPCs behind the message,
    with_regd_arg, ///< and with message and room in registered memory
    resumes,
    // What the guest was asked for.
    rpc_alloc,
    rpc_free,
    rpc_command,
    rpc_shm_alloc,
    rpc_shm_free,
    foreign_interrupts,
    foreign_interrupts_over_bound, ///< of those, though perhaps nothing was pending: one entry had enough of them
    foreign_interrupts_resumed_in_place,
    preemptions,
    // What was refused, by the answer.
    thread_limit,
    bad_address,
    bad_command,
    not_available, ///< all threads are in quarantine
    resume_failed,
    bad_parameters,
    out_of_memory,
    buffer_busy,
    ta_refused,
    over_quota, ///< buffers or pages, for a call (then out_of_memory, too) or in an answer (answers_refused, too)
    answers_refused,
    requests_failed,
    // What OP-TEE should not have done.
    tee_anomalies,
    calls_quarantined,
    // The end of the VM: suspended calls that were led to their end before OP-TEE was told.
    calls_drained,
    // The secure world.
    smcs,
    secure_world_ticks,
    // What is held at this moment; zero after the VM's destruction.
    calls_live,
    buffers_live,
    pages_live,
    arguments_live,
    mediator_pages,

    end
};

inline constexpr std::uint32_t counter_count = static_cast<std::uint32_t>(Counter::end);

char const* counter_name(Counter counter);

/// Counters of one VM. Read and written from any CPU; each is exact, two of them need not be of the same moment.
class Statistics {
public:
    void add(Counter counter, std::uint64_t amount = 1);
    void subtract(Counter counter, std::uint64_t amount = 1);
    /// Adds unless the sum would be above the limit: a quota is never exceeded, not even for a moment.
    [[nodiscard]] bool add_within(Counter counter, std::uint64_t amount, std::uint64_t limit)
    {
        auto& value = at(counter);
        auto before = value.load(std::memory_order_relaxed);
        do {
            if (amount > limit || before > limit - amount)
                return false;
            // not covered: a race: another vCPU between the two
        } while (!value.compare_exchange_weak(before, before + amount, std::memory_order_relaxed));
        return true;
    }
    std::uint64_t value(Counter counter) const
    {
        return values_[static_cast<std::uint32_t>(counter)].load(std::memory_order_relaxed);
    }

private:
    std::atomic<std::uint64_t>& at(Counter counter) { return values_[static_cast<std::uint32_t>(counter)]; }

    std::array<std::atomic<std::uint64_t>, counter_count> values_{};
};

} // namespace optee
