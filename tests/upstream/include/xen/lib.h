/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

#pragma once

/* Xen's log, its ASSERT, and what stands in every file of Xen. */

#include "tests/upstream/bridge.h"

#include <xen/bitops.h>
#include <xen/types.h>

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)
#define __used __attribute__((__used__))
#define __read_mostly
#define __init
/* One section whatever its name, with a name of which the linker marks begin and end. */
#define __section(name) __attribute__((__section__("tee_mediators")))

#define ROUNDUP(number, unit) (((number) + (unit)-1) & ~((unit)-1))
#define DIV_ROUND_UP(number, unit) (((number) + (unit)-1) / (unit))
#define BUILD_BUG_ON(condition) _Static_assert(!(condition), "!(" #condition ")")

#define ASSERT(condition)                                                                                            \
    do {                                                                                                             \
        if (!(condition))                                                                                            \
            shim_assert_failed(#condition, __FILE__, __LINE__);                                                      \
    } while (0)
#define BUG() shim_stop("BUG", __FILE__, __LINE__)
#define BUG_ON(condition)                                                                                            \
    do {                                                                                                             \
        if (condition)                                                                                               \
            BUG();                                                                                                   \
    } while (0)

/* A level is a character of its own at the begin of the text; what is about a guest is limited in its rate. */
#define XENLOG_ERR "\0010"
#define XENLOG_WARNING "\0011"
#define XENLOG_INFO "\0012"
#define XENLOG_DEBUG "\0013"
#define XENLOG_GUEST "\001G"
#define XENLOG_G_ERR XENLOG_GUEST XENLOG_ERR
#define XENLOG_G_WARNING XENLOG_GUEST XENLOG_WARNING
#define printk(...) shim_printk(__VA_ARGS__)
#define gprintk(level, ...) shim_printk(XENLOG_GUEST level __VA_ARGS__)
#define gdprintk(level, ...) shim_printk(XENLOG_GUEST level __VA_ARGS__)
