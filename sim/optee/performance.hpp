// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// A trusted application that is not of the model: somebody has watched what it, and the services behind it, asked normal
// world for. How OP-TEE asks is the model's own: arguments, payloads and their caches, threads, who frees what and when.

#include "sim/optee/abi.hpp"

#include <cstdint>
#include <vector>

namespace sim::tee {

class Execution;
template <typename T>
class Task;

/// One request, as far as the application decides about it.
struct Step {
    std::uint32_t cmd = 0;          ///< abi::rpc_cmd::*; load_ta stands for both of its RPCs
    std::vector<abi::Param> params; ///< a memory reference has only its direction and its size (b)
    bool closes_binary = false; ///< no request: the file that load_ta number `binary` of this call brought is closed
    std::uint32_t binary = 0;
};

/// What an application does in one call.
struct Performance {
    std::vector<Step> steps;
    std::uint32_t result = 0;
    std::uint32_t origin = 0;
};

Task<void> perform(Execution&, Performance const&);

} // namespace sim::tee
