/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

/* From Xen into the mediator: a TEE found, a domain's life, its SMCs. */

#include <xen/device_tree.h>
#include <xen/init.h>
#include <xen/lib.h>
#include <xen/sched.h>
#include <xen/spinlock.h>
#include <xen/vmap.h>

#include <asm/regs.h>
#include <asm/tee/tee.h>

#include "xen_port.h"

/* OP-TEE knows the hypervisor as client 0. */
#define CLIENT_ID(d) ((d)->domain_id + 1U)

/* Orders readers of d->arch.tee from outside the domain against its end. */
static DEFINE_SPINLOCK(vm_lifetime_lock);

struct optee_mediator_vm *lock_domain_vm(const struct domain *d)
{
    spin_lock(&vm_lifetime_lock);

    return domain_vm(d);
}

void unlock_domain_vm(void)
{
    spin_unlock(&vm_lifetime_lock);
}

static bool __init probe(void)
{
    /* Firmware that knows no OP-TEE may do anything with OP-TEE's SMCs. */
    if ( !dt_find_compatible_node(NULL, NULL, "linaro,optee-tz") )
        return false;

    switch ( optee_mediator_probe() )
    {
    case OPTEE_MEDIATOR_OK:
        break;

    case OPTEE_MEDIATOR_NO_VIRTUALIZATION:
        printk(XENLOG_ERR
               "optee-mediator: this OP-TEE serves one VM only, no domain can use it: build it with CFG_NS_VIRTUALIZATION=y and CFG_VIRT_GUEST_COUNT=<VMs at once>\n");
        return false;

    case OPTEE_MEDIATOR_NO_DYNAMIC_SHM:
        printk(XENLOG_ERR
               "optee-mediator: OP-TEE was built without CFG_CORE_DYN_SHM=y, no domain can use it\n");
        return false;

    default:
        printk(XENLOG_ERR
               "optee-mediator: the device tree has an OP-TEE node, but nobody answers as OP-TEE\n");
        return false;
    }

    if ( !check_memory_window() )
        return false;

    printk(XENLOG_INFO "optee-mediator: version %u.%u, %u threads per domain\n",
           OPTEE_MEDIATOR_VERSION_MAJOR, OPTEE_MEDIATOR_VERSION_MINOR,
           optee_mediator_threads());
    register_debug_keys();
    check_default_policies();
    register_hypfs();

    return true;
}

static int create_error(const struct domain *d,
                        enum optee_mediator_status status)
{
    switch ( status )
    {
    case OPTEE_MEDIATOR_REFUSED:
        printk(XENLOG_ERR
               "optee-mediator: %pd: OP-TEE has no room for one more VM (CFG_VIRT_GUEST_COUNT)\n",
               d);
        return -ENOSPC;

    case OPTEE_MEDIATOR_BAD_CLIENT:
        printk(XENLOG_ERR
               "optee-mediator: %pd: client id %u is still in use\n",
               d, CLIENT_ID(d));
        return -EBUSY;

    case OPTEE_MEDIATOR_NO_MEMORY:
        printk(XENLOG_ERR
               "optee-mediator: %pd: no memory for shadow pages\n", d);
        return -ENOMEM;

    default:
        return -ENODEV;
    }
}

static int domain_init(struct domain *d)
{
    struct optee_mediator_policy room = optee_mediator_default_policy();
    enum optee_mediator_status status;
    struct optee_mediator_vm *vm;
    struct domain_tee *tee;

    /* Made for all of OP-TEE's threads, so that dom0 may give it more later. */
    room.threads = UINT32_MAX;

    /*
     * From the domheap, page by page: the xenheap is small on 32-bit Arm.
     * Xen's vmap area is mapped alike on every CPU.
     */
    tee = vzalloc(sizeof(*tee) + optee_mediator_vm_bytes(&room));
    if ( !tee )
        return -ENOMEM;

    vm = (struct optee_mediator_vm *)tee->vm;
    status = optee_mediator_vm_create(vm, d, CLIENT_ID(d), &room);
    if ( status != OPTEE_MEDIATOR_OK )
    {
        vfree(tee);
        return create_error(d, status);
    }

    set_vm_policy(vm, default_policy(d));
    d->arch.tee = tee;

    return 0;
}

static void forget_vm(struct domain *d)
{
    free_spare_pages(d);
    spin_lock(&vm_lifetime_lock);
    d->arch.tee = NULL;
    spin_unlock(&vm_lifetime_lock);
}

/*
 * All vCPUs of the domain are paused for ever, and none is inside the mediator:
 * Xen does not preempt a vCPU that is in the hypervisor.
 */
