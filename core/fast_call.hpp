// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include "vm.hpp"

namespace optee {

/// Calls that need no thread of OP-TEE. Each writes the registers that the ABI gives to its answer, and no other.
void calls_uid(Vm& vm, optee_smc_frame& frame);
void calls_revision(Vm& vm, optee_smc_frame& frame);
void os_uuid(Vm& vm, optee_smc_frame& frame);
void os_revision(Vm& vm, optee_smc_frame& frame);
void shm_config(optee_smc_frame& frame);
void exchange_capabilities(Vm& vm, optee_smc_frame& frame);
void thread_count(Vm& vm, optee_smc_frame& frame);
void enable_shm_cache(Vm& vm, optee_smc_frame& frame);
void disable_shm_cache(Vm& vm, optee_smc_frame& frame);

} // namespace optee
