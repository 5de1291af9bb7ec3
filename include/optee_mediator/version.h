/* SPDX-License-Identifier: BSD-2-Clause */
/* SPDX-FileCopyrightText: optee-mediator contributors */
#ifndef OPTEE_MEDIATOR_VERSION_H
#define OPTEE_MEDIATOR_VERSION_H

/*
 * Version of the boundary (mediator.h, port.h, types.h). The major number goes up when a porter must change code, the
 * minor one when something is added. CHANGELOG.md is keyed by it.
 */
#define OPTEE_MEDIATOR_VERSION_MAJOR 0
#define OPTEE_MEDIATOR_VERSION_MINOR 1

#endif
