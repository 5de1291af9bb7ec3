/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

/* Xen is built without the compiler's headers; its own has the same types. */
#include <xen/types.h>
