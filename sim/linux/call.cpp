// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// optee_smc_do_call_with_arg() and optee_handle_rpc() of Linux's smc_abi.c, and rpc.c.

#include "sim/linux/call.hpp"

#include "sim/linux/guest.hpp"
#include "sim/machine/machine.hpp"

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

namespace sim {

namespace {

constexpr std::uint64_t some_time = 1'700'000'000; ///< seconds; the nanoseconds count the calls

} // namespace

Call::Call(LinuxGuest& guest, Registers first, GuestMessage message, bool supplied_argument)
    : guest_{&guest}, registers_{first}, message_{message}, supplied_argument_{supplied_argument}
{
}

Call::~Call()
{
    if (memory_ && (state_ == State::done || state_ == State::fresh))
        forget();
}

void Call::forget()
{
    free_page_list();
    for (auto const& [list, pages] : memory_->lists)
        guest_->memory_.free(list, pages);
    memory_->lists.clear();
    if (auto const message = std::exchange(memory_->message, nullptr))
        guest_->memory_.free(message);
    if (auto const slot = std::exchange(memory_->cache_slot, 0))
        guest_->give_slot(slot);
}

void Call::free_page_list()
{
    if (auto const list = std::exchange(memory_->rpc_list, std::nullopt))
        guest_->memory_.free(list->first, list->second);
}

Answer const& Call::take(Answer answer)
{
    last_ = std::move(answer);
    is_blocked_ = false;
    if (last_.a0() == abi::ret::thread_limit) {
        state_ = State::waits_for_thread;
    } else if (abi::is_rpc(last_.registers.a[0])) {
        state_ = State::waits_for_rpc;
        for (unsigned i = 0; i < 4; ++i)
            registers_.a[i] = last_.registers.a[i];
    } else {
        state_ = State::done;
        guest_->wake_all();
    }
    return last_;
}

Answer const& Call::start_on(std::uint32_t vcpu)
{
    return take(guest_->vm().smc(vcpu, registers_));
}

Answer const& Call::resume_on(std::uint32_t vcpu, Registers const& registers)
{
    return take(guest_->vm().smc(vcpu, registers));
}

Answer const& Call::answer_on(std::uint32_t vcpu)
{
    auto const answer = serve_rpc();
    is_blocked_ = !answer;
    if (!answer)
        return last_;
    registers_ = *answer;
    return take(guest_->vm().smc(vcpu, registers_));
}

Call::State Call::run_on(std::uint32_t vcpu)
{
    if (state_ == State::fresh || state_ == State::waits_for_thread)
        start_on(vcpu);
    while (state_ == State::waits_for_rpc) {
        answer_on(vcpu);
        if (is_blocked_)
            break;
    }
    return state_;
}

GuestMessage Call::rpc_message() const
{
    if (supplied_argument_)
        return message_.after();
    auto const shm = guest_->memory_.find(last_.pair(1));
    return {guest_->vm(), shm ? shm->at(0) : Ipa{0}};
}

bool Call::asks_for(std::uint32_t rpc_cmd) const
{
    return waits_for_rpc() && rpc() == abi::rpc::command && rpc_message().cmd() == rpc_cmd;
}

std::optional<Registers> Call::serve_rpc()
{
    auto answer = registers_;
    answer.a[0] = abi::smc::return_from_rpc;
    auto& memory = guest_->memory_;
    switch (rpc()) {
    case abi::rpc::alloc:
        try {
            auto const shm = memory.allocate_contiguous(last_.a(1));
            answer.a[1] = abi::high(shm->at(0).raw);
            answer.a[2] = abi::low(shm->at(0).raw);
            answer.a[4] = abi::high(shm->cookie);
            answer.a[5] = abi::low(shm->cookie);
        } catch (std::bad_alloc const&) {
            answer.a[1] = answer.a[2] = answer.a[4] = answer.a[5] = 0;
        }
        break;
    case abi::rpc::free:
        if (auto const shm = memory.find(last_.pair(1)))
            memory.free(shm);
        else
            guest_->asked_for_unknown("RPC FREE");
        break;
    case abi::rpc::command: {
        if (!supplied_argument_ && !memory.find(last_.pair(1))) {
            guest_->asked_for_unknown("RPC CMD");
            break;
        }
        auto message = rpc_message();
        if (message.cmd() == abi::rpc_cmd::notification && message.num_params() == 1) {
            auto const param = message.param(0);
            if (param.a == abi::rpc_cmd::notification_wait && !guest_->take_notification(param.b))
                return std::nullopt;
        }
        serve_command(message);
        break;
    }
    default: break; // a foreign interrupt was taken when the vCPU left the secure world
    }
    return answer;
}

void Call::serve_shm_alloc(GuestMessage& message)
{
    auto const request = message.param(0);
    if (message.num_params() == 0 || request.attr != abi::attr::value_input) {
        message.set_ret(abi::result::bad_parameters);
        return;
    }
    auto& memory = guest_->memory_;
    Shm shm;
    try {
        shm = request.a == abi::rpc_cmd::shm_kernel ? memory.allocate_contiguous(request.b)
                                                    : memory.allocate_scattered(request.b);
        auto const contiguous = shm->is_contiguous && shm->pages.size() == 1;
        if (contiguous) {
            message.set_param(0, {abi::attr::tmem_output, shm->at(0).raw, shm->size, shm->cookie});
        } else {
            free_page_list();
            memory_->rpc_list = {memory.write_page_list(*shm), GuestMemory::list_pages(*shm)};
            message.set_param(0,
                              {abi::attr::tmem_output | abi::attr::noncontig,
                               memory_->rpc_list->first.raw | shm->offset,
                               shm->size,
                               shm->cookie});
        }
        message.set_ret(abi::result::success);
    } catch (std::bad_alloc const&) {
        if (shm)
            memory.free(shm);
        message.set_ret(abi::result::out_of_memory);
    }
}

void Call::serve_shm_free(GuestMessage& message)
{
    auto const request = message.param(0);
    if (message.num_params() != 1 || request.attr != abi::attr::value_input) {
        message.set_ret(abi::result::bad_parameters);
        return;
    }
    if (auto const shm = guest_->memory_.find(request.b))
        guest_->memory_.free(shm);
    else
        guest_->asked_for_unknown("SHM_FREE");
    message.set_ret(abi::result::success);
}

void Call::serve_load_ta(GuestMessage& message)
{
    auto const& binary = Supplicant::trusted_app();
    auto file = message.param(1);
    auto const shm = guest_->memory_.find(file.c);
    if (shm && file.b >= binary.size())
        guest_->fill(shm, binary);
    file.b = binary.size();
    message.set_param(1, file);
    message.set_ret(abi::result::success);
}

void Call::serve_file_system(GuestMessage& message)
{
    auto& supplicant = guest_->supplicant_;
    auto const request = message.param(0);
    if (request.a == abi::rpc_cmd::fs_close) {
        supplicant.close(request.b);
        message.set_ret(abi::result::success);
        return;
    }
    auto reference = message.param(1);
    auto const shm = guest_->memory_.find(reference.c);
    if (!shm) {
        guest_->asked_for_unknown("FS");
        message.set_ret(abi::result::bad_parameters);
        return;
    }
    switch (request.a) {
    case abi::rpc_cmd::fs_open:
    case abi::rpc_cmd::fs_create: {
        auto const name = guest_->vm().peek<std::uint64_t>(shm->at(reference.a));
        auto const descriptor =
            request.a == abi::rpc_cmd::fs_open ? supplicant.open(name) : std::optional{supplicant.create(name)};
        message.set_param(2, {abi::attr::value_output, descriptor.value_or(0), 0, 0});
        message.set_ret(descriptor ? abi::result::success : abi::result::item_not_found);
        return;
    }
    case abi::rpc_cmd::fs_write: {
        auto const all = guest_->contents(shm);
        auto const from = all.begin() + static_cast<std::ptrdiff_t>(reference.a);
        supplicant.write(request.b, request.c, {from, from + static_cast<std::ptrdiff_t>(reference.b)});
        break;
    }
    case abi::rpc_cmd::fs_read: {
        auto const octets = supplicant.read(request.b, request.c, reference.b);
        guest_->fill(shm, octets);
        reference.b = octets.size();
        message.set_param(1, reference);
        break;
    }
    default: message.set_ret(abi::result::not_supported); return;
    }
    message.set_ret(abi::result::success);
}

void Call::serve_command(GuestMessage& message)
{
    switch (message.cmd()) {
    case abi::rpc_cmd::shm_alloc: serve_shm_alloc(message); break;
    case abi::rpc_cmd::shm_free:  serve_shm_free(message); break;
    case abi::rpc_cmd::load_ta:   serve_load_ta(message); break;
    case abi::rpc_cmd::fs:        serve_file_system(message); break;
    case abi::rpc_cmd::get_time:
        message.set_param(0, {abi::attr::value_output, some_time, guest_->events(), 0});
        message.set_ret(abi::result::success);
        break;
    case abi::rpc_cmd::notification:
        if (message.param(0).a == abi::rpc_cmd::notification_send)
            guest_->notify(message.param(0).b);
        message.set_ret(abi::result::success);
        break;
    case abi::rpc_cmd::suspend: message.set_ret(abi::result::success); break;
    default:                    message.set_ret(abi::result::not_supported); break;
    }
}

CallResult Call::result() const
{
    CallResult result;
    result.a0 = last_.a0();
    result.ret = message_.ret();
    result.origin = message_.field(abi::arg::ret_origin);
    result.session = message_.field(abi::arg::session);
    auto const count = std::min(message_.num_params(), abi::max_params);
    for (std::uint32_t n = 0; n < count; ++n)
        result.params.push_back(message_.param(n));
    return result;
}

} // namespace sim
