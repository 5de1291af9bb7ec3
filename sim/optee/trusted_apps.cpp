// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/optee/trusted_apps.hpp"

#include "sim/machine/machine.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

namespace sim::tee {

namespace {

using Octets = std::vector<std::uint8_t>;

constexpr std::uint64_t binary_bytes = 3 * page_bytes + 100; ///< what the supplicant says a TA's file has, at most

/// Applies `change` to every byte, page by page: OP-TEE may be interrupted between any two.
Task<> transform(Execution& execution, AppParam& param, std::uint8_t (*change)(std::uint8_t))
{
    for (std::uint64_t done = 0; done < param.size; done += page_bytes) {
        co_await execution.interruptible();
        Octets part(static_cast<std::size_t>(std::min<std::uint64_t>(page_bytes, param.size - done)));
        param.memory->read(param.offset + done, part.data(), part.size());
        std::transform(part.begin(), part.end(), part.begin(), change);
        param.memory->write(param.offset + done, part.data(), part.size());
    }
}

Task<std::uint64_t> sum(Execution& execution, AppParam const& param)
{
    std::uint64_t total = 0;
    for (std::uint64_t done = 0; done < param.size; done += page_bytes) {
        co_await execution.interruptible();
        Octets part(static_cast<std::size_t>(std::min<std::uint64_t>(page_bytes, param.size - done)));
        param.memory->read(param.offset + done, part.data(), part.size());
        for (auto const byte : part)
            total += byte;
    }
    co_return total;
}

std::uint32_t echo(std::uint32_t function, AppParams& params)
{
    if (function == command::echo_fail)
        return static_cast<std::uint32_t>(params[0].a);
    for (auto& param : params) {
        if (param.is_output_value()) {
            param.a += 1;
            param.b += 1;
        }
    }
    return abi::result::success;
}

Task<std::uint32_t> memory(Execution& execution, std::uint32_t function, AppParams& params)
{
    std::uint64_t total = 0;
    for (auto& param : params) {
        if (function == command::memory_grow && param.is_output_memory())
            param.size += page_bytes;
        if (!param.memory || param.size == 0)
            continue;
        if (function == command::memory_invert && param.is_output_memory())
            co_await transform(execution, param, [](std::uint8_t byte) { return static_cast<std::uint8_t>(~byte); });
        if (function == command::memory_sum && param.is_input_memory())
            total += co_await sum(execution, param);
    }
    if (function == command::memory_grow)
        co_return abi::result::short_buffer;
    for (auto& param : params)
        if (function == command::memory_sum && param.is_output_value())
            param.a = total;
    co_return abi::result::success;
}

Task<std::uint32_t> sleeper(Execution& execution, Session& session, std::uint32_t function)
{
    if (function == command::sleeper_wake) {
        {
            std::lock_guard const guard{execution.partition().mutex()};
            session.signalled = true;
        }
        co_await execution.wake(session.waiting_for_signal);
        co_return abi::result::success;
    }
    co_await execution.wait_until(session.waiting_for_signal,
                                  [&session] { return session.signalled || session.cancelled; });
    std::lock_guard const guard{execution.partition().mutex()};
    auto const cancelled = session.cancelled && !session.signalled;
    session.signalled = false;
    session.cancelled = false;
    co_return cancelled ? abi::result::cancel : abi::result::success;
}

Task<std::uint32_t> open_file(Execution& execution, std::uint64_t how, std::uint64_t name, std::uint64_t* descriptor)
{
    auto const payload = co_await execution.cached_payload(PayloadUser::file_system, page_bytes);
    if (!payload)
        co_return abi::result::out_of_memory;
    payload->write(0, &name, sizeof name);
    RpcParams params{RpcParam::value(abi::attr::value_input, how),
                     RpcParam::reference(abi::attr::rmem_input, payload, 0, page_bytes),
                     RpcParam::value(abi::attr::value_output)};
    auto const result = co_await execution.command(abi::rpc_cmd::fs, params);
    *descriptor = params[2].a;
    co_return result;
}

Task<std::uint32_t> transfer(Execution& execution, std::uint64_t how, std::uint64_t descriptor, AppParam& param)
{
    auto const reads = how == abi::rpc_cmd::fs_read;
    std::uint64_t done = 0;
    while (done < param.size) {
        auto const part = std::min<std::uint64_t>(page_bytes, param.size - done);
        auto const payload = co_await execution.cached_payload(PayloadUser::file_system, page_bytes);
        if (!payload)
            co_return abi::result::out_of_memory;
        Octets octets(static_cast<std::size_t>(part));
        if (!reads) {
            param.memory->read(param.offset + done, octets.data(), octets.size());
            payload->write(0, octets.data(), octets.size());
        }
        RpcParams params{
            RpcParam::value(abi::attr::value_input, how, descriptor, done),
            RpcParam::reference(reads ? abi::attr::rmem_output : abi::attr::rmem_input, payload, 0, part)};
        auto const result = co_await execution.command(abi::rpc_cmd::fs, params);
        if (result != abi::result::success)
            co_return result;
        auto const moved = reads ? std::min(part, params[1].b) : part;
        if (reads) {
            octets.resize(static_cast<std::size_t>(moved));
            payload->read(0, octets.data(), octets.size());
            param.memory->write(param.offset + done, octets.data(), octets.size());
        }
        done += moved;
        if (moved < part)
            break;
    }
    param.size = done;
    co_return abi::result::success;
}

Task<std::uint32_t> storage(Execution& execution, std::uint32_t function, AppParams& params)
{
    if (!params[0].memory)
        co_return abi::result::bad_parameters;
    auto const writes = function == command::storage_write;
    std::uint64_t descriptor = 0;
    auto const opened = co_await open_file(
        execution, writes ? abi::rpc_cmd::fs_create : abi::rpc_cmd::fs_open, params[1].a, &descriptor);
    if (opened != abi::result::success)
        co_return opened;
    auto const moved =
        co_await transfer(execution, writes ? abi::rpc_cmd::fs_write : abi::rpc_cmd::fs_read, descriptor, params[0]);
    RpcParams close{RpcParam::value(abi::attr::value_input, abi::rpc_cmd::fs_close, descriptor)};
    static_cast<void>(co_await execution.command(abi::rpc_cmd::fs, close));
    co_return moved;
}

Task<std::uint32_t> clock(Execution& execution, AppParams& params)
{
    auto const times = std::max<std::uint64_t>(params[1].a, 1);
    for (std::uint64_t n = 0; n < times; ++n) {
        RpcParams time{RpcParam::value(abi::attr::value_output)};
        auto const result = co_await execution.command(abi::rpc_cmd::get_time, time);
        if (result != abi::result::success)
            co_return result;
        params[0].a = time[0].a;
        params[0].b = time[0].b;
    }
    co_return abi::result::success;
}

Task<std::uint32_t> allocator(Execution& execution, std::uint32_t function, AppParams& params)
{
    auto const kind = function == command::allocator_kernel ? abi::rpc_cmd::shm_kernel : abi::rpc_cmd::shm_appl;
    auto const times = std::max<std::uint64_t>(params[0].b, 1);
    for (std::uint64_t n = 0; n < times; ++n) {
        auto const payload = co_await execution.allocate_payload(params[0].a, kind);
        if (!payload)
            co_return abi::result::out_of_memory;
        for (std::uint64_t offset = 0; offset + 8 <= params[0].a; offset += page_bytes) {
            co_await execution.interruptible();
            auto const mark = offset ^ 0x0123'4567'89ab'cdef;
            payload->write(offset, &mark, sizeof mark);
        }
        co_await execution.free_payload(payload, kind);
    }
    co_return abi::result::success;
}

} // namespace

std::optional<App> app_of(Uuid uuid)
{
    for (auto const app :
         {App::echo, App::memory, App::sleeper, App::storage, App::clock, App::allocator, App::loadable})
        if (uuid_of(app).a == uuid.a && uuid_of(app).b == uuid.b)
            return app;
    return std::nullopt;
}

// The octets of a UUID are those of the message's words as they lie in memory.
optee_mediator_ta_list only(std::initializer_list<App> apps)
{
    optee_mediator_ta_list list{};
    list.in_force = true;
    for (auto const app : apps) {
        auto const uuid = uuid_of(app);
        auto* const octets = list.ta[list.count++].octets;
        std::memcpy(octets, &uuid.a, sizeof uuid.a);
        std::memcpy(octets + sizeof uuid.a, &uuid.b, sizeof uuid.b);
    }
    return list;
}

// ree_fs_ta.c, rpc_load(): the size first, with a NULL reference; then the file into memory of normal world.
Task<std::uint32_t> open_app(Execution& execution, App app)
{
    if (app != App::loadable)
        co_return abi::result::success;
    auto const uuid = uuid_of(app);
    RpcParams size_params{RpcParam::value(abi::attr::value_input, uuid.a, uuid.b),
                          RpcParam::reference(abi::attr::rmem_output, nullptr, 0, 0)};
    auto result = co_await execution.command(abi::rpc_cmd::load_ta, size_params);
    if (result != abi::result::success && result != abi::result::short_buffer)
        co_return result;
    auto const size = size_params[1].b;
    if (size == 0 || size > binary_bytes)
        co_return abi::result::out_of_memory;
    auto const payload = co_await execution.allocate_payload(size, abi::rpc_cmd::shm_appl);
    if (!payload)
        co_return abi::result::out_of_memory;
    RpcParams load_params{RpcParam::value(abi::attr::value_input, uuid.a, uuid.b),
                          RpcParam::reference(abi::attr::rmem_output, payload, 0, size)};
    result = co_await execution.command(abi::rpc_cmd::load_ta, load_params);
    AppParam binary;
    binary.memory = payload;
    binary.size = size;
    if (result == abi::result::success && co_await sum(execution, binary) == 0)
        result = abi::result::security; // an empty file carries no signature
    co_await execution.free_payload(payload, abi::rpc_cmd::shm_appl);
    co_return result;
}

Task<std::uint32_t> invoke_app(Execution& execution, Session& session, std::uint32_t function, AppParams& params)
{
    co_await execution.interruptible();
    switch (session.app) {
    case App::echo:
    case App::performer:
    case App::loadable:  co_return echo(function, params);
    case App::memory:    co_return co_await memory(execution, function, params);
    case App::sleeper:   co_return co_await sleeper(execution, session, function);
    case App::storage:   co_return co_await storage(execution, function, params);
    case App::clock:     co_return co_await clock(execution, params);
    case App::allocator: co_return co_await allocator(execution, function, params);
    }
    co_return abi::result::not_supported;
}

} // namespace sim::tee
