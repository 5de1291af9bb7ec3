// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: optee-mediator contributors

// Xen's CPU: its log, its locks, its end; SMCs.

#include "tests/upstream/bridge.h"
#include "tests/upstream/here.hpp"

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <pthread.h>
#include <string>
#include <string_view>
#include <thread>

namespace sim::upstream {

namespace {

constexpr std::uint32_t lock_rank = 1;
/// As often a scheduler ran others, or a host thread slept, before a lock counts as never to be released.
constexpr std::uint32_t most_rounds_at_a_lock = 100'000;

std::string place_of(char const* file, int line)
{
    std::string_view const path{file};
    auto const slash = path.rfind('/');
    return std::string{slash == std::string_view::npos ? path : path.substr(slash + 1)} + ":" + std::to_string(line);
}

/// The process ends: nothing can go on. Whoever started it finds the reason in the last line.
[[noreturn]] void stop(std::string const& why)
{
    (void)std::fprintf(stderr, "Xen stops: %s\n", why.c_str());
    std::abort();
}

unsigned long this_thread()
{
    return static_cast<unsigned long>(pthread_self());
}

} // namespace

Entry& here()
{
    auto* const entry = Entry::current();
    if (entry == nullptr)
        stop("the mediator runs outside of an entry");
    UpstreamMediator::of(*entry).windows().settle(*entry);
    return *entry;
}

} // namespace sim::upstream

using namespace sim;
using namespace sim::upstream;

void shim_assert_failed(char const* condition, char const* file, int line)
{
    here().machine().broken(Invariant::panic,
                            "Xen stops (a debug build; others go on) at ASSERT(" + std::string{condition} + "), " +
                                place_of(file, line));
}

void shim_stop(char const* what, char const* file, int line)
{
    stop(what + std::string{" at "} + place_of(file, line));
}

void shim_domain_crash(domain*, char const* file, int line)
{
    here().machine().broken(Invariant::panic, "Xen crashes the domain at " + place_of(file, line));
}

void shim_printk(char const* format, ...)
{
    auto& entry = here();
    auto is_error = false;
    auto is_of_guest = false;
    for (; *format == 1; format += 2) {
        is_error = is_error || format[1] == '0';
        is_of_guest = is_of_guest || format[1] == 'G';
    }
    if (is_of_guest && !mediator().may_log_of_guest())
        return;
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    (void)std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    entry.machine().log_line({is_error, text, 0});
}

vcpu* shim_current()
{
    return &mediator().current(*here().vm());
}

bool shim_preempt_check()
{
    return mediator().preempts(here());
}

void shim_lock_init(shim_spinlock* lock)
{
    *lock = {};
}

void shim_lock(shim_spinlock* lock)
{
    auto& entry = here();
    entry.machine().at(entry.moment(Point::lock, Pa{0}, lock_rank));
    std::atomic_ref held{lock->held};
    std::atomic_ref holder{lock->holder};
    for (std::uint32_t round = 0; held.exchange(1, std::memory_order_acquire) != 0; ++round) {
        entry.machine().at(entry.moment(Point::lock_busy, Pa{0}, lock_rank));
        std::this_thread::yield();
        if (round == most_rounds_at_a_lock && holder.load() == this_thread())
            stop("a deadlock: a lock is wanted whose holder cannot go on before this CPU does");
    }
    holder = this_thread();
    entry.lock_taken(lock_rank);
}

void shim_unlock(shim_spinlock* lock)
{
    auto& entry = here();
    entry.lock_released(lock_rank);
    std::atomic_ref{lock->held}.store(0, std::memory_order_release);
    entry.machine().at(entry.moment(Point::unlock, Pa{0}, lock_rank));
}

bool shim_is_locked(shim_spinlock const* lock)
{
    return std::atomic_ref{const_cast<unsigned&>(lock->held)}.load() != 0;
}

int shim_atomic_read(int const* counter)
{
    return std::atomic_ref{const_cast<int&>(*counter)}.load();
}

void shim_atomic_set(int* counter, int value)
{
    std::atomic_ref{*counter}.store(value);
}

void shim_atomic_sub(int* counter, int value)
{
    std::atomic_ref{*counter}.fetch_sub(value);
}

int shim_atomic_add_unless(int* counter, int value, int unless)
{
    std::atomic_ref atomic{*counter};
    auto seen = atomic.load();
    while (seen != unless && !atomic.compare_exchange_weak(seen, seen + value)) {
    }
    return seen;
}

int shim_atomic_cmpxchg(int* counter, int expected, int value)
{
    std::atomic_ref{*counter}.compare_exchange_strong(expected, value);
    return expected;
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
    optee_smc_frame frame{{a0, a1, a2, a3, a4, a5, a6, a7}};
    here().smc(frame);
    for (unsigned n = 0; n < 4; ++n)
        result->a[n] = frame.a[n];
}
