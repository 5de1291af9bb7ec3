// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// What is checked when an entry of a guest has ended. What can be seen as it happens is checked there: in
// sim/machine/entry.cpp (the mediator's own steps) and sim/optee (what OP-TEE is given).

#include "sim/machine/vm.hpp"

namespace sim {

/// I7, and I1 for registers.
void check_registers(Machine&, Registers const& before, Answer const&);

/// I5: the mediator's counters `buffers_live`, `pages_live`, `calls_live` against the policy. A counter that the
/// mediator does not have is not checked.
void check_quota(Vm&);

/// While no other entry of the VM is under way: I5, `mediator_pages` against what the machine handed out; I4, where
/// the test says how many pins there should be.
void check_balance(Vm&);

} // namespace sim
