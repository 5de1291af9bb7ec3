/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

#pragma once

#include <xen/atomic.h>
#include <xen/err.h>
#include <xen/lib.h>
#include <xen/list.h>
#include <xen/spinlock.h>

#define current (shim_current())
#define domain_crash(d) shim_domain_crash(d, __FILE__, __LINE__)
#define hypercall_preempt_check() shim_preempt_check()

/* public/arch-arm.h */
#define XEN_DOMCTL_CONFIG_TEE_OPTEE 1
