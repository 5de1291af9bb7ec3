// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "rpc.hpp"

#include "abi/rpc.hpp"
#include "shadow_message.hpp"

#include <cstddef>
#include <span>

namespace optee {

namespace {

// What of a message's header goes into the guest's page with a request.
abi::MessageHeader request_header(std::uint32_t command, std::uint32_t params)
{
    return {.command = command,
            .function = 0,
            .session = 0,
            .cancel_id = 0,
            .pad = 0,
            .result = static_cast<std::uint32_t>(abi::TeeResult::generic),
            .result_origin = abi::origin_comms,
            .param_count = params};
}

constexpr auto value_offset = static_cast<std::uint32_t>(offsetof(abi::Param, value));
constexpr auto size_offset = value_offset + static_cast<std::uint32_t>(offsetof(abi::TmemParam, size));
constexpr auto result_offset = static_cast<std::uint32_t>(offsetof(abi::MessageHeader, result));

bool is_about_memory(std::uint32_t command)
{
    return command == abi::RpcCommand::shm_alloc || command == abi::RpcCommand::shm_free;
}

} // namespace

Result<RpcArgument> use_argument(ShmRegistry& registry, Cookie cookie, TeeThread owner)
{
    MEDIATOR_ASSIGN_OR_RETURN(auto const buffer, registry.use_argument(cookie, owner));
    MappedShm const memory = map(buffer);
    return RpcArgument{.shadow = *memory->shadow,
                       .guest = GuestPlace::in_page(*memory->guest_page),
                       .cookie = cookie,
                       .buffer = buffer};
}

void RpcArgument::fail(std::uint32_t result) const
{
    Mapped<abi::MessageHeader> const header{shadow};
    header->result = result;
    header->param_count = 0;
}

Result<RpcRequest> RpcRequest::read(ShmRegistry& registry, RpcArgument const& argument)
{
    RpcRequest request{argument};
    auto const shadow = request.shadow();
    auto const header = *Mapped<abi::MessageHeader const>{shadow};
    if (header.param_count > abi::max_rpc_params)
        return Error::bad_command;
    request.command_ = header.command;
    request.params_ = header.param_count;

    for (std::uint32_t i = 0; i != request.params_; ++i) {
        auto const param = *Mapped<abi::Param const>{shadow.plus(param_offset(i))};
        MEDIATOR_ASSIGN_OR_RETURN(auto const judged, judge_request(param));
        auto const& rmem = judged.forwarded.rmem;
        if (judged.needs == ParamNeeds::registered_memory &&
            !registry.may_name(Cookie{rmem.cookie}, rmem.offset, rmem.size))
            return Error::bad_command;
        *Mapped<abi::Param>{shadow.plus(param_offset(i))} = judged.forwarded;
        request.outputs_[i] = judged.copy_back;
    }

    if (is_about_memory(request.command_)) {
        auto const param = *Mapped<abi::Param const>{shadow.plus(param_offset(0))};
        if (request.params_ != 1 || param.attributes != static_cast<std::uint64_t>(abi::ParamType::value_input))
            return Error::bad_command;
        request.subject_ = param.value.b;
    }
    return request;
}

Result<GuestWindow> RpcRequest::guest_window(VmContext& vm) const
{
    return GuestWindow::acquire(vm, argument_.guest);
}

void RpcRequest::deliver(GuestWindow const& guest) const
{
    guest.write(0, request_header(command_, params_));
    for (std::uint32_t i = 0; i != params_; ++i) {
        Mapped<abi::Param const> const param{shadow().plus(param_offset(i))};
        guest.write(param_offset(i), *param);
    }
}

void RpcRequest::deliver_free(GuestWindow const& guest, Cookie cookie) const
{
    // The request that is answered with a refusal was an SHM_ALLOC: its value.a is the kind of memory.
    auto const asked = *Mapped<abi::Param const>{shadow().plus(param_offset(0))};
    guest.write(0, request_header(abi::RpcCommand::shm_free, 1));
    guest.write(param_offset(0),
                abi::Param{.attributes = static_cast<std::uint64_t>(abi::ParamType::value_input),
                           .value = {asked.value.a, static_cast<std::uint64_t>(cookie), 0}});
}

void RpcRequest::take_outputs(GuestWindow const& guest) const
{
    Mapped<abi::MessageHeader>
    {
        shadow()
        } -> result = guest.read<std::uint32_t>(result_offset);
    for (std::uint32_t i = 0; i != params_; ++i) {
        if (outputs_[i] == CopyBack::nothing)
            continue;
        Mapped<abi::Param> const param{shadow().plus(param_offset(i))};
        if (outputs_[i] == CopyBack::value)
            param->value = guest.read<abi::ValueParam>(param_offset(i) + value_offset);
        else
            param->tmem.size = guest.read<std::uint64_t>(param_offset(i) + size_offset);
    }
}

void RpcRequest::answer_buffer(Pa list, std::uint64_t size, Cookie cookie) const
{
    {
        Mapped<abi::MessageHeader> const header{shadow()};
        header->result = static_cast<std::uint32_t>(abi::TeeResult::success);
        header->param_count = 1;
    }
    *Mapped<abi::Param>{shadow().plus(param_offset(0))} = {
        .attributes = static_cast<std::uint64_t>(abi::ParamType::tmem_output) | abi::Attribute::noncontiguous,
        .tmem = {.buffer = list.raw(), .size = size, .cookie = static_cast<std::uint64_t>(cookie)}};
}

void RpcRequest::answer_failure(std::uint32_t result) const
{
    argument_.fail(result);
}

} // namespace optee
