/* SPDX-License-Identifier: BSD-2-Clause */
/* SPDX-FileCopyrightText: optee-mediator contributors */
#ifndef OPTEE_MEDIATOR_TYPES_H
#define OPTEE_MEDIATOR_TYPES_H

/*
 * What both sides of the boundary share. C11 and C++20.
 *
 * An address is a struct of one field, so that an intermediate physical address (what a VM calls physical) cannot be
 * handed over where a physical address is due. Compilers pass it in a register, as they would pass the integer.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The protocol's page, whatever the hypervisor's granule: optee_msg.h, OPTEE_MSG_NONCONTIG_PAGE_SIZE. */
#define OPTEE_MEDIATOR_PAGE_BYTES 4096u

/** Intermediate physical address: what the VM calls physical. Never valid outside that VM. */
struct optee_ipa {
    uint64_t raw;
};

/** Physical address: what OP-TEE is given. Never shown to a VM. */
struct optee_pa {
    uint64_t raw;
};

/** Registers of one SMC, a0 to a7 (SMCCC: w0 to w7, r0 to r7). SMC32 calls use the low 32 bits of each. */
struct optee_smc_frame {
    uint64_t a[8];
};

/** Room for the hypervisor's own lock; the port asserts at build time that its lock fits and is aligned. */
struct optee_lock {
    uint64_t opaque[8];
};

#endif
