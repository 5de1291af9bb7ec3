// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// The end of a VM: calls that OP-TEE has suspended are led to their end, OP-TEE forgets the VM, and only then pages go
// back. Every step may be the last of an entry; nothing is lost in between.

#include "vm.hpp"

namespace optee {

namespace {

/// What one entry of vm_destroy() may do.
constexpr std::uint32_t destroy_budget = 4096;
/// In pages: what an SMC, or the record of a buffer, counts.
constexpr std::uint32_t step_cost = 32;
/// Failing answers that a call gets before it is left to VM_DESTROYED, which ends it in any case: a thread that waits
/// for another one may never end by itself.
constexpr std::uint32_t drain_limit = 64;

} // namespace

optee_mediator_status Vm::destroy()
{
    if (state_.load() == VmState::live)
        move(VmState::draining);
    if (entries_.load() != 0)
        return OPTEE_MEDIATOR_BUSY;

    Budget budget{destroy_budget};
    if (state_.load() == VmState::draining) {
        if (drain(budget) == Progress::preempted)
            return OPTEE_MEDIATOR_AGAIN;
        tell_tee();
    }
    if (state_.load() == VmState::releasing) {
        if (release(budget) == Progress::preempted)
            return OPTEE_MEDIATOR_AGAIN;
        vm_table.remove(*this);
        move(VmState::gone);
    }
    return state_.load() == VmState::gone ? OPTEE_MEDIATOR_OK : OPTEE_MEDIATOR_QUARANTINED;
}

Progress Vm::drain(Budget& budget)
{
    for (; next_call_ != made_slots_; ++next_call_, drain_attempts_ = 0) {
        auto& call = calls()[next_call_];
        if (call.state.state() == CallState::quarantined)
            continue;
        while (call.thread && drain_attempts_ != drain_limit) {
            ++drain_attempts_;
            drain_once(call);
            if (budget.spent_after(step_cost))
                return Progress::preempted;
        }
    }
    next_call_ = 0;
    return Progress::done;
}

// Resumes the call with a failing answer to what OP-TEE asked. Nothing is released here, not even what OP-TEE gives
// back: that is the next step's work, when OP-TEE has no partition any more in which it could use it.
void Vm::drain_once(YieldingCall& call)
{
    TeeEntry entry{.function = abi::SmcFunction::return_from_rpc, .a3 = static_cast<std::uint32_t>(*call.thread)};
    if (call.request) {
        call.request->answer_failure(static_cast<std::uint32_t>(abi::TeeResult::generic));
        call.request->argument().end_use(registry_);
        call.request = std::nullopt;
    } else if (call.next_entry && call.stage == CallStage::enter_tee) {
        entry = *call.next_entry;
    }
    auto const answer = enter_tee(context_, entry);
    call.next_entry = std::nullopt;
    if (!answer.is_rpc() || TeeThread{answer.a3} != *call.thread) {
        call.thread = std::nullopt;
        context_.statistics.add(Counter::calls_drained);
        return;
    }
    if (answer.a0 == abi::RpcReturn::foreign_interrupt) {
        call.next_entry = TeeEntry{
            .function = abi::SmcFunction::return_from_rpc, .a1 = answer.a1, .a2 = answer.a2, .a3 = answer.a3};
        call.stage = CallStage::enter_tee;
    } else if (answer.a0 == abi::RpcReturn::command) {
        auto const cookie = Cookie{RegisterPair::from_halves(answer.a1, answer.a2).raw()};
        auto const argument = call.argument_named(registry_, cookie);
        if (argument.ok()) {
            argument.get().fail(static_cast<std::uint32_t>(abi::TeeResult::generic));
            argument.get().end_use(registry_);
        }
    }
}

void Vm::tell_tee()
{
    auto const client = static_cast<std::uint16_t>(context_.client);
    context_.trace.record(Event::vm_destroyed, 0, client);
    if (enter_tee_as_hypervisor(abi::SmcFunction::vm_destroyed, client).is(abi::ReturnCode::ok)) {
        move(VmState::releasing);
        return;
    }
    optee_port_log(OPTEE_LOG_ERROR, "OP-TEE does not let a VM go: its pages stay pinned. Client id", client);
    move(VmState::quarantined);
}

Progress Vm::release(Budget& budget)
{
    for (; next_call_ < made_slots_; ++next_call_) {
        if (release_call(calls()[next_call_], budget) == Progress::preempted)
            return Progress::preempted;
    }
    if (release_shared_memory(budget) == Progress::preempted)
        return Progress::preempted;
    registry_.trim(context_);
    while (made_slots_ != 0) {
        free_last_slot();
        if (made_slots_ != 0 && budget.spent_after(step_cost))
            return Progress::preempted;
    }
    context_.statistics.subtract(Counter::calls_live, context_.statistics.value(Counter::calls_live));
    return Progress::done;
}

// What the call had in hand. Settling again after a preemption does no harm: a name goes once.
Progress Vm::release_call(YieldingCall& call, Budget& budget)
{
    if (call.retired) {
        release_argument(context_, registry_, *call.retired);
        call.retired = std::nullopt;
    }
    if (call.offer) {
        registry_.forget_name(context_, call.offer->memory);
        leaving_ = call.offer->memory;
        call.offer = std::nullopt;
    }
    if (release_memory(budget) == Progress::preempted)
        return Progress::preempted;
    call.references.settle(context_, registry_, false);
    return call.references.release(context_, registry_, budget);
}

Progress Vm::release_shared_memory(Budget& budget)
{
    for (;;) {
        if (release_memory(budget) == Progress::preempted)
            return Progress::preempted;
        auto const memory = registry_.any();
        if (!memory)
            return Progress::done;
        registry_.forget_name(context_, *memory);
        leaving_ = memory;
    }
}

// The buffer that has lost its name, if there is one.
Progress Vm::release_memory(Budget& budget)
{
    if (!leaving_)
        return Progress::done;
    if (map(*leaving_)->kind == ShmKind::rpc_argument) {
        release_argument(context_, registry_, *leaving_);
    } else {
        if (map(*leaving_)->list.release(context_, budget) == Progress::preempted)
            return Progress::preempted;
        registry_.erase(context_, *leaving_);
    }
    leaving_ = std::nullopt;
    return budget.spent_after(step_cost) ? Progress::preempted : Progress::done;
}

} // namespace optee
