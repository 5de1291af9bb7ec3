/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

#pragma once

#include <xen/types.h>

#define get_user_reg(regs, n) ((register_t)(regs)->x[n])
#define set_user_reg(regs, n, value) ((void)((regs)->x[n] = (register_t)(value)))
