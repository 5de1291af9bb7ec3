/* SPDX-License-Identifier: BSD-2-Clause */
/* SPDX-FileCopyrightText: optee-mediator contributors */
#ifndef OPTEE_MEDIATOR_PORT_H
#define OPTEE_MEDIATOR_PORT_H

/*
 * What a hypervisor provides: fifteen functions, bound at link time. C11 and C++20.
 *
 * `vm` is always the handle that the hypervisor gave to optee_mediator_vm_create(). Unless said otherwise a function is
 * called from any CPU, concurrently, in the context in which optee_mediator_handle_smc() or optee_mediator_vm_destroy()
 * was called, with no lock of the mediator held, and may not sleep. docs/porting.md leads through an implementation,
 * tests/conformance holds it to these words.
 */

#include <optee_mediator/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Issues one SMC to the secure world and stores a0 to a3 of the answer in the frame.
 * Context:  never called with a lock of the mediator held. Physical interrupts may end the SMC: OP-TEE then returns a
 *           foreign-interrupt RPC, and the port should let the hypervisor handle the interrupt before it returns.
 * Source:   SMCCC (Arm DEN 0028), SMC32 calls.
 */
void optee_port_smc(struct optee_smc_frame* frame);

/**
 * Takes references on a run of consecutive pages of the VM's memory, so that stage-2 changes cannot give them away.
 * A page counts only when it is read-write RAM that the VM owns, and that is checked under the same stage-2 look-up
 * that takes the reference: absent, read-only, foreign, grant-mapped and MMIO pages all fail alike.
 * Units:    `pages` counts 4 KiB units, 1 or more; `first` is aligned to 4 KiB.
 * Returns:  how many pages were pinned, counted from `first`: those of the run that lie consecutively in physical
 *           memory too; *pa is the first one's address. 0 when the first page does not qualify; *pa is then not set.
 *           A port may always stop after the first page.
 * Undo:     optee_port_unpin_run(), in any partition and any order.
 */
uint32_t optee_port_pin_run(void* vm, struct optee_ipa first, uint32_t pages, struct optee_pa* pa);

/**
 * Gives back references taken by optee_port_pin_run(): one on each of `pages` pages from `first` on.
 * Context:  also called while the VM is being destroyed, when its stage-2 may be gone.
 */
void optee_port_unpin_run(void* vm, struct optee_pa first, uint32_t pages);

/**
 * Copies bytes out of a page of the VM that the mediator has pinned. The VM may write the page at the same moment:
 * each byte is to be read once.
 * Units:    `offset` + `bytes` is at most 4096; both are multiples of 4.
 */
void optee_port_read_guest(void* vm, struct optee_pa pinned, uint32_t offset, void* to, uint32_t bytes);

/** Copies bytes into a page of the VM that the mediator has pinned. Units as in optee_port_read_guest(). */
void optee_port_write_guest(void* vm, struct optee_pa pinned, uint32_t offset, void const* from, uint32_t bytes);

/**
 * Allocates one page for the mediator, filled with zeros, that no VM can reach and that OP-TEE accepts as non-secure
 * shared memory (boards have memory that OP-TEE was not told of: the port knows the window).
 * Context:  may be called with a lock of the mediator held.
 * Returns:  true and *page set, or false: out of memory. `vm` is the VM on whose behalf it is held. A page at PA 0 is
 *           given back at once, and counts as none: OP-TEE takes that address for no memory.
 */
bool optee_port_allocate_page(void* vm, struct optee_pa* page);

/** Frees a page of optee_port_allocate_page(). The mediator has scrubbed it. Context: as there. */
void optee_port_free_page(void* vm, struct optee_pa page);

/**
 * Makes a page of optee_port_allocate_page() addressable on this CPU, until optee_port_unmap_page() on the same CPU.
 * Cannot fail. At most four are mapped at a time on one CPU.
 * Context:  may be called with a lock of the mediator held.
 */
void* optee_port_map_page(struct optee_pa page);

/** Undoes optee_port_map_page(). Context: as there. */
void optee_port_unmap_page(void* mapped);

/**
 * Prepares a lock. `rank` is its place in the lock order: a CPU that holds a lock takes only locks of higher rank.
 * The memory belongs to the mediator and is not used any more after the VM was destroyed; there is no counterpart.
 */
void optee_port_lock_init(struct optee_lock* lock, uint32_t rank);

/** Takes the lock, spinning; preemption of the CPU by the scheduler is to be off while it is held. */
void optee_port_lock(struct optee_lock* lock);

/** Releases the lock. */
void optee_port_unlock(struct optee_lock* lock);

/**
 * True when this CPU should leave the mediator soon: the scheduler, or an interrupt for this vCPU, is waiting. Other work
 * of the hypervisor that waits may be done here, before the answer; no lock of the mediator is held.
 */
bool optee_port_preemption_pending(void);

/** Severity of a line for optee_port_log(). */
enum optee_log_level {
    OPTEE_LOG_ERROR, /**< something is lost until the VM, or the machine, is restarted */
    OPTEE_LOG_INFO,  /**< once per boot or per VM */
};

/**
 * One line for the hypervisor's own log, never for a console that a VM can read: `text` and up to one number. Not
 * called at a rate that a VM could choose.
 */
void optee_port_log(enum optee_log_level level, char const* text, uint64_t number);

/** A monotonic counter, for trace stamps and for the time spent in the secure world. Units: the port's own ticks. */
uint64_t optee_port_counter(void);

#ifdef __cplusplus
}
#endif

#endif
