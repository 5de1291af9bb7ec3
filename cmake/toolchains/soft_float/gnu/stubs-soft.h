/* SPDX-License-Identifier: BSD-2-Clause */
/* SPDX-FileCopyrightText: optee-mediator contributors */

/*
 * Empty on purpose. With -mfloat-abi=soft, which 32-bit hypervisors use, glibc's features.h asks for a header of this
 * name that Debian's hard-float toolchain does not have. libstdc++'s configuration header is what includes features.h;
 * the core itself uses no C library.
 */
