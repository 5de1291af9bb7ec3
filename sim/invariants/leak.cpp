// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/invariants/leak.hpp"

#include <cstring>

namespace sim {

namespace {

bool is_address(PhysicalMemory const& memory, std::uint64_t value)
{
    return PhysicalMemory::in_a_bank(value) && memory.is_used(value);
}

bool is_page_number(PhysicalMemory const& memory, std::uint64_t value)
{
    return value < (std::uint64_t{1} << 40) && is_address(memory, value * page_bytes);
}

std::uint64_t joined(std::uint64_t high, std::uint64_t low)
{
    return ((high & 0xffff'ffff) << 32) | (low & 0xffff'ffff);
}

} // namespace

std::optional<std::string> find_address(PhysicalMemory const& memory, std::uint8_t const* bytes, std::size_t count)
{
    for (std::size_t offset = 0; offset + 8 <= count; offset += 4) {
        std::uint64_t value = 0;
        std::memcpy(&value, bytes + offset, sizeof value);
        if (is_address(memory, value))
            return "a physical address at byte " + std::to_string(offset);
        if (is_page_number(memory, value))
            return "a physical page number at byte " + std::to_string(offset);
    }
    return std::nullopt;
}

std::optional<std::string> find_address(PhysicalMemory const& memory,
                                        optee_smc_frame const& before,
                                        optee_smc_frame const& after)
{
    for (unsigned i = 0; i < 8; ++i) {
        auto const fresh = after.a[i] != before.a[i];
        if (fresh && (is_address(memory, after.a[i]) || is_page_number(memory, after.a[i])))
            return "a physical address in a" + std::to_string(i);
        if (i == 7 || (!fresh && after.a[i + 1] == before.a[i + 1]))
            continue;
        if (is_address(memory, joined(after.a[i], after.a[i + 1])) ||
            is_address(memory, joined(after.a[i + 1], after.a[i])))
            return "a physical address in a" + std::to_string(i) + " and a" + std::to_string(i + 1);
    }
    return std::nullopt;
}

} // namespace sim
