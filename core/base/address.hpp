// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include "base/result.hpp"

#include <optee_mediator/types.h>

#include <compare>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace optee {

inline constexpr std::uint32_t page_bytes = OPTEE_MEDIATOR_PAGE_BYTES;

/// A number of pages of 4 KiB.
class PageCount {
public:
    constexpr explicit PageCount(std::uint32_t pages) : pages_{pages} {}

    /// Pages touched by `size` bytes that begin `offset` bytes into a page. The guest chose both: the sum may not fit
    /// in 64 bits, nor the count in 32, and a count that nobody could ever pin is a matter of quota.
    static constexpr Result<PageCount> covering(std::uint32_t offset, std::uint64_t size)
    {
        constexpr auto round_up = page_bytes - 1;
        if (size > std::numeric_limits<std::uint64_t>::max() - offset - round_up)
            return Error::out_of_memory;
        auto const pages = (offset + size + round_up) / page_bytes;
        if (pages > std::numeric_limits<std::uint32_t>::max())
            return Error::out_of_memory;
        return PageCount{static_cast<std::uint32_t>(pages)};
    }

    constexpr std::uint32_t count() const { return pages_; }
    friend constexpr auto operator<=>(PageCount, PageCount) = default;

private:
    std::uint32_t pages_;
};

/// An address that knows its space. It has no default: "no address" is written std::optional.
template <typename Space>
class Address {
public:
    static constexpr Address from_raw(std::uint64_t raw) { return Address{raw}; }
    /// SMC32 calls pass a 64-bit address as two halves; what stands above them in the registers does not count.
    static constexpr Address from_halves(std::uint64_t high, std::uint64_t low)
    {
        return Address{(high << half_bits) | static_cast<std::uint32_t>(low)};
    }

    constexpr std::uint64_t raw() const { return raw_; }
    constexpr std::uint64_t high_half() const { return raw_ >> half_bits; }
    constexpr std::uint64_t low_half() const { return static_cast<std::uint32_t>(raw_); }

    constexpr Address page_base() const { return Address{raw_ & ~std::uint64_t{page_bytes - 1}}; }
    constexpr std::uint32_t page_offset() const { return static_cast<std::uint32_t>(raw_ & (page_bytes - 1)); }
    constexpr bool is_page_aligned() const { return page_offset() == 0; }
    /// The first page of either space stands for "no memory" in OP-TEE's ABI, even where a board has RAM there.
    constexpr bool is_in_null_page() const { return raw_ < page_bytes; }
    constexpr Address plus(std::uint32_t bytes) const { return Address{raw_ + bytes}; }
    /// Wraps around at the end of the space; the look-up that follows then finds nothing.
    constexpr Address plus(PageCount pages) const
    {
        return Address{raw_ + std::uint64_t{pages.count()} * page_bytes};
    }

    friend constexpr auto operator<=>(Address, Address) = default;

private:
    static constexpr unsigned half_bits = 32;
    constexpr explicit Address(std::uint64_t raw) : raw_{raw} {}
    std::uint64_t raw_;
};

/// Intermediate physical address: what the VM calls physical.
using Ipa = Address<struct IpaSpace>;
/// Physical address: what OP-TEE is given, and what no VM sees.
using Pa = Address<struct PaSpace>;
/// A 64-bit number that is no address, passed in two registers: a cookie.
using RegisterPair = Address<struct NoSpace>;

static_assert(!std::is_convertible_v<Ipa, Pa> && !std::is_convertible_v<std::uint64_t, Ipa>);
static_assert(!std::is_default_constructible_v<Ipa>);
static_assert(PageCount::covering(0, 1).get().count() == 1 &&
              PageCount::covering(page_bytes - 1, 2).get().count() == 2);
static_assert(!PageCount::covering(0, ~std::uint64_t{0}).ok());

constexpr optee_ipa to_c(Ipa address)
{
    return {address.raw()};
}
constexpr optee_pa to_c(Pa address)
{
    return {address.raw()};
}

} // namespace optee
