/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

#pragma once

#include <xen/types.h>

typedef struct {
    int counter;
} atomic_t;

#define atomic_read(atomic) shim_atomic_read(&(atomic)->counter)
#define atomic_set(atomic, value) shim_atomic_set(&(atomic)->counter, value)
#define atomic_sub(value, atomic) shim_atomic_sub(&(atomic)->counter, value)
#define atomic_dec(atomic) shim_atomic_sub(&(atomic)->counter, 1)
/* Both return the value before. */
#define atomic_add_unless(atomic, value, unless) shim_atomic_add_unless(&(atomic)->counter, value, unless)
#define atomic_cmpxchg(atomic, expected, value) shim_atomic_cmpxchg(&(atomic)->counter, expected, value)
