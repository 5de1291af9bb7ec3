// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/invariants/open_calls.hpp"

#include "sim/machine/machine.hpp"
#include "sim/optee/abi.hpp"
#include "sim/optee/message.hpp"
#include "sim/optee/optee.hpp"

#include <algorithm>
#include <string>

namespace sim {

namespace {

bool begins_call(std::uint32_t function)
{
    return function == abi::smc::call_with_arg || function == abi::smc::call_with_rpc_arg ||
           function == abi::smc::call_with_regd_arg;
}

std::uint32_t limit_of(Vm& vm)
{
    return std::min(vm.least_threads(), vm.machine().optee().options().threads);
}

bool is_taken(Answer const& answer)
{
    return answer.a0() != abi::ret::resume_failed && answer.a0() != abi::ret::unknown_function;
}

// What the guest finds in its message. It has its registers back, so they still say where that is.
std::uint32_t result_in_message(Vm& vm, std::uint32_t function, Answer const& answer)
{
    auto const place = abi::joined(answer.registers.a[1], answer.registers.a[2]);
    if (function != abi::smc::call_with_regd_arg)
        return vm.peek<std::uint32_t>(Ipa{place + abi::arg::ret});
    auto const partition = vm.machine().optee().partition(vm);
    if (!partition)
        return abi::result::success;
    std::lock_guard const guard{partition->mutex()};
    auto const buffer = partition->buffers.find(place);
    return buffer ? tee::Message{buffer, answer.a(3)}.field(abi::arg::ret) : abi::result::success;
}

// The call did not come to OP-TEE.
bool is_refused(Vm& vm, std::uint32_t function, Answer const& answer)
{
    return answer.a0() != abi::ret::ok || result_in_message(vm, function, answer) != abi::result::success;
}

} // namespace

void OpenCalls::begin_anew()
{
    std::lock_guard const guard{mutex_};
    waiting_.clear();
    unexplained_.clear();
    calls_ = 0;
}

std::uint32_t OpenCalls::calls() const
{
    std::lock_guard const guard{mutex_};
    return calls_;
}

OpenCalls::Ticket OpenCalls::enter(Vm& vm, std::uint64_t a0, std::uint64_t a3, bool is_alone)
{
    auto const function = static_cast<std::uint32_t>(a0);
    Visit visit{.function = function,
                .begins_call = begins_call(function),
                .limit = limit_of(vm),
                .lost = vm.counter("calls_quarantined")};
    if (is_alone)
        visit.held = Possessions::of(vm);
    std::lock_guard const guard{mutex_};
    if (visit.begins_call) {
        visit.others = calls_++;
        for (auto& other : visits_)
            other.others = std::max(other.others, calls_ - 1);
    } else if (function == abi::smc::return_from_rpc) {
        visit.handle = static_cast<std::uint32_t>(a3);
        visit.was_waiting = waiting_.count(*visit.handle) != 0;
        for (auto& other : visits_)
            if (other.handle == visit.handle)
                other.is_contested = visit.is_contested = true;
    }
    return visits_.insert(visits_.end(), visit);
}

void OpenCalls::note_handles(Vm& vm, Visit const& visit, Answer const& answer)
{
    if (visit.handle && is_taken(answer) && waiting_.erase(*visit.handle) == 0)
        unexplained_.insert(*visit.handle);
    if (visit.handle && !is_taken(answer) && answer.work.smcs != 0)
        waiting_.erase(*visit.handle); // OP-TEE itself does not know the call any more
    if (abi::is_rpc(answer.registers.a[0]) && unexplained_.erase(answer.a(3)) == 0)
        waiting_.insert(answer.a(3));
    if (visits_.empty() && !unexplained_.empty()) {
        vm.machine().broken(Invariant::i6, "an answer is taken under a handle that no call waits under");
        unexplained_.clear();
    }
}

void OpenCalls::note_end(Visit const& visit, Answer const& answer)
{
    auto const ends = !abi::is_rpc(answer.registers.a[0]) && (visit.begins_call || is_taken(answer));
    if (ends && calls_ != 0)
        --calls_;
}

void OpenCalls::check_progress(Vm& vm, Visit const& visit, Answer const& answer) const
{
    if (answer.work.smcs != 0)
        return;
    auto const limit = std::min(visit.limit, limit_of(vm)); // the policy may change at any time
    auto const busy = visit.others + vm.counter("calls_quarantined");
    if (visit.begins_call && answer.a0() == abi::ret::thread_limit &&
        visit.lost >= std::max(visit.limit, limit_of(vm)))
        vm.machine().broken(Invariant::i17, "a call is told to wait for others, and none of them will ever end");
    if (visit.begins_call && answer.a0() == abi::ret::thread_limit && busy < limit)
        vm.machine().broken(Invariant::i17,
                            "a call is turned away for want of threads, but the VM's are not all busy: " +
                                std::to_string(busy) + " of " + std::to_string(limit));
    if (visit.was_waiting && !visit.is_contested && answer.a0() == abi::ret::resume_failed && vm.exists())
        vm.machine().broken(Invariant::i17, "the handle of a suspended call is refused: the call is lost");
}

void OpenCalls::leave(Vm& vm, Ticket ticket, Answer const& answer, std::function<bool()> const& was_alone)
{
    Visit visit;
    {
        std::lock_guard const guard{mutex_};
        visit = *ticket;
        visits_.erase(ticket);
        if (was_alone()) // exactly, then: calls that are not suspended are over
            visit.others = std::min(visit.others, static_cast<std::uint32_t>(waiting_.size()));
        if (visit.begins_call || visit.handle) {
            note_handles(vm, visit, answer);
            note_end(visit, answer);
        }
    }
    if (!visit.begins_call && !visit.handle)
        return;
    check_progress(vm, visit, answer);
    if (!visit.held)
        return;
    auto const held = Possessions::of(vm);
    if (!was_alone()) // or what is held is of another moment
        return;
    // Nothing came to OP-TEE, and nothing is to come: the call was turned away, in registers or in its message.
    auto const turned_away = answer.work.smcs == 0 && !abi::is_rpc(answer.registers.a[0]) &&
                             (visit.begins_call ? is_refused(vm, visit.function, answer) : !visit.was_waiting);
    if (turned_away && held != *visit.held)
        vm.machine().broken(Invariant::i16, "an entry that was turned away leaves something behind");
}

void check_all_complete(Vm& vm)
{
    auto& machine = vm.machine();
    if (auto const calls = vm.open_calls().calls(); calls != 0)
        machine.broken(Invariant::i17, std::to_string(calls) + " calls of a fair guest did not come to their end");
    if (auto const live = vm.counter("calls_live"); live != 0)
        machine.broken(Invariant::i17, "calls_live is " + std::to_string(live) + ", but nobody makes a call");
    auto const partition = machine.optee().partition(vm);
    if (auto const busy = partition ? partition->busy_threads() : 0; busy != 0)
        machine.broken(Invariant::i17, std::to_string(busy) + " threads of OP-TEE serve calls that are over");
}

} // namespace sim
