// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Numbers that a guest chose, against arithmetic in which nothing can overflow.

#include "base/address.hpp"
#include "shadow_message.hpp"

#include <array>
#include <cstdint>
#include <gtest/gtest.h>
#include <random>
#include <vector>

namespace optee {
namespace {

/// A number of 128 bits, for the few operations that are needed: 32-bit Arm has no __int128.
class Wide {
public:
    explicit Wide(std::uint64_t value)
        : digits_{static_cast<std::uint32_t>(value), static_cast<std::uint32_t>(value >> 32), 0, 0}
    {
    }
    Wide plus(Wide other) const
    {
        Wide sum{0};
        std::uint64_t carry = 0;
        for (std::size_t i = 0; i != digits_.size(); ++i) {
            carry += std::uint64_t{digits_[i]} + other.digits_[i];
            sum.digits_[i] = static_cast<std::uint32_t>(carry);
            carry >>= 32;
        }
        return sum;
    }
    Wide divided_by(std::uint32_t divisor) const
    {
        Wide quotient{0};
        std::uint64_t rest = 0;
        for (std::size_t i = digits_.size(); i-- != 0;) {
            rest = (rest << 32) | digits_[i];
            quotient.digits_[i] = static_cast<std::uint32_t>(rest / divisor);
            rest %= divisor;
        }
        return quotient;
    }
    bool fits_into_32_bits() const { return digits_[1] == 0 && digits_[2] == 0 && digits_[3] == 0; }
    std::uint32_t low() const { return digits_[0]; }

private:
    std::array<std::uint32_t, 4> digits_;
};

void expect_covering(std::uint32_t offset, std::uint64_t size)
{
    auto const exact = Wide{offset}.plus(Wide{size}).plus(Wide{page_bytes - 1}).divided_by(page_bytes);
    auto const pages = PageCount::covering(offset, size);
    ASSERT_EQ(pages.ok(), exact.fits_into_32_bits()) << offset << " + " << size;
    if (pages.ok()) {
        ASSERT_EQ(pages.get().count(), exact.low()) << offset << " + " << size;
    } else {
        ASSERT_EQ(pages.error(), Error::out_of_memory);
    }
}

TEST(APageCount, IsExactAroundEveryPowerOfTwo)
{
    for (unsigned bit = 0; bit != 64; ++bit) {
        for (std::uint64_t around = 0; around != 9; ++around) {
            for (auto const offset : {0U, 1U, 8U, 2047U, 4088U, 4094U, 4095U}) {
                auto const power = std::uint64_t{1} << bit;
                expect_covering(offset, power + around);
                expect_covering(offset, power - around);
            }
        }
    }
}

TEST(APageCount, IsExactForAnySize)
{
    std::mt19937_64 random{11};
    for (int i = 0; i != 100'000; ++i) {
        auto const size = random() >> (random() % 64);
        expect_covering(static_cast<std::uint32_t>(random() % page_bytes), size);
    }
}

TEST(AParamCount, NeverLeavesThePageWhateverTheGuestSays)
{
    std::mt19937_64 random{12};
    for (int i = 0; i != 100'000; ++i) {
        auto const raw = static_cast<std::uint32_t>(random() >> (random() % 32 + 32 - 25));
        auto const params = ParamCount::from_guest(raw);
        ASSERT_EQ(params.ok(), raw <= 127) << raw;
        if (!params.ok())
            continue;
        ASSERT_EQ(params.get().message_bytes(), 32 + raw * 32);
        ASSERT_LE(params.get().message_bytes(), page_bytes);
        if (raw != 0) {
            ASSERT_EQ(param_offset(raw - 1) + 32, params.get().message_bytes());
        }
    }
}

} // namespace
} // namespace optee
