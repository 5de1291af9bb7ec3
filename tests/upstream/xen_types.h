/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

#pragma once

/* What both sides of the shim know: Xen's C, which sees it as Xen's own types, and our C++ behind bridge.h. */

#include <stdint.h>

struct domain {
    uint16_t domain_id;
    struct {
        void* tee;
    } arch;
};

struct vcpu {
    struct domain* domain;
};

struct cpu_user_regs {
    uint64_t x[8];
};

struct shim_spinlock {
    unsigned int held;
    unsigned long holder; /* thread of the host */
};

enum {
    SHIM_INVALID,
    SHIM_RAM_RW,
    SHIM_RAM_RO,
};
