/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

/*
 * What a domain may use: limits and TAs as text, and the defaults that Xen's
 * command line gives. The text is what hypfs.c reads and writes while a domain
 * runs.
 */

#include <xen/ctype.h>
#include <xen/errno.h>
#include <xen/init.h>
#include <xen/lib.h>
#include <xen/param.h>
#include <xen/sched.h>
#include <xen/string.h>

#include "xen_port.h"

/* Digits of a number, and characters of a UUID, as they are written. */
#define NUMBER_LENGTH 10U
#define UUID_LENGTH   36U

struct defaults {
    bool prepared;
    bool misread;          /* something on the command line made no sense */
    struct vm_policy policy;
};
static struct defaults dom0_defaults, domu_defaults;

static uint32_t *limit_named(struct optee_mediator_policy *limits,
                             const char *name)
{
    if ( !strcmp(name, "threads") )
        return &limits->threads;
    if ( !strcmp(name, "buffers") )
        return &limits->buffers;
    if ( !strcmp(name, "pages") )
        return &limits->pages;
    if ( !strcmp(name, "capabilities") )
        return &limits->capabilities;

    return NULL;
}

static int parse_number(const char *text, uint32_t *number)
{
    unsigned long long value;
    const char *end;

    if ( !strcmp(text, "all") )
    {
        *number = UINT32_MAX;
        return 0;
    }

    /* simple_strtoull() takes an empty text for 0, and wraps. */
    if ( !isdigit(*text) || strlen(text) > NUMBER_LENGTH )
        return -EINVAL;
    value = simple_strtoull(text, &end, 0);
    if ( *end || value > UINT32_MAX )
        return -EINVAL;
    *number = value;

    return 0;
}

