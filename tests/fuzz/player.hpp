// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// Plays a script of bytes: hostile guests, an odd OP-TEE, failures, stage-2 that changes, vCPUs that come in between;
// with all invariants on. Everything that happens is a function of the bytes.

#include <cstdint>
#include <span>
#include <string>

namespace sim::fuzz {

struct Outcome {
    std::uint64_t steps = 0; ///< entries and transitions of the model
    std::string broken;      ///< what was violated; empty: nothing
};

Outcome play(std::span<std::uint8_t const> script);

} // namespace sim::fuzz
