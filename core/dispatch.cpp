// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "dispatch.hpp"

#include "fast_call.hpp"

namespace optee {

namespace {

using abi::SmcFunction;

bool is_for_trusted_os(std::uint32_t function)
{
    auto const owner = (function >> abi::SmcOwner::shift) & abi::SmcOwner::mask;
    // not covered: an owner beyond the last, for there is none
    return owner >= abi::SmcOwner::trusted_os_first && owner <= abi::SmcOwner::trusted_os_last;
}

void unknown_function(Vm& vm, optee_smc_frame& frame)
{
    vm.context().statistics.add(Counter::unknown_calls);
    frame.a[0] = static_cast<std::uint32_t>(abi::ReturnCode::unknown_function);
}

void dispatch_fast_call(Vm& vm, SmcFunction function, optee_smc_frame& frame)
{
    vm.context().statistics.add(Counter::fast_calls);
    vm.context().trace.record(Event::fast_call, 0, static_cast<std::uint32_t>(function));
    switch (function) {
    case SmcFunction::calls_uid:             return calls_uid(vm, frame);
    case SmcFunction::calls_revision:        return calls_revision(vm, frame);
    case SmcFunction::get_os_uuid:           return os_uuid(vm, frame);
    case SmcFunction::get_os_revision:       return os_revision(vm, frame);
    case SmcFunction::get_shm_config:        return shm_config(frame);
    case SmcFunction::exchange_capabilities: return exchange_capabilities(vm, frame);
    case SmcFunction::get_thread_count:      return thread_count(vm, frame);
    case SmcFunction::enable_shm_cache:      return enable_shm_cache(vm, frame);
    case SmcFunction::disable_shm_cache:     return disable_shm_cache(vm, frame);
    // not covered: dispatch() sends no such function here
    case SmcFunction::vm_created:
    case SmcFunction::vm_destroyed:
    case SmcFunction::call_with_arg:
    case SmcFunction::call_with_rpc_arg:
    case SmcFunction::call_with_regd_arg:
    case SmcFunction::return_from_rpc: break;
    }
    __builtin_unreachable();
}

bool takes_rpc_arguments(Vm const& vm)
{
    return (vm.context().granted_capabilities() & abi::SecureCapability::rpc_arg) != 0;
}

// A call whose message has room behind it for the argument of RPCs. Who was not offered it has no such function.
void start_call_with_room(Vm& vm, MessageLocation location, optee_smc_frame& frame)
{
    if (!takes_rpc_arguments(vm)) {
        unknown_function(vm, frame);
        return;
    }
    location.rpc_room = ShadowMessage::RpcRoom::behind_message;
    vm.start_call(location, frame);
}

} // namespace

// All that a guest can reach is in this list. SMC32: the low half of a register is what counts.
bool dispatch(Vm& vm, optee_smc_frame& frame)
{
    auto const id = static_cast<std::uint32_t>(frame.a[0]);
    if (!is_for_trusted_os(id))
        return false;
    Vm::Entry const entry{vm};
    if (!entry.is_let_in()) {
        unknown_function(vm, frame);
        return true;
    }
    switch (auto const function = SmcFunction{id}) {
    case SmcFunction::calls_uid:
    case SmcFunction::calls_revision:
    case SmcFunction::get_os_uuid:
    case SmcFunction::get_os_revision:
    case SmcFunction::get_shm_config:
    case SmcFunction::exchange_capabilities:
    case SmcFunction::get_thread_count:
    case SmcFunction::enable_shm_cache:
    case SmcFunction::disable_shm_cache: dispatch_fast_call(vm, function, frame); return true;
    case SmcFunction::call_with_arg:
        vm.start_call({.page = Ipa::from_halves(frame.a[1], frame.a[2])}, frame);
        return true;
    case SmcFunction::call_with_rpc_arg:
        start_call_with_room(vm, {.page = Ipa::from_halves(frame.a[1], frame.a[2])}, frame);
        return true;
    case SmcFunction::call_with_regd_arg:
        start_call_with_room(vm,
                             {.buffer = Cookie{RegisterPair::from_halves(frame.a[1], frame.a[2]).raw()},
                              .offset = static_cast<std::uint32_t>(frame.a[3])},
                             frame);
        return true;
    case SmcFunction::return_from_rpc: vm.resume_call(CallHandle::from_guest(frame.a[3]), frame); return true;
    case SmcFunction::vm_created:      // the hypervisor's own
    case SmcFunction::vm_destroyed:    break;
    }
    unknown_function(vm, frame);
    return true;
}

} // namespace optee
