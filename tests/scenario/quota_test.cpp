// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// What a VM may hold at once: exact at the limit, and given back by whatever fails.

#include "tests/scenario/scenario.hpp"

#include <atomic>
#include <thread>

namespace sim::scenario {
namespace {

optee_mediator_policy limits(std::uint32_t buffers, std::uint32_t pages)
{
    auto policy = optee_mediator_default_policy();
    policy.buffers = buffers;
    policy.pages = pages;
    return policy;
}

TEST(Quota, OfBuffersIsExact)
{
    auto machine = Machine::with_one_vm().policy(limits(16, 1000)).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::memory).session;
    std::vector<Shm> buffers;
    for (unsigned n = 0; n < 16; ++n) {
        buffers.push_back(guest.register_memory(page_bytes));
        ASSERT_NE(buffers.back(), nullptr) << n;
    }
    auto const one_more = guest.memory().allocate_scattered(page_bytes);
    EXPECT_TRUE(is_refused(guest.register_shm(one_more), abi::result::out_of_memory));
    EXPECT_TRUE(is_refused(guest.invoke(session, command::memory_invert, {temporary_inout(one_more)}),
                           abi::result::out_of_memory));
    guest.free_shm(buffers.front());
    EXPECT_TRUE(guest.invoke(session, command::memory_invert, {temporary_inout(one_more)}).ok());
    EXPECT_TRUE(guest.register_shm(one_more).ok());
    EXPECT_EQ(machine.vm(0).counter("buffers_live"), 16u);
    expect_clean_end(machine);
}

TEST(Quota, OfPagesIsExactOverAllBuffers)
{
    auto machine = Machine::with_one_vm().policy(limits(100, 50)).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const first = guest.register_memory(20 * page_bytes);
    ASSERT_NE(first, nullptr);
    auto const too_large = guest.memory().allocate_scattered(31 * page_bytes);
    auto const fitting = guest.memory().allocate_scattered(30 * page_bytes);
    EXPECT_TRUE(is_refused(guest.register_shm(too_large), abi::result::out_of_memory));
    EXPECT_TRUE(guest.register_shm(fitting).ok());
    EXPECT_EQ(machine.vm(0).counter("pages_live"), 50u);
    auto const one = guest.memory().allocate_scattered(1);
    EXPECT_TRUE(is_refused(guest.register_shm(one), abi::result::out_of_memory));
    EXPECT_TRUE(guest.unregister_shm(first).ok());
    EXPECT_TRUE(guest.register_shm(one).ok());
    expect_clean_end(machine);
}

TEST(Quota, CountsThePageThatAnOffsetAdds)
{
    auto machine = Machine::with_one_vm().policy(limits(100, 4)).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const five = guest.memory().allocate_scattered(4 * page_bytes, 1);
    ASSERT_EQ(five->pages.size(), 5u);
    EXPECT_TRUE(is_refused(guest.register_shm(five), abi::result::out_of_memory));
    auto const four = guest.memory().allocate_scattered(4 * page_bytes - 1, 1);
    EXPECT_TRUE(guest.register_shm(four).ok());
    expect_clean_end(machine);
}

TEST(Quota, IsJudgedBeforeAnyWorkIsDone)
{
    auto machine = Machine::with_one_vm().policy(limits(100, 50)).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    for (auto const bytes :
         {51ull * page_bytes, 1ull << 31, 1ull << 32, 1ull << 44, 1ull << 63, ~0ull - 4095, ~0ull}) {
        auto call = guest.begin(abi::cmd::register_shm,
                                0,
                                0,
                                {{{abi::attr::tmem_output | abi::attr::noncontig, 0x4000'3000, bytes, 7}, nullptr}});
        auto const work = call.start_on(0).work;
        EXPECT_EQ(call.result().a0, abi::ret::ok);
        EXPECT_TRUE(call.result().ret == abi::result::out_of_memory ||
                    call.result().ret == abi::result::bad_parameters)
            << std::hex << bytes;
        EXPECT_LE(work.look_ups, 2u) << "the message's own page, on its way in and out";
        EXPECT_EQ(work.smcs, 0u);
    }
    EXPECT_EQ(machine.vm(0).counter("pages_live"), 0u);
    expect_clean_end(machine);
}

TEST(Quota, HoldsForMemoryThatOpteeAsksForToo)
{
    auto machine = Machine::with_one_vm().policy(limits(100, 50)).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::allocator).session;
    EXPECT_TRUE(guest.invoke(session, command::allocator_appl, {value_in(50 * page_bytes, 1)}).ok());
    auto const free_before = guest.memory().free_pages();
    EXPECT_EQ(guest.invoke(session, command::allocator_appl, {value_in(51 * page_bytes, 1)}).ret,
              abi::result::out_of_memory);
    EXPECT_EQ(guest.memory().free_pages(), free_before) << "the guest was asked to free what it offered";
    expect_clean_end(machine);
}

TEST(Quota, LoweredWhileTheVmRunsCountsForWhatIsAskedForAfterwards)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const one = guest.register_memory(page_bytes);
    auto const two = guest.register_memory(page_bytes);
    machine.vm(0).set_policy(limits(2, 2));
    EXPECT_EQ(guest.register_memory(page_bytes), nullptr);
    guest.free_shm(one);
    EXPECT_NE(guest.register_memory(page_bytes), nullptr);
    guest.free_shm(two);
    expect_clean_end(machine);
}

TEST(Quota, OfOneVmIsNotAnothers)
{
    auto machine = Machine::with_vms(2).policy(limits(4, 8)).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    LinuxGuest other{machine.vm(1), plain_driver};
    ASSERT_NE(guest.register_memory(8 * page_bytes), nullptr);
    EXPECT_EQ(guest.register_memory(page_bytes), nullptr);
    EXPECT_NE(other.register_memory(8 * page_bytes), nullptr);
    expect_clean_end(machine);
}

TEST(Quota, IsNeverExceededByVcpusThatRaceForTheLastPages)
{
    auto machine = Machine::with_one_vm().vcpus(4).policy(limits(6, 20)).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    std::vector<std::thread> vcpus;
    for (std::uint32_t vcpu = 0; vcpu < 4; ++vcpu)
        vcpus.emplace_back([&, vcpu] {
            for (unsigned n = 0; n < 40; ++n)
                if (auto const shm = guest.register_memory(7 * page_bytes, 0, vcpu))
                    guest.free_shm(shm, vcpu);
        });
    for (auto& vcpu : vcpus)
        vcpu.join();
    EXPECT_EQ(machine.vm(0).counter("buffers_live"), 0u);
    EXPECT_EQ(machine.vm(0).counter("pages_live"), 0u);
    expect_clean_end(machine);
}

TEST(Quota, IsWhatItWasAfterAStormOfFailures)
{
    auto machine = Machine::with_one_vm().boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const shm = guest.memory().allocate_scattered(40 * page_bytes);
    vm.unmap(shm->pages.back());
    EXPECT_FALSE(guest.register_shm(shm).ok());
    auto const pages = vm.mediator_pages();
    for (unsigned n = 0; n < 300; ++n)
        ASSERT_FALSE(guest.register_shm(shm).ok());
    EXPECT_EQ(vm.counter("buffers_live"), 0u);
    EXPECT_EQ(vm.counter("pages_live"), 0u);
    EXPECT_EQ(vm.mediator_pages(), pages);
    EXPECT_EQ(vm.pins(), 0u);
    expect_clean_end(machine);
}

} // namespace
} // namespace sim::scenario
