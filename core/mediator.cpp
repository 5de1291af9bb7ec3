// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// The C boundary: conversion and dispatch, nothing else.

#include "dispatch.hpp"

#include <optee_mediator/mediator.h>

#include <limits>

namespace {

constinit optee::TeeFacts facts;

optee::Vm& to_cpp(optee_mediator_vm* vm)
{
    return *reinterpret_cast<optee::Vm*>(vm);
}

optee::Vm const& to_cpp(optee_mediator_vm const* vm)
{
    return *reinterpret_cast<optee::Vm const*>(vm);
}

} // namespace

extern "C" {

optee_mediator_policy optee_mediator_default_policy(void)
{
    return optee::Policy::defaults();
}

optee_mediator_status optee_mediator_probe(void)
{
    optee::vm_table.prepare();
    return optee::probe(facts);
}

uint32_t optee_mediator_threads(void)
{
    return facts.threads;
}

size_t optee_mediator_vm_bytes(optee_mediator_policy const* policy)
{
    return facts.threads == 0 ? 0 : optee::Vm::bytes(optee::Vm::slots(facts, *policy));
}

optee_mediator_status optee_mediator_vm_create(optee_mediator_vm* memory,
                                               void* vm,
                                               uint32_t client,
                                               optee_mediator_policy const* policy)
{
    if (facts.threads == 0)
        return OPTEE_MEDIATOR_NOT_PROBED;
    if (client == optee::abi::hypervisor_client || client > std::numeric_limits<uint16_t>::max())
        return OPTEE_MEDIATOR_BAD_CLIENT;
    return optee::Vm::create(memory, vm, optee::ClientId{static_cast<uint16_t>(client)}, facts, *policy);
}

bool optee_mediator_handle_smc(optee_mediator_vm* vm, optee_smc_frame* frame)
{
    return optee::dispatch(to_cpp(vm), *frame);
}

optee_mediator_status optee_mediator_vm_destroy(optee_mediator_vm* vm)
{
    return to_cpp(vm).destroy();
}

void optee_mediator_vm_set_policy(optee_mediator_vm* vm, optee_mediator_policy const* policy)
{
    to_cpp(vm).context().policy.set(*policy);
}

optee_mediator_policy optee_mediator_vm_policy(optee_mediator_vm const* vm)
{
    return to_cpp(vm).context().policy.get();
}

bool optee_mediator_vm_set_tas(optee_mediator_vm* vm, optee_mediator_ta_list const* list)
{
    return to_cpp(vm).context().allowed_tas.set(*list);
}

void optee_mediator_vm_tas(optee_mediator_vm const* vm, optee_mediator_ta_list* list)
{
    to_cpp(vm).context().allowed_tas.get(*list);
}

uint32_t optee_mediator_counters(void)
{
    return optee::counter_count;
}

char const* optee_mediator_counter_name(uint32_t index)
{
    return optee::counter_name(static_cast<optee::Counter>(index));
}

uint64_t optee_mediator_vm_counter(optee_mediator_vm const* vm, uint32_t index)
{
    return index < optee::counter_count ? to_cpp(vm).context().statistics.value(static_cast<optee::Counter>(index))
                                        : 0;
}

char const* optee_mediator_event_name(uint32_t what)
{
    return optee::event_name(static_cast<optee::Event>(what));
}

uint32_t optee_mediator_vm_trace(optee_mediator_vm const* vm, optee_mediator_event* events, uint32_t room)
{
    return to_cpp(vm).context().trace.copy(events, room);
}

} // extern "C"
