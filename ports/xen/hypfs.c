/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

/*
 * What a domain may use and what it did, for `xenhypfs` in dom0:
 *
 *   /optee-mediator/<domid>/threads, buffers, pages, capabilities, tas
 *   /optee-mediator/<domid>/secure-world-ns, statistics        read only
 *
 * A domain may end while it is read: the directory holds the domain, and each
 * leaf takes the mediator's VM under its lock, or finds that it is gone.
 */

#include <xen/err.h>
#include <xen/guest_access.h>
#include <xen/hypfs.h>
#include <xen/lib.h>
#include <xen/rcupdate.h>
#include <xen/sched.h>
#include <xen/time.h>

#include "xen_port.h"

#if defined(CONFIG_HYPFS) && defined(HAVE_HYPFS_DYNDIR)

/* Domains that a directory lists; by its id any other is found, too. */
#define LISTED_DOMAINS 64U
/* All counters, or a full list of TAs. */
#define TEXT_BYTES     3584U

/* What an operation needs from its directory on: hypfs keeps one per CPU. */
struct visit {
    struct hypfs_dyndir_id id;             /* first: hypfs takes it for this */
    struct domain *d;
    unsigned int domains;
    domid_t listed[LISTED_DOMAINS];
    struct vm_policy policy;
    char text[TEXT_BYTES];
};

static HYPFS_DIR_INIT(domain_dir, "%u");

static struct visit *this_visit(void)
{
    BUILD_BUG_ON(offsetof(struct visit, id) != 0);

    return hypfs_get_dyndata();
}

/* --- The directory of all domains: which there are is asked once. */

static const struct hypfs_entry *cf_check top_enter(
    const struct hypfs_entry *entry)
{
    struct visit *visit = hypfs_alloc_dyndata(struct visit);
    const struct domain *d;

    if ( !visit )
        return ERR_PTR(-ENOMEM);

    rcu_read_lock(&domlist_read_lock);
    for_each_domain ( d )
        if ( domain_vm(d) && visit->domains < LISTED_DOMAINS )
            visit->listed[visit->domains++] = d->domain_id;
    rcu_read_unlock(&domlist_read_lock);

    return entry;
}

static void cf_check top_exit(const struct hypfs_entry *entry)
{
    struct domain *d = this_visit()->d;

    if ( d )
        rcu_unlock_domain(d);
    hypfs_free_dyndata();
}

static int cf_check top_read(const struct hypfs_entry *entry,
                             XEN_GUEST_HANDLE_PARAM(void) uaddr)
{
    const struct visit *visit = this_visit();
    unsigned int i;
    int rc = 0;

    for ( i = 0; i < visit->domains && !rc; i++ )
        rc = hypfs_read_dyndir_id_entry(&domain_dir, visit->listed[i],
                                        i + 1 == visit->domains, &uaddr);

    return rc;
}

static unsigned int cf_check top_getsize(const struct hypfs_entry *entry)
{
    const struct visit *visit = this_visit();
    unsigned int i, size = 0;

    for ( i = 0; i < visit->domains; i++ )
        size += hypfs_dynid_entry_size(&domain_dir.e, visit->listed[i]);

    return size;
}

static struct hypfs_entry *cf_check top_findentry(
    const struct hypfs_entry_dir *dir, const char *name, unsigned int name_len)
{
    struct visit *visit = this_visit();
    const char *end;
    unsigned long id = simple_strtoul(name, &end, 10);

    if ( end != name + name_len || !name_len || id >= DOMID_FIRST_RESERVED )
        return ERR_PTR(-ENOENT);

    visit->d = rcu_lock_domain_by_id(id);
    if ( !visit->d || !domain_vm(visit->d) )
        return ERR_PTR(-ENOENT);

    return hypfs_gen_dyndir_id_entry(&domain_dir, id, visit->d);
}

static const struct hypfs_funcs top_funcs = {
    .enter = top_enter,
    .exit = top_exit,
    .read = top_read,
    .write = hypfs_write_deny,
    .getsize = top_getsize,
    .findentry = top_findentry,
};

static HYPFS_DIR_INIT_FUNC(top_dir, "optee-mediator", &top_funcs);

/*
 * --- The leaves. Each becomes text when it is entered, so that it has one size
 * from then on.
 */

static void write_statistics(const struct optee_mediator_vm *vm,
                             char *text, size_t size)
{
    size_t used = 0;
    uint32_t i;

    *text = '\0';
    for ( i = 0; i < optee_mediator_counters(); i++ )
        used += scnprintf(text + used, size - used, "%s%s=%"PRIu64,
                          i ? "\n" : "", optee_mediator_counter_name(i),
                          optee_mediator_vm_counter(vm, i));
}