static int hex_digit(char c)
{
    if ( isdigit(c) )
        return c - '0';
    c = tolower(c);

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 8-4-4-4-12 digits, as `uuidgen` writes them and a TA's file is named. */
static bool parse_uuid(const char *text, size_t length,
                       struct optee_mediator_uuid *uuid)
{
    unsigned int octet = 0;
    size_t i;

    if ( length != UUID_LENGTH )
        return false;

    for ( i = 0; i < length; )
    {
        int high, low;

        if ( i == 8 || i == 13 || i == 18 || i == 23 )
        {
            if ( text[i++] != '-' )
                return false;
            continue;
        }

        high = hex_digit(text[i]);
        low = hex_digit(text[i + 1]);
        if ( high < 0 || low < 0 )
            return false;
        uuid->octets[octet++] = (high << 4) | low;
        i += 2;
    }

    return true;
}

static bool separates_uuids(char c)
{
    return c == '+' || c == ' ' || c == '\n';
}

/* Adds to the list: the caller begins with an empty one, or does not. */
static int parse_tas(const char *text, struct optee_mediator_ta_list *tas)
{
    if ( !strcmp(text, "all") )
    {
        memset(tas, 0, sizeof(*tas));
        return 0;
    }

    tas->in_force = true;
    if ( !strcmp(text, "none") )
    {
        tas->count = 0;
        return 0;
    }

    while ( *text )
    {
        size_t length = 0;

        if ( separates_uuids(*text) )
        {
            text++;
            continue;
        }
        while ( text[length] && !separates_uuids(text[length]) )
            length++;
        if ( tas->count == OPTEE_MEDIATOR_MAX_TAS )
            return -ENOSPC;
        if ( !parse_uuid(text, length, &tas->ta[tas->count]) )
            return -EINVAL;
        tas->count++;
        text += length;
    }

    return 0;
}

int policy_read_setting(struct vm_policy *policy, const char *name,
                        const char *text)
{
    struct optee_mediator_ta_list *tas = &policy->tas;
    uint32_t *limit = limit_named(&policy->limits, name), number;
    int rc;

    if ( !strcmp(name, "tas") )
    {
        /* An empty text would be no list or an empty one, who knows. */
        if ( !*text )
            return -EINVAL;
        memset(tas, 0, sizeof(*tas));
        return parse_tas(text, tas);
    }

    if ( !limit )
        return -ENOENT;
    rc = parse_number(text, &number);
    if ( rc )
        return rc;
    /* Without a thread, a buffer or a page there is no OP-TEE. */
    if ( !number && limit != &policy->limits.capabilities )
        return -EINVAL;
    *limit = number;

    return 0;
}

static void write_tas(const struct optee_mediator_ta_list *tas,
                      char *text, size_t size)
{
    uint32_t i, octet;
    size_t used = 0;

    if ( !tas->in_force || !tas->count )
    {
        snprintf(text, size, tas->in_force ? "none" : "all");
        return;
    }

    *text = '\0';
    for ( i = 0; i < tas->count; i++ )
    {
        if ( i )
            used += scnprintf(text + used, size - used, "\n");
        for ( octet = 0; octet < sizeof(tas->ta[i].octets); octet++ )
            used += scnprintf(text + used, size - used, "%s%02x",
                              octet == 4 || octet == 6 || octet == 8 ||
                              octet == 10 ? "-" : "",
                              tas->ta[i].octets[octet]);
    }
}

void policy_write_setting(const struct vm_policy *policy, const char *name,
                          char *text, size_t size)
{
    struct optee_mediator_policy limits = policy->limits;
    const uint32_t *limit = limit_named(&limits, name);

    if ( !limit )
        write_tas(&policy->tas, text, size);
    else if ( limit == &limits.capabilities )
        snprintf(text, size, "%#x", *limit);
    else if ( *limit == UINT32_MAX )
        snprintf(text, size, "all");
    else
        snprintf(text, size, "%u", *limit);
}

static void prepare(struct defaults *defaults)
{
    if ( defaults->prepared )
        return;
    defaults->policy.limits = optee_mediator_default_policy();
    defaults->prepared = true;
}

/*
 * name=value, name=value, ...; "tas" may come again, with more of them, since
 * Xen's options have 127 characters at most.
 */
static int __init parse_defaults(struct defaults *defaults, const char *text)
{
    prepare(defaults);

    while ( *text )
    {
        char part[128];
        const char *end = strchr(text, ',') ?: strchr(text, '\0');
        size_t length = end - text;
        char *value = NULL;
        int rc = -EINVAL;

        if ( length < sizeof(part) )
        {
            memcpy(part, text, length);
            part[length] = '\0';
            value = strchr(part, '=');
        }
        if ( value )
        {
            *value++ = '\0';
            if ( !strcmp(part, "tas") && *value )
                rc = parse_tas(value, &defaults->policy.tas);
            else
                rc = policy_read_setting(&defaults->policy, part, value);
        }
        if ( rc )
        {
            defaults->misread = true;
            return rc;
        }
        text = *end ? end + 1 : end;
    }

    return 0;
}

/* optee-mediator-dom0=<settings>: the hardware domain. */
static int __init cf_check parse_dom0(const char *text)
{
    return parse_defaults(&dom0_defaults, text);
}
custom_param("optee-mediator-dom0", parse_dom0);

/* optee-mediator-domu=<settings>: all others, those of the device tree too. */
static int __init cf_check parse_domu(const char *text)
{
    return parse_defaults(&domu_defaults, text);
}
custom_param("optee-mediator-domu", parse_domu);

/* A policy that was not understood is not taken for a wider one. */
static void __init check_defaults(struct defaults *defaults, const char *option)
{
    prepare(defaults);
    if ( !defaults->misread )
        return;

    printk(XENLOG_ERR
           "optee-mediator: %s= on the command line is not understood: these domains get no TA until hypfs says otherwise\n",
           option);
    defaults->policy.tas.in_force = true;
    defaults->policy.tas.count = 0;
}

void __init check_default_policies(void)
{
    check_defaults(&dom0_defaults, "optee-mediator-dom0");
    check_defaults(&domu_defaults, "optee-mediator-domu");
}

const struct vm_policy *default_policy(const struct domain *d)
{
    return is_hardware_domain(d) ? &dom0_defaults.policy
                                 : &domu_defaults.policy;
}

void get_vm_policy(const struct optee_mediator_vm *vm, struct vm_policy *policy)
{
    policy->limits = optee_mediator_vm_policy(vm);
    optee_mediator_vm_tas(vm, &policy->tas);
}

void set_vm_policy(struct optee_mediator_vm *vm, const struct vm_policy *policy)
{
    optee_mediator_vm_set_policy(vm, &policy->limits);
    /* Never false: no list is longer than the mediator's own. */
    if ( !optee_mediator_vm_set_tas(vm, &policy->tas) )
        ASSERT_UNREACHABLE();
}

/*
 * Local variables:
 * mode: C
 * c-file-style: "BSD"
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
