// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// OP-TEE's normal-world ABI, 4.10, as the simulator's own reading of optee_smc.h, optee_msg.h, optee_rpc_cmd.h and
// tee_api_defines.h. It shares nothing with core/abi on purpose: a model that took its constants from what it checks
// would agree with every mistake in them.

#include <cstddef>
#include <cstdint>

namespace sim::abi {

/// Function ids: optee_smc.h, OPTEE_SMC_*. Fast calls of owner 50 (trusted OS) and 63 (its service queries).
namespace smc {
inline constexpr std::uint32_t calls_count = 0xbf00'ff00;
inline constexpr std::uint32_t calls_uid = 0xbf00'ff01;
inline constexpr std::uint32_t calls_revision = 0xbf00'ff03;
inline constexpr std::uint32_t get_os_uuid = 0xb200'0000;
inline constexpr std::uint32_t get_os_revision = 0xb200'0001;
inline constexpr std::uint32_t get_shm_config = 0xb200'0007;
inline constexpr std::uint32_t l2cc_mutex = 0xb200'0008;
inline constexpr std::uint32_t exchange_capabilities = 0xb200'0009;
inline constexpr std::uint32_t disable_shm_cache = 0xb200'000a;
inline constexpr std::uint32_t enable_shm_cache = 0xb200'000b;
inline constexpr std::uint32_t boot_secondary = 0xb200'000c;
inline constexpr std::uint32_t vm_created = 0xb200'000d;
inline constexpr std::uint32_t vm_destroyed = 0xb200'000e;
inline constexpr std::uint32_t get_thread_count = 0xb200'000f;
inline constexpr std::uint32_t enable_async_notif = 0xb200'0010;
inline constexpr std::uint32_t get_async_notif_value = 0xb200'0011;
inline constexpr std::uint32_t return_from_rpc = 0x3200'0003;
inline constexpr std::uint32_t call_with_arg = 0x3200'0004;
inline constexpr std::uint32_t call_with_rpc_arg = 0x3200'0012;
inline constexpr std::uint32_t call_with_regd_arg = 0x3200'0013;
} // namespace smc

/// a0 of an answer: optee_smc.h, OPTEE_SMC_RETURN_*.
namespace ret {
inline constexpr std::uint32_t ok = 0;
inline constexpr std::uint32_t thread_limit = 1;
inline constexpr std::uint32_t busy = 2;
inline constexpr std::uint32_t resume_failed = 3;
inline constexpr std::uint32_t bad_address = 4;
inline constexpr std::uint32_t bad_command = 5;
inline constexpr std::uint32_t no_memory = 6;
inline constexpr std::uint32_t not_available = 7;
inline constexpr std::uint32_t unknown_function = 0xffff'ffff;
} // namespace ret

/// a0 of a request: optee_smc.h, OPTEE_SMC_RETURN_RPC_*.
namespace rpc {
inline constexpr std::uint32_t alloc = 0xffff'0000;
inline constexpr std::uint32_t free = 0xffff'0002;
inline constexpr std::uint32_t foreign_interrupt = 0xffff'0004;
inline constexpr std::uint32_t command = 0xffff'0005;
} // namespace rpc

constexpr bool is_rpc(std::uint64_t a0)
{
    return (a0 & 0xffff'0000) == 0xffff'0000 && static_cast<std::uint32_t>(a0) != ret::unknown_function;
}

/// optee_smc.h, OPTEE_SMC_SEC_CAP_* and OPTEE_SMC_NSEC_CAP_UNIPROCESSOR.
namespace cap {
inline constexpr std::uint32_t reserved_shm = 1u << 0;
inline constexpr std::uint32_t unregistered_shm = 1u << 1;
inline constexpr std::uint32_t dynamic_shm = 1u << 2;
inline constexpr std::uint32_t virtualization = 1u << 3;
inline constexpr std::uint32_t memref_null = 1u << 4;
inline constexpr std::uint32_t async_notif = 1u << 5;
inline constexpr std::uint32_t rpc_arg = 1u << 6;
inline constexpr std::uint32_t nsec_uniprocessor = 1u << 0;
} // namespace cap

/// struct optee_msg_arg::cmd: optee_msg.h, OPTEE_MSG_CMD_*.
namespace cmd {
inline constexpr std::uint32_t open_session = 0;
inline constexpr std::uint32_t invoke_command = 1;
inline constexpr std::uint32_t close_session = 2;
inline constexpr std::uint32_t cancel = 3;
inline constexpr std::uint32_t register_shm = 4;
inline constexpr std::uint32_t unregister_shm = 5;
inline constexpr std::uint32_t do_bottom_half = 6;
inline constexpr std::uint32_t stop_async_notif = 7;
} // namespace cmd

/// optee_rpc_cmd.h, OPTEE_RPC_CMD_*.
namespace rpc_cmd {
inline constexpr std::uint32_t load_ta = 0;
inline constexpr std::uint32_t rpmb = 1;
inline constexpr std::uint32_t fs = 2;
inline constexpr std::uint32_t get_time = 3;
inline constexpr std::uint32_t notification = 4;
inline constexpr std::uint32_t suspend = 5;
inline constexpr std::uint32_t shm_alloc = 6;
inline constexpr std::uint32_t shm_free = 7;

inline constexpr std::uint64_t notification_wait = 0;
inline constexpr std::uint64_t notification_send = 1;

inline constexpr std::uint64_t shm_appl = 0;   ///< the supplicant's memory
inline constexpr std::uint64_t shm_kernel = 1; ///< the driver's own

inline constexpr std::uint64_t fs_open = 0;
inline constexpr std::uint64_t fs_create = 1;
inline constexpr std::uint64_t fs_close = 2;
inline constexpr std::uint64_t fs_read = 3;
inline constexpr std::uint64_t fs_write = 4;
inline constexpr std::uint64_t fs_truncate = 5;
inline constexpr std::uint64_t fs_remove = 6;
} // namespace rpc_cmd

/// struct optee_msg_param::attr: optee_msg.h, OPTEE_MSG_ATTR_*.
namespace attr {
inline constexpr std::uint64_t none = 0x0;
inline constexpr std::uint64_t value_input = 0x1;
inline constexpr std::uint64_t value_output = 0x2;
inline constexpr std::uint64_t value_inout = 0x3;
inline constexpr std::uint64_t rmem_input = 0x5;
inline constexpr std::uint64_t rmem_output = 0x6;
inline constexpr std::uint64_t rmem_inout = 0x7;
inline constexpr std::uint64_t tmem_input = 0x9;
inline constexpr std::uint64_t tmem_output = 0xa;
inline constexpr std::uint64_t tmem_inout = 0xb;
inline constexpr std::uint64_t type_mask = 0xff;
inline constexpr std::uint64_t meta = 1u << 8;
inline constexpr std::uint64_t noncontig = 1u << 9;
inline constexpr std::uint64_t known = type_mask | meta | noncontig;

constexpr bool is_rmem(std::uint64_t a)
{
    return (a & type_mask) >= rmem_input && (a & type_mask) <= rmem_inout;
}
constexpr bool is_tmem(std::uint64_t a)
{
    return (a & type_mask) >= tmem_input && (a & type_mask) <= tmem_inout;
}
constexpr bool is_value(std::uint64_t a)
{
    return (a & type_mask) >= value_input && (a & type_mask) <= value_inout;
}
} // namespace attr

/// tee_api_defines.h, TEE_SUCCESS and TEE_ERROR_*; tee_client_api.h, TEEC_ORIGIN_*.
namespace result {
inline constexpr std::uint32_t success = 0;
inline constexpr std::uint32_t generic = 0xffff'0000;
inline constexpr std::uint32_t access_denied = 0xffff'0001;
inline constexpr std::uint32_t cancel = 0xffff'0002;
inline constexpr std::uint32_t bad_parameters = 0xffff'0006;
inline constexpr std::uint32_t bad_state = 0xffff'0007;
inline constexpr std::uint32_t item_not_found = 0xffff'0008;
inline constexpr std::uint32_t not_implemented = 0xffff'0009;
inline constexpr std::uint32_t not_supported = 0xffff'000a;
inline constexpr std::uint32_t out_of_memory = 0xffff'000c;
inline constexpr std::uint32_t busy = 0xffff'000d;
inline constexpr std::uint32_t communication = 0xffff'000e;
inline constexpr std::uint32_t security = 0xffff'000f;
inline constexpr std::uint32_t short_buffer = 0xffff'0010;
} // namespace result

namespace origin {
inline constexpr std::uint32_t api = 1;
inline constexpr std::uint32_t comms = 2;
inline constexpr std::uint32_t tee = 3;
inline constexpr std::uint32_t trusted_app = 4;
} // namespace origin

inline constexpr std::uint32_t page = 4096;            // OPTEE_MSG_NONCONTIG_PAGE_SIZE
inline constexpr std::uint32_t header_bytes = 32;      // sizeof(struct optee_msg_arg)
inline constexpr std::uint32_t param_bytes = 32;       // sizeof(struct optee_msg_param)
inline constexpr std::uint32_t max_params = 127;       // OPTEE_MSG_MAX_NUM_PARAMS
inline constexpr std::uint32_t max_rpc_params = 4;     // thread.h, THREAD_RPC_MAX_NUM_PARAMS
inline constexpr std::uint32_t max_ta_params = 4;      // tee_api_defines.h, TEE_NUM_PARAMS
inline constexpr std::uint32_t entries_per_list = 511; // a page list's page, less the link to the next one

/// Byte offsets in struct optee_msg_arg.
namespace arg {
inline constexpr std::uint32_t cmd = 0;
inline constexpr std::uint32_t func = 4;
inline constexpr std::uint32_t session = 8;
inline constexpr std::uint32_t cancel_id = 12;
inline constexpr std::uint32_t pad = 16;
inline constexpr std::uint32_t ret = 20;
inline constexpr std::uint32_t ret_origin = 24;
inline constexpr std::uint32_t num_params = 28;
constexpr std::uint32_t bytes(std::uint32_t params)
{
    return header_bytes + params * param_bytes;
}
} // namespace arg

/// struct optee_msg_param: tmem is {buf_ptr, size, shm_ref}, rmem {offs, size, shm_ref}, value {a, b, c}.
struct Param {
    std::uint64_t attr = 0;
    std::uint64_t a = 0; ///< also buf_ptr, offs
    std::uint64_t b = 0; ///< also size
    std::uint64_t c = 0; ///< also shm_ref

    friend bool operator==(Param const&, Param const&) = default;
};
static_assert(sizeof(Param) == param_bytes);

/// optee_msg.h, OPTEE_MSG_UID_* and OPTEE_MSG_OS_OPTEE_UUID_*.
inline constexpr std::uint32_t uid[4] = {0x384f'b3e0, 0xe7f8'11e3, 0xaf63'0002, 0xa5d5'c51b};
inline constexpr std::uint32_t os_uuid[4] = {0x4861'78e0, 0xe7f8'11e3, 0xbc5e'0002, 0xa5d5'c51b};

constexpr std::uint32_t high(std::uint64_t v)
{
    return static_cast<std::uint32_t>(v >> 32);
}
constexpr std::uint32_t low(std::uint64_t v)
{
    return static_cast<std::uint32_t>(v);
}
constexpr std::uint64_t joined(std::uint64_t high, std::uint64_t low)
{
    return ((high & 0xffff'ffff) << 32) | (low & 0xffff'ffff);
}

} // namespace sim::abi
