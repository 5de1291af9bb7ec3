/* SPDX-License-Identifier: BSD-2-Clause */
/* SPDX-FileCopyrightText: optee-mediator contributors */

/* What tools/headers_check compiles with a header before it. */
extern int header_alone;
