// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Foreign interrupts: OP-TEE's own, and ours, which are preemption points that every driver answers by coming back.

#include "yielding_call.hpp"

namespace optee {

// A physical interrupt ended the time slice. The hypervisor has handled it when the SMC returns; if neither it nor the
// guest has anything to do now, OP-TEE goes on at once.
CallRun::Step CallRun::on_foreign_interrupt(TeeAnswer const& answer)
{
    call_.next_entry = TeeEntry{.function = abi::SmcFunction::return_from_rpc,
                                .a1 = answer.a1,
                                .a2 = answer.a2,
                                .a3 = static_cast<std::uint32_t>(*call_.thread)};
    if (in_place_left_ == 0) {
        vm_.statistics.add(Counter::foreign_interrupts_over_bound);
    } else if (!optee_port_preemption_pending()) {
        --in_place_left_;
        vm_.statistics.add(Counter::foreign_interrupts_resumed_in_place);
        call_.state.move(CallState::resuming);
        return go_to(CallStage::enter_tee);
    }
    vm_.statistics.add(Counter::foreign_interrupts);
    return suspend_for_interrupt(CallStage::enter_tee);
}

// Our own work takes longer than one entry may.
CallRun::Step CallRun::preempted()
{
    vm_.statistics.add(Counter::preemptions);
    return suspend_for_interrupt(call_.stage);
}

// OP-TEE's a1 and a2 are its own resume information: the guest gets none of it.
CallRun::Step CallRun::suspend_for_interrupt(CallStage then)
{
    return suspend(then, {.rpc = abi::RpcReturn::foreign_interrupt});
}

} // namespace optee
