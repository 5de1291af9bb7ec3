// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// How the OP-TEE of a machine was built.

#include <cstdint>

namespace sim::tee {

/// What becomes of a temporary reference when the call is over.
enum class TemporaryReferences : std::uint8_t {
    end_with_the_call,
    stay_in_the_list, ///< OP-TEE 4.10 and before: a reference is lost, its name stays until the VM goes
};

struct Options {
    std::uint32_t threads = 4;         ///< CFG_NUM_THREADS
    std::uint32_t partitions = 8;      ///< CFG_VIRT_GUEST_COUNT
    std::uint32_t capabilities = 0x5c; ///< DYNAMIC_SHM, VIRTUALIZATION, MEMREF_NULL, RPC_ARG
    bool caches_rpc_arguments = true;  ///< CFG_PREALLOC_RPC_CACHE
    TemporaryReferences temporary_references = TemporaryReferences::stay_in_the_list;
    std::uint32_t foreign_interrupt_every = 0; ///< n: at every n-th point where OP-TEE can be interrupted; 0: never
    bool answers_as_optee = true;              ///< false: some other trusted OS is there
};

} // namespace sim::tee
