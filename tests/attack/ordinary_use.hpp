// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// What guests do that attack nobody. A mediator through which they get their work done stands on the simulator as on a
// board, and only then does an attack say something about it.

#include "tests/scenario/scenario.hpp"

#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace sim::attack {

/// A driver that has found OP-TEE opens sessions, shares memory of each kind, serves each RPC, and takes all back.
/// Returns the step that did not succeed; empty when all did.
std::string use_as_linux_does(LinuxGuest&);

/// Drivers that let OP-TEE ask for the argument of its RPCs: anew for each call, or once for each thread.
inline constexpr LinuxGuest::Options ordinary_drivers[] = {scenario::plain_driver, scenario::caching_driver};

/// What a VM leaves that is ended from outside, as by `xl destroy`: a session, registered memory, a call that waits.
void stop_in_the_middle(LinuxGuest&);

/// Breach of a rule, and in which words the simulator reports it.
using Habit = std::pair<Invariant, std::string>;

/// How the mediator under test breaks rules while nobody attacks it. That would tell the same of every attack, so it
/// counts only where an attack's required outcome names the rule.
std::set<Habit> const& habits();

/// True: the text has the name of the rule as a word, "I1" but not "I15".
bool names(std::string_view text, Invariant);

} // namespace sim::attack
