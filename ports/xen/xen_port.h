/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

/* What the files of the Xen port share. */

#ifndef OPTEE_MEDIATOR_XEN_PORT_H
#define OPTEE_MEDIATOR_XEN_PORT_H

#include <xen/sched.h>

#include <optee_mediator/mediator.h>

/* Written by ports/xen/overlay: what this version of Xen has. */
#include "xen_features.h"

/* Pages that a domain's mediator gave back and may have again. */
struct spare_pages {
    struct page_info *page[4];
};

/* What Xen keeps for a domain with TEE; behind it lies the mediator's VM. */
struct domain_tee {
    struct spare_pages spare;
    uint64_t vm[] __aligned(64);
};

/*
 * The domain's VM; NULL for a domain without TEE, which costs nothing but this
 * pointer. Constant while the domain's vCPUs run: it is set before they start
 * and cleared after they stopped for ever.
 */
static inline struct optee_mediator_vm *domain_vm(const struct domain *d)
{
    struct domain_tee *tee = d->arch.tee;

    return tee ? (struct optee_mediator_vm *)tee->vm : NULL;
}

/* NULL while the domain has no VM yet, or none any more. */
static inline struct spare_pages *spare_pages_of(const struct domain *d)
{
    struct domain_tee *tee = d->arch.tee;

    return tee ? &tee->spare : NULL;
}

/* For the end of a domain, when its VM is gone. */
void free_spare_pages(struct domain *d);

/*
 * For readers that are not vCPUs of the domain: the VM cannot be freed between
 * the two calls. Keep it short, a domain's destruction waits for it.
 * lock_domain_vm() returns NULL, also with the lock held, for a domain that
 * has no TEE (any more).
 */
struct optee_mediator_vm *lock_domain_vm(const struct domain *d);
void unlock_domain_vm(void);

/* Prints all counters of the VM. The caller keeps it from being freed. */
void print_counters(const struct domain *d, const struct optee_mediator_vm *vm);

/*
 * optee-mediator-record on the command line: what goes to OP-TEE and what comes
 * back. record_smc() is false when nothing is recorded; no lock may be held.
 */
struct recorded_smc {
    uint64_t message;          /* the call's page; 0: no yielding call */
    uint32_t client, function, number;
    bool own_argument;
};
extern bool opt_record;
bool record_smc_at_work(struct recorded_smc *smc, const uint64_t *a);
static inline bool record_smc(struct recorded_smc *smc, const uint64_t *a)
{
    return unlikely(opt_record) && record_smc_at_work(smc, a);
}
void record_answer(const struct recorded_smc *smc, const uint64_t *a);

/* All that a domain's VM may use. */
struct vm_policy {
    struct optee_mediator_policy limits;
    struct optee_mediator_ta_list tas;
};
/* What the command line says for domains of its kind. */
const struct vm_policy *default_policy(const struct domain *d);
void get_vm_policy(const struct optee_mediator_vm *vm, struct vm_policy *policy);
void set_vm_policy(struct optee_mediator_vm *vm, const struct vm_policy *policy);

/*
 * One setting as text: "threads", "buffers", "pages", "capabilities" or "tas".
 * -EINVAL, -ENOSPC for too many TAs, -ENOENT for another name.
 */
int policy_read_setting(struct vm_policy *policy, const char *name,
                        const char *text);
void policy_write_setting(const struct vm_policy *policy, const char *name,
                          char *text, size_t size);

/* Called once, when OP-TEE was found. */
void register_debug_keys(void);
bool check_memory_window(void);
void check_default_policies(void);
void register_hypfs(void);

#endif /* OPTEE_MEDIATOR_XEN_PORT_H */
