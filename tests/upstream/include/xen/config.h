/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

#pragma once

/* What Xen's build includes before everything else (-include). */

#define CONFIG_TEE 1
#define CONFIG_ARM 1
#define CONFIG_ARM_64 1

#define BITS_PER_LONG 64
#define PAGE_SHIFT 12
#define PAGE_SIZE (1L << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))

#define _AC(number, suffix) number##suffix
#define UL(number) _AC(number, UL)
