/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

/* How Xen finds the mediator that optee.c registers, and what it calls. */

#include <asm/tee/tee.h>

extern struct tee_mediator_desc const __start_tee_mediators[];

static struct tee_mediator_ops const* ops(void)
{
    return __start_tee_mediators[0].ops;
}

bool upstream_probe(void)
{
    return ops()->probe();
}

int upstream_domain_init(struct domain* d)
{
    return ops()->domain_init(d);
}

int upstream_relinquish(struct domain* d)
{
    return ops()->relinquish_resources(d);
}

bool upstream_handle_call(struct cpu_user_regs* regs)
{
    return ops()->handle_call(regs);
}
