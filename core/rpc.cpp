// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "rpc.hpp"

#include "abi/rpc.hpp"
#include "shadow_message.hpp"

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

// As OP-TEE and the guest see it. Of the parameters only so many count as the header says.
struct Argument {
    abi::MessageHeader header;
    std::array<abi::Param, abi::max_rpc_params> params;
};
static_assert(sizeof(Argument) == abi::rpc_argument_bytes);

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
    Mapped<Argument> const shadow{request.shadow()};
    if (shadow->header.param_count > abi::max_rpc_params)
        return Error::bad_command;
    request.command_ = shadow->header.command;
    request.params_ = shadow->header.param_count;

    for (std::uint32_t i = 0; i != request.params_; ++i) {
        auto& param = shadow->params[i];
        MEDIATOR_ASSIGN_OR_RETURN(auto const use, judge_request(param));
        if (use.needs == ParamNeeds::registered_memory &&
            !registry.may_name(Cookie{param.rmem.cookie}, param.rmem.offset, param.rmem.size))
            return Error::bad_command;
        request.outputs_[i] = use.copy_back;
    }

    if (is_about_memory(request.command_)) {
        auto const& param = shadow->params[0];
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
    Argument request;
    request.header = request_header(command_, params_);
    {
        Mapped<Argument const> const shadow{this->shadow()};
        for (std::uint32_t i = 0; i != params_; ++i)
            request.params[i] = shadow->params[i];
    }
    guest.write(0, std::as_bytes(std::span{&request, 1}).first(param_offset(params_)));
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
    Mapped<Argument> const shadow{this->shadow()};
    shadow->header.result = guest.read<std::uint32_t>(result_offset);
    for (std::uint32_t i = 0; i != params_; ++i) {
        auto& param = shadow->params[i];
        switch (outputs_[i]) {
        case CopyBack::nothing: break;
        case CopyBack::value:   param.value = guest.read<abi::ValueParam>(param_offset(i) + value_offset); break;
        case CopyBack::size:    param.tmem.size = guest.read<std::uint64_t>(param_offset(i) + size_offset); break;
        }
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
