/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

/*
 * Counters and trace rings on Xen's console: `xl debug-keys T` and
 * `xl debug-keys Y`, then `xl dmesg`.
 *
 * The lines are read by programs, too. Change them only together with what is
 * said in README.md.
 */

#include <xen/keyhandler.h>
#include <xen/lib.h>
#include <xen/rcupdate.h>
#include <xen/sched.h>
#include <xen/softirq.h>

#include "xen_port.h"

/* Xen's debug trace has T for itself in the builds that have it. */
#ifdef CONFIG_DEBUG_TRACE
#define COUNTERS_KEY 'U'
#else
#define COUNTERS_KEY 'T'
#endif
#define TRACE_KEY 'Y'

/* The newest events of each domain that one key press prints. */
#define TRACE_EVENTS 64U

static void print_counter(const struct domain *d, uint32_t index,
                          uint64_t value)
{
    printk(XENLOG_INFO "optee-mediator: d%u %s=%"PRIu64"\n",
           d->domain_id, optee_mediator_counter_name(index), value);
}

static void print_counters_end(const struct domain *d)
{
    printk(XENLOG_INFO "optee-mediator: d%u end\n", d->domain_id);
}

void print_counters(const struct domain *d, const struct optee_mediator_vm *vm)
{
    uint32_t i;

    for ( i = 0; i < optee_mediator_counters(); i++ )
        print_counter(d, i, optee_mediator_vm_counter(vm, i));
    print_counters_end(d);
}

/* The console is slow: the lock is not held while a line is printed. */
static void show_counters(const struct domain *d)
{
    uint32_t i;

    for ( i = 0; i < optee_mediator_counters(); i++ )
    {
        const struct optee_mediator_vm *vm = lock_domain_vm(d);
        uint64_t value = vm ? optee_mediator_vm_counter(vm, i) : 0;

        unlock_domain_vm();

        /* Destroyed meanwhile: it has printed its last values itself. */
        if ( !vm )
            return;
        print_counter(d, i, value);
    }
    print_counters_end(d);
}

static void show_trace(const struct domain *d)
{
    struct optee_mediator_event events[TRACE_EVENTS];
    const struct optee_mediator_vm *vm = lock_domain_vm(d);
    uint32_t i, n = 0;

    if ( vm )
        n = optee_mediator_vm_trace(vm, events, TRACE_EVENTS);
    unlock_domain_vm();

    for ( i = 0; i < n; i++ )
    {
        const char *name = optee_mediator_event_name(events[i].what);

        printk(XENLOG_INFO
               "optee-mediator: d%u trace %"PRIu64" %s call=%#x detail=%#"PRIx64"\n",
               d->domain_id, events[i].counter, name ?: "unknown",
               events[i].call, events[i].detail);
    }
    if ( vm )
        printk(XENLOG_INFO "optee-mediator: d%u trace end\n", d->domain_id);
}

static void show_each_domain(void (*show)(const struct domain *d))
{
    const struct domain *d;

    rcu_read_lock(&domlist_read_lock);

    for_each_domain ( d )
    {
        if ( !domain_vm(d) )
            continue;

        show(d);
        process_pending_softirqs();
    }

    rcu_read_unlock(&domlist_read_lock);
}

static void counters_key(unsigned char key)
{
    show_each_domain(show_counters);
}

static void trace_key(unsigned char key)
{
    show_each_domain(show_trace);
}

void register_debug_keys(void)
{
    register_keyhandler(COUNTERS_KEY, counters_key,
                        "optee-mediator: counters of each domain", 1);
    register_keyhandler(TRACE_KEY, trace_key,
                        "optee-mediator: newest events of each domain", 1);
}

/*
 * Local variables:
 * mode: C
 * c-file-style: "BSD"
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
