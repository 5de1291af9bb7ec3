// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include "vm_context.hpp"

#include <atomic>
#include <cstdint>

namespace optee {

/// Where a yielding call is. docs/lifecycles.md holds the same table, and a check compares the two.
enum class CallState : std::uint8_t {
    free,            ///< nobody's
    preparing,       ///< a vCPU checks and translates the message
    in_tee,          ///< a vCPU is in OP-TEE with it
    waiting_for_rpc, ///< no vCPU has it: the guest is to come back with RETURN_FROM_RPC
    resuming,        ///< a vCPU came back with it
    completing,      ///< OP-TEE is through, or never began: pages and results go back
    quarantined,     ///< OP-TEE may still use its pages, until the VM is gone
};

constexpr bool allowed(CallState from, CallState to)
{
    using enum CallState;
    switch (from) {
    case free:            return to == preparing;
    case preparing:       return to == in_tee || to == waiting_for_rpc || to == completing;
    case in_tee:          return to == resuming || to == waiting_for_rpc || to == completing || to == quarantined;
    case waiting_for_rpc: return to == resuming;
    case resuming:        return to == in_tee || to == waiting_for_rpc || to == completing || to == quarantined;
    case completing:      return to == waiting_for_rpc || to == free;
    case quarantined:     return false;
    }
    return false; // not covered: there are no other states
}

/// The same as a number, for one look instead of a decision at each step: bit `to` of the byte `from`.
inline constexpr unsigned bits_from_each = 8;
inline constexpr std::uint64_t call_steps = [] {
    constexpr auto states = static_cast<unsigned>(CallState::quarantined) + 1;
    static_assert(states <= bits_from_each && states * bits_from_each <= 64);
    std::uint64_t steps = 0;
    for (unsigned from = 0; from != states; ++from) {
        for (unsigned to = 0; to != states; ++to) {
            if (allowed(CallState{static_cast<std::uint8_t>(from)}, CallState{static_cast<std::uint8_t>(to)}))
                steps |= std::uint64_t{1} << (from * bits_from_each + to);
        }
    }
    return steps;
}();

/// What the guest holds instead of OP-TEE's thread id: a slot, and how often calls in it were suspended. So a handle is
/// good for one answer to one RPC, and a stale one is recognised.
class CallHandle {
public:
    static constexpr unsigned slot_bits = 8;
    static constexpr std::uint32_t generation_mask = ~0U >> slot_bits;

    constexpr CallHandle(std::uint32_t slot, std::uint32_t generation) : raw_{(generation << slot_bits) | slot} {}
    /// SMC32: what stands above the low half of the register does not count.
    static constexpr CallHandle from_guest(std::uint64_t reg) { return CallHandle{static_cast<std::uint32_t>(reg)}; }

    constexpr std::uint32_t slot() const { return raw_ & (max_threads - 1); }
    constexpr std::uint32_t generation() const { return raw_ >> slot_bits; }
    constexpr std::uint32_t raw() const { return raw_; }

private:
    explicit constexpr CallHandle(std::uint32_t raw) : raw_{raw} {}
    std::uint32_t raw_;
};
static_assert(max_threads == 1U << CallHandle::slot_bits);

/// State and generation of a call in one word, so that of the vCPUs that race to answer an RPC exactly one wins.
class AtomicCallState {
public:
    CallState state() const { return state_of(word_.load(std::memory_order_acquire)); }
    std::uint32_t generation() const { return word_.load(std::memory_order_relaxed) >> state_bits; }

    /// A step of the vCPU that has the call.
    void move(CallState to);
    /// Generation of the suspension to come; the call is still ours, so the guest can be told before it may answer.
    std::uint32_t next_generation() const { return (generation() + 1) & CallHandle::generation_mask; }
    /// The last step of the vCPU that has the call: from now on any vCPU may answer.
    void suspend();
    /// True for exactly one of the vCPUs that come back with this generation.
    [[nodiscard]] bool claim(std::uint32_t generation);

private:
    static constexpr unsigned state_bits = CallHandle::slot_bits;
    static constexpr std::uint32_t state_mask = (1U << state_bits) - 1;

    static bool is_step(std::uint32_t word, CallState to)
    {
        return (call_steps >> ((word & state_mask) * bits_from_each + static_cast<unsigned>(to)) & 1U) != 0;
    }
    static CallState state_of(std::uint32_t word) { return static_cast<CallState>(word & state_mask); }
    static constexpr std::uint32_t word_of(CallState state, std::uint32_t generation)
    {
        return (generation << state_bits) | static_cast<std::uint32_t>(state);
    }

    std::atomic<std::uint32_t> word_{0};
};

} // namespace optee
