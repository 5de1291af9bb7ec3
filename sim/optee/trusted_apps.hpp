// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// The trusted applications of the model: small, but together they make OP-TEE do everything that it does with shared
// memory and RPCs.

#include "sim/optee/execution.hpp"

#include <optee_mediator/mediator.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>

namespace sim::tee {

enum class App : std::uint8_t {
    echo,      ///< values
    memory,    ///< reads and writes shared memory
    sleeper,   ///< waits for another call
    storage,   ///< files, through RPCs of the file system
    clock,     ///< time, through an RPC
    allocator, ///< asks normal world for memory of either kind
    performer, ///< does what it is told to: performance.hpp
    loadable,  ///< not built in: OPEN_SESSION loads it through RPCs first; then as echo
};

/// UUID as the two words of OPEN_SESSION's first parameter.
struct Uuid {
    std::uint64_t a;
    std::uint64_t b;
};

constexpr Uuid uuid_of(App app)
{
    return {0x1100'0000'5a5a'0000 + static_cast<std::uint64_t>(app), 0x2200'0000'a5a5'0000};
}

std::optional<App> app_of(Uuid);

/// The allow list of a VM that may open sessions with these, and with nobody else.
optee_mediator_ta_list only(std::initializer_list<App>);

/// Commands, by app.
namespace command {
inline constexpr std::uint32_t echo_add_one = 0;  ///< each value output or inout: (a + 1, b + 1) of what came in
inline constexpr std::uint32_t echo_fail = 1;     ///< returns the result in value 0's a
inline constexpr std::uint32_t memory_invert = 0; ///< inverts each byte of every output or inout reference
inline constexpr std::uint32_t memory_sum = 1;    ///< adds the bytes of every input reference into value output
inline constexpr std::uint32_t memory_grow = 2;   ///< says that every output is too short, and the size that it needs
inline constexpr std::uint32_t sleeper_wait = 0;  ///< until sleeper_wake in the same session, or a cancellation
inline constexpr std::uint32_t sleeper_wake = 1;
inline constexpr std::uint32_t storage_write = 0;  ///< reference 0 becomes the contents of the file named value 1's a
inline constexpr std::uint32_t storage_read = 1;   ///< the other way
inline constexpr std::uint32_t clock_get = 0;      ///< seconds into value 0's a; value input 1's a: how many times
inline constexpr std::uint32_t allocator_appl = 0; ///< value 0: a bytes, b times; writes and reads every page
inline constexpr std::uint32_t allocator_kernel = 1;
} // namespace command

/// A parameter as an app gets it.
struct AppParam {
    std::uint64_t attr = abi::attr::none; ///< type only; TMEM and RMEM both as RMEM
    std::uint64_t a = 0;
    std::uint64_t b = 0;
    Buffer memory; ///< nullptr: NULL reference
    bool is_temporary = false;
    std::uint64_t offset = 0; ///< where in `memory` it begins
    std::uint64_t size = 0;   ///< may grow: SHORT_BUFFER

    bool is_output_value() const { return attr == abi::attr::value_output || attr == abi::attr::value_inout; }
    bool is_output_memory() const { return attr == abi::attr::rmem_output || attr == abi::attr::rmem_inout; }
    bool is_input_memory() const { return attr == abi::attr::rmem_input || attr == abi::attr::rmem_inout; }
};

using AppParams = std::array<AppParam, abi::max_ta_params>;

/// Loads what is not built in. The result of OPEN_SESSION.
Task<std::uint32_t> open_app(Execution&, App);

Task<std::uint32_t> invoke_app(Execution&, Session&, std::uint32_t function, AppParams&);

} // namespace sim::tee
