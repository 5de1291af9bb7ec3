// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// The simulator's lock inside the boundary's `struct optee_lock`. A CPU that waits says so (Point::lock_busy): a
// scheduler that runs vCPUs as fibers switches there, real threads spin.

#include "sim/machine/entry.hpp"

#include <optee_mediator/types.h>

#include <atomic>
#include <cstdint>

namespace sim {

class Lock {
public:
    static Lock& prepare(optee_lock&, std::uint32_t rank);
    static Lock& of(optee_lock&);

    void acquire();
    void release();

private:
    std::atomic<bool> held_{false};
    std::uint32_t rank_ = 0;
};

static_assert(sizeof(Lock) <= sizeof(optee_lock));
static_assert(alignof(optee_lock) % alignof(Lock) == 0);

} // namespace sim
