// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// Numbers from a seed: the same ones on every architecture and with every standard library.

#include <cstdint>
#include <utility>
#include <vector>

namespace sim::schedule {

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
class Random {
public:
    explicit Random(std::uint64_t seed) : state_{seed} {}

    std::uint64_t next()
    {
        state_ += 0x9e37'79b9'7f4a'7c15;
        auto mixed = state_;
        mixed = (mixed ^ (mixed >> 30)) * 0xbf58'476d'1ce4'e5b9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d0'49bb'1331'11eb;
        return mixed ^ (mixed >> 31);
    }
    /// 0 to bound - 1; the bounds here are small, so the bias is none that matters.
    std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>((next() >> 32) % bound); }

    template <typename T>
    T const& one_of(std::vector<T> const& from)
    {
        return from[below(static_cast<std::uint32_t>(from.size()))];
    }
    template <typename T>
    void shuffle(std::vector<T>& what)
    {
        for (auto left = static_cast<std::uint32_t>(what.size()); left > 1; --left)
            std::swap(what[left - 1], what[below(left)]);
    }

private:
    std::uint64_t state_;
};

} // namespace sim::schedule
