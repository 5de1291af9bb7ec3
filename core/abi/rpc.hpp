// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// Values of optee_rpc_cmd.h (OP-TEE 4.10): what OP-TEE asks for in struct optee_msg_arg::cmd.

#include <cstdint>

namespace optee::abi {

/// The two requests that hand memory over; all others carry values and references to memory handed over before.
struct RpcCommand {
    static constexpr std::uint32_t shm_alloc = 6; // OPTEE_RPC_CMD_SHM_ALLOC
    static constexpr std::uint32_t shm_free = 7;  // OPTEE_RPC_CMD_SHM_FREE
};

} // namespace optee::abi
