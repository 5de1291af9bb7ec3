// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include "vm.hpp"

namespace optee {

/// From the function id to the handler. False when the id belongs to another service than the trusted OS.
bool dispatch(Vm& vm, optee_smc_frame& frame);

} // namespace optee
