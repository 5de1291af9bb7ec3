// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <optional>

namespace optee {

/// A set of small numbers that several CPUs take and give back at once, without a lock.
template <std::uint32_t capacity>
class SlotSet {
public:
    /// Takes the lowest number below `end` that nobody has.
    std::optional<std::uint32_t> take_any(std::uint32_t end)
    {
        for (std::uint32_t word = 0; word * bits < end; ++word) {
            auto const left = end - word * bits;
            auto const usable = left < bits ? (1U << left) - 1 : ~0U;
            auto taken = taken_[word].load(std::memory_order_relaxed);
            while ((~taken & usable) != 0) {
                auto const bit = static_cast<std::uint32_t>(std::countr_zero(~taken & usable));
                // not covered: a race: another vCPU between the two
                if (taken_[word].compare_exchange_weak(
                        taken, taken | (1U << bit), std::memory_order_acquire, std::memory_order_relaxed))
                    return word * bits + bit;
            }
        }
        return std::nullopt;
    }
    /// Takes this number; false when it is out of range or somebody has it.
    [[nodiscard]] bool take(std::uint32_t number)
    {
        if (number >= capacity)
            return false;
        auto const bit = 1U << (number % bits);
        return (taken_[number / bits].fetch_or(bit, std::memory_order_acquire) & bit) == 0;
    }
    /// Gives it back. Only for a number that was taken.
    void give_back(std::uint32_t number)
    {
        taken_[number / bits].fetch_and(~(1U << (number % bits)), std::memory_order_release);
    }

private:
    static constexpr std::uint32_t bits = 32;
    static_assert(capacity % bits == 0);
    std::array<std::atomic<std::uint32_t>, capacity / bits> taken_{};
};

} // namespace optee
