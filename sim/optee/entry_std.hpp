// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// A yielding call from its first SMC to its last: thread_optee_smc.c and entry_std.c of OP-TEE.

#include "sim/optee/partition.hpp"

namespace sim::tee {

/// The thread's whole life for one call; its result is a0.
Task<std::uint32_t> entry_std(Partition&, Thread&, optee_smc_frame frame);

} // namespace sim::tee
