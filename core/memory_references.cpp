// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "memory_references.hpp"

#include "abi/smc.hpp"

namespace optee {

namespace {

using abi::Command;
using abi::ParamType;

// The parameters that the ABI gives to a command. Sessions may have any; what they cannot use OP-TEE refuses itself.
bool has_right_params(ShadowMessage& message)
{
    switch (message.command()) {
    case Command::open_session:
    case Command::invoke_command: return true;
    case Command::close_session:
    case Command::cancel: return message.params() == 0;
    case Command::register_shm:
        // Exactly this: OP-TEE reads a NULL or a contiguous buffer as the address of a page list.
        return message.params() == 1 &&
               message.param(0).attributes ==
                   (static_cast<std::uint64_t>(ParamType::tmem_output) | abi::Attribute::noncontiguous);
    case Command::unregister_shm:
        return message.params() == 1 &&
               message.param(0).attributes == static_cast<std::uint64_t>(ParamType::rmem_input);
    }
    return false; // not covered: a message with another command was refused when it was read
}

} // namespace

Status MemoryReferences::prepare(VmContext& vm, ShmRegistry& registry, ShadowMessage& message)
{
    if (!has_right_params(message))
        return Error::bad_parameters;
    for (std::uint32_t i = 0; i != message.params(); ++i)
        MEDIATOR_RETURN_IF_ERROR(prepare_param(vm, registry, message, i));
    return {};
}

Status MemoryReferences::prepare_param(VmContext& vm,
                                       ShmRegistry& registry,
                                       ShadowMessage& message,
                                       std::uint32_t index)
{
    auto& param = message.param(index);
    auto const asked = param.tmem; // if it is one: judged, it has no address of the guest any more
    auto const null_allowed = (vm.granted_capabilities() & abi::SecureCapability::memref_null) != 0;
    MEDIATOR_ASSIGN_OR_RETURN(auto const use, judge(param, index, null_allowed));
    message.set_copy_back(index, use.copy_back);

    switch (use.needs) {
    case ParamNeeds::nothing:      return {};
    case ParamNeeds::pages_pinned: {
        auto const registers = message.command() == Command::register_shm;
        return share(vm, registry, asked, registers ? Purpose::registering : Purpose::temporary, index);
    }
    case ParamNeeds::registered_memory: return refer(registry, param.rmem, message.command(), index);
    }
    __builtin_unreachable();
}

Status MemoryReferences::refer(ShmRegistry& registry, abi::RmemParam& rmem, abi::Command command, std::uint32_t index)
{
    if (command == Command::unregister_shm) {
        MEDIATOR_ASSIGN_OR_RETURN(auto const memory, registry.begin_unregister(Cookie{rmem.cookie}));
        rmem = {.offset = 0, .size = 0, .cookie = rmem.cookie};
        return push({memory, Purpose::unregistering, index, std::nullopt});
    }
    MEDIATOR_ASSIGN_OR_RETURN(auto const memory,
                              registry.use_registered(Cookie{rmem.cookie}, rmem.offset, rmem.size));
    auto pushed = push({memory, Purpose::registered_use, index, std::nullopt});
    if (pushed.ok())
        return {};
    registry.end_use(memory);
    return pushed.error();
}

Status MemoryReferences::share(
    VmContext& vm, ShmRegistry& registry, abi::TmemParam const& tmem, Purpose purpose, std::uint32_t index)
{
    auto const buffer = Ipa::from_raw(tmem.buffer);
    auto const kind = purpose == Purpose::registering ? ShmKind::registered : ShmKind::temporary;
    MEDIATOR_ASSIGN_OR_RETURN(
        auto const memory,
        registry.add(
            vm, {.cookie = Cookie{tmem.cookie}, .kind = kind, .offset = buffer.page_offset(), .size = tmem.size}));
    GuestPageList const list{buffer.page_base(), map(memory)->pages};
    if (auto pushed = push({memory, purpose, index, list}); !pushed.ok()) {
        registry.forget_name(vm, memory);
        registry.erase(vm, memory);
        return pushed.error();
    }
    return {};
}

Status MemoryReferences::push(Reference const& reference)
{
    if (used_ == references_.size())
        return Error::bad_parameters; // more than a command can carry: refused before there is work
    references_[used_++] = reference;
    return {};
}

Result<Progress> MemoryReferences::translate(VmContext& vm, ShadowMessage& message, Budget& budget)
{
    for (auto& reference : used()) {
        // not covered: one that has gone: none goes before all are translated
        if (!reference || !reference->guest_list)
            continue;
        MappedShm const memory = map(reference->memory);
        MEDIATOR_ASSIGN_OR_RETURN(auto const progress, reference->guest_list->translate(vm, memory->list, budget));
        if (progress == Progress::preempted)
            return Progress::preempted;
        reference->guest_list = std::nullopt;
        message.set_buffer(reference->param, memory->list.first_page().plus(memory->offset));
    }
    return Progress::done;
}

// True when nothing has to be released: the buffer is where it belongs after the call.
bool MemoryReferences::stays(ShmRegistry& registry, Reference const& reference, bool tee_agreed)
{
    switch (reference.purpose) {
    case Purpose::registered_use: registry.end_use(reference.memory); return true;
    case Purpose::registering:
        if (tee_agreed)
            registry.set_live(reference.memory);
        return tee_agreed;
    case Purpose::unregistering:
        if (!tee_agreed)
            registry.cancel_unregister(reference.memory);
        return !tee_agreed;
    case Purpose::temporary:
    case Purpose::leaving: return false;
    }
    __builtin_unreachable();
}

void MemoryReferences::settle(VmContext& vm, ShmRegistry& registry, bool tee_agreed)
{
    for (auto& reference : used()) {
        if (!reference)
            continue;
        if (stays(registry, *reference, tee_agreed)) {
            reference = std::nullopt;
        } else {
            registry.forget_name(vm, reference->memory);
            reference->purpose = Purpose::leaving;
        }
    }
}

Progress MemoryReferences::release(VmContext& vm, ShmRegistry& registry, Budget& budget)
{
    for (auto& reference : used()) {
        if (!reference)
            continue;
        if (map(reference->memory)->list.release(vm, budget) == Progress::preempted)
            return Progress::preempted;
        registry.erase(vm, reference->memory);
        reference = std::nullopt;
    }
    used_ = 0;
    return Progress::done;
}

} // namespace optee
