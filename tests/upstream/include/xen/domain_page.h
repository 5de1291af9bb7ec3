/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

#pragma once

#include <xen/mm.h>

#define __map_domain_page(page) shim_map_page(page_to_maddr(page))
#define unmap_domain_page(address) shim_unmap_page(address)
