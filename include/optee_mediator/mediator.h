/* SPDX-License-Identifier: BSD-2-Clause */
/* SPDX-FileCopyrightText: optee-mediator contributors */
#ifndef OPTEE_MEDIATOR_MEDIATOR_H
#define OPTEE_MEDIATOR_MEDIATOR_H

/*
 * What a hypervisor calls. C11 and C++20. The functions that it provides in turn are in port.h.
 *
 *   boot              optee_mediator_probe()
 *   VM is built       optee_mediator_vm_bytes(), optee_mediator_vm_create()
 *   each trapped SMC  optee_mediator_handle_smc()
 *   VM is torn down   optee_mediator_vm_destroy(), again and again until it is done
 */

#include <optee_mediator/types.h>
#include <optee_mediator/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Outcome of the functions below. Zero is success. */
enum optee_mediator_status {
    OPTEE_MEDIATOR_OK = 0,
    OPTEE_MEDIATOR_NOT_OPTEE,         /**< whoever answers SMCs to the trusted OS is not OP-TEE */
    OPTEE_MEDIATOR_NO_VIRTUALIZATION, /**< OP-TEE was built without CFG_NS_VIRTUALIZATION=y */
    OPTEE_MEDIATOR_NO_DYNAMIC_SHM,    /**< OP-TEE cannot use memory that a VM registers (CFG_CORE_DYN_SHM=y) */
    OPTEE_MEDIATOR_NOT_PROBED,        /**< optee_mediator_probe() did not succeed before */
    OPTEE_MEDIATOR_BAD_CLIENT,        /**< client id 0 (the hypervisor's own), above 65535, or in use */
    OPTEE_MEDIATOR_REFUSED,           /**< OP-TEE has no room for one more VM (CFG_VIRT_GUEST_COUNT) */
    OPTEE_MEDIATOR_NO_MEMORY,         /**< optee_port_allocate_page() failed */
    OPTEE_MEDIATOR_AGAIN,             /**< preempted: call again to go on */
    OPTEE_MEDIATOR_BUSY,              /**< a vCPU of the VM is still inside the mediator: stop it, call again */
    OPTEE_MEDIATOR_QUARANTINED,       /**< OP-TEE may still use the VM's pages: they are kept, see vm_destroy */
};

/** What a VM may use. All limits are upper bounds, at least 1; OP-TEE may have less. */
struct optee_mediator_policy {
    uint32_t threads;      /**< yielding calls in flight at once */
    uint32_t buffers;      /**< shared buffers known at once: registered, temporary and RPC data */
    uint32_t pages;        /**< pages of 4 KiB shared at once, over all buffers */
    uint32_t capabilities; /**< mask over OPTEE_SMC_SEC_CAP_*; bits that the mediator does not know stay off */
};

/** The limits that a VM gets where nobody says otherwise: all threads, 1024 buffers, 256 MiB, all capabilities. */
struct optee_mediator_policy optee_mediator_default_policy(void);

/**
 * Looks for an OP-TEE that can serve several VMs, and remembers what it offers.
 * Context:  once at boot, before any other function; one CPU.
 * Returns:  OK, NOT_OPTEE, NO_VIRTUALIZATION or NO_DYNAMIC_SHM.
 */
enum optee_mediator_status optee_mediator_probe(void);

/** Yielding calls that OP-TEE serves at once for one VM; 0 before a successful probe. */
uint32_t optee_mediator_threads(void);

/** One VM; the hypervisor holds its memory but looks inside only through the functions here. */
struct optee_mediator_vm;

/**
 * Bytes of memory, aligned to 64, that optee_mediator_vm_create() needs for a VM with this policy.
 * Returns:  0 before a successful probe.
 */
size_t optee_mediator_vm_bytes(const struct optee_mediator_policy* policy);

/**
 * Makes a VM known to OP-TEE.
 * `memory`: optee_mediator_vm_bytes() of it, mapped on every CPU until optee_mediator_vm_destroy() returned OK.
 * `vm`:     the hypervisor's own handle, given back to it in every function of port.h.
 * `client`: the id under which OP-TEE knows the VM, 1 to 65535, and unique while the VM lives (OP-TEE does not check).
 * Context:  any CPU; not for one VM on two CPUs at once.
 * Returns:  OK; NOT_PROBED, BAD_CLIENT, REFUSED or NO_MEMORY: nothing has changed, the memory may be freed.
 * Source:   optee_smc.h, OPTEE_SMC_VM_CREATED.
 */
enum optee_mediator_status optee_mediator_vm_create(struct optee_mediator_vm* memory,
                                                    void* vm,
                                                    uint32_t client,
                                                    const struct optee_mediator_policy* policy);

