/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

#pragma once

#include "tests/upstream/xen_types.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef uint64_t paddr_t;
typedef uint64_t register_t;
typedef uint16_t domid_t;
typedef uint64_t gfn_t;

#define gfn_x(gfn) (gfn)
#define _gfn(number) ((gfn_t)(number))
