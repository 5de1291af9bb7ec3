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

/// What becomes of a parameter that passed.
struct ParamUse {
    CopyBack copy_back = CopyBack::nothing;
    ParamNeeds needs = ParamNeeds::nothing;
};

/// Judges one parameter of a guest's message by what the ABI knows; everything else is bad_parameters. The parameter is
/// our copy, and becomes what is forwarded; the buffer address of a temporary reference is still missing in it.
/// `null_allowed`: OP-TEE takes temporary references to nothing (OPTEE_SMC_SEC_CAP_MEMREF_NULL).
Result<ParamUse> judge(abi::Param& param, std::uint32_t index, bool null_allowed);

/// Judges one parameter of a request of OP-TEE, and makes it what is delivered. A reference to memory must be one that
/// the guest can resolve: its own cookie, or nothing; physical addresses do not go out.
Result<ParamUse> judge_request(abi::Param& request);

} // namespace optee
