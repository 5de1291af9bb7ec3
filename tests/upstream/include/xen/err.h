/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

#pragma once

/* Pointers that carry an error: the last page of the address space. */

#include <errno.h>
#include <xen/types.h>

#define MAX_ERRNO 4095

static inline void* ERR_PTR(long error)
{
    return (void*)error;
}

static inline long PTR_ERR(void const* pointer)
{
    return (long)pointer;
}

static inline bool IS_ERR(void const* pointer)
{
    return (unsigned long)pointer >= (unsigned long)-MAX_ERRNO;
}
