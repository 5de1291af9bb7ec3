// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// The one place where a reason becomes registers and message fields.

#include "abi/message.hpp"
#include "abi/smc.hpp"
#include "base/result.hpp"

namespace optee::abi {

/// a0 for this reason. A message that could be read is answered in the message, and the call itself succeeds.
constexpr ReturnCode to_return_code(Error error)
{
    switch (error) {
    case Error::bad_address:   return ReturnCode::bad_address;
    case Error::bad_command:   return ReturnCode::bad_command;
    case Error::thread_limit:  return ReturnCode::thread_limit;
    case Error::resume_failed: return ReturnCode::resume_failed;
    case Error::not_available: return ReturnCode::not_available;
    case Error::bad_parameters:
    case Error::out_of_memory:
    case Error::buffer_busy:
    case Error::access_denied: return ReturnCode::ok;
    }
    __builtin_unreachable();
}

/// struct optee_msg_arg::ret for this reason.
constexpr TeeResult to_tee_result(Error error)
{
    switch (error) {
    case Error::bad_parameters: return TeeResult::bad_parameters;
    case Error::out_of_memory:  return TeeResult::out_of_memory;
    case Error::buffer_busy:    return TeeResult::busy;
    case Error::access_denied:  return TeeResult::access_denied;
    case Error::bad_address:
    case Error::bad_command:
    case Error::thread_limit:
    case Error::resume_failed:
    case Error::not_available: return TeeResult::generic;
    }
    __builtin_unreachable();
}

} // namespace optee::abi
