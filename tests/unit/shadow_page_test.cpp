// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "shadow_page.hpp"
#include "tests/unit/core_fixture.hpp"

namespace optee {
namespace {

class AShadowPage : public CoreTest {};

TEST_F(AShadowPage, IsCountedWhileItLives)
{
    {
        auto const page = ShadowPage::allocate(vm_);
        ASSERT_TRUE(page.ok());
        EXPECT_TRUE(page.get().pa().is_page_aligned());
        EXPECT_EQ(guest_.mediator_pages(), 1u);
        EXPECT_EQ(count(Counter::mediator_pages), 1u);
    }
    EXPECT_TRUE(nothing_is_held());
}

TEST_F(AShadowPage, IsScrubbedBeforeItGoesBack)
{
    auto const page = ShadowPage::allocate(vm_).take();
    *Mapped<std::uint64_t>{page.pa()} = ~std::uint64_t{0};
    *Mapped<std::uint64_t>{page.pa().plus(4088u)} = ~std::uint64_t{0};
    // The simulator reports a page that is freed with anything but zeros in it (I15).
}

TEST_F(AShadowPage, GoesToWhomItIsHandedOn)
{
    auto page = ShadowPage::allocate(vm_).take();
    auto moved = std::move(page);
    auto const pa = std::move(moved).hand_on();
    {
        auto const nothing = std::move(moved);
    }
    EXPECT_EQ(guest_.mediator_pages(), 1u);
    free_shadow_page(vm_, pa);
    EXPECT_TRUE(nothing_is_held());
}

TEST_F(AShadowPage, AtPa0IsGivenBackForOpteeTakesItForNone)
{
    machine_.memory().offer_null_frame();
    auto const page = ShadowPage::allocate(vm_);
    ASSERT_FALSE(page.ok());
    EXPECT_EQ(page.error(), Error::out_of_memory);
    EXPECT_TRUE(nothing_is_held());
    EXPECT_TRUE(ShadowPage::allocate(vm_).ok());
}

TEST_F(AShadowPage, IsRefusedWithoutMemoryAndNotCounted)
{
    FailingAllocation const failing{machine_, 0};
    auto const page = ShadowPage::allocate(vm_);
    ASSERT_FALSE(page.ok());
    EXPECT_EQ(page.error(), Error::out_of_memory);
    EXPECT_TRUE(nothing_is_held());
}

TEST_F(AShadowPage, IsMappedWhereItsObjectIs)
{
    auto const page = ShadowPage::allocate(vm_).take();
    {
        Mapped<std::uint32_t> const last{page.pa().plus(4092u)};
        *last = 17;
        EXPECT_EQ(last.get(), &*last);
    }
    EXPECT_EQ(read_page_of_ours<std::uint32_t>(page.pa().plus(4092u)), 17u);
    next_entry(); // an entry that ends with a page mapped is reported
    EXPECT_TRUE(machine_.invariants_hold()) << machine_.violations();
}

} // namespace
} // namespace optee
