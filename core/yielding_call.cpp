// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "yielding_call.hpp"

#include "abi/answer.hpp"

namespace optee {

namespace {

Counter counter_of(abi::Command command)
{
    switch (command) {
    case abi::Command::open_session:   return Counter::open_session;
    case abi::Command::invoke_command: return Counter::invoke_command;
    case abi::Command::close_session:  return Counter::close_session;
    case abi::Command::cancel:         return Counter::cancel;
    case abi::Command::register_shm:   return Counter::register_shm;
    case abi::Command::unregister_shm: return Counter::unregister_shm;
    }
    return Counter::bad_command; // not covered: a message with another command was refused when it was read
}

Counter counter_of(Error error)
{
    switch (error) {
    case Error::bad_address: return Counter::bad_address;
    case Error::bad_command: return Counter::bad_command;
    // not covered: said before there is a call
    case Error::thread_limit: return Counter::thread_limit;
    // not covered: said before there is a call
    case Error::resume_failed: return Counter::resume_failed;
    // not covered: said of services, not of calls
    case Error::not_available:
    case Error::bad_parameters: return Counter::bad_parameters;
    case Error::out_of_memory:  return Counter::out_of_memory;
    case Error::buffer_busy:    return Counter::buffer_busy;
    case Error::access_denied:  return Counter::ta_refused;
    }
    return Counter::bad_command; // not covered: there are no other errors
}

// What a thread can return when it ends. The other codes say that it was not resumed at all: whatever became of it may
// still use the call's pages.
bool ends_a_thread(TeeAnswer const& answer)
{
    return answer.is(abi::ReturnCode::ok) || answer.is(abi::ReturnCode::bad_address) ||
           answer.is(abi::ReturnCode::bad_command) || answer.is(abi::ReturnCode::no_memory);
}

} // namespace

CallRun::CallRun(VmContext& vm, ShmRegistry& registry, YieldingCall& call, std::uint32_t slot, optee_smc_frame& frame)
    : vm_{vm}, registry_{registry}, call_{call}, slot_{slot}, frame_{frame},
      translate_budget_{EntryLimits::pages_translated}, release_budget_{EntryLimits::pages_released},
      entries_left_{EntryLimits::tee_entries}, in_place_left_{EntryLimits::interrupts_in_place}
{
}

CallHandle CallRun::handle() const
{
    return CallHandle{slot_, call_.state.generation()};
}

void CallRun::set_code(abi::ReturnCode code)
{
    frame_.a[0] = static_cast<std::uint32_t>(code);
}

CallRun::Step CallRun::go_to(CallStage stage)
{
    call_.stage = stage;
    return Step::next_stage;
}

Result<RpcArgument> YieldingCall::argument_named(ShmRegistry& registry, Cookie cookie) const
{
    auto const own = message.rpc_argument();
    if (!own)
        return use_argument(registry, cookie, *thread);
    if (cookie != Cookie::none)
        return Error::bad_parameters;
    return RpcArgument{.shadow = *own, .guest = guest_message->behind(message.length())};
}

void CallRun::begin(MessageLocation const& location)
{
    call_.guest_message = std::nullopt;
    call_.refusal = std::nullopt;
    call_.code = abi::ReturnCode::ok;
    call_.failed_requests = 0;
    if (auto prepared = prepare(location); prepared.ok()) {
        vm_.statistics.add(counter_of(call_.message.command()));
        if (location.rpc_room != ShadowMessage::RpcRoom::none)
            vm_.statistics.add(location.page ? Counter::with_rpc_arg : Counter::with_regd_arg);
        vm_.trace.record(Event::call_begins, handle().raw(), static_cast<std::uint32_t>(call_.message.command()));
        call_.stage = CallStage::translate_references;
    } else {
        call_.refusal = prepared.error();
        call_.stage = CallStage::release_references;
    }
    run();
}

// All that can be refused before there is work: the message is read, once, and judged as it was read.
Status CallRun::prepare(MessageLocation const& location)
{
    MEDIATOR_RETURN_IF_ERROR(fetch_message(location));
    MEDIATOR_RETURN_IF_ERROR(judge_ta());
    return call_.references.prepare(vm_, registry_, call_.message);
}

// A function of its own, so that the stack is free of the guest's page again when references are looked at.
[[gnu::noinline]] Status CallRun::fetch_message(MessageLocation const& location)
{
    auto guest = find_message(location);
    if (!guest.ok())
        return guest.error();
    return call_.message.fetch(guest.get(), location.rpc_room);
}

// By our copy: the guest may name another TA in its page by now. Where there is a list, a message that names none as
// OP-TEE reads it does not go on either; without one that is OP-TEE's to say.
Status CallRun::judge_ta()
{
    auto& message = call_.message;
    if (message.command() != abi::Command::open_session || !vm_.allowed_tas.is_in_force())
        return {};
    if (message.params() == 0)
        return Error::bad_parameters;
    auto const& ta = message.param(0);
    if (ta.attributes != abi::ta_attributes)
        return Error::bad_parameters;
    if (!vm_.allowed_tas.allows(TaUuid::from_message(ta.value)))
        return Error::access_denied;
    return {};
}

// What OP-TEE itself says of a message that is not there, wherever it should be: bad_address.
Result<GuestWindow> CallRun::find_message(MessageLocation const& location)
{
    if (location.page) {
        if (!location.page->is_page_aligned() || location.page->is_in_null_page())
            return Error::bad_address;
        MEDIATOR_ASSIGN_OR_RETURN(auto guest, GuestWindow::acquire(vm_, *location.page));
        call_.guest_message = GuestPlace::in_page(*location.page);
        return guest;
    }
    auto const buffer = registry_.use_for_message(location.buffer, location.offset);
    if (!buffer.ok())
        return Error::bad_address;
    call_.message_buffer = buffer.get().memory;
    call_.guest_message = buffer.get().place;
    return GuestWindow::acquire(vm_, buffer.get().place);
}

void CallRun::resume()
{
    vm_.statistics.add(Counter::resumes);
    vm_.trace.record(Event::resumed, handle().raw(), 0);
    run();
}

void CallRun::run()
{
    while (do_stage() == Step::next_stage) {
    }
}

// Inlined into its one caller: the stages of an entry follow each other without as many prologues.
[[gnu::always_inline]] inline CallRun::Step CallRun::do_stage()
{
    switch (call_.stage) {
    case CallStage::translate_references: return translate_references();
    case CallStage::enter_tee:            return enter_tee();
    case CallStage::deliver_request:      return deliver_request();
    case CallStage::release_buffer:       return release_buffer();
    case CallStage::take_argument:        return take_argument();
    case CallStage::take_answer:          return take_answer();
    case CallStage::translate_answer:     return translate_answer();
    case CallStage::release_answer:       return release_answer();
    case CallStage::ask_to_free:          return ask_to_free();
    case CallStage::fail_request:         return fail_request();
    case CallStage::release_references:   return release_references();
    case CallStage::complete:             return complete();
    }
    __builtin_unreachable();
}

CallRun::Step CallRun::translate_references()
{
    auto const progress = call_.references.translate(vm_, call_.message, translate_budget_);
    if (!progress.ok()) {
        call_.refusal = progress.error();
        return go_to(CallStage::release_references);
    }
    if (progress.get() == Progress::preempted)
        return preempted();
    auto const page = call_.message.page();
    call_.next_entry = TeeEntry{.function = call_.message.rpc_argument() ? abi::SmcFunction::call_with_rpc_arg
                                                                         : abi::SmcFunction::call_with_arg,
                                .a1 = page.high_half(),
                                .a2 = page.low_half(),
                                .a3 = abi::shm_cached};
    return go_to(CallStage::enter_tee);
}

CallRun::Step CallRun::enter_tee()
{
    if (entries_left_ == 0)
        return preempted();
    --entries_left_;
    call_.state.move(CallState::in_tee);
    if (call_.thread)
        vm_.suspended_threads.give_back(static_cast<std::uint32_t>(*call_.thread));
    return take_return(optee::enter_tee(vm_, *call_.next_entry));
}

// OP-TEE ran, so it has let go of the argument page that it gave back before.
void CallRun::release_retired()
{
    if (!call_.retired)
        return;
    release_argument(vm_, registry_, *call_.retired);
    call_.retired = std::nullopt;
}

// A suspended call is on one thread of OP-TEE, always the same, and no other suspended call is on it. While OP-TEE runs the
// thread is its own business: it may end this call and begin another on it before this vCPU is back.
bool CallRun::belongs_to_this_call(TeeAnswer const& answer)
{
    auto const thread = TeeThread{answer.a3};
    if ((call_.thread && call_.thread != thread) || !vm_.suspended_threads.take(answer.a3))
        return false;
    call_.thread = thread;
    return true;
}

CallRun::Step CallRun::take_return(TeeAnswer const& answer)
{
    if (answer.is_rpc())
        return belongs_to_this_call(answer) ? on_rpc(answer) : quarantine(answer, abi::ReturnCode::bad_command);
    if (answer.is(abi::ReturnCode::unknown_function))
        return quarantine(answer, abi::ReturnCode::unknown_function);
    if (answer.is(abi::ReturnCode::resume_failed))
        return quarantine(answer, abi::ReturnCode::resume_failed);
    if (!answer.is_known_code() || (call_.thread && !ends_a_thread(answer)))
        return quarantine(answer, abi::ReturnCode::bad_command);
    return on_end(answer);
}

CallRun::Step CallRun::on_end(TeeAnswer const& answer)
{
    release_retired();
    call_.thread = std::nullopt;
    call_.code = static_cast<abi::ReturnCode>(answer.a0);
    auto const agreed = call_.code == abi::ReturnCode::ok && call_.message.result() == abi::TeeResult::success;
    call_.references.settle(vm_, registry_, agreed);
    return go_to(CallStage::release_references);
}

CallRun::Step CallRun::release_references()
{
    if (call_.refusal)
        call_.references.settle(vm_, registry_, false);
    call_.state.move(CallState::completing);
    if (call_.references.release(vm_, registry_, release_budget_) == Progress::preempted)
        return preempted();
    return go_to(CallStage::complete);
}

// Results go to the page that is at the message's address now: the guest may have changed its stage-2 since the call
// began. Whatever read-write RAM of its own it has put there gets the outputs, and nothing else. A message in registered
// memory is where it was: those pages are pinned until OP-TEE has let go of them, which is not before this call ends.
CallRun::Step CallRun::complete()
{
    auto code = call_.refusal ? abi::to_return_code(*call_.refusal) : call_.code;
    auto result = call_.refusal ? abi::to_tee_result(*call_.refusal) : abi::TeeResult::generic;
    if (call_.guest_message) {
        auto page = GuestWindow::acquire(vm_, *call_.guest_message);
        if (!page.ok()) {
            code = abi::ReturnCode::bad_address;
        } else if (call_.refusal || code != abi::ReturnCode::ok) {
            write_result(page.get(), result);
        } else {
            result = call_.message.result();
            call_.message.copy_back(page.get());
        }
    }
    if (call_.refusal)
        vm_.statistics.add(counter_of(*call_.refusal));
    if (call_.message_buffer)
        registry_.end_use(*call_.message_buffer);
    call_.message_buffer = std::nullopt;
    set_code(code);
    record_end(result);
    call_.message.clear();
    call_.state.move(CallState::free);
    ended_ = true;
    return Step::back_to_guest;
}

void CallRun::record_end(abi::TeeResult result)
{
    constexpr unsigned half = 32;
    vm_.trace.record(call_.refusal ? Event::call_refused : Event::call_ends,
                     handle().raw(),
                     (frame_.a[0] << half) | static_cast<std::uint32_t>(result));
}

CallRun::Step CallRun::suspend(CallStage then, Question const& question)
{
    auto const handle = CallHandle{slot_, call_.state.next_generation()};
    frame_.a[0] = question.rpc;
    frame_.a[1] = question.a1;
    frame_.a[2] = question.a2;
    frame_.a[3] = handle.raw();
    auto const is_command = question.rpc == abi::RpcReturn::command;
    vm_.trace.record(
        is_command ? Event::request : Event::suspended, handle.raw(), is_command ? question.command : question.rpc);
    // The last touch of the call: from here on another vCPU may have it.
    call_.stage = then;
    call_.message.close();
    call_.state.suspend();
    return Step::back_to_guest;
}

CallRun::Step CallRun::quarantine(TeeAnswer const& answer, abi::ReturnCode code)
{
    vm_.statistics.add(Counter::tee_anomalies);
    vm_.statistics.add(Counter::calls_quarantined);
    vm_.trace.record(Event::quarantined, handle().raw(), answer.a0);
    call_.message.close();
    call_.state.move(CallState::quarantined);
    set_code(code);
    return Step::back_to_guest;
}

} // namespace optee
