// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include "abi/message.hpp"
#include "base/result.hpp"

#include <cstdint>

namespace optee {

/// What goes back to the guest from a parameter: decided by what we forwarded, never by what memory says later.
enum class CopyBack : std::uint8_t { nothing, value, size };

/// What has to be done for a parameter before OP-TEE may see it.
enum class ParamNeeds : std::uint8_t { nothing, pages_pinned, registered_memory };

struct JudgedParam {
    abi::Param forwarded; ///< the buffer address of a temporary reference is still missing
    CopyBack copy_back;
    ParamNeeds needs;
};

/// Judges one parameter of a guest's message by what the ABI knows; everything else is bad_parameters.
/// `null_allowed`: OP-TEE takes temporary references to nothing (OPTEE_SMC_SEC_CAP_MEMREF_NULL).
Result<JudgedParam> judge(abi::Param const& guest, std::uint32_t index, bool null_allowed);

/// Judges one parameter of a request of OP-TEE. A reference to memory must be one that the guest can resolve: its own
/// cookie, or nothing; physical addresses do not go out.
Result<JudgedParam> judge_request(abi::Param const& request);

} // namespace optee