static uint64_t secure_world_ns(const struct optee_mediator_vm *vm)
{
    uint32_t i;

    for ( i = 0; i < optee_mediator_counters(); i++ )
        if ( !strcmp(optee_mediator_counter_name(i), "secure_world_ticks") )
            return ticks_to_ns(optee_mediator_vm_counter(vm, i));

    return 0;
}

static const struct hypfs_entry *cf_check leaf_enter(
    const struct hypfs_entry *entry)
{
    struct visit *visit = this_visit();
    const struct optee_mediator_vm *vm = lock_domain_vm(visit->d);

    if ( !vm )
    {
        unlock_domain_vm();
        return ERR_PTR(-ENOENT);
    }

    if ( !strcmp(entry->name, "statistics") )
        write_statistics(vm, visit->text, sizeof(visit->text));
    else if ( !strcmp(entry->name, "secure-world-ns") )
        snprintf(visit->text, sizeof(visit->text), "%"PRIu64,
                 secure_world_ns(vm));
    else
    {
        get_vm_policy(vm, &visit->policy);
        policy_write_setting(&visit->policy, entry->name, visit->text,
                             sizeof(visit->text));
    }
    unlock_domain_vm();

    return entry;
}

static unsigned int cf_check leaf_getsize(const struct hypfs_entry *entry)
{
    return strlen(this_visit()->text) + 1;
}

static int cf_check leaf_read(const struct hypfs_entry *entry,
                              XEN_GUEST_HANDLE_PARAM(void) uaddr)
{
    const char *text = this_visit()->text;

    return copy_to_guest(uaddr, text, strlen(text) + 1) ? -EFAULT : 0;
}

/*
 * One setting is replaced in the policy that was read when the leaf was
 * entered; hypfs lets no two writers in.
 */
static int cf_check setting_write(struct hypfs_entry_leaf *leaf,
                                  XEN_GUEST_HANDLE_PARAM(const_void) uaddr,
                                  unsigned int ulen)
{
    struct visit *visit = this_visit();
    struct optee_mediator_vm *vm;
    int rc;

    if ( !ulen || ulen > sizeof(visit->text) )
        return -ENOSPC;
    if ( copy_from_guest(visit->text, uaddr, ulen) )
        return -EFAULT;
    if ( memchr(visit->text, 0, ulen) != visit->text + ulen - 1 )
        return -EINVAL;

    rc = policy_read_setting(&visit->policy, leaf->e.name, visit->text);
    if ( rc )
        return rc;

    vm = lock_domain_vm(visit->d);
    if ( vm )
        set_vm_policy(vm, &visit->policy);
    unlock_domain_vm();
    if ( !vm )
        return -ENOENT;
    printk(XENLOG_INFO "optee-mediator: %pd: %s is set anew\n",
           visit->d, leaf->e.name);

    return 0;
}

static const struct hypfs_funcs setting_funcs = {
    .enter = leaf_enter,
    .exit = hypfs_node_exit,
    .read = leaf_read,
    .write = setting_write,
    .getsize = leaf_getsize,
    .findentry = hypfs_leaf_findentry,
};

static const struct hypfs_funcs figure_funcs = {
    .enter = leaf_enter,
    .exit = hypfs_node_exit,
    .read = leaf_read,
    .write = hypfs_write_deny,
    .getsize = leaf_getsize,
    .findentry = hypfs_leaf_findentry,
};

#define SETTING(var, name) \
    static HYPFS_VARSIZE_INIT(var, XEN_HYPFS_TYPE_STRING, name, TEXT_BYTES, \
                              &setting_funcs)
#define FIGURE(var, name) \
    static HYPFS_VARSIZE_INIT(var, XEN_HYPFS_TYPE_STRING, name, 0, \
                              &figure_funcs)

SETTING(threads, "threads");
SETTING(buffers, "buffers");
SETTING(pages, "pages");
SETTING(capabilities, "capabilities");
SETTING(tas, "tas");
FIGURE(secure_time, "secure-world-ns");
FIGURE(statistics, "statistics");

void __init register_hypfs(void)
{
    struct hypfs_entry_leaf *const leaves[] = {
        &threads, &buffers, &pages, &capabilities, &tas, &secure_time,
        &statistics,
    };
    unsigned int i;

    hypfs_add_dir(&hypfs_root, &top_dir, true);
    hypfs_add_dyndir(&top_dir, &domain_dir);
    for ( i = 0; i < ARRAY_SIZE(leaves); i++ )
    {
        /* hypfs wants a content; what there is comes from leaf_enter(). */
        hypfs_string_set_reference(leaves[i], "");
        hypfs_add_leaf(&domain_dir, leaves[i], true);
    }
}

#else /* CONFIG_HYPFS && HAVE_HYPFS_DYNDIR */

void __init register_hypfs(void)
{
    printk(XENLOG_INFO
           "optee-mediator: no hypfs in this Xen, policies are those of the command line\n");
}

#endif

/*
 * Local variables:
 * mode: C
 * c-file-style: "BSD"
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
