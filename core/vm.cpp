// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "vm.hpp"

#include "base/invariant.hpp"

#include <new>

namespace optee {

constinit VmTable vm_table;

void VmTable::prepare()
{
    lock_.prepare();
    Guard const guard{lock_};
    first_ = nullptr;
}

bool VmTable::insert(Vm& vm)
{
    Guard const guard{lock_};
    for (auto const* other = first_; other != nullptr; other = other->next_in_table_) {
        if (other->context_.client == vm.context_.client)
            return false;
    }
    vm.next_in_table_ = first_;
    first_ = &vm;
    return true;
}

void VmTable::remove(Vm& vm)
{
    Guard const guard{lock_};
    for (auto** link = &first_; *link != nullptr; link = &(*link)->next_in_table_) {
        if (*link == &vm) {
            *link = vm.next_in_table_;
            return;
        }
    }
}

Vm::Vm(void* port, ClientId client, TeeFacts const& facts, optee_mediator_policy const& policy, std::uint32_t slots)
    : context_{port, client, facts.threads}, facts_{facts}, slot_count_{slots}
{
    context_.policy.set(policy);
    context_.allowed_tas.prepare();
    registry_.prepare();
}

optee_mediator_status Vm::create(
    void* memory, void* port, ClientId client, TeeFacts const& facts, optee_mediator_policy const& policy)
{
    auto& vm = *new (memory) Vm{port, client, facts, policy, slots(facts, policy)};
    if (!vm_table.insert(vm))
        return OPTEE_MEDIATOR_BAD_CLIENT;
    auto status = vm.make_slots().ok() ? vm.introduce_to_tee() : OPTEE_MEDIATOR_NO_MEMORY;
    if (status != OPTEE_MEDIATOR_OK) {
        while (vm.made_slots_ != 0)
            vm.free_last_slot();
        vm_table.remove(vm);
    }
    return status;
}

Status Vm::make_slots()
{
    while (made_slots_ != slot_count_) {
        MEDIATOR_ASSIGN_OR_RETURN(auto const page, allocate_shadow_page(context_));
        new (reinterpret_cast<YieldingCall*>(this + 1) + made_slots_) YieldingCall{page};
        ++made_slots_;
    }
    return {};
}

void Vm::free_last_slot()
{
    free_shadow_page(context_, calls().back().message.page());
    --made_slots_;
}

optee_mediator_status Vm::introduce_to_tee()
{
    auto const client = static_cast<std::uint16_t>(context_.client);
    auto const created = enter_tee_as_hypervisor(abi::SmcFunction::vm_created, client);
    if (!created.is(abi::ReturnCode::ok))
        return OPTEE_MEDIATOR_REFUSED;
    auto const offered = enter_tee(context_, {.function = abi::SmcFunction::exchange_capabilities});
    context_.offered_capabilities = mediated_capabilities(offered);
    context_.trace.record(Event::vm_created, 0, client);
    return OPTEE_MEDIATOR_OK;
}

void Vm::move(VmState to)
{
    if (!allowed(state_.load(), to))
        invariant_broken("I14: a VM makes a step that does not exist");
    state_.store(to);
}

void Vm::start_call(MessageLocation const& location, optee_smc_frame& frame)
{
    if (!context_.statistics.add_within(Counter::calls_live, 1, threads())) {
        refuse_call(frame);
        return;
    }
    // The count goes up before a slot is taken, and down after it is free: so there is one for this call. A search that
    // finds none was passed by another vCPU that took one and gave one back: somebody always gets on.
    auto slot = taken_slots_.take_any(slot_count_);
    // not covered: a race: another vCPU in the middle of the search
    while (!slot)
        slot = taken_slots_.take_any(slot_count_);
    auto& call = calls()[*slot];
    call.state.move(CallState::preparing);
    CallRun run{context_, registry_, call, *slot, frame};
    run.begin(location);
    run_ended(run, *slot);
}

// A guest that hears ETHREAD_LIMIT waits for one of its calls to end. Calls in quarantine never do: when there are no
// others it is told that there is no service any more.
void Vm::refuse_call(optee_smc_frame& frame)
{
    auto const is_for_ever = context_.statistics.value(Counter::calls_quarantined) >= threads();
    context_.statistics.add(is_for_ever ? Counter::not_available : Counter::thread_limit);
    frame.a[0] =
        static_cast<std::uint32_t>(is_for_ever ? abi::ReturnCode::not_available : abi::ReturnCode::thread_limit);
}

void Vm::resume_call(CallHandle handle, optee_smc_frame& frame)
{
    auto const slot = handle.slot();
    if (slot >= slot_count_ || !calls()[slot].state.claim(handle.generation())) {
        context_.statistics.add(Counter::resume_failed);
        frame.a[0] = static_cast<std::uint32_t>(abi::ReturnCode::resume_failed);
        return;
    }
    CallRun run{context_, registry_, calls()[slot], slot, frame};
    run.resume();
    run_ended(run, slot);
}

void Vm::run_ended(CallRun const& run, std::uint32_t slot)
{
    if (!run.ended())
        return;
    taken_slots_.give_back(slot);
    context_.statistics.subtract(Counter::calls_live);
}

} // namespace optee
