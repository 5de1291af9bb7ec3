// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: optee-mediator contributors

// Included before the whole core, which is compiled as one program: what the glue calls stays, all else is the
// compiler's to inline or to drop.

#include <optee_mediator/mediator.h>

#define EXPORT(function) extern "C" __attribute__((externally_visible)) decltype(function) function

EXPORT(optee_mediator_default_policy);
EXPORT(optee_mediator_probe);
EXPORT(optee_mediator_threads);
EXPORT(optee_mediator_vm_bytes);
EXPORT(optee_mediator_vm_create);
EXPORT(optee_mediator_handle_smc);
EXPORT(optee_mediator_vm_destroy);
EXPORT(optee_mediator_vm_set_policy);
EXPORT(optee_mediator_vm_policy);
EXPORT(optee_mediator_vm_set_tas);
EXPORT(optee_mediator_vm_tas);
EXPORT(optee_mediator_counters);
EXPORT(optee_mediator_counter_name);
EXPORT(optee_mediator_vm_counter);
EXPORT(optee_mediator_event_name);
EXPORT(optee_mediator_vm_trace);

#undef EXPORT
