// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// The automaton of a call (docs/lifecycles.md), for all steps that a byte can name.

#include "call_state.hpp"
#include "claims.hpp"

namespace optee {
namespace {

using enum CallState;

bool step(std::uint8_t from, std::uint8_t to)
{
    return allowed(static_cast<CallState>(from), static_cast<CallState>(to));
}

bool is(std::uint8_t state, CallState other)
{
    return static_cast<CallState>(state) == other;
}

} // namespace

CLAIM(only_states_have_steps, std::uint8_t from, std::uint8_t to)
{
    auto const last = static_cast<std::uint8_t>(quarantined);
    return !step(from, to) || (from <= last && to <= last);
}

CLAIM(call_begins_once, std::uint8_t from, std::uint8_t to)
{
    return !step(from, to) || is(from, free) == is(to, preparing);
}

CLAIM(call_ends_by_giving_its_pages_back, std::uint8_t from, std::uint8_t to)
{
    return !step(from, to) || !is(to, free) || is(from, completing);
}

CLAIM(suspended_call_is_only_resumed, std::uint8_t to)
{
    return step(static_cast<std::uint8_t>(waiting_for_rpc), to) == is(to, resuming);
}

CLAIM(quarantine_has_no_way_out, std::uint8_t to)
{
    return !step(static_cast<std::uint8_t>(quarantined), to);
}

CLAIM(only_what_was_in_optee_is_quarantined, std::uint8_t from, std::uint8_t to)
{
    return !step(from, to) || !is(to, quarantined) || is(from, in_tee) || is(from, resuming);
}

CLAIM(no_state_follows_itself, std::uint8_t state)
{
    return !step(state, state);
}

CLAIM(pages_that_go_back_stay_away_from_optee, std::uint8_t to)
{
    return !step(static_cast<std::uint8_t>(completing), to) || is(to, free) || is(to, waiting_for_rpc);
}

FALSE_CLAIM(call_has_one_way, std::uint8_t from, std::uint8_t to, std::uint8_t other)
{
    return !step(from, to) || !step(from, other) || to == other;
}

} // namespace optee
