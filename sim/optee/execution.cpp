// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/optee/execution.hpp"

#include "sim/machine/machine.hpp"
#include "sim/optee/optee.hpp"

#include <algorithm>
#include <utility>

namespace sim::tee {

namespace {

/// thread_optee_smc.c, NOTIF_SYNC_VALUE_BASE: the first value that means a thread.
constexpr std::uint64_t first_thread_notification = 64;

} // namespace

Task<> Execution::interruptible()
{
    machine().at({Point::optee_step, &vm(), 0, Pa{0}, 0});
    while (partition_.optee().is_interrupted_now())
        co_await rpc({abi::rpc::foreign_interrupt, 0, 0, false});
}

Task<Buffer> Execution::allocate_argument()
{
    co_await rpc({abi::rpc::alloc, abi::arg::bytes(abi::max_rpc_params), 0});
    auto const pa = abi::joined(thread_.answer[0], thread_.answer[1]);
    auto const cookie = abi::joined(thread_.answer[2], thread_.answer[3]);
    Buffer buffer;
    if (pa != 0 && (pa & page_mask) == 0)
        buffer = SharedBuffer::make(machine(), vm(), {pa}, 0, cookie);
    if (!buffer) {
        co_await free_argument(cookie);
        co_return nullptr;
    }
    if (!buffer->is_shadow())
        machine().broken(Invariant::i10, "OP-TEE is given an RPC argument in a guest's memory");
    if (!buffer->is_zero_from(0))
        machine().broken(Invariant::i15, "an RPC argument is not empty when OP-TEE gets it");
    partition_.add(buffer);
    co_return buffer;
}

Task<> Execution::free_argument(std::uint64_t cookie)
{
    if (cookie != 0)
        co_await rpc({abi::rpc::free, abi::high(cookie), abi::low(cookie)});
}

Task<> Execution::drop_rpc_argument()
{
    auto const buffer = std::exchange(thread_.rpc_buffer, nullptr);
    thread_.rpc_message = {};
    if (!buffer)
        co_return;
    {
        // OP-TEE frees its own object only when normal world has answered, but never uses it again: the page is
        // normal world's from the moment at which it says FREE, and so is the name.
        std::lock_guard const guard{partition_.mutex()};
        buffer->is_named = false;
        buffer->let_go();
    }
    co_await free_argument(buffer->cookie());
    partition_.remove(buffer);
}

// thread_optee_smc.c, get_rpc_arg().
Task<std::uint32_t> Execution::prepare(std::uint32_t cmd, RpcParams const& params)
{
    if (!thread_.rpc_message) {
        auto const buffer = co_await allocate_argument();
        if (!buffer)
            co_return abi::result::out_of_memory;
        thread_.rpc_buffer = buffer;
        thread_.rpc_message = Message{buffer, 0};
    }
    auto& message = thread_.rpc_message;
    auto const count = static_cast<std::uint32_t>(params.size());
    for (std::uint32_t at = 0; at < abi::arg::bytes(count); at += 4)
        message.set_field(at, 0);
    message.set_field(abi::arg::cmd, cmd);
    message.set_field(abi::arg::num_params, count);
    message.set_field(abi::arg::ret, abi::result::generic);
    for (std::uint32_t n = 0; n < count; ++n) {
        auto const& param = params[n];
        abi::Param raw{param.attr, param.a, param.b, param.c};
        if (abi::attr::is_rmem(param.attr)) {
            if (param.memory)
                raw.c = param.memory->cookie();
            else
                raw = {param.attr - abi::attr::rmem_input + abi::attr::tmem_input, 0, param.b, 0};
        }
        message.set_param(n, raw);
    }
    co_return abi::result::success;
}

Task<> Execution::request_command()
{
    auto const cookie = partition_.optee().odd_rpc_cookie(thread_.rpc_buffer ? thread_.rpc_buffer->cookie() : 0);
    co_await rpc({abi::rpc::command, abi::high(cookie), abi::low(cookie)});
}

Task<std::uint32_t> Execution::command(std::uint32_t cmd, RpcParams& params)
{
    auto const prepared = co_await prepare(cmd, params);
    if (prepared != abi::result::success)
        co_return prepared;
    co_await request_command();
    auto& message = thread_.rpc_message;
    for (std::uint32_t n = 0; n < params.size(); ++n) {
        auto& param = params[n];
        auto const answered = message.param(n);
        if (param.attr == abi::attr::value_output || param.attr == abi::attr::value_inout) {
            param.a = answered.a;
            param.b = answered.b;
            param.c = answered.c;
        } else if (param.attr == abi::attr::rmem_output || param.attr == abi::attr::rmem_inout) {
            param.b = answered.b;
        }
    }
    co_return message.field(abi::arg::ret);
}

// thread_optee_smc.c, get_rpc_alloc_res().
Buffer Execution::payload_from_answer(std::uint64_t size, std::uint64_t* cookie)
{
    auto const& message = thread_.rpc_message;
    *cookie = 0;
    if (message.field(abi::arg::ret) != abi::result::success || message.field(abi::arg::num_params) != 1)
        return nullptr;
    auto const param = message.param(0);
    auto const contiguous = param.attr == abi::attr::tmem_output;
    if (!contiguous && param.attr != (abi::attr::tmem_output | abi::attr::noncontig))
        return nullptr;
    if (param.b < size)
        return nullptr;
    *cookie = param.c;
    if (!contiguous)
        return buffer_from_list(machine(), vm(), param.a, param.b, param.c);
    if ((param.a & page_mask) != 0 || param.b > page_bytes)
        return nullptr;
    return SharedBuffer::make(machine(), vm(), {param.a}, 0, param.c);
}

Task<Buffer> Execution::allocate_payload(std::uint64_t size, std::uint64_t kind)
{
    RpcParams const params{RpcParam::value(abi::attr::value_input, kind, size, 8)};
    auto const prepared = co_await prepare(abi::rpc_cmd::shm_alloc, params);
    if (prepared != abi::result::success)
        co_return nullptr;
    co_await request_command();
    std::uint64_t cookie = 0;
    auto const payload = payload_from_answer(size, &cookie);
    if (payload) {
        partition_.add(payload);
        co_return payload;
    }
    if (cookie != 0) {
        RpcParams const free_params{RpcParam::value(abi::attr::value_input, kind, cookie)};
        auto const ready = co_await prepare(abi::rpc_cmd::shm_free, free_params);
        if (ready == abi::result::success)
            co_await request_command();
    }
    co_return nullptr;
}

Task<> Execution::free_payload(Buffer payload, std::uint64_t kind)
{
    RpcParams const params{RpcParam::value(abi::attr::value_input, kind, payload->cookie())};
    auto const prepared = co_await prepare(abi::rpc_cmd::shm_free, params);
    partition_.remove(payload);
    if (prepared == abi::result::success)
        co_await request_command();
}

// thread.c, thread_rpc_shm_cache_alloc().
Task<Buffer> Execution::cached_payload(PayloadUser user, std::uint64_t size)
{
    auto const whole_pages = (size + page_bytes - 1) / page_bytes * page_bytes;
    auto place = std::find_if(
        thread_.payloads.begin(), thread_.payloads.end(), [user](auto const& entry) { return entry.user == user; });
    if (place == thread_.payloads.end())
        place = thread_.payloads.insert(thread_.payloads.begin(), {user, nullptr});
    auto& payload = place->buffer; // one coroutine uses the list at a time: the thread's
    if (payload && payload->size() < whole_pages)
        co_await free_payload(std::exchange(payload, nullptr), abi::rpc_cmd::shm_appl);
    if (!payload)
        payload = co_await allocate_payload(whole_pages, abi::rpc_cmd::shm_appl);
    co_return payload;
}

Task<> Execution::end_of_call(bool argument_was_supplied)
{
    for (auto& [user, payload] : thread_.payloads)
        if (payload)
            co_await free_payload(std::exchange(payload, nullptr), abi::rpc_cmd::shm_appl);
    thread_.payloads.clear();
    if (argument_was_supplied)
        thread_.rpc_message = {};
    bool keeps = false;
    {
        std::lock_guard const guard{partition_.mutex()};
        keeps = partition_.caches_rpc_arguments;
    }
    if (!keeps)
        co_await drop_rpc_argument();
}

Task<> Execution::wait_until(std::vector<std::uint32_t>& waiting, std::function<bool()> met)
{
    while (true) {
        {
            std::lock_guard const guard{partition_.mutex()};
            waiting.erase(std::remove(waiting.begin(), waiting.end(), thread_.id), waiting.end());
            if (met())
                co_return;
            waiting.push_back(thread_.id);
        }
        RpcParams params{
            RpcParam::value(abi::attr::value_input, abi::rpc_cmd::notification_wait, own_notification())};
        static_cast<void>(co_await command(abi::rpc_cmd::notification, params));
    }
}

std::uint64_t Execution::own_notification() const
{
    return first_thread_notification + thread_.id;
}

Task<> Execution::wake(std::vector<std::uint32_t>& waiting)
{
    std::vector<std::uint32_t> sleepers;
    {
        std::lock_guard const guard{partition_.mutex()};
        sleepers.swap(waiting);
    }
    for (auto const id : sleepers) {
        RpcParams params{
            RpcParam::value(abi::attr::value_input, abi::rpc_cmd::notification_send, first_thread_notification + id)};
        static_cast<void>(co_await command(abi::rpc_cmd::notification, params));
    }
}

} // namespace sim::tee
