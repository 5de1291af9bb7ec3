// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: optee-mediator contributors

// That the shim shows what Xen does: without that, the table would accuse nobody, or the wrong one.

#include "tests/attack/under_test.hpp"
#include "tests/upstream/bridge.h"
#include "tests/upstream/here.hpp"

#include <cstring>
#include <gtest/gtest.h>

// What the compiler calls before a load or store of optee.c.
extern "C" void __tsan_read4(void*);
extern "C" void __tsan_write4(void*);
extern "C" void __tsan_read8(void*);

namespace sim::upstream {
namespace {

/// Xen in the middle of an SMC of the VM.
class Shim : public testing::Test {
protected:
    Shim() : machine_{Machine::with_one_vm().mediated_by(attack::under_test().make), true} {}

    Vm& vm() { return machine_.vm(0); }
    Ipa ipa() { return vm().ram(7); }
    std::uint64_t gfn() { return ipa().raw / page_bytes; }

    std::uint32_t* map_guest_page()
    {
        int kind = SHIM_INVALID;
        page_ = shim_get_page(shim_current()->domain, gfn(), &kind);
        EXPECT_EQ(kind, SHIM_RAM_RW);
        return static_cast<std::uint32_t*>(shim_map_page(page_));
    }
    void unmap_guest_page(std::uint32_t* mapped)
    {
        shim_unmap_page(mapped);
        shim_put_page(page_);
    }

