// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// I13: a buffer of 1 GiB, translated and released in entries of bounded work, while other vCPUs get on.

#include "core/yielding_call.hpp"
#include "tests/scenario/scenario.hpp"

#include <atomic>
#include <string>
#include <thread>

namespace sim::scenario {
namespace {

constexpr std::uint64_t gigabyte_pages = 262'144;
// What core/page_list.cpp does between two looks at its budget, and the pages held for a message and for a list.
constexpr std::uint32_t translation_step = 32;
constexpr std::uint32_t release_step = 128;
constexpr std::uint32_t own_pages = 8;
// The pages of our list that an entry fills, and what the registry grows by.
constexpr std::uint32_t most_allocations = 4;
// Each page of the guest's list once, and its message.
constexpr std::uint32_t most_guest_reads = 8;
constexpr std::uint32_t most_guest_writes = 8;

void expect_at_most(char const* what, std::uint32_t most, std::uint32_t limit)
{
    EXPECT_LE(most, limit) << what;
    // tools/entry_bounds prints them.
    testing::Test::RecordProperty(what, static_cast<int>(most));
    testing::Test::RecordProperty(std::string{what} + "_at_most", static_cast<int>(limit));
}

void expect_bounded(Work const& work)
{
    using optee::EntryLimits;
    expect_at_most("look_ups", work.look_ups, EntryLimits::pages_translated + translation_step + own_pages);
    expect_at_most("pins", work.pins, EntryLimits::pages_translated + translation_step + own_pages);
    expect_at_most("unpins", work.unpins, EntryLimits::pages_released + release_step + own_pages);
    expect_at_most("smcs", work.smcs, EntryLimits::tee_entries);
    expect_at_most("allocations", work.allocations, most_allocations);
    expect_at_most("guest_reads", work.guest_reads, most_guest_reads);
    expect_at_most("guest_writes", work.guest_writes, most_guest_writes);
}

struct Layout {
    char const* name;
    Placement placement;
    bool contiguous_for_the_guest;
};

class AGigabyte : public testing::TestWithParam<Layout> {};

TEST_P(AGigabyte, IsRegisteredUsedAndUnregisteredInEntriesOfBoundedWorkWhileOthersGetOn)
{
    auto policy = optee_mediator_default_policy();
    policy.pages = gigabyte_pages + 64;
    auto machine = Machine::with_one_vm()
                       .vcpus(2)
                       .ram_pages(gigabyte_pages + 2048)
                       .placement(GetParam().placement)
                       .policy(policy)
                       .boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const session = guest.open(App::memory).session;

    std::atomic<bool> finished{false};
    std::atomic<unsigned> calls_of_others{0};
    std::atomic<unsigned> failures_of_others{0};
    std::thread other{[&] {
        while (!finished)
            ++(works(guest, 1) ? calls_of_others : failures_of_others);
    }};
    auto const bytes = gigabyte_pages * page_bytes;
    auto const shm = GetParam().contiguous_for_the_guest ? guest.allocate_shm(bytes) : guest.register_memory(bytes);
    EXPECT_NE(shm, nullptr);
    if (shm) {
        for (auto const offset : {std::uint64_t{0}, bytes / 2 - 100, bytes - 5000}) {
            auto const result =
                guest.invoke(session, command::memory_sum, {shared_in(shm, offset, 5000), value_out()});
            EXPECT_TRUE(result.ok()) << offset;
        }
        EXPECT_TRUE(guest.unregister_shm(shm).ok());
    }
    finished = true;
    other.join();
    EXPECT_GT(calls_of_others, 0u);
    EXPECT_EQ(failures_of_others, 0u);
    EXPECT_GT(vm.counter("preemptions"), gigabyte_pages / 200);
    EXPECT_EQ(vm.pins(), 0u);
    expect_bounded(machine.largest_entry());
    expect_clean_end(machine);
}

INSTANTIATE_TEST_SUITE_P(Of,
                         AGigabyte,
                         testing::Values(Layout{"ScatteredPages", Placement::scattered, false},
                                         Layout{"ContiguousPages", Placement::contiguous, true}),
                         name_of_case<Layout>);

TEST(LongBuffer, OfContiguousPagesIsPinnedInRuns)
{
    auto machine = Machine::with_one_vm().ram_pages(8192).placement(Placement::contiguous).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const shm = guest.allocate_shm(4096 * page_bytes);
    ASSERT_NE(shm, nullptr);
    auto const work = machine.largest_entry();
    EXPECT_GE(work.pins, optee::EntryLimits::pages_translated);
    EXPECT_LT(work.look_ups, 12u) << "some runs, the list, the message";
    guest.free_shm(shm);
    expect_clean_end(machine);
}

TEST(LongBuffer, ForOneCallIsBoundedToo)
{
    auto machine = Machine::with_one_vm().ram_pages(20000).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::memory).session;
    auto const shm = guest.memory().allocate_scattered(5000 * page_bytes);
    EXPECT_TRUE(guest.invoke(session, command::memory_sum, {temporary_in(shm), value_out()}).ok());
    auto const allocator = guest.open(App::allocator).session;
    EXPECT_TRUE(guest.invoke(allocator, command::allocator_appl, {value_in(5000 * page_bytes, 1)}).ok());
    EXPECT_EQ(machine.vm(0).pins(), 0u);
    expect_bounded(machine.largest_entry());
    expect_clean_end(machine);
}

TEST(LongBuffer, IsGivenBackInEntriesOfBoundedWorkWhenItsLastPageIsBad)
{
    auto machine = Machine::with_one_vm().ram_pages(20000).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const shm = guest.memory().allocate_scattered(5000 * page_bytes);
    machine.vm(0).unmap(shm->pages.back());
    EXPECT_TRUE(is_refused(guest.register_shm(shm), abi::result::bad_parameters));
    EXPECT_EQ(machine.vm(0).pins(), 0u);
    expect_bounded(machine.largest_entry());
    expect_clean_end(machine);
}

TEST(LongBuffer, IsGivenBackByVmDestroyInStepsOfBoundedWork)
{
    auto machine = Machine::with_one_vm().ram_pages(40000).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    ASSERT_NE(guest.register_memory(30000 * page_bytes), nullptr);
    unsigned steps = 1;
    while (machine.vm(0).destroy_step() == OPTEE_MEDIATOR_AGAIN)
        ++steps;
    EXPECT_GT(steps, 3u);
    EXPECT_LE(machine.largest_entry().unpins, 4096u + release_step);
    expect_clean_end(machine);
}

} // namespace
} // namespace sim::scenario