static int relinquish_resources(struct domain *d)
{
    struct optee_mediator_vm *vm = domain_vm(d);
    struct domain_tee *tee;

    if ( !vm )
        return 0;

    switch ( optee_mediator_vm_destroy(vm) )
    {
    case OPTEE_MEDIATOR_AGAIN:
    case OPTEE_MEDIATOR_BUSY:
        return -ERESTART;

    case OPTEE_MEDIATOR_OK:
        print_counters(d, vm);
        tee = d->arch.tee;
        forget_vm(d);
        vfree(tee);
        return 0;

    default:
        /*
         * OP-TEE still uses the domain's pages. They are pinned, so Xen does
         * not give them to another domain; the domain stays a zombie because
         * of them, and in any case because of the reference taken here: the
         * mediator keeps `d`, and OP-TEE keeps the client id, so that neither
         * may be used again.
         */
        printk(XENLOG_ERR
               "optee-mediator: %pd: OP-TEE refused to let the VM go, its pages are lost until the next boot\n",
               d);
        print_counters(d, vm);
        get_knownalive_domain(d);
        forget_vm(d);
        return 0;
    }
}

#ifdef HAVE_TEE_DOMAIN_TEARDOWN
/*
 * Called before relinquish_resources() when a domain is destroyed, and instead
 * of it when a domain's creation failed. The latter may not be continued, and
 * need not: a VM that never ran has a few shadow pages and no pins.
 */
static int domain_teardown(struct domain *d)
{
    struct optee_mediator_vm *vm = domain_vm(d);
    struct domain_tee *tee = d->arch.tee;
    enum optee_mediator_status status;

    if ( !vm || d->is_dying != DOMDYING_dead )
        return 0;

    do {
        status = optee_mediator_vm_destroy(vm);
    } while ( status == OPTEE_MEDIATOR_AGAIN );

    if ( status != OPTEE_MEDIATOR_OK )
        printk(XENLOG_ERR
               "optee-mediator: %pd: OP-TEE refused to let the VM go\n", d);
    forget_vm(d);
    if ( status == OPTEE_MEDIATOR_OK )
        vfree(tee);

    return 0;
}
#endif

/* x0 to x7, r0 to r7. get_user_reg() would check its argument for each. */
static register_t *smc_registers(struct cpu_user_regs *regs)
{
#ifdef CONFIG_ARM_64
    BUILD_BUG_ON(offsetof(struct cpu_user_regs, x0) != 0);
    BUILD_BUG_ON(offsetof(struct cpu_user_regs, x7) != 7 * sizeof(register_t));
#else
    BUILD_BUG_ON(offsetof(struct cpu_user_regs, r0) != 0);
    BUILD_BUG_ON(offsetof(struct cpu_user_regs, r7) != 7 * sizeof(register_t));
#endif

    return (register_t *)regs;
}

/*
 * Xen's vsmc.c calls this with interrupts enabled, no lock held, and only for
 * a conforming SMC (its immediate was zero) to a trusted OS or application, or
 * in FF-A's range.
 */
static bool handle_call(struct cpu_user_regs *regs)
{
    struct optee_mediator_vm *vm = domain_vm(current->domain);
    register_t *reg = smc_registers(regs);
    struct optee_smc_frame frame;
    unsigned int i;

    if ( !vm )
        return false;

    /* SMC32: the upper halves of x0 to x7 mean nothing. */
#pragma GCC unroll 8
    for ( i = 0; i < ARRAY_SIZE(frame.a); i++ )
        frame.a[i] = (uint32_t)reg[i];

    if ( !optee_mediator_handle_smc(vm, &frame) )
        return false;

    /*
     * Answers are in x0 to x3. A register that the mediator left alone keeps
     * its upper half, too.
     */
    reg[0] = frame.a[0];
#pragma GCC unroll 3
    for ( i = 1; i <= 3; i++ )
        if ( frame.a[i] != (uint32_t)reg[i] )
            reg[i] = frame.a[i];

    return true;
}

static const struct tee_mediator_ops mediator_ops =
{
    .probe = probe,
    .domain_init = domain_init,
#ifdef HAVE_TEE_DOMAIN_TEARDOWN
    .domain_teardown = domain_teardown,
#endif
    .relinquish_resources = relinquish_resources,
    .handle_call = handle_call,
};

/* "optee" is what tee= of Xen's command line (4.21 and newer) selects. */
REGISTER_TEE_MEDIATOR(optee, "OP-TEE (optee-mediator)",
                      XEN_DOMCTL_CONFIG_TEE_OPTEE, &mediator_ops);

/*
 * Local variables:
 * mode: C
 * c-file-style: "BSD"
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
