// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// The part of a yielding call that is an RPC: what OP-TEE asks, and what the guest answers.

#include "abi/rpc.hpp"
#include "yielding_call.hpp"

namespace optee {

CallRun::Step CallRun::on_rpc(TeeAnswer const& answer)
{
    release_retired();
    switch (answer.a0) {
    case abi::RpcReturn::alloc:             return on_rpc_alloc(answer);
    case abi::RpcReturn::free:              return on_rpc_free(answer);
    case abi::RpcReturn::foreign_interrupt: return on_foreign_interrupt(answer);
    case abi::RpcReturn::command:           return on_rpc_command(answer);
    default:                                return anomaly(answer);
    }
}

// OP-TEE asked for something that the ABI does not have. It waits for a return from RPC, so it gets one, with nothing.
CallRun::Step CallRun::anomaly(TeeAnswer const& answer)
{
    vm_.statistics.add(Counter::tee_anomalies);
    vm_.trace.record(Event::anomaly, handle().raw(), answer.a0);
    if (++call_.failed_requests > EntryLimits::failed_requests)
        return quarantine(answer, abi::ReturnCode::bad_command);
    call_.state.move(CallState::resuming);
    return resume_tee();
}

CallRun::Step CallRun::resume_tee(std::uint64_t a1, std::uint64_t a2, std::uint64_t a4, std::uint64_t a5)
{
    call_.next_entry = TeeEntry{.function = abi::SmcFunction::return_from_rpc,
                                .a1 = a1,
                                .a2 = a2,
                                .a3 = static_cast<std::uint32_t>(*call_.thread),
                                .a4 = a4,
                                .a5 = a5};
    return go_to(CallStage::enter_tee);
}

CallRun::Step CallRun::on_rpc_alloc(TeeAnswer const& answer)
{
    // optee_smc.h, OPTEE_SMC_RETURN_RPC_ALLOC: a1 is the size of the argument; ours has a page.
    if (answer.a1 > abi::message_page_bytes)
        return anomaly(answer);
    vm_.statistics.add(Counter::rpc_alloc);
    return suspend(CallStage::take_argument, {.rpc = abi::RpcReturn::alloc, .a1 = answer.a1});
}

// The guest answers RPC ALLOC with the address of a page (a1, a2) and its name for it (a4, a5). OP-TEE gets a page of
// ours under that name, or nothing at all: with the name alone it would ask the guest to free what it never got.
CallRun::Step CallRun::take_argument()
{
    auto const page = Ipa::from_halves(frame_.a[1], frame_.a[2]);
    auto const cookie = RegisterPair::from_halves(frame_.a[4], frame_.a[5]);
    auto const accepted = accept_argument(vm_, registry_, page, Cookie{cookie.raw()}, *call_.thread);
    if (!accepted.ok()) {
        vm_.statistics.add(Counter::answers_refused);
        vm_.trace.record(Event::answer_refused, handle().raw(), 0);
        return resume_tee();
    }
    auto const shadow = *map(accepted.get())->shadow;
    return resume_tee(shadow.high_half(), shadow.low_half(), cookie.high_half(), cookie.low_half());
}

// OP-TEE gives an argument back. The name goes now, since the guest may use it again as soon as it hears of this; our
// page goes when OP-TEE has run again, since it still has it mapped.
CallRun::Step CallRun::on_rpc_free(TeeAnswer const& answer)
{
    auto const cookie = Cookie{RegisterPair::from_halves(answer.a1, answer.a2).raw()};
    auto const argument = registry_.take_argument(vm_, cookie, *call_.thread);
    if (!argument.ok())
        return anomaly(answer);
    call_.retired = argument.get();
    call_.next_entry =
        TeeEntry{.function = abi::SmcFunction::return_from_rpc, .a3 = static_cast<std::uint32_t>(*call_.thread)};
    vm_.statistics.add(Counter::rpc_free);
    return suspend(CallStage::enter_tee, {.rpc = abi::RpcReturn::free, .a1 = answer.a1, .a2 = answer.a2});
}

CallRun::Step CallRun::on_rpc_command(TeeAnswer const& answer)
{
    auto const cookie = Cookie{RegisterPair::from_halves(answer.a1, answer.a2).raw()};
    auto const argument = call_.argument_named(registry_, cookie);
    if (!argument.ok())
        return anomaly(answer);
    auto request = RpcRequest::read(registry_, argument.get());
    if (!request.ok()) {
        argument.get().fail(static_cast<std::uint32_t>(abi::TeeResult::generic));
        argument.get().end_use(registry_);
        return anomaly(answer);
    }
    call_.request = std::move(request).take();
    if (call_.request->command() != abi::RpcCommand::shm_free)
        return go_to(CallStage::deliver_request);

    auto const buffer = registry_.take_rpc_data(vm_, Cookie{call_.request->subject()}, *call_.thread);
    if (!buffer.ok()) {
        call_.request->answer_failure(static_cast<std::uint32_t>(abi::TeeResult::generic));
        argument.get().end_use(registry_);
        call_.request = std::nullopt;
        return anomaly(answer);
    }
    vm_.statistics.add(Counter::rpc_shm_free);
    call_.offer = OfferedBuffer{.memory = buffer.get()};
    return go_to(CallStage::release_buffer);
}

CallRun::Step CallRun::release_buffer()
{
    if (map(call_.offer->memory)->list.release(vm_, release_budget_) == Progress::preempted)
        return preempted();
    registry_.erase(vm_, call_.offer->memory);
    call_.offer = std::nullopt;
    return go_to(CallStage::deliver_request);
}

CallRun::Step CallRun::deliver_request()
{
    auto guest = call_.request->guest_window(vm_);
    if (!guest.ok())
        return go_to(CallStage::fail_request);
    call_.request->deliver(guest.get());
    vm_.statistics.add(Counter::rpc_command);
    if (call_.request->command() == abi::RpcCommand::shm_alloc)
        vm_.statistics.add(Counter::rpc_shm_alloc);
    return suspend_for_command(CallStage::take_answer, call_.request->command());
}

// The guest finds the command in the argument of this name.
CallRun::Step CallRun::suspend_for_command(CallStage then, std::uint32_t command)
{
    auto const cookie = RegisterPair::from_raw(static_cast<std::uint64_t>(call_.request->argument().cookie));
    return suspend(
        then,
        {.rpc = abi::RpcReturn::command, .a1 = cookie.high_half(), .a2 = cookie.low_half(), .command = command});
}

CallRun::Step CallRun::take_answer()
{
    auto guest = call_.request->guest_window(vm_);
    if (!guest.ok())
        return go_to(CallStage::fail_request);
    if (call_.request->command() == abi::RpcCommand::shm_alloc)
        return take_alloc_answer(guest.get());
    call_.request->take_outputs(guest.get());
    return finish_request();
}

// The request is answered, one way or the other: OP-TEE goes on.
CallRun::Step CallRun::finish_request()
{
    call_.request->argument().end_use(registry_);
    call_.request = std::nullopt;
    return resume_tee();
}

CallRun::Step CallRun::take_alloc_answer(GuestWindow const& guest)
{
    auto const header = guest.read<abi::MessageHeader>(0);
    if (header.result != static_cast<std::uint32_t>(abi::TeeResult::success)) {
        call_.request->answer_failure(header.result);
        return finish_request();
    }
    if (header.param_count != 1)
        return refuse_offer(abi::Param{.attributes = 0, .value = {}});
    auto const answer = guest.read<abi::Param>(static_cast<std::uint32_t>(sizeof(abi::MessageHeader)));
    auto offer = accept_buffer(vm_, registry_, answer, call_.request->subject(), *call_.thread);
    if (!offer.ok())
        return refuse_offer(answer);
    call_.refused_cookie = offered_cookie(answer);
    call_.offer = std::move(offer).take();
    return go_to(CallStage::translate_answer);
}

// The guest may have its memory back, unless the name that it gave is that of something that OP-TEE has.
CallRun::Step CallRun::refuse_offer(abi::Param const& answer)
{
    auto const cookie = offered_cookie(answer);
    call_.refused_cookie = registry_.knows(cookie) ? Cookie::none : cookie;
    return go_to(CallStage::ask_to_free);
}

CallRun::Step CallRun::translate_answer()
{
    auto& offer = *call_.offer;
    auto const progress = translate_buffer(vm_, offer, translate_budget_);
    if (!progress.ok())
        return go_to(CallStage::release_answer);
    if (progress.get() == Progress::preempted)
        return preempted();
    {
        MappedShm const memory = map(offer.memory);
        call_.request->answer_buffer(memory->list.first_page().plus(memory->offset), memory->size, memory->cookie);
    }
    registry_.set_live(offer.memory);
    call_.offer = std::nullopt;
    return finish_request();
}

CallRun::Step CallRun::release_answer()
{
    registry_.forget_name(vm_, call_.offer->memory);
    if (map(call_.offer->memory)->list.release(vm_, release_budget_) == Progress::preempted)
        return preempted();
    registry_.erase(vm_, call_.offer->memory);
    call_.offer = std::nullopt;
    return go_to(CallStage::ask_to_free);
}

// OP-TEE never hears of a buffer that is refused, so it cannot give it back: the mediator asks in its place.
CallRun::Step CallRun::ask_to_free()
{
    vm_.statistics.add(Counter::answers_refused);
    vm_.trace.record(Event::answer_refused, handle().raw(), 0);
    auto guest = call_.request->guest_window(vm_);
    if (call_.refused_cookie == Cookie::none || !guest.ok())
        return go_to(CallStage::fail_request);
    call_.request->deliver_free(guest.get(), call_.refused_cookie);
    return suspend_for_command(CallStage::fail_request, abi::RpcCommand::shm_free);
}

CallRun::Step CallRun::fail_request()
{
    vm_.statistics.add(Counter::requests_failed);
    vm_.trace.record(Event::request_failed, handle().raw(), 0);
    call_.request->answer_failure(static_cast<std::uint32_t>(abi::TeeResult::generic));
    if (++call_.failed_requests > EntryLimits::failed_requests)
        return quarantine(TeeAnswer{abi::RpcReturn::command, 0, 0, 0}, abi::ReturnCode::bad_address);
    if (call_.state.state() == CallState::in_tee)
        call_.state.move(CallState::resuming); // the guest was not asked
    return finish_request();
}

} // namespace optee
