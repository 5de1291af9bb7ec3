/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

/*
 * Empty on purpose. Xen for 32-bit Arm is built with -msoft-float by a compiler
 * for the hard-float ABI, for which glibc has no such list of missing functions.
 * The core calls no function of a C library.
 */
