// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// Layouts and values of optee_msg.h (OP-TEE 4.10), and the few of GlobalPlatform's TEE that the mediator writes.

#include <cstddef>
#include <cstdint>

namespace optee::abi {

/// struct optee_msg_arg::cmd, what a guest asks for.
enum class Command : std::uint32_t {
    open_session = 0,   // OPTEE_MSG_CMD_OPEN_SESSION
    invoke_command = 1, // OPTEE_MSG_CMD_INVOKE_COMMAND
    close_session = 2,  // OPTEE_MSG_CMD_CLOSE_SESSION
    cancel = 3,         // OPTEE_MSG_CMD_CANCEL
    register_shm = 4,   // OPTEE_MSG_CMD_REGISTER_SHM
    unregister_shm = 5, // OPTEE_MSG_CMD_UNREGISTER_SHM
};

/// Low byte of struct optee_msg_param::attr.
enum class ParamType : std::uint32_t {
    none = 0x0,         // OPTEE_MSG_ATTR_TYPE_NONE
    value_input = 0x1,  // OPTEE_MSG_ATTR_TYPE_VALUE_INPUT
    value_output = 0x2, // OPTEE_MSG_ATTR_TYPE_VALUE_OUTPUT
    value_inout = 0x3,  // OPTEE_MSG_ATTR_TYPE_VALUE_INOUT
    rmem_input = 0x5,   // OPTEE_MSG_ATTR_TYPE_RMEM_INPUT
    rmem_output = 0x6,  // OPTEE_MSG_ATTR_TYPE_RMEM_OUTPUT
    rmem_inout = 0x7,   // OPTEE_MSG_ATTR_TYPE_RMEM_INOUT
    tmem_input = 0x9,   // OPTEE_MSG_ATTR_TYPE_TMEM_INPUT
    tmem_output = 0xa,  // OPTEE_MSG_ATTR_TYPE_TMEM_OUTPUT
    tmem_inout = 0xb,   // OPTEE_MSG_ATTR_TYPE_TMEM_INOUT
};

/// The rest of struct optee_msg_param::attr. Bits that are not listed here are never forwarded.
struct Attribute {
    static constexpr std::uint64_t type_mask = 0xff;          // OPTEE_MSG_ATTR_TYPE_MASK
    static constexpr std::uint64_t meta = 1ULL << 8;          // OPTEE_MSG_ATTR_META
    static constexpr std::uint64_t noncontiguous = 1ULL << 9; // OPTEE_MSG_ATTR_NONCONTIG
    static constexpr std::uint64_t known = type_mask | meta | noncontiguous;
};

/// Sizes that both sides of the ABI rely on.
inline constexpr std::uint32_t header_bytes = 32;
inline constexpr std::uint32_t param_bytes = 32;

/// struct optee_msg_arg without its parameters.
struct MessageHeader {
    std::uint32_t command;
    std::uint32_t function;
    std::uint32_t session;
    std::uint32_t cancel_id;
    std::uint32_t pad;
    std::uint32_t result;
    std::uint32_t result_origin;
    std::uint32_t param_count;
};
static_assert(sizeof(MessageHeader) == header_bytes, "optee_msg.h: struct optee_msg_arg");

struct ValueParam {
    std::uint64_t a;
    std::uint64_t b;
    std::uint64_t c;
};

/// struct optee_msg_param_tmem: memory that is shared for one call.
struct TmemParam {
    std::uint64_t buffer; ///< first data page, or with NONCONTIG the page list; its low bits are the data's offset
    std::uint64_t size;
    std::uint64_t cookie; ///< shm_ref
};

/// struct optee_msg_param_rmem: a part of memory that was registered before.
struct RmemParam {
    std::uint64_t offset;
    std::uint64_t size;
    std::uint64_t cookie; ///< shm_ref
};

/// struct optee_msg_param.
struct Param {
    std::uint64_t attributes;
    union {
        ValueParam value;
        TmemParam tmem;
        RmemParam rmem;
    };
};
static_assert(sizeof(Param) == param_bytes, "optee_msg.h: struct optee_msg_param");
static_assert(offsetof(TmemParam, size) == offsetof(RmemParam, size), "one place for the size of a memory reference");

/// The message never leaves its page: optee_msg.h, OPTEE_MSG_MAX_NUM_PARAMS.
inline constexpr std::uint32_t message_page_bytes = 4096; // OPTEE_MSG_NONCONTIG_PAGE_SIZE
inline constexpr std::uint32_t max_params = (message_page_bytes - sizeof(MessageHeader)) / sizeof(Param);

/// Parameters that an RPC of OP-TEE carries: thread.h, THREAD_RPC_MAX_NUM_PARAMS.
inline constexpr std::uint32_t max_rpc_params = 4; // THREAD_RPC_MAX_NUM_PARAMS
/// The room that an RPC takes behind a message: optee_msg.h, OPTEE_MSG_GET_ARG_SIZE.
inline constexpr std::uint32_t rpc_argument_bytes = sizeof(MessageHeader) + max_rpc_params * sizeof(Param);

/// What a message, and with it the argument of its RPCs, is aligned to: struct optee_msg_arg has 64-bit fields.
inline constexpr std::uint32_t message_alignment = 8;

/// Memory references that a command can carry: tee_api_defines.h, TEE_NUM_PARAMS. The two parameters more that
/// OPEN_SESSION has are values.
inline constexpr std::uint32_t max_memory_references = 4; // TEE_NUM_PARAMS
inline constexpr std::uint32_t max_meta_params = 2;
/// The first of those two, in a and b the octets of the TA's UUID: entry_std.c, get_open_session_meta().
inline constexpr std::uint64_t ta_attributes = static_cast<std::uint64_t>(ParamType::value_input) | Attribute::meta;

/// One page of a page list: the addresses of data pages, then that of the next page of the list.
struct PageListPage {
    static constexpr std::uint32_t entries = message_page_bytes / sizeof(std::uint64_t) - 1;
    std::uint64_t page[entries];
    std::uint64_t next;
};
static_assert(sizeof(PageListPage) == message_page_bytes);

/// struct optee_msg_arg::ret, GlobalPlatform's TEE_Result.
enum class TeeResult : std::uint32_t {
    success = 0x0,               // TEE_SUCCESS
    generic = 0xffff0000,        // TEE_ERROR_GENERIC
    access_denied = 0xffff0001,  // TEE_ERROR_ACCESS_DENIED
    bad_parameters = 0xffff0006, // TEE_ERROR_BAD_PARAMETERS
    out_of_memory = 0xffff000c,  // TEE_ERROR_OUT_OF_MEMORY
    busy = 0xffff000d,           // TEE_ERROR_BUSY
};

/// struct optee_msg_arg::ret_origin.
inline constexpr std::uint32_t origin_comms = 2; // TEE_ORIGIN_COMMS

} // namespace optee::abi
