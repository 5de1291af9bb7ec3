// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// Parameters of a call as a client writes them: invoke(session, function, {value_in(1, 2), shared_out(shm)}).

#include "sim/linux/guest_memory.hpp"
#include "sim/optee/abi.hpp"

#include <cstdint>
#include <utility>
#include <vector>

namespace sim {

struct Argument {
    abi::Param raw;
    Shm temporary; ///< to be described by a page list of this call
};

using Arguments = std::vector<Argument>;

inline Argument value_in(std::uint64_t a, std::uint64_t b = 0, std::uint64_t c = 0)
{
    return {{abi::attr::value_input, a, b, c}, nullptr};
}
inline Argument value_out()
{
    return {{abi::attr::value_output, 0, 0, 0}, nullptr};
}
inline Argument value_inout(std::uint64_t a, std::uint64_t b = 0, std::uint64_t c = 0)
{
    return {{abi::attr::value_inout, a, b, c}, nullptr};
}
inline Argument no_value()
{
    return {{abi::attr::none, 0, 0, 0}, nullptr};
}

inline constexpr std::uint64_t all_of_it = ~std::uint64_t{0};

/// A part of registered memory (RMEM).
inline Argument shared(std::uint64_t attr, Shm const& shm, std::uint64_t offset = 0, std::uint64_t size = all_of_it)
{
    return {{attr, offset, size == all_of_it ? shm->size - offset : size, shm->cookie}, nullptr};
}
inline Argument shared_in(Shm const& shm, std::uint64_t offset = 0, std::uint64_t size = all_of_it)
{
    return shared(abi::attr::rmem_input, shm, offset, size);
}
inline Argument shared_out(Shm const& shm, std::uint64_t offset = 0, std::uint64_t size = all_of_it)
{
    return shared(abi::attr::rmem_output, shm, offset, size);
}
inline Argument shared_inout(Shm const& shm, std::uint64_t offset = 0, std::uint64_t size = all_of_it)
{
    return shared(abi::attr::rmem_inout, shm, offset, size);
}

/// Memory that is shared for this call only (TMEM with a page list).
inline Argument temporary(std::uint64_t tmem_attr, Shm shm)
{
    return {{tmem_attr | abi::attr::noncontig, 0, shm->size, shm->cookie}, std::move(shm)};
}
inline Argument temporary_in(Shm shm)
{
    return temporary(abi::attr::tmem_input, std::move(shm));
}
inline Argument temporary_out(Shm shm)
{
    return temporary(abi::attr::tmem_output, std::move(shm));
}
inline Argument temporary_inout(Shm shm)
{
    return temporary(abi::attr::tmem_inout, std::move(shm));
}

/// A NULL reference, of a size: what Linux sends for TEEC_MEMREF with no buffer.
inline Argument null_reference(std::uint64_t tmem_attr, std::uint64_t size = 0)
{
    return {{tmem_attr, 0, size, 0}, nullptr};
}

} // namespace sim
