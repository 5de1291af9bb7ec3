/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

#pragma once

/* What the headers in include/ make of Xen's functions; bridge*.cpp has them, on top of sim/machine/entry.hpp. */

#include "tests/upstream/xen_types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Says so, and goes on as a release build of Xen does. */
void shim_assert_failed(char const* condition, char const* file, int line);
/* Says so, and ends the process: Xen is no more. */
void shim_stop(char const* what, char const* file, int line);
void shim_domain_crash(struct domain*, char const* file, int line);
void shim_printk(char const* format, ...);

struct vcpu* shim_current(void);
bool shim_preempt_check(void);

void shim_lock_init(struct shim_spinlock*);
void shim_lock(struct shim_spinlock*);
void shim_unlock(struct shim_spinlock*);
bool shim_is_locked(struct shim_spinlock const*);

int shim_atomic_read(int const*);
void shim_atomic_set(int*, int value);
void shim_atomic_sub(int*, int value);
int shim_atomic_add_unless(int*, int value, int unless);
int shim_atomic_cmpxchg(int*, int expected, int value);

void* shim_xzalloc(size_t bytes);
void shim_xfree(void*);

uint64_t shim_get_page(struct domain*, uint64_t gfn, int* kind);
void shim_put_page(uint64_t address);
uint64_t shim_alloc_pages(unsigned int order);
void shim_free_pages(uint64_t address, unsigned int order);
void* shim_map_page(uint64_t address);
void shim_unmap_page(void const*);
int shim_access_guest(struct domain*, uint64_t ipa, void* buffer, uint32_t bytes, bool is_write);

#ifdef __cplusplus
/* Xen's asm/smccc.h has both of these for Xen's side. */
struct arm_smccc_res {
    unsigned long a[4];
};
void __arm_smccc_1_0_smc(uint64_t a0,
                         uint64_t a1,
                         uint64_t a2,
                         uint64_t a3,
                         uint64_t a4,
                         uint64_t a5,
                         uint64_t a6,
                         uint64_t a7,
                         struct arm_smccc_res*);
#endif

/* tee_entry.c: the mediator that optee.c registers. */
bool upstream_probe(void);
int upstream_domain_init(struct domain*);
int upstream_relinquish(struct domain*);
bool upstream_handle_call(struct cpu_user_regs*);

#ifdef __cplusplus
}
#endif
