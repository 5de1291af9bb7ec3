// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/conformance/port_contract.hpp"

#include <array>
#include <cstring>
#include <thread>
#include <vector>

namespace conformance {
namespace {

constexpr std::uint32_t page_bytes = OPTEE_MEDIATOR_PAGE_BYTES;

optee_ipa page_after(optee_ipa first, std::uint32_t pages)
{
    return {first.raw + std::uint64_t{pages} * page_bytes};
}

optee_pa page_after(optee_pa first, std::uint32_t pages)
{
    return {first.raw + std::uint64_t{pages} * page_bytes};
}

/// Pins the whole run, in as many calls as the port likes; the pages in order.
std::vector<optee_pa> pin_all(void* vm, optee_ipa first, std::uint32_t pages)
{
    std::vector<optee_pa> pinned;
    while (pinned.size() < pages) {
        auto const done = static_cast<std::uint32_t>(pinned.size());
        optee_pa pa{};
        auto const count = optee_port_pin_run(vm, page_after(first, done), pages - done, &pa);
        EXPECT_LE(count, pages - done);
        if (count == 0)
            break;
        for (std::uint32_t n = 0; n < count; ++n)
            pinned.push_back(page_after(pa, n));
    }
    return pinned;
}

TEST_P(PortContract, PinningRamGivesThePhysicalPages)
{
    auto const first = bench().fresh_ram(4, true);
    on_cpu([&] {
        auto const pages = pin_all(bench().vm(), first, 4);
        ASSERT_EQ(pages.size(), 4u);
        for (std::uint32_t n = 0; n < 4; ++n) {
            EXPECT_EQ(pages[n].raw % page_bytes, 0u);
            EXPECT_EQ(pages[n].raw, page_after(pages[0], n).raw);
            bench().guest_writes(page_after(first, n), 0x1000 + n);
            std::uint32_t seen = 0;
            optee_port_read_guest(bench().vm(), pages[n], 0, &seen, sizeof seen);
            EXPECT_EQ(seen, 0x1000 + n) << "it is the page behind that address";
        }
        optee_port_unpin_run(bench().vm(), pages[0], 4);
    });
}

TEST_P(PortContract, ARunEndsWherePhysicalMemoryDoesNotGoOn)
{
    auto const first = bench().fresh_ram(4, false);
    on_cpu([&] {
        optee_pa pa{};
        EXPECT_EQ(optee_port_pin_run(bench().vm(), first, 4, &pa), 1u);
        optee_port_unpin_run(bench().vm(), pa, 1);
    });
}

TEST_P(PortContract, ARunEndsBeforeAPageThatDoesNotQualify)
{
    for (auto const kind : {NoRam::absent, NoRam::read_only, NoRam::foreign, NoRam::granted, NoRam::device}) {
        auto const first = bench().fresh_ram(4, true);
        if (!bench().make(kind, page_after(first, 2)))
            continue;
        on_cpu([&] {
            optee_pa pa{};
            auto const pinned = optee_port_pin_run(bench().vm(), first, 4, &pa);
            EXPECT_GE(pinned, 1u);
            EXPECT_LE(pinned, 2u);
            optee_port_unpin_run(bench().vm(), pa, pinned);
        });
    }
}

TEST_P(PortContract, PagesThatAreNotReadWriteRamOfTheVmAllFailAlike)
{
    for (auto const kind : {NoRam::absent, NoRam::read_only, NoRam::foreign, NoRam::granted, NoRam::device}) {
        auto const page = bench().fresh_ram(1, true);
        if (!bench().make(kind, page))
            continue;
        on_cpu([&] {
            optee_pa pa{0x5a5a};
            EXPECT_EQ(optee_port_pin_run(bench().vm(), page, 1, &pa), 0u) << static_cast<unsigned>(kind);
            EXPECT_EQ(pa.raw, 0x5a5au) << "not set";
            EXPECT_EQ(optee_port_pin_run(bench().vm(), page, 8, &pa), 0u);
        });
    }
}

TEST_P(PortContract, AddressesBeyondEverythingFail)
{
    on_cpu([&] {
        for (auto const raw : {std::uint64_t{1} << 52, ~std::uint64_t{page_bytes - 1}}) {
            optee_pa pa{};
            EXPECT_EQ(optee_port_pin_run(bench().vm(), {raw}, 2, &pa), 0u) << std::hex << raw;
        }
    });
}

TEST_P(PortContract, PinsAreCountedAndGivenBackInAnyPartition)
{
    auto const first = bench().fresh_ram(6, true);
    std::vector<optee_pa> pages;
    on_cpu([&] {
        pages = pin_all(bench().vm(), first, 6);
        ASSERT_EQ(pages.size(), 6u);
        auto const again = pin_all(bench().vm(), page_after(first, 2), 2);
        ASSERT_EQ(again.size(), 2u);
        EXPECT_EQ(again[0].raw, pages[2].raw);
    });
    on_cpu([&] {
        optee_port_unpin_run(bench().vm(), pages[2], 3); // the middle first, over the border between the two
        optee_port_unpin_run(bench().vm(), pages[5], 1);
        optee_port_unpin_run(bench().vm(), pages[0], 4);
    });
    for (std::uint32_t n = 0; n < 6; ++n)
        bench().take_away(page_after(first, n));
    for (auto const page : pages)
        EXPECT_TRUE(bench().is_reusable(page));
}

TEST_P(PortContract, APinnedPageThatTheVmGivesUpIsKeptUntilItsLastPinGoes)
{
    auto const ipa = bench().fresh_ram(1, true);
    optee_pa page{};
    on_cpu([&] {
        ASSERT_EQ(optee_port_pin_run(bench().vm(), ipa, 1, &page), 1u);
        ASSERT_EQ(optee_port_pin_run(bench().vm(), ipa, 1, &page), 1u);
        bench().take_away(ipa);
        optee_pa gone{};
        EXPECT_EQ(optee_port_pin_run(bench().vm(), ipa, 1, &gone), 0u);
        EXPECT_FALSE(bench().is_reusable(page));
        std::uint32_t const mark = 0x600d'600d;
        optee_port_write_guest(bench().vm(), page, 8, &mark, sizeof mark);
        std::uint32_t seen = 0;
        optee_port_read_guest(bench().vm(), page, 8, &seen, sizeof seen);
        EXPECT_EQ(seen, mark);
        optee_port_unpin_run(bench().vm(), page, 1);
        EXPECT_FALSE(bench().is_reusable(page));
        optee_port_unpin_run(bench().vm(), page, 1);
        EXPECT_TRUE(bench().is_reusable(page));
    });
}

TEST_P(PortContract, BytesOfAPinnedPageAreReadAndWrittenWhereTheyAre)
{
    auto const ipa = bench().fresh_ram(1, true);
    for (std::uint32_t byte = 0; byte < page_bytes; byte += 4)
        bench().guest_writes({ipa.raw + byte}, byte);
    on_cpu([&] {
        optee_pa page{};
        ASSERT_EQ(optee_port_pin_run(bench().vm(), ipa, 1, &page), 1u);
        std::array<std::uint32_t, page_bytes / 4> whole{};
        optee_port_read_guest(bench().vm(), page, 0, whole.data(), page_bytes);
        for (std::uint32_t word = 0; word < whole.size(); ++word)
            ASSERT_EQ(whole[word], word * 4);
        std::array<std::uint32_t, 3> const part{0xa, 0xb, 0xc};
        optee_port_write_guest(bench().vm(), page, page_bytes - 12, part.data(), 12);
        optee_port_write_guest(bench().vm(), page, 4, part.data(), 4);
        optee_port_unpin_run(bench().vm(), page, 1);
    });
    EXPECT_EQ(bench().guest_reads({ipa.raw}), 0u);
    EXPECT_EQ(bench().guest_reads({ipa.raw + 4}), 0xau);
    EXPECT_EQ(bench().guest_reads({ipa.raw + 8}), 8u);
    EXPECT_EQ(bench().guest_reads({ipa.raw + page_bytes - 16}), page_bytes - 16);
    EXPECT_EQ(bench().guest_reads({ipa.raw + page_bytes - 12}), 0xau);
    EXPECT_EQ(bench().guest_reads({ipa.raw + page_bytes - 4}), 0xcu);
}

TEST_P(PortContract, AnAllocatedPageIsZeroAlsoWhenItWasUsedBefore)
{
    auto const held = bench().held_pages();
    for (unsigned round = 0; round < 3; ++round) {
        std::array<optee_pa, 8> pages{};
        on_cpu([&] {
            for (auto& page : pages) {
                ASSERT_TRUE(optee_port_allocate_page(bench().vm(), &page));
                EXPECT_EQ(page.raw % page_bytes, 0u);
                auto* const bytes = static_cast<unsigned char*>(optee_port_map_page(page));
                ASSERT_NE(bytes, nullptr);
                for (std::uint32_t n = 0; n < page_bytes; ++n)
                    ASSERT_EQ(bytes[n], 0u);
                std::memset(bytes, 0xee, page_bytes);
                optee_port_unmap_page(bytes);
            }
        });
        EXPECT_EQ(bench().held_pages(), held + pages.size()) << "it is accounted to the VM";
        on_cpu([&] {
            for (auto const page : pages) {
                auto* const bytes = optee_port_map_page(page);
                std::memset(bytes, 0, page_bytes); // the mediator scrubs what it frees
                optee_port_unmap_page(bytes);
                optee_port_free_page(bench().vm(), page);
            }
        });
        EXPECT_EQ(bench().held_pages(), held);
    }
}

TEST_P(PortContract, FourPagesAreMappedAtATimeAndKeepWhatIsWritten)
{
    std::array<optee_pa, 4> pages{};
    on_cpu([&] {
        std::array<unsigned char*, 4> mapped{};
        for (std::uint32_t n = 0; n < 4; ++n) {
            ASSERT_TRUE(optee_port_allocate_page(bench().vm(), &pages[n]));
            mapped[n] = static_cast<unsigned char*>(optee_port_map_page(pages[n]));
        }
        for (std::uint32_t n = 0; n < 4; ++n)
            std::memset(mapped[n], static_cast<int>(n) + 1, page_bytes);
        for (auto const n : {2u, 0u, 3u, 1u})
            optee_port_unmap_page(mapped[n]);
    });
    bench().on_cpu(1, [&] {
        for (std::uint32_t n = 0; n < 4; ++n) {
            auto* const bytes = static_cast<unsigned char*>(optee_port_map_page(pages[n]));
            EXPECT_EQ(bytes[0], n + 1) << "on another CPU too";
            EXPECT_EQ(bytes[page_bytes - 1], n + 1);
            std::memset(bytes, 0, page_bytes);
            optee_port_unmap_page(bytes);
            optee_port_free_page(bench().vm(), pages[n]);
        }
    });
}

TEST_P(PortContract, NoVmReachesAnAllocatedPage)
{
    on_cpu([&] {
        optee_pa page{};
        ASSERT_TRUE(optee_port_allocate_page(bench().vm(), &page));
        optee_pa pa{};
        EXPECT_EQ(optee_port_pin_run(bench().vm(), {page.raw}, 1, &pa), 0u);
        optee_port_free_page(bench().vm(), page);
    });
}

TEST_P(PortContract, AllocationFailsWhenThereIsNoPageAndWorksAgainLater)
{
    if (!bench().run_out_of_pages(true))
        GTEST_SKIP() << "this hypervisor cannot be made to run out of pages";
    auto const held = bench().held_pages();
    optee_pa page{};
    on_cpu([&] { EXPECT_FALSE(optee_port_allocate_page(bench().vm(), &page)); });
    EXPECT_EQ(bench().held_pages(), held);
    bench().run_out_of_pages(false);
    on_cpu([&] {
        ASSERT_TRUE(optee_port_allocate_page(bench().vm(), &page));
        optee_port_free_page(bench().vm(), page);
    });
}

TEST_P(PortContract, ALockLetsOneCpuInAtATime)
{
    optee_lock lock{};
    optee_port_lock_init(&lock, 1);
    std::uint64_t count = 0; // not atomic: the lock is what makes it right
    std::vector<std::thread> threads;
    for (std::uint32_t cpu = 0; cpu < bench().cpus(); ++cpu)
        threads.emplace_back([&, cpu] {
            bench().on_cpu(cpu, [&] {
                for (unsigned n = 0; n < 1000; ++n) {
                    optee_port_lock(&lock);
                    ++count;
                    optee_port_unlock(&lock);
                }
            });
        });
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(count, 1000u * bench().cpus());
}

TEST_P(PortContract, LocksNestInTheOrderOfTheirRanksAndPagesAreAllocatedUnderThem)
{
    optee_lock outer{};
    optee_lock inner{};
    on_cpu([&] {
        optee_port_lock_init(&outer, 1);
        optee_port_lock_init(&inner, 2);
        optee_port_lock(&outer);
        optee_port_lock(&inner);
        optee_pa page{};
        ASSERT_TRUE(optee_port_allocate_page(bench().vm(), &page));
        auto* const bytes = optee_port_map_page(page);
        optee_port_unmap_page(bytes);
        optee_port_free_page(bench().vm(), page);
        optee_port_unlock(&inner);
        optee_port_unlock(&outer);
    });
}

TEST_P(PortContract, TheCounterNeverRunsBackwards)
{
    on_cpu([&] {
        auto last = optee_port_counter();
        for (unsigned n = 0; n < 1000; ++n) {
            auto const now = optee_port_counter();
            ASSERT_GE(now, last);
            last = now;
        }
    });
}

TEST_P(PortContract, PreemptionIsPendingWhenTheHypervisorSaysSo)
{
    on_cpu([&] { EXPECT_FALSE(optee_port_preemption_pending()); });
    if (!bench().pend_preemption(true))
        GTEST_SKIP() << "this hypervisor cannot be made to preempt";
    on_cpu([&] { EXPECT_TRUE(optee_port_preemption_pending()); });
    bench().pend_preemption(false);
    on_cpu([&] { EXPECT_FALSE(optee_port_preemption_pending()); });
}

TEST_P(PortContract, AnSmcCarriesEightRegistersThereAndFourBack)
{
    bench().answer_next_smc({{0x11, 0x22, 0x33, 0x44, 0xbad, 0xbad, 0xbad, 0xbad}});
    optee_smc_frame frame{{0xb200'0009, 1, 2, 3, 4, 5, 6, 0}};
    on_cpu([&] { optee_port_smc(&frame); });
    auto const sent = bench().last_smc();
    EXPECT_EQ(sent.a[0], 0xb200'0009u);
    for (unsigned n = 1; n < 7; ++n)
        EXPECT_EQ(sent.a[n], n);
    for (unsigned n = 0; n < 4; ++n)
        EXPECT_EQ(frame.a[n], 0x11u * (n + 1));
}

TEST_P(PortContract, ALineOfTheLogDoesNotDisturbAnything)
{
    on_cpu([&] {
        optee_port_log(OPTEE_LOG_INFO, "a line", 1);
        optee_port_log(OPTEE_LOG_ERROR, "", ~std::uint64_t{0});
    });
}

} // namespace

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(PortContract);

} // namespace conformance
