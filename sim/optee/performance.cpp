// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/optee/performance.hpp"

#include "sim/optee/execution.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace sim::tee {

namespace {

constexpr std::uint64_t file_name_bytes = 350; // tee_fs.h, TEE_FS_NAME_MAX

class Player {
public:
    explicit Player(Execution& execution) : execution_{execution} {}

    Task<> play(Step const&);
    Task<> close_all();

private:
    Task<> load(Step const&);
    Task<> close(std::uint32_t binary);
    Task<> file_system(Step const&);
    Task<> one_value(Step const&);
    Task<> plain(Step const&);

    Execution& execution_;
    std::vector<Buffer> binaries_; ///< nullptr: closed, or it never came
};

// ree_fs_ta.c, rpc_load(): the size first, with a NULL reference; then the file into memory of normal world.
Task<> Player::load(Step const& step)
{
    auto const& uuid = step.params.at(0);
    binaries_.push_back(nullptr);
    RpcParams size_params{RpcParam::value(abi::attr::value_input, uuid.a, uuid.b),
                          RpcParam::reference(abi::attr::rmem_output, nullptr, 0, 0)};
    if (co_await execution_.command(abi::rpc_cmd::load_ta, size_params) != abi::result::success)
        co_return;
    auto const size = size_params[1].b;
    auto const payload = co_await execution_.allocate_payload(size, abi::rpc_cmd::shm_appl);
    if (!payload)
        co_return;
    RpcParams load_params{RpcParam::value(abi::attr::value_input, uuid.a, uuid.b),
                          RpcParam::reference(abi::attr::rmem_output, payload, 0, size)};
    if (co_await execution_.command(abi::rpc_cmd::load_ta, load_params) != abi::result::success)
        co_await execution_.free_payload(payload, abi::rpc_cmd::shm_appl);
    else
        binaries_.back() = payload;
}

Task<> Player::close(std::uint32_t binary)
{
    if (auto const payload = std::exchange(binaries_.at(binary), nullptr))
        co_await execution_.free_payload(payload, abi::rpc_cmd::shm_appl);
}

// tee_fs_rpc.c: one function for each operation of a file.
Task<> Player::file_system(Step const& step)
{
    auto const& request = step.params.at(0);
    RpcParams params{RpcParam::value(abi::attr::value_input, request.a, request.b, request.c)};
    auto const is_named = request.a == abi::rpc_cmd::fs_open || request.a == abi::rpc_cmd::fs_create ||
                          request.a == abi::rpc_cmd::fs_remove;
    auto const is_transfer = request.a == abi::rpc_cmd::fs_read || request.a == abi::rpc_cmd::fs_write;
    auto const is_short = request.a == abi::rpc_cmd::fs_close || request.a == abi::rpc_cmd::fs_truncate;
    if (!is_named && !is_transfer && !is_short) {
        co_await plain(step);
        co_return;
    }
    if (is_named || is_transfer) {
        auto const bytes = is_named ? file_name_bytes : step.params.at(1).b;
        auto const payload = co_await execution_.cached_payload(PayloadUser::file_system, bytes);
        if (!payload)
            co_return;
        auto const reads = request.a == abi::rpc_cmd::fs_read;
        params.push_back(
            RpcParam::reference(reads ? abi::attr::rmem_output : abi::attr::rmem_input, payload, 0, bytes));
    }
    if (is_named && request.a != abi::rpc_cmd::fs_remove)
        params.push_back(RpcParam::value(abi::attr::value_output));
    static_cast<void>(co_await execution_.command(abi::rpc_cmd::fs, params));
}

// tee_time.c and notif.c: a value goes out, or comes in.
Task<> Player::one_value(Step const& step)
{
    auto const& given = step.params.at(0);
    auto request = RpcParam::value(abi::attr::value_input, given.a, given.b, given.c);
    if (step.cmd == abi::rpc_cmd::get_time)
        request = RpcParam::value(abi::attr::value_output);
    else if (step.cmd == abi::rpc_cmd::notification && given.a == abi::rpc_cmd::notification_wait)
        request.b = execution_.own_notification();
    RpcParams params{request};
    static_cast<void>(co_await execution_.command(step.cmd, params));
}

// What the model does not know by itself: the shape of the request is given, its memory is not.
Task<> Player::plain(Step const& step)
{
    RpcParams params;
    for (auto const& param : step.params) {
        if (!abi::attr::is_rmem(param.attr)) {
            params.push_back({param.attr, param.a, param.b, param.c, nullptr});
            continue;
        }
        auto const user = step.cmd == abi::rpc_cmd::fs ? PayloadUser::file_system : PayloadUser::socket;
        auto const payload = co_await execution_.cached_payload(user, param.b);
        if (!payload)
            co_return;
        params.push_back(RpcParam::reference(param.attr, payload, param.a, param.b));
    }
    static_cast<void>(co_await execution_.command(step.cmd, params));
}

Task<> Player::play(Step const& step)
{
    if (step.closes_binary)
        co_await close(step.binary);
    else if (step.cmd == abi::rpc_cmd::load_ta)
        co_await load(step);
    else if (step.cmd == abi::rpc_cmd::fs)
        co_await file_system(step);
    else if (step.cmd == abi::rpc_cmd::get_time || step.cmd == abi::rpc_cmd::suspend ||
             step.cmd == abi::rpc_cmd::notification)
        co_await one_value(step);
    else
        co_await plain(step);
}

Task<> Player::close_all()
{
    for (std::uint32_t binary = 0; binary != binaries_.size(); ++binary)
        co_await close(binary);
}

} // namespace

Task<> perform(Execution& execution, Performance const& performance)
{
    Player player{execution};
    for (auto const& step : performance.steps)
        co_await player.play(step);
    co_await player.close_all();
}

} // namespace sim::tee
