// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// I1: does something that a guest can see hold a physical address?

#include "sim/machine/physical_memory.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace sim {

/// Looks for the address, or the page number, of a frame in use, at every multiple of four bytes.
std::optional<std::string> find_address(PhysicalMemory const&, std::uint8_t const* bytes, std::size_t count);

/// The same for registers: 64-bit values, and pairs of 32-bit halves in either order.
std::optional<std::string> find_address(PhysicalMemory const&,
                                        optee_smc_frame const& before,
                                        optee_smc_frame const& after);

} // namespace sim
