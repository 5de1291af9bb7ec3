// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// Cookies as a hostile guest would choose them: the index scrambles what it is given, and anybody who has its source can
// undo that, and so have names that share as many digits as wanted.

#include "cookie_index.hpp"

#include <cstdint>

namespace optee {

/// The inverse modulo 2^64 of an odd number, by Newton's iteration: each step doubles the number of right bits.
constexpr std::uint64_t inverse(std::uint64_t odd)
{
    auto result = odd;
    for (int i = 0; i != 6; ++i)
        result *= 2 - odd * result;
    return result;
}

constexpr std::uint64_t undo_shift(std::uint64_t value, unsigned shift)
{
    auto result = value;
    for (unsigned done = shift; done < 64; done += shift)
        result = value ^ (result >> shift);
    return result;
}

/// The cookie whose scrambled key is this.
constexpr Cookie cookie_with_key(std::uint64_t key)
{
    key = undo_shift(key, 31) * inverse(10723151780598845931ULL);
    key = undo_shift(key, 27) * inverse(13787848793156543929ULL);
    return Cookie{undo_shift(key, 30)};
}

/// The finalizer of SplitMix64, as published; only to prove that the above undoes it.
constexpr std::uint64_t split_mix(std::uint64_t key)
{
    key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9ULL;
    key = (key ^ (key >> 27)) * 0x94d049bb133111ebULL;
    return key ^ (key >> 31);
}
static_assert(split_mix(static_cast<std::uint64_t>(cookie_with_key(0x0123'4567'89ab'cdef))) == 0x0123'4567'89ab'cdef);

} // namespace optee
