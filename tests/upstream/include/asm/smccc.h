/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

#pragma once

/* Xen's own header has the function ids and says how arguments are counted. Of its two ways to make an SMC the one that
 * is a function remains: bridge.cpp has it. */

#include_next <asm/smccc.h>
#include <xen/types.h>

#undef arm_smccc_smc
#define arm_smccc_smc(...) arm_smccc_1_0_smc(__VA_ARGS__)