/**
 * Mediates one SMC of the VM. The frame holds the guest's registers and receives the answer: a0 always, others only
 * where the ABI gives them a meaning.
 * Context:  any vCPU of the VM, several at once; no lock of the hypervisor that an interrupt handler takes. Work is
 *           bounded: what takes longer is handed back to the guest as a foreign interrupt and goes on at its return.
 * Returns:  false when the function id is none of OP-TEE's ranges: the frame is untouched, the hypervisor answers.
 * Source:   optee_smc.h; SMCCC, "Trusted OS Calls" and "Trusted OS" service queries.
 */
bool optee_mediator_handle_smc(struct optee_mediator_vm* vm, struct optee_smc_frame* frame);

/**
 * Ends the VM: refuses new calls, drains suspended ones, tells OP-TEE, gives back the pages. In steps.
 * Context:  one CPU at a time, any; the VM's vCPUs should not run any more.
 * Returns:  OK, the memory may be freed. AGAIN or BUSY, call again. QUARANTINED: OP-TEE refused to let the VM go;
 *           its pages stay pinned and `vm` must neither be freed nor used again, as must the client id.
 * Source:   optee_smc.h, OPTEE_SMC_VM_DESTROYED.
 */
enum optee_mediator_status optee_mediator_vm_destroy(struct optee_mediator_vm* vm);

/**
 * Replaces the VM's limits while it runs; what is above a new limit stays until the guest gives it back. Threads above
 * the number that the VM was created with have no effect.
 * Context:  any CPU.
 */
void optee_mediator_vm_set_policy(struct optee_mediator_vm* vm, const struct optee_mediator_policy* policy);

/** The limits in force. Any CPU. */
struct optee_mediator_policy optee_mediator_vm_policy(const struct optee_mediator_vm* vm);

/** UUIDs that the allow list of one VM has room for. */
#define OPTEE_MEDIATOR_MAX_TAS 32u

/** A UUID, its octets in the order in which it is written: RFC 4122. */
struct optee_mediator_uuid {
    uint8_t octets[16];
};

/**
 * The TAs, pseudo TAs among them, that a VM may open sessions with. All zero is no list: any TA.
 */
struct optee_mediator_ta_list {
    bool in_force;  /**< false: any TA, whatever is listed; true with a count of 0: none at all */
    uint32_t count; /**< of those that follow */
    struct optee_mediator_uuid ta[OPTEE_MEDIATOR_MAX_TAS];
};

/**
 * Replaces the VM's allow list, at once and as a whole, while it runs. A VM is created without one. It is asked when a
 * session is opened: sessions that are open stay, whatever a new list says, and so do those that a TA itself opens with
 * another, which OP-TEE tells nobody about. The guest gets TEE_ERROR_ACCESS_DENIED, OP-TEE does not hear of it, and the
 * counter `ta_refused` goes up.
 * Context:  any CPU, several at once.
 * Returns:  false when `count` is above OPTEE_MEDIATOR_MAX_TAS: nothing has changed.
 */
bool optee_mediator_vm_set_tas(struct optee_mediator_vm* vm, const struct optee_mediator_ta_list* list);

/** The allow list in force. Any CPU. */
void optee_mediator_vm_tas(const struct optee_mediator_vm* vm, struct optee_mediator_ta_list* list);

/** Number of counters kept for each VM. */
uint32_t optee_mediator_counters(void);

/** Name of counter `index`, lower case with underscores; NULL from optee_mediator_counters() on. */
char const* optee_mediator_counter_name(uint32_t index);

/** Value of counter `index` of the VM; 0 from optee_mediator_counters() on. Any CPU, also while the VM is destroyed. */
uint64_t optee_mediator_vm_counter(const struct optee_mediator_vm* vm, uint32_t index);

/** One event of the trace ring. */
struct optee_mediator_event {
    uint64_t counter; /**< optee_port_counter() when it happened */
    uint32_t what;    /**< see optee_mediator_event_name() */
    uint32_t call;    /**< handle of the yielding call, as the guest sees it; 0 when there is none */
    uint64_t detail;  /**< depends on the event: command, function id, answer; never an address */
};

/** Name of an event's kind; NULL for an unknown one. */
char const* optee_mediator_event_name(uint32_t what);

/**
 * Copies the newest events of the VM, oldest first.
 * Returns:  how many, at most `room`. An event that is being written at this moment may be left out.
 */
uint32_t optee_mediator_vm_trace(const struct optee_mediator_vm* vm,
                                 struct optee_mediator_event* events,
                                 uint32_t room);

#ifdef __cplusplus
}
#endif

#endif
