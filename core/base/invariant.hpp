// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include <optee_mediator/port.h>

namespace optee {

/// The mediator's own reasoning is wrong: nothing that a guest or OP-TEE does may lead here. Going on could hand a page
/// to two owners, so the CPU stops, as a hypervisor does on a failed assertion.
[[noreturn]] inline void invariant_broken(char const* sentence)
{
    optee_port_log(OPTEE_LOG_ERROR, sentence, 0);
    __builtin_trap();
}

} // namespace optee
