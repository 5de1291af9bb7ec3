/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

#pragma once

#include <xen/lib.h>

typedef struct shim_spinlock spinlock_t;

#define spin_lock_init(lock) shim_lock_init(lock)
#define spin_lock(lock) shim_lock(lock)
#define spin_unlock(lock) shim_unlock(lock)
#define spin_is_locked(lock) shim_is_locked(lock)
