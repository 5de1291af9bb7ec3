// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// A script as a fuzzer writes it: bytes, read front to back. Past the end everything is zero, so that every string of
// bytes is a script.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace sim::fuzz {

class Bytes {
public:
    explicit Bytes(std::span<std::uint8_t const> bytes) : left_{bytes} {}

    bool empty() const { return left_.empty(); }

    std::uint8_t byte()
    {
        if (left_.empty())
            return 0;
        auto const first = left_.front();
        left_ = left_.subspan(1);
        return first;
    }

    std::uint64_t number(unsigned bytes)
    {
        std::uint64_t value = 0;
        for (unsigned n = 0; n < bytes; ++n)
            value |= std::uint64_t{byte()} << (8 * n);
        return value;
    }

    /// Below `limit`.
    std::uint32_t below(std::uint32_t limit) { return byte() % limit; }
    bool flag() { return (byte() & 1) != 0; }

    /// One of these; the last slot stands for any number at all, which follows.
    template <std::size_t Count>
    std::uint64_t value(std::array<std::uint64_t, Count> const& known)
    {
        auto const slot = byte() % (Count + 1);
        return slot < Count ? known[slot] : number(8);
    }

private:
    std::span<std::uint8_t const> left_;
};

} // namespace sim::fuzz