    Machine machine_;
    Entry entry_{machine_, &vm(), 0, Entry::Kind::smc};
    std::uint64_t page_ = 0;
};

TEST_F(Shim, ALoadSeesWhatTheGuestWroteLast)
{
    auto* const mapped = map_guest_page();
    for (auto const value : {1u, 2u}) {
        vm().poke(ipa(), value);
        __tsan_read4(mapped);
        EXPECT_EQ(*mapped, value);
    }
    unmap_guest_page(mapped);
    EXPECT_TRUE(machine_.violates(Invariant::i9)) << "that was a second read of the same bytes";
    EXPECT_EQ(entry_.work().guest_reads, 2u);
    entry_.finish();
}

TEST_F(Shim, AStoreIsInTheGuestBeforeXenDoesAnythingElse)
{
    auto* const mapped = map_guest_page();
    vm().poke(Ipa{ipa().raw + 8}, 99u);
    __tsan_write4(mapped + 1);
    mapped[1] = 42;
    EXPECT_TRUE(entry_.writes().empty());
    static_cast<void>(shim_current());
    EXPECT_EQ(vm().peek<std::uint32_t>(Ipa{ipa().raw + 4}), 42u);
    EXPECT_EQ(vm().peek<std::uint32_t>(Ipa{ipa().raw + 8}), 99u) << "nobody stored that";
    ASSERT_EQ(entry_.writes().size(), 1u);
    EXPECT_EQ(entry_.writes().front().offset, 4u);
    unmap_guest_page(mapped);
    entry_.finish();
    EXPECT_TRUE(machine_.invariants_hold()) << machine_.violations();
}

TEST_F(Shim, AnAddressOfTheMachineThatIsStoredInAGuestIsALeak)
{
    auto* const mapped = map_guest_page();
    for (unsigned half = 0; half < 2; ++half) {
        __tsan_write4(mapped + half);
        mapped[half] = static_cast<std::uint32_t>(page_ >> (32 * half));
    }
    unmap_guest_page(mapped);
    EXPECT_FALSE(machine_.violates(Invariant::i1)) << "each store is half of it";
    auto* const again = map_guest_page();
    auto address = page_;
    EXPECT_EQ(shim_access_guest(shim_current()->domain, ipa().raw, &address, sizeof address, true), 0);
    EXPECT_TRUE(machine_.violates(Invariant::i1));
    unmap_guest_page(again);
    entry_.finish();
}

TEST_F(Shim, APageThatIsNotTheDomainsOwnIsNotHad)
{
    int kind = SHIM_INVALID;
    vm().map_mmio(ipa());
    EXPECT_EQ(shim_get_page(shim_current()->domain, gfn(), &kind), 0u);
    std::uint32_t word = 0;
    EXPECT_NE(shim_access_guest(shim_current()->domain, ipa().raw, &word, sizeof word, false), 0);
    entry_.finish();
    EXPECT_TRUE(machine_.invariants_hold()) << machine_.violations();
}

TEST_F(Shim, AReadOnlyPageIsSeenForWhatItIs)
{
    ASSERT_TRUE(vm().write_protect(ipa()));
    int kind = SHIM_INVALID;
    auto const page = shim_get_page(shim_current()->domain, gfn(), &kind);
    EXPECT_EQ(kind, SHIM_RAM_RO);
    shim_put_page(page);
    std::uint32_t word = 5;
    EXPECT_EQ(shim_access_guest(shim_current()->domain, ipa().raw, &word, sizeof word, false), 0);
    EXPECT_TRUE(machine_.invariants_hold()) << machine_.violations();
    EXPECT_EQ(shim_access_guest(shim_current()->domain, ipa().raw, &word, sizeof word, true), 0);
    EXPECT_TRUE(machine_.violates(Invariant::i8));
    entry_.finish();
}

TEST_F(Shim, WhatIsUsedAfterItWasFreedIsSeen)
{
    auto* const block = shim_xzalloc(24);
    __tsan_read8(static_cast<char*>(block) + 16);
    EXPECT_TRUE(machine_.invariants_hold());
    shim_xfree(block);
    __tsan_read8(static_cast<char*>(block) + 16);
    EXPECT_TRUE(machine_.violates(Invariant::panic));
    machine_.log().clear();
    shim_xfree(block);
    EXPECT_TRUE(machine_.violates(Invariant::panic)) << "freed twice";
    entry_.finish();
}

TEST_F(Shim, TheHeapFailsWhenItIsToldTo)
{
    Failure failure{Point::allocate_page, 0};
    machine_.add(failure);
    EXPECT_EQ(shim_xzalloc(8), nullptr);
    machine_.remove(failure);
    entry_.finish();
}

TEST_F(Shim, AFailedAssertAndACrashedDomainAreReported)
{
    shim_assert_failed("a == b", "xen/arch/arm/tee/optee.c", 7);
    shim_domain_crash(shim_current()->domain, "xen/arch/arm/tee/optee.c", 8);
    auto const text = machine_.violations();
    EXPECT_NE(text.find("ASSERT(a == b), optee.c:7"), std::string::npos) << text;
    EXPECT_NE(text.find("crashes the domain at optee.c:8"), std::string::npos) << text;
    entry_.finish();
}

TEST_F(Shim, ALockThatIsHeldByTheSameCpuEndsTheProcess)
{
    shim_spinlock lock{};
    shim_lock_init(&lock);
    shim_lock(&lock);
    EXPECT_TRUE(shim_is_locked(&lock));
    EXPECT_DEATH(shim_lock(&lock), "Xen stops: a deadlock");
    shim_unlock(&lock);
    EXPECT_FALSE(shim_is_locked(&lock));
    entry_.finish();
}

TEST_F(Shim, OnlyTenLinesOfLogAreAGuestsDoing)
{
    for (int line = 0; line < 30; ++line)
        shim_printk("\001G\0010line %d", line);
    EXPECT_EQ(machine_.log_lines().size(), 10u + 1u) << "Xen itself has said one at boot";
    shim_printk("\0012not a guest's");
    EXPECT_EQ(machine_.log_lines().back().text, "not a guest's");
    EXPECT_FALSE(machine_.log_lines().back().is_error);
    entry_.finish();
}

TEST_F(Shim, AtomicsAreThoseOfXen)
{
    int counter = 3;
    EXPECT_EQ(shim_atomic_add_unless(&counter, 1, 4), 3);
    EXPECT_EQ(shim_atomic_add_unless(&counter, 1, 4), 4) << "the limit: nothing is added";
    EXPECT_EQ(shim_atomic_cmpxchg(&counter, 3, 9), 4);
    EXPECT_EQ(shim_atomic_cmpxchg(&counter, 4, 9), 4);
    shim_atomic_sub(&counter, 2);
    EXPECT_EQ(shim_atomic_read(&counter), 7);
    entry_.finish();
}

} // namespace
} // namespace sim::upstream
