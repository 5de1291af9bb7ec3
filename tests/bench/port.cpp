// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// The boundary of our mediator over the null machine.

#include "tests/bench/null_machine.hpp"

#include <optee_mediator/port.h>

#include <cstring>

using namespace bench;

namespace {

NullVm& of(void* vm)
{
    return *static_cast<NullVm*>(vm);
}

std::atomic_ref<std::uint64_t> word(optee_lock* lock)
{
    return std::atomic_ref{lock->opaque[0]};
}

} // namespace

extern "C" {

void optee_port_smc(optee_smc_frame* frame)
{
    Outside const outside;
    NullMachine::current().smc(frame->a);
}

uint32_t optee_port_pin_run(void* vm, optee_ipa first, uint32_t pages, optee_pa* pa)
{
    Outside const outside;
    ++work.look_ups;
    auto& machine = of(vm).machine();
    pa->raw = of(vm).look_up(first.raw);
    uint32_t pinned = 0;
    while (pinned != pages && pa->raw != 0 &&
           of(vm).look_up(first.raw + pinned * page_bytes) == pa->raw + pinned * page_bytes) {
        machine.pins(pa->raw + pinned * page_bytes).fetch_add(1, std::memory_order_relaxed);
        ++pinned;
    }
    work.pages_pinned += pinned;
    return pinned;
}

void optee_port_unpin_run(void* vm, optee_pa first, uint32_t pages)
{
    Outside const outside;
    for (uint32_t n = 0; n != pages; ++n)
        of(vm).machine().pins(first.raw + n * page_bytes).fetch_sub(1, std::memory_order_relaxed);
}

void optee_port_read_guest(void* vm, optee_pa pinned, uint32_t offset, void* to, uint32_t bytes)
{
    Outside const outside;
    work.bytes_copied += bytes;
    std::memcpy(to, static_cast<unsigned char*>(of(vm).machine().address(pinned.raw)) + offset, bytes);
}

void optee_port_write_guest(void* vm, optee_pa pinned, uint32_t offset, void const* from, uint32_t bytes)
{
    Outside const outside;
    work.bytes_copied += bytes;
    std::memcpy(static_cast<unsigned char*>(of(vm).machine().address(pinned.raw)) + offset, from, bytes);
}

bool optee_port_allocate_page(void* vm, optee_pa* page)
{
    Outside const outside;
    page->raw = of(vm).machine().take_page();
    std::memset(of(vm).machine().address(page->raw), 0, page_bytes);
    return true;
}

void optee_port_free_page(void* vm, optee_pa page)
{
    Outside const outside;
    of(vm).machine().give_page(page.raw);
}

// Xen on arm64 has all memory mapped: this is a multiplication there.
void* optee_port_map_page(optee_pa page)
{
    Outside const outside;
    return NullMachine::current().address(page.raw);
}

void optee_port_unmap_page(void*) {}

void optee_port_lock_init(optee_lock* lock, uint32_t)
{
    *lock = {};
}

void optee_port_lock(optee_lock* lock)
{
    Outside const outside;
    bench::lock(word(lock));
}

void optee_port_unlock(optee_lock* lock)
{
    Outside const outside;
    bench::unlock(word(lock));
}

bool optee_port_preemption_pending(void)
{
    // Something always is: foreign interrupts are shown to the guest, so that each can be measured.
    return true;
}

void optee_port_log(optee_log_level, char const*, uint64_t) {}

uint64_t optee_port_counter(void)
{
    Outside const outside;
    static thread_local std::uint64_t ticks = 0;
    return ++ticks;
}

} // extern "C"
