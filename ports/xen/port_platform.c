/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

/* port.h: everything but memory. */

#include <xen/lib.h>
#include <xen/sched.h>
#include <xen/softirq.h>
#include <xen/spinlock.h>
#include <xen/time.h>

#include <asm/event.h>
#include <asm/smccc.h>

#include <optee_mediator/port.h>

#include "xen_port.h"

/*
 * Interrupts are enabled here, as in every hypercall and SMC handler of Xen.
 * One that arrives while OP-TEE runs ends the SMC with a foreign-interrupt
 * RPC, and Xen takes it before the next instruction.
 */
void optee_port_smc(struct optee_smc_frame *frame)
{
    const uint64_t *a = frame->a;
    struct recorded_smc smc;
    struct arm_smccc_res res;
    bool recorded = record_smc(&smc, a);

    ASSERT(local_irq_is_enabled());

    arm_smccc_smc((uint32_t)a[0], (uint32_t)a[1], (uint32_t)a[2],
                  (uint32_t)a[3], (uint32_t)a[4], (uint32_t)a[5],
                  (uint32_t)a[6], (uint32_t)a[7], &res);

    frame->a[0] = (uint32_t)res.a0;
    frame->a[1] = (uint32_t)res.a1;
    frame->a[2] = (uint32_t)res.a2;
    frame->a[3] = (uint32_t)res.a3;

    if ( recorded )
        record_answer(&smc, a);
}

static spinlock_t *xen_lock(struct optee_lock *lock)
{
    BUILD_BUG_ON(sizeof(spinlock_t) > sizeof(*lock));
    BUILD_BUG_ON(__alignof__(spinlock_t) > __alignof__(*lock));

    return (spinlock_t *)lock;
}

/* The simulator checks the order of the ranks; Xen has no use for them. */
void optee_port_lock_init(struct optee_lock *lock, uint32_t rank)
{
    spin_lock_init(xen_lock(lock));
}

/*
 * Never taken by an interrupt handler, so interrupts stay enabled. Xen does
 * not preempt a vCPU in the hypervisor.
 */
void optee_port_lock(struct optee_lock *lock)
{
    spin_lock(xen_lock(lock));
}

void optee_port_unlock(struct optee_lock *lock)
{
    spin_unlock(xen_lock(lock));
}

/*
 * `current` is a vCPU of the domain that made the SMC, one of the toolstack's
 * domain while a domain is built or destroyed, or the idle vCPU while Xen
 * builds domains at boot; the idle one has no interrupts to wait for.
 *
 * What an interrupt handler of Xen has put off is done here, timers above
 * all: it is no reason to go back to the guest. Left are another vCPU's turn
 * on this processor, and an interrupt for this one.
 */
bool optee_port_preemption_pending(void)
{
    if ( softirq_pending(smp_processor_id()) )
        process_pending_softirqs();

    return general_preempt_check();
}

/* Xen's own log. Guests read it only where the toolstack lets them. */
void optee_port_log(enum optee_log_level level, const char *text,
                    uint64_t number)
{
    switch ( level )
    {
    case OPTEE_LOG_ERROR:
        printk(XENLOG_ERR "optee-mediator: %s (%"PRIu64")\n", text, number);
        break;

    case OPTEE_LOG_INFO:
        printk(XENLOG_INFO "optee-mediator: %s (%"PRIu64")\n", text, number);
        break;
    }
}

/* Ticks of the generic timer, CNTFRQ_EL0 of them a second. */
uint64_t optee_port_counter(void)
{
    return get_cycles();
}

/*
 * Local variables:
 * mode: C
 * c-file-style: "BSD"
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
