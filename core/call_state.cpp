// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "call_state.hpp"

#include "base/invariant.hpp"

namespace optee {

void AtomicCallState::move(CallState to)
{
    auto const before = word_.load(std::memory_order_relaxed);
    if (!is_step(before, to))
        invariant_broken("I6: a call makes a step that does not exist");
    word_.store(word_of(to, before >> state_bits), std::memory_order_release);
}

void AtomicCallState::suspend()
{
    auto const before = word_.load(std::memory_order_relaxed);
    if (!is_step(before, CallState::waiting_for_rpc))
        invariant_broken("I6: a call waits for an answer where there is no question");
    word_.store(word_of(CallState::waiting_for_rpc, next_generation()), std::memory_order_release);
}

bool AtomicCallState::claim(std::uint32_t generation)
{
    auto expected = word_of(CallState::waiting_for_rpc, generation);
    return word_.compare_exchange_strong(
        expected, word_of(CallState::resuming, generation), std::memory_order_acquire, std::memory_order_relaxed);
}

} // namespace optee
