// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Page lists of any shape, interrupted anywhere: what is translated is what was asked for, and what is released is all.

#include "page_list.hpp"
#include "tests/unit/core_fixture.hpp"

#include <random>
#include <vector>

namespace optee {
namespace {

class APageList : public CoreTest, public testing::WithParamInterface<std::uint64_t> {
protected:
    APageList() : CoreTest{GetParam() % 2 == 0 ? sim::Placement::scattered : sim::Placement::contiguous} {}

    std::uint32_t below(std::uint32_t end) { return static_cast<std::uint32_t>(random_() % end); }

    /// Runs of neighbours, single pages and repetitions, mixed.
    std::vector<std::uint64_t> any_pages()
    {
        std::vector<std::uint64_t> pages;
        auto const wanted = 1 + below(1200);
        while (pages.size() < wanted) {
            auto const first = 100 + below(3000);
            for (std::uint32_t i = 0, length = 1 + below(80); i != length && pages.size() < wanted; ++i)
                pages.push_back(ram(first + i).raw());
            if (below(4) == 0)
                pages.push_back(pages.back());
        }
        return pages;
    }
    void interrupt_somehow()
    {
        switch (below(3)) {
        case 0:  machine_.preempt(sim::Preemption::never()); break;
        case 1:  machine_.preempt(sim::Preemption::always()); break;
        default: machine_.preempt(sim::Preemption::every(2 + below(5))); break;
        }
    }
    Result<Progress> translate(GuestPageList& list)
    {
        for (;;) {
            next_entry();
            interrupt_somehow();
            Budget budget{1 + below(200)};
            auto progress = list.translate(vm_, shadow_, budget);
            if (!progress.ok())
                return progress.error();
            if (progress.get() == Progress::done)
                return Progress::done;
        }
    }
    void release()
    {
        for (auto left = shadow_.pinned();;) {
            interrupt_somehow();
            Budget budget{1 + below(600)};
            auto const progress = shadow_.release(vm_, budget);
            EXPECT_TRUE(progress == Progress::done || shadow_.pinned() < left);
            EXPECT_EQ(shadow_.pinned().count(), guest_.pins());
            left = shadow_.pinned();
            if (progress == Progress::done)
                return;
        }
    }
    void expect_shadow_of(std::vector<std::uint64_t> const& pages)
    {
        ASSERT_EQ(shadow_.pinned().count(), pages.size());
        ASSERT_EQ(guest_.pins(), pages.size());
        auto list = read_page_of_ours<abi::PageListPage>(shadow_.first_page());
        for (std::size_t i = 0; i != pages.size(); ++i) {
            if (i != 0 && i % abi::PageListPage::entries == 0)
                list = read_page_of_ours<abi::PageListPage>(Pa::from_raw(list.next));
            ASSERT_EQ(list.page[i % abi::PageListPage::entries], pa_of(Ipa::from_raw(pages[i])).raw()) << i;
        }
        ASSERT_EQ(list.next, 0u);
    }

    std::mt19937_64 random_{GetParam()};
    ShadowPageList shadow_;
};
INSTANTIATE_TEST_SUITE_P(Seed, APageList, testing::Range(std::uint64_t{1}, std::uint64_t{9}));

TEST_P(APageList, ComesAndGoesWhole)
{
    for (int round = 0; round != 12 && !HasFailure(); ++round) {
        auto const pages = any_pages();
        GuestPageList list{write_list(50, pages), PageCount{static_cast<std::uint32_t>(pages.size())}};
        ASSERT_TRUE(translate(list).ok());
        expect_shadow_of(pages);
        release();
        EXPECT_TRUE(nothing_is_held());
    }
    machine_.preempt(sim::Preemption::never());
}

TEST_P(APageList, GoesWholeWhateverEndedItsTranslation)
{
    for (int round = 0; round != 12 && !HasFailure(); ++round) {
        auto pages = any_pages();
        auto const bad = below(static_cast<std::uint32_t>(pages.size()));
        pages[bad] = below(2) == 0 ? ram(ram_pages + below(100)).raw() : random_();
        GuestPageList list{write_list(50, pages), PageCount{static_cast<std::uint32_t>(pages.size())}};
        auto const progress = translate(list);
        ASSERT_FALSE(progress.ok());
        EXPECT_EQ(progress.error(), Error::bad_parameters);
        EXPECT_LE(guest_.pins(), bad);
        EXPECT_EQ(shadow_.pinned().count(), guest_.pins());
        release();
        EXPECT_TRUE(nothing_is_held());
    }
    machine_.preempt(sim::Preemption::never());
}

} // namespace
} // namespace optee
