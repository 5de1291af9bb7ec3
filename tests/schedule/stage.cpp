// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/schedule/stage.hpp"

#include "sim/invariants/open_calls.hpp"
#include "sim/optee/optee.hpp"

#include <algorithm>
#include <utility>

namespace sim::schedule {

namespace {

namespace command = tee::command;
using tee::App;

constexpr std::uint8_t plain = 0x5a;
constexpr std::uint32_t shared_offset = 40;

std::vector<std::uint8_t> filled(std::size_t bytes, std::uint8_t with)
{
    return std::vector<std::uint8_t>(bytes, with);
}

} // namespace

Stage::Stage(Vm& vm, Plan const& plan)
    : vm_{vm}, guest_{vm,
                      {.uses_rpc_arguments = plan.uses_rpc_arguments, .enables_shm_cache = plan.caches_arguments}},
      current_(vm.machine().vcpus_of_a_vm())
{
    auto const needs = [&](std::vector<Operation> const& any) {
        return std::any_of(any.begin(), any.end(), [&](Operation one) { return plan.has(vm.index(), one); });
    };
    using enum Operation;
    if (plan.caches_arguments || plan.uses_rpc_arguments)
        guest_.probe();
    if (needs({call, cancel}))
        echo_ = guest_.open(App::echo).session;
    if (needs({rpc_call, begin, resume_stale}))
        clock_ = guest_.open(App::clock).session;
    if (needs({temporary, use}))
        memory_ = guest_.open(App::memory).session;
    if (needs({use, add, remove})) {
        shared_ = guest_.register_memory(page_bytes, shared_offset);
        guest_.fill(shared_, filled(to_index(shared_->size), plain));
    }
    if (plan.uses_rpc_arguments)
        guest_.prepare_messages(2 * vm.machine().vcpus_of_a_vm()); // of each vCPU one suspended, one under way
    if (needs({resume_stale})) {
        auto used = guest_.begin_invoke(clock_, command::clock_get, {value_out()});
        used.start_on(0);
        stale_handle_ = used.handle();
        guest_.finish(used);
    }
}

void Stage::expect(bool right, char const* sentence)
{
    if (!right && !is_ending_)
        complaints_ += std::string{"VM "} + std::to_string(vm_.index()) + ": " + sentence + "\n";
}

/// The mediator or OP-TEE does not do it, and says so in the message.
bool Stage::is_refusal(CallResult const& result) const
{
    return result.a0 == abi::ret::ok &&
           (result.ret == abi::result::bad_parameters || result.ret == abi::result::busy);
}

// --- a vCPU

void Stage::play(std::uint32_t vcpu, Script const& script)
{
    for (auto const operation : script)
        perform(vcpu, operation);
    answer(vcpu, current_[vcpu]);
}

void Stage::perform(std::uint32_t vcpu, Operation operation)
{
    switch (operation) {
    case Operation::call:         return call(vcpu);
    case Operation::rpc_call:     return rpc_call(vcpu);
    case Operation::begin:        return begin(vcpu);
    case Operation::resume:       return answer(vcpu, current_[vcpu]);
    case Operation::resume_stale: return resume_stale(vcpu);
    case Operation::resume_other: return resume_other(vcpu);
    case Operation::temporary:    return temporary(vcpu);
    case Operation::use:          return use(vcpu);
    case Operation::add:          return add(vcpu);
    case Operation::remove:       return remove(vcpu);
    case Operation::cancel:       return cancel(vcpu);
    case Operation::destroy:      return destroy();
    }
}

/// To its end. Who waits for a thread, or for its turn in a session, first answers its own suspended call, which may have
/// it.
CallResult Stage::complete(std::uint32_t vcpu, Call call)
{
    if (call.run_on(vcpu) != Call::State::done)
        answer(vcpu, current_[vcpu]);
    return finish(vcpu, call);
}

/// As LinuxGuest::finish(); but in a VM that ends nobody waits for a thread, or for a call that is cut off.
CallResult Stage::finish(std::uint32_t vcpu, Call& call)
{
    while (!call.done() && !is_ending_) {
        auto const seen = guest_.events();
        if (call.run_on(vcpu) != Call::State::done && !is_ending_)
            guest_.sleep(seen);
    }
    return call.result();
}

void Stage::call(std::uint32_t vcpu)
{
    auto const result = complete(vcpu, guest_.begin_invoke(echo_, command::echo_add_one, {value_inout(41, vcpu)}));
    expect(result.ok() && result.params.at(0).a == 42 && result.params.at(0).b == vcpu + 1, "an echo is wrong");
}

void Stage::rpc_call(std::uint32_t vcpu)
{
    auto const result = complete(vcpu, guest_.begin_invoke(clock_, command::clock_get, {value_out()}));
    expect(result.ok() && result.params.at(0).a != 0, "a call that asks for the time fails");
}

void Stage::begin(std::uint32_t vcpu)
{
    answer(vcpu, current_[vcpu]);
    auto const mine = std::make_shared<Suspended>(guest_.begin_invoke(clock_, command::clock_get, {value_out()}));
    auto& call = mine->call;
    while (!call.done() && !call.asks_for(abi::rpc_cmd::get_time) && !is_ending_) {
        auto const seen = guest_.events();
        if (call.waits_for_rpc())
            call.answer_on(vcpu);
        else
            call.start_on(vcpu);
        if ((call.waits_for_thread() || call.is_blocked()) && !is_ending_)
            guest_.sleep(seen);
    }
    auto const has_begun = call.asks_for(abi::rpc_cmd::get_time);
    expect(has_begun, "a call ends before it asked for the time");
    if (!has_begun)
        return;
    current_[vcpu] = mine;
    suspended_.push_back(mine);
}

/// As the driver answers, with the handle of the call. The one whose answer is taken leads the call to its end.
void Stage::answer(std::uint32_t vcpu, SuspendedCall const& which)
{
    auto const suspended = which;
    if (!suspended || suspended->winners != 0 || !suspended->call.waits_for_rpc())
        return;
    auto const registers = suspended->call.serve_rpc();
    auto const answered = vm_.smc(vcpu, registers.value());
    if (answered.a0() == abi::ret::resume_failed || answered.a0() == abi::ret::unknown_function)
        return; // somebody else was first, or the VM ends: settle() looks which
    ++suspended->winners;
    suspended->call.take(answered);
    auto const result = finish(vcpu, suspended->call);
    expect(result.ok() && result.params.at(0).a != 0, "a call that was suspended fails");
}

void Stage::resume_other(std::uint32_t vcpu)
{
    for (std::size_t other = 0; other < current_.size(); ++other)
        if (other != vcpu)
            answer(vcpu, current_[other]);
}

void Stage::resume_stale(std::uint32_t vcpu)
{
    auto const result = vm_.smc(vcpu, {{abi::smc::return_from_rpc, 0, 0, stale_handle_, 0, 0, 0, 0}});
    expect(result.a0() == abi::ret::resume_failed, "a stale handle is taken");
}

void Stage::temporary(std::uint32_t vcpu)
{
    auto const shm = guest_.memory().allocate_scattered(page_bytes);
    guest_.fill(shm, filled(page_bytes, plain));
    auto const result = complete(vcpu, guest_.begin_invoke(memory_, command::memory_invert, {temporary_inout(shm)}));
    expect(result.ok(), "a call with a temporary buffer fails");
    expect(guest_.contents(shm) == filled(page_bytes, static_cast<std::uint8_t>(~plain)),
           "a temporary buffer is not what OP-TEE made of it");
    guest_.memory().free(shm);
}

void Stage::use(std::uint32_t vcpu)
{
    auto const result = complete(vcpu, guest_.begin_invoke(memory_, command::memory_invert, {shared_inout(shared_)}));
    expect(result.ok() || is_refusal(result), "a call with a registered buffer fails oddly");
    used_ += result.ok() ? 1u : 0u;
}

void Stage::add(std::uint32_t vcpu)
{
    auto const result = complete(vcpu, guest_.begin_register(shared_));
    expect(result.ok() || is_refusal(result), "a registration fails oddly");
    added_ += result.ok() ? 1u : 0u;
}

void Stage::remove(std::uint32_t vcpu)
{
    auto const result = complete(vcpu, guest_.begin_unregister(shared_));
    expect(result.ok() || is_refusal(result), "UNREGISTER_SHM fails oddly");
    removed_ += result.ok() ? 1u : 0u;
}

void Stage::cancel(std::uint32_t vcpu)
{
    expect(complete(vcpu, guest_.begin_cancel(echo_)).ok(), "a cancellation fails");
}

/// The hypervisor's one attempt; who is inside keeps the VM, and settle() ends it. A guest that sleeps learns of it.
void Stage::destroy()
{
    if (std::exchange(is_ending_, true))
        return;
    vm_.destroy();
    guest_.wake_all();
}

// --- afterwards

void Stage::settle()
{
    if (!is_ending_) {
        for (auto const& suspended : suspended_) {
            expect(suspended->winners == 1, "a call is not answered by exactly one vCPU");
            expect(suspended->call.done(), "a call does not come to its end");
        }
        expect_order();
        if (complaints_.empty())
            check_all_complete(vm_);
        guest_.remove();
    }
    current_.clear();
    suspended_.clear();
    auto const status = vm_.exists() ? vm_.destroy() : OPTEE_MEDIATOR_OK;
    is_ending_ = false;
    expect(status == OPTEE_MEDIATOR_OK && !vm_.exists(), "a VM does not go");
}

/// Adding and removing take turns, whatever the order was; and the buffer was inverted as often as OP-TEE said.
void Stage::expect_order()
{
    if (!shared_)
        return;
    auto const is_there = vm_.machine().optee().partition(vm_)->knows(shared_->cookie);
    expect(1 + added_ == removed_ + (is_there ? 1u : 0u), "a buffer was added or removed twice");
    auto const octet = static_cast<std::uint8_t>(used_ % 2 == 0 ? plain : ~plain);
    expect(guest_.contents(shared_) == filled(to_index(shared_->size), octet),
           "the registered buffer is not what OP-TEE made of it");
    if (is_there)
        expect(guest_.unregister_shm(shared_).ok(), "the buffer cannot be removed when nobody uses it");
}

} // namespace sim::schedule
