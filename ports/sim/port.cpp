// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// The boundary's fifteen functions over a simulated machine. Each forwards to the entry that runs on this CPU, where
// the rules of port.h are checked: sim/machine/entry.cpp.

#include "ports/sim/lock.hpp"
#include "sim/machine/machine.hpp"

#include <optee_mediator/port.h>

#include <cstdio>
#include <cstdlib>
#include <new>
#include <thread>

namespace sim {

namespace {

Entry& here()
{
    if (auto* const entry = Entry::current())
        return *entry;
    (void)std::fputs("ports/sim: the mediator calls its port outside of an entry\n", stderr);
    std::abort();
}

Vm& vm_of(void* handle)
{
    return *static_cast<Vm*>(handle);
}

} // namespace

Lock& Lock::prepare(optee_lock& memory, std::uint32_t rank)
{
    auto* const lock = new (&memory) Lock;
    lock->rank_ = rank;
    return *lock;
}

Lock& Lock::of(optee_lock& memory)
{
    return *std::launder(reinterpret_cast<Lock*>(&memory));
}

void Lock::acquire()
{
    auto& entry = here();
    entry.machine().at(entry.moment(Point::lock, Pa{0}, rank_));
    while (held_.exchange(true, std::memory_order_acquire)) {
        entry.machine().at(entry.moment(Point::lock_busy, Pa{0}, rank_));
        std::this_thread::yield();
    }
    entry.lock_taken(rank_);
}

void Lock::release()
{
    auto& entry = here();
    entry.lock_released(rank_);
    held_.store(false, std::memory_order_release);
    entry.machine().at(entry.moment(Point::unlock, Pa{0}, rank_));
}

} // namespace sim

using sim::here;
using sim::vm_of;

void optee_port_smc(struct optee_smc_frame* frame)
{
    here().smc(*frame);
}

uint32_t optee_port_pin_run(void* vm, struct optee_ipa first, uint32_t pages, struct optee_pa* pa)
{
    return here().pin_run(vm_of(vm), first, pages, pa);
}

void optee_port_unpin_run(void* vm, struct optee_pa first, uint32_t pages)
{
    here().unpin_run(vm_of(vm), first, pages);
}

void optee_port_read_guest(void* vm, struct optee_pa pinned, uint32_t offset, void* to, uint32_t bytes)
{
    here().read_guest(vm_of(vm), pinned, offset, to, bytes);
}

void optee_port_write_guest(void* vm, struct optee_pa pinned, uint32_t offset, void const* from, uint32_t bytes)
{
    here().write_guest(vm_of(vm), pinned, offset, from, bytes);
}

bool optee_port_allocate_page(void* vm, struct optee_pa* page)
{
    auto const allocated = here().allocate_page(vm_of(vm));
    if (allocated)
        *page = *allocated;
    return allocated.has_value();
}

void optee_port_free_page(void* vm, struct optee_pa page)
{
    here().free_page(vm_of(vm), page);
}

void* optee_port_map_page(struct optee_pa page)
{
    return here().map_page(page);
}

void optee_port_unmap_page(void* mapped)
{
    here().unmap_page(mapped);
}

void optee_port_lock_init(struct optee_lock* lock, uint32_t rank)
{
    sim::Lock::prepare(*lock, rank);
}

void optee_port_lock(struct optee_lock* lock)
{
    sim::Lock::of(*lock).acquire();
}

void optee_port_unlock(struct optee_lock* lock)
{
    sim::Lock::of(*lock).release();
}

bool optee_port_preemption_pending(void)
{
    return here().preemption_pending();
}

void optee_port_log(enum optee_log_level level, char const* text, uint64_t number)
{
    here().machine().log_line({level == OPTEE_LOG_ERROR, text, number});
}

uint64_t optee_port_counter(void)
{
    return here().machine().tick();
}
