/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

#pragma once

/* Xen's heap; zeroed, as only that is used. */

#include <xen/lib.h>

#define xzalloc(type) ((type*)shim_xzalloc(sizeof(type)))
#define xzalloc_flex_struct(type, field, count)                                                                      \
    ((type*)shim_xzalloc(offsetof(type, field) + (count) * sizeof(((type*)NULL)->field[0])))
#define xfree(block) shim_xfree(block)
#define XFREE(block)                                                                                                 \
    do {                                                                                                             \
        xfree(block);                                                                                                \
        (block) = NULL;                                                                                              \
    } while (0)
