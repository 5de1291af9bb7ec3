// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "base/address.hpp"

#include <gtest/gtest.h>

namespace optee {
namespace {

constexpr std::uint64_t all_ones = ~std::uint64_t{0};

TEST(AnAddress, KnowsItsPageAndItsOffset)
{
    auto const address = Ipa::from_raw(0x1'2345'6789);
    EXPECT_EQ(address.page_base(), Ipa::from_raw(0x1'2345'6000));
    EXPECT_EQ(address.page_offset(), 0x789u);
    EXPECT_FALSE(address.is_page_aligned());
    EXPECT_TRUE(address.page_base().is_page_aligned());
}

TEST(AnAddress, AtTheEndOfTheSpaceHasAPageToo)
{
    auto const last = Pa::from_raw(all_ones);
    EXPECT_EQ(last.page_base().raw(), 0xffff'ffff'ffff'f000u);
    EXPECT_EQ(last.page_offset(), 0xfffu);
}

TEST(AnAddress, IsMadeOfTheLowHalvesOfTwoRegisters)
{
    EXPECT_EQ(Ipa::from_halves(0xdead'beef'0000'0001, 0xdead'beef'8000'0000).raw(), 0x1'8000'0000u);
    EXPECT_EQ(Ipa::from_halves(0, 0xffff'ffff'0000'0000).raw(), 0u);
    EXPECT_EQ(Ipa::from_halves(0xffff'ffff, 0xffff'ffff).raw(), all_ones);
}

TEST(AnAddress, GoesBackIntoTheHalvesThatItCameFrom)
{
    for (auto const raw : {std::uint64_t{0}, std::uint64_t{0xffff'ffff}, std::uint64_t{0x1'0000'0000}, all_ones}) {
        auto const address = Pa::from_raw(raw);
        EXPECT_EQ(Pa::from_halves(address.high_half(), address.low_half()), address);
        EXPECT_LE(address.high_half(), 0xffff'ffffu);
        EXPECT_LE(address.low_half(), 0xffff'ffffu);
    }
}

TEST(AnAddress, IsInTheNullPageUpToItsLastByte)
{
    EXPECT_TRUE(Ipa::from_raw(0).is_in_null_page());
    EXPECT_TRUE(Ipa::from_raw(4095).is_in_null_page());
    EXPECT_FALSE(Ipa::from_raw(4096).is_in_null_page());
}

TEST(AnAddress, MovesByBytesAndByPages)
{
    EXPECT_EQ(Pa::from_raw(0x1000).plus(0xffcu).raw(), 0x1ffcu);
    EXPECT_EQ(Pa::from_raw(0x1000).plus(PageCount{2}).raw(), 0x3000u);
    // Four billion pages are more bytes than 32 bits hold.
    EXPECT_EQ(Pa::from_raw(0).plus(PageCount{0xffff'ffff}).raw(), 0xffff'ffff'000u);
}

TEST(AnAddress, IsHandedOverTheBoundaryUnchanged)
{
    EXPECT_EQ(to_c(Ipa::from_raw(all_ones)).raw, all_ones);
    EXPECT_EQ(to_c(Pa::from_raw(0x78'a000'1000)).raw, 0x78'a000'1000u);
}

TEST(APageCount, CoversTheBytesWithTheirOffset)
{
    struct Row {
        std::uint32_t offset;
        std::uint64_t size;
        std::uint32_t pages;
    };
    for (auto const& row : {Row{0, 1, 1},
                            Row{0, 4096, 1},
                            Row{0, 4097, 2},
                            Row{4095, 1, 1},
                            Row{4095, 2, 2},
                            Row{4095, 4097, 2},
                            Row{4095, 4098, 3},
                            Row{1, 4096, 2},
                            Row{0, std::uint64_t{1} << 30, 1U << 18}}) {
        auto const pages = PageCount::covering(row.offset, row.size);
        ASSERT_TRUE(pages.ok());
        EXPECT_EQ(pages.get().count(), row.pages) << row.offset << " + " << row.size;
    }
}

TEST(APageCount, OfNoBytesIsTheOffsetsPage)
{
    EXPECT_EQ(PageCount::covering(0, 0).get().count(), 0u);
    EXPECT_EQ(PageCount::covering(1, 0).get().count(), 1u);
}

TEST(APageCount, ThatNobodyCouldPinIsAMatterOfQuota)
{
    constexpr auto most = std::uint64_t{0xffff'ffff} * 4096;
    ASSERT_TRUE(PageCount::covering(0, most).ok());
    EXPECT_EQ(PageCount::covering(0, most).get().count(), 0xffff'ffffu);
    EXPECT_EQ(PageCount::covering(0, most + 1).error(), Error::out_of_memory);
    EXPECT_EQ(PageCount::covering(1, most).error(), Error::out_of_memory);
    for (std::uint64_t below = 0; below != 10000; ++below)
        ASSERT_FALSE(PageCount::covering(4095, all_ones - below).ok()) << below;
}

} // namespace
} // namespace optee
