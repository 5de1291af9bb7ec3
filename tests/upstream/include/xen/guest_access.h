/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

#pragma once

#include <xen/types.h>

#define access_guest_memory_by_ipa(d, ipa, buffer, bytes, is_write) shim_access_guest(d, ipa, buffer, bytes, is_write)
