// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "cell_pool.hpp"
#include "tests/unit/core_fixture.hpp"

#include <algorithm>
#include <random>
#include <set>
#include <vector>

namespace optee {
namespace {

constexpr std::uint32_t cells_of_a_page =
    page_bytes / CellPool::cell_bytes - 1; // the first holds the page's accounts

class ACellPool : public CoreTest {
protected:
    ~ACellPool() override
    {
        for (auto const cell : cells_)
            pool_.free(vm_, cell);
        pool_.trim(vm_);
        EXPECT_TRUE(nothing_is_held());
    }
    void take(std::size_t n)
    {
        for (std::size_t i = 0; i != n; ++i) {
            auto const cell = pool_.allocate(vm_);
            ASSERT_TRUE(cell.ok());
            cells_.push_back(cell.get());
        }
    }
    void give_back(std::size_t index)
    {
        pool_.free(vm_, cells_[index]);
        cells_.erase(cells_.begin() + static_cast<std::ptrdiff_t>(index));
    }
    bool is_zero(CellRef cell) const
    {
        auto const bytes = read_page_of_ours<std::array<unsigned char, CellPool::cell_bytes>>(cell.pa());
        return std::all_of(bytes.begin(), bytes.end(), [](auto byte) { return byte == 0; });
    }
    void fill(CellRef cell) { __builtin_memset(Mapped<unsigned char>{cell.pa()}.get(), 0xff, CellPool::cell_bytes); }

    CellPool pool_;
    std::vector<CellRef> cells_;
};

TEST_F(ACellPool, FillsAPageBeforeItAsksForTheNext)
{
    take(cells_of_a_page);
    EXPECT_EQ(guest_.mediator_pages(), 1u);
    take(1);
    EXPECT_EQ(guest_.mediator_pages(), 2u);
}

TEST_F(ACellPool, NeverGivesACellTwiceNorThatOfItsOwnAccounts)
{
    take(3 * cells_of_a_page);
    std::set<std::uint64_t> places;
    for (auto const cell : cells_) {
        EXPECT_TRUE(places.insert(cell.pa().raw()).second);
        EXPECT_NE(cell.pa().page_offset(), 0u);
        EXPECT_EQ(cell.pa().page_offset() % CellPool::cell_bytes, 0u);
    }
}

TEST_F(ACellPool, GivesCellsOfZerosAlsoWhenTheyWereUsedBefore)
{
    take(5);
    for (auto const cell : cells_)
        fill(cell);
    while (cells_.size() > 1)
        give_back(cells_.size() - 1);
    take(4);
    for (std::size_t i = 1; i != cells_.size(); ++i)
        EXPECT_TRUE(is_zero(cells_[i])) << i;
}

TEST_F(ACellPool, KeepsOnePageForACellThatComesAndGoes)
{
    for (int i = 0; i != 10; ++i) {
        take(1);
        give_back(0);
    }
    EXPECT_EQ(guest_.mediator_pages(), 1u);
    end_entry();
    EXPECT_EQ(machine_.largest_entry().allocations, 1u);
    begin_entry();
}

TEST_F(ACellPool, GivesBackAPageThatHasBecomeEmpty)
{
    take(3 * cells_of_a_page);
    EXPECT_EQ(guest_.mediator_pages(), 3u);
    for (std::uint32_t i = 0; i != cells_of_a_page; ++i)
        give_back(cells_of_a_page);         // the second page's
    EXPECT_EQ(guest_.mediator_pages(), 3u); // the only page with room is kept
    give_back(0);                           // now the first page has room too
    for (std::uint32_t i = 1; i != cells_of_a_page; ++i)
        give_back(0);
    EXPECT_EQ(guest_.mediator_pages(), 2u);
}

TEST_F(ACellPool, GivesBackAnEmptyPageAlsoWhenAnotherOneIsToBeFilledFirst)
{
    take(2 * cells_of_a_page);
    give_back(cells_of_a_page); // of the second page, which so has room
    give_back(0);               // and the first page, which is now the next to be filled
    while (cells_.size() != cells_of_a_page - 1)
        give_back(cells_of_a_page - 1);
    EXPECT_EQ(guest_.mediator_pages(), 1u);
}

TEST_F(ACellPool, ScrubsWhatItGivesBack)
{
    take(2 * cells_of_a_page);
    for (auto const cell : cells_)
        fill(cell);
    // The destructor gives all back; the simulator reports a page with anything but zeros in it (I15).
}

TEST_F(ACellPool, IsAsItWasWhenThereIsNoMemory)
{
    {
        FailingAllocation const failing{machine_, 0};
        EXPECT_EQ(pool_.allocate(vm_).error(), Error::out_of_memory);
    }
    EXPECT_TRUE(nothing_is_held());
    take(cells_of_a_page);
    {
        FailingAllocation const failing{machine_, 0};
        EXPECT_EQ(pool_.allocate(vm_).error(), Error::out_of_memory);
    }
    give_back(7);
    take(1);
    EXPECT_EQ(guest_.mediator_pages(), 1u);
}

TEST_F(ACellPool, TrimsNothingThatIsInUse)
{
    pool_.trim(vm_);
    take(1);
    pool_.trim(vm_);
    EXPECT_EQ(guest_.mediator_pages(), 1u);
    fill(cells_[0]);
}

TEST_F(ACellPool, SurvivesAnyOrder)
{
    std::minstd_rand random{7};
    for (int round = 0; round != 3000; ++round) {
        // Grows to some pages, shrinks to nearly none, and again.
        auto const grows = round / 400 % 2 == 0;
        if (cells_.empty() || random() % 10 < (grows ? 7U : 3U)) {
            take(1);
            ASSERT_TRUE(is_zero(cells_.back()));
            fill(cells_.back());
        } else {
            give_back(random() % cells_.size());
        }
        auto const least = (cells_.size() + cells_of_a_page - 1) / cells_of_a_page;
        ASSERT_GE(guest_.mediator_pages(), least);
        ASSERT_LE(guest_.mediator_pages(), cells_.size() + 1);
    }
}

} // namespace
} // namespace optee
