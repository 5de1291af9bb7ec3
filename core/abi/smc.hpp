// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// Values of optee_smc.h (OP-TEE 4.10). tools/abi_compare holds each against OP-TEE's header by the name behind it.

#include <cstdint>

namespace optee::abi {

/// Function ids of SMC32 calls to the trusted OS that the mediator knows; all others are unknown to a guest.
enum class SmcFunction : std::uint32_t {
    calls_uid = 0xbf00ff01,             // OPTEE_SMC_CALLS_UID
    calls_revision = 0xbf00ff03,        // OPTEE_SMC_CALLS_REVISION
    get_os_uuid = 0xb2000000,           // OPTEE_SMC_CALL_GET_OS_UUID
    get_os_revision = 0xb2000001,       // OPTEE_SMC_CALL_GET_OS_REVISION
    get_shm_config = 0xb2000007,        // OPTEE_SMC_GET_SHM_CONFIG
    exchange_capabilities = 0xb2000009, // OPTEE_SMC_EXCHANGE_CAPABILITIES
    disable_shm_cache = 0xb200000a,     // OPTEE_SMC_DISABLE_SHM_CACHE
    enable_shm_cache = 0xb200000b,      // OPTEE_SMC_ENABLE_SHM_CACHE
    vm_created = 0xb200000d,            // OPTEE_SMC_VM_CREATED
    vm_destroyed = 0xb200000e,          // OPTEE_SMC_VM_DESTROYED
    get_thread_count = 0xb200000f,      // OPTEE_SMC_GET_THREAD_COUNT
    return_from_rpc = 0x32000003,       // OPTEE_SMC_CALL_RETURN_FROM_RPC
    call_with_arg = 0x32000004,         // OPTEE_SMC_CALL_WITH_ARG
    call_with_rpc_arg = 0x32000012,     // OPTEE_SMC_CALL_WITH_RPC_ARG
    call_with_regd_arg = 0x32000013,    // OPTEE_SMC_CALL_WITH_REGD_ARG
};

/// SMCCC function id: who owns the service, in bits 24 to 29; bit 30 is the 64-bit convention.
struct SmcOwner {
    static constexpr unsigned shift = 24;
    static constexpr std::uint32_t mask = 0x3f;           // OPTEE_SMC_OWNER_MASK
    static constexpr std::uint32_t trusted_os_first = 50; // OPTEE_SMC_OWNER_TRUSTED_OS
    static constexpr std::uint32_t trusted_os_last = 63;  // OPTEE_SMC_OWNER_TRUSTED_OS_API
};

/// a0 of an answer that is not an RPC.
enum class ReturnCode : std::uint32_t {
    ok = 0x0,                      // OPTEE_SMC_RETURN_OK
    thread_limit = 0x1,            // OPTEE_SMC_RETURN_ETHREAD_LIMIT
    busy = 0x2,                    // OPTEE_SMC_RETURN_EBUSY
    resume_failed = 0x3,           // OPTEE_SMC_RETURN_ERESUME
    bad_address = 0x4,             // OPTEE_SMC_RETURN_EBADADDR
    bad_command = 0x5,             // OPTEE_SMC_RETURN_EBADCMD
    no_memory = 0x6,               // OPTEE_SMC_RETURN_ENOMEM
    not_available = 0x7,           // OPTEE_SMC_RETURN_ENOTAVAIL
    unknown_function = 0xffffffff, // OPTEE_SMC_RETURN_UNKNOWN_FUNCTION
};

/// a0 of an answer that asks the normal world for something.
struct RpcReturn {
    static constexpr std::uint32_t prefix_mask = 0xffff0000;       // OPTEE_SMC_RETURN_RPC_PREFIX_MASK
    static constexpr std::uint32_t prefix = 0xffff0000;            // OPTEE_SMC_RETURN_RPC_PREFIX
    static constexpr std::uint32_t alloc = 0xffff0000;             // OPTEE_SMC_RETURN_RPC_ALLOC
    static constexpr std::uint32_t free = 0xffff0002;              // OPTEE_SMC_RETURN_RPC_FREE
    static constexpr std::uint32_t foreign_interrupt = 0xffff0004; // OPTEE_SMC_RETURN_RPC_FOREIGN_INTR
    static constexpr std::uint32_t command = 0xffff0005;           // OPTEE_SMC_RETURN_RPC_CMD
};

/// Bits of a1 in the answer to exchange_capabilities.
struct SecureCapability {
    static constexpr std::uint32_t unregistered_shm = 1U << 1; // OPTEE_SMC_SEC_CAP_UNREGISTERED_SHM
    static constexpr std::uint32_t dynamic_shm = 1U << 2;      // OPTEE_SMC_SEC_CAP_DYNAMIC_SHM
    static constexpr std::uint32_t virtualization = 1U << 3;   // OPTEE_SMC_SEC_CAP_VIRTUALIZATION
    static constexpr std::uint32_t memref_null = 1U << 4;      // OPTEE_SMC_SEC_CAP_MEMREF_NULL
    static constexpr std::uint32_t rpc_arg = 1U << 6;          // OPTEE_SMC_SEC_CAP_RPC_ARG

    /// What the mediator can carry. Static shared memory would be one area for all VMs; a VM is not told that it is one;
    /// the calls behind the other bits are not mediated yet.
    static constexpr std::uint32_t mediated = unregistered_shm | dynamic_shm | memref_null | rpc_arg;
};

/// a3 of the answer: how many parameters an RPC may have, for which a guest leaves room behind its message.
inline constexpr std::uint32_t rpc_params_mask = 0xff;

/// Bits of a1 in the question.
struct NormalCapability {
    static constexpr std::uint32_t uniprocessor = 1U << 0; // OPTEE_SMC_NSEC_CAP_UNIPROCESSOR
};

/// a3 of a yielding call: the command buffer is cacheable memory.
inline constexpr std::uint32_t shm_cached = 1; // OPTEE_SMC_SHM_CACHED

/// Identity of OP-TEE's message protocol, the answer to calls_uid.
struct MessageUid {
    static constexpr std::uint32_t word_0 = 0x384fb3e0; // OPTEE_MSG_UID_0
    static constexpr std::uint32_t word_1 = 0xe7f811e3; // OPTEE_MSG_UID_1
    static constexpr std::uint32_t word_2 = 0xaf630002; // OPTEE_MSG_UID_2
    static constexpr std::uint32_t word_3 = 0xa5d5c51b; // OPTEE_MSG_UID_3
};

/// The client id under which the hypervisor itself calls.
inline constexpr std::uint32_t hypervisor_client = 0; // HYP_CLNT_ID

} // namespace optee::abi
