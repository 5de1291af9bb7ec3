// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include "base/annotations.hpp"

#include <optee_mediator/port.h>

#include <cstdint>

namespace optee {

/// A CPU that holds a lock takes only locks further down. No lock is held over an SMC or an access to guest memory.
enum class LockRank : std::uint32_t { vm_table, shm_registry, ta_allow_list };

/// The hypervisor's lock, with a place in the order.
template <LockRank rank>
class CAPABILITY("lock") RankedLock {
public:
    /// The hypervisor's locks need code to prepare them, so this is no constructor: the object may be static.
    void prepare() { optee_port_lock_init(&lock_, static_cast<std::uint32_t>(rank)); }
    void lock() ACQUIRE() { optee_port_lock(&lock_); }
    void unlock() RELEASE() { optee_port_unlock(&lock_); }

private:
    optee_lock lock_{};
};

template <LockRank rank>
class SCOPED_CAPABILITY LockGuard {
public:
    explicit LockGuard(RankedLock<rank>& lock) ACQUIRE(lock) : lock_{lock} { lock_.lock(); }
    ~LockGuard() RELEASE() { lock_.unlock(); }
    LockGuard(LockGuard const&) = delete;
    LockGuard& operator=(LockGuard const&) = delete;

private:
    RankedLock<rank>& lock_;
};

} // namespace optee
