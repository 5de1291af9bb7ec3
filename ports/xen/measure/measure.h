/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */
#ifndef OPTEE_MEDIATOR_MEASURE_H
#define OPTEE_MEDIATOR_MEASURE_H

#include <xen/types.h>

struct cpu_user_regs;
struct tee_mediator_ops;

/* Stands between Xen and its TEE mediator, and counts. See measure.c. */
bool measured_handle_call(const struct tee_mediator_ops *ops,
                          struct cpu_user_regs *regs);

/* In place of gic_interrupt(): what it executes belongs to no call. */
void measured_interrupt(struct cpu_user_regs *regs, int is_fiq);

/*
 * In place of the softirqs that a mediator lets Xen do before it looks whether
 * the guest has to be left: without that Xen does them on the way back to the
 * guest, where nobody counts.
 */
void measured_softirqs(void (*softirqs)(unsigned long ignored),
                       unsigned long ignored);

#endif
