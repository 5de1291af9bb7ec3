// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: optee-mediator contributors

// Xen's functions that optee.c calls, over the null machine of tests/bench: nothing is checked, all is counted. Where Xen
// does more than what is here, upstream gets the better case: atomics and lists cost nothing, freed pages are not scrubbed.

#include "tests/upstream/bridge.h"

#include "tests/bench/null_machine.hpp"
#include "tests/upstream/bench/domain.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace bench;

namespace {

constexpr std::size_t block_header = 16;

std::atomic_ref<std::uint32_t> word(shim_spinlock* lock)
{
    return std::atomic_ref{lock->held};
}

NullVm& vm_of(domain* d)
{
    return static_cast<BenchDomain*>(d)->vm;
}

/// Looks up and pins, as get_page_from_gfn() does.
std::uint64_t pinned_page(NullVm& vm, std::uint64_t ipa)
{
    ++work.look_ups;
    auto const page = vm.look_up(ipa);
    if (page != 0) {
        ++work.pages_pinned;
        vm.machine().pins(page).fetch_add(1, std::memory_order_relaxed);
    }
    return page;
}

void unpin(std::uint64_t page)
{
    NullMachine::current().pins(page).fetch_sub(1, std::memory_order_relaxed);
}

[[noreturn]] void stop(char const* what, char const* file, int line)
{
    (void)std::fprintf(stderr, "Xen stops: %s at %s:%d\n", what, file, line);
    std::abort();
}

} // namespace

namespace bench {
thread_local vcpu this_cpu{};
}

void shim_assert_failed(char const* condition, char const* file, int line)
{
    stop(condition, file, line);
}

void shim_stop(char const* what, char const* file, int line)
{
    stop(what, file, line);
}

void shim_domain_crash(domain*, char const* file, int line)
{
    stop("domain_crash()", file, line);
}

void shim_printk(char const*, ...) {}

vcpu* shim_current()
{
    Outside const outside;
    return &this_cpu;
}

bool shim_preempt_check()
{
    return false;
}

void shim_lock_init(shim_spinlock* lock)
{
    *lock = {};
}

void shim_lock(shim_spinlock* lock)
{
    Outside const outside;
    bench::lock(word(lock));
}

void shim_unlock(shim_spinlock* lock)
{
    Outside const outside;
    bench::unlock(word(lock));
}

bool shim_is_locked(shim_spinlock const* lock)
{
    return std::atomic_ref{const_cast<unsigned&>(lock->held)}.load() != 0;
}

int shim_atomic_read(int const* counter)
{
    Outside const outside;
    return std::atomic_ref{const_cast<int&>(*counter)}.load(std::memory_order_relaxed);
}

void shim_atomic_set(int* counter, int value)
{
    Outside const outside;
    std::atomic_ref{*counter}.store(value, std::memory_order_relaxed);
}

void shim_atomic_sub(int* counter, int value)
{
    Outside const outside;
    std::atomic_ref{*counter}.fetch_sub(value, std::memory_order_relaxed);
}

int shim_atomic_add_unless(int* counter, int value, int unless)
{
    Outside const outside;
    std::atomic_ref atomic{*counter};
    auto seen = atomic.load();
    while (seen != unless && !atomic.compare_exchange_weak(seen, seen + value)) {
    }
    return seen;
}

int shim_atomic_cmpxchg(int* counter, int expected, int value)
{
    Outside const outside;
    std::atomic_ref{*counter}.compare_exchange_strong(expected, value);
    return expected;
}

// Before each block stands how long it is.
void* shim_xzalloc(std::size_t bytes)
{
    Outside const outside;
    ++work.blocks_allocated;
    NullMachine::current().held().bytes += bytes;
    auto* const block = static_cast<unsigned char*>(std::calloc(1, bytes + block_header));
    std::memcpy(block, &bytes, sizeof bytes);
    return block + block_header;
}

void shim_xfree(void* freed)
{
    Outside const outside;
    if (freed == nullptr)
        return;
    auto* const block = static_cast<unsigned char*>(freed) - block_header;
    std::size_t bytes = 0;
    std::memcpy(&bytes, block, sizeof bytes);
    NullMachine::current().held().bytes -= bytes;
    std::free(block);
}

std::uint64_t shim_get_page(domain* d, std::uint64_t gfn, int* kind)
{
    Outside const outside;
    auto const page = pinned_page(vm_of(d), gfn * page_bytes);
    *kind = page != 0 ? SHIM_RAM_RW : SHIM_INVALID;
    return page;
}

void shim_put_page(std::uint64_t address)
{
    Outside const outside;
    unpin(address);
}

std::uint64_t shim_alloc_pages(unsigned int)
{
    Outside const outside;
    return NullMachine::current().take_page();
}

void shim_free_pages(std::uint64_t address, unsigned int)
{
    Outside const outside;
    NullMachine::current().give_page(address);
}

void* shim_map_page(std::uint64_t address)
{
    Outside const outside;
    return NullMachine::current().address(address);
}

void shim_unmap_page(void const*) {}

int shim_access_guest(domain* d, std::uint64_t ipa, void* buffer, std::uint32_t bytes, bool is_write)
{
    Outside const outside;
    auto* in_buffer = static_cast<unsigned char*>(buffer);
    while (bytes != 0) {
        auto const offset = ipa % page_bytes;
        auto const part = std::min<std::uint32_t>(bytes, static_cast<std::uint32_t>(page_bytes - offset));
        auto const page = pinned_page(vm_of(d), ipa - offset);
        if (page == 0)
            return -EINVAL;
        auto* const in_guest = static_cast<unsigned char*>(NullMachine::current().address(page)) + offset;
        std::memcpy(is_write ? in_guest : in_buffer, is_write ? in_buffer : in_guest, part);
        work.bytes_copied += part;
        unpin(page);
        ipa += part;
        in_buffer += part;
        bytes -= part;
    }
    return 0;
}

void __arm_smccc_1_0_smc(std::uint64_t a0,
                         std::uint64_t a1,
                         std::uint64_t a2,
                         std::uint64_t a3,
                         std::uint64_t a4,
                         std::uint64_t a5,
                         std::uint64_t a6,
                         std::uint64_t a7,
                         arm_smccc_res* result)
{
    Outside const outside;
    std::uint64_t a[8] = {a0, a1, a2, a3, a4, a5, a6, a7};
    NullMachine::current().smc(a);
    std::copy_n(a, 4, result->a);
}
