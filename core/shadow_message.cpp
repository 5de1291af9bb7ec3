// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "shadow_message.hpp"

#include <cstddef>
#include <span>

namespace optee {

namespace {

// ret and ret_origin stand together: one write.
struct ResultFields {
    std::uint32_t result;
    std::uint32_t origin;
};
static_assert(offsetof(abi::MessageHeader, result_origin) == offsetof(abi::MessageHeader, result) + 4);

constexpr auto result_offset = static_cast<std::uint32_t>(offsetof(abi::MessageHeader, result));
constexpr auto session_offset = static_cast<std::uint32_t>(offsetof(abi::MessageHeader, session));
constexpr auto value_offset = static_cast<std::uint32_t>(offsetof(abi::Param, value));
constexpr auto size_offset = value_offset + static_cast<std::uint32_t>(offsetof(abi::TmemParam, size));

bool is_known(abi::Command command)
{
    switch (command) {
    case abi::Command::open_session:
    case abi::Command::invoke_command:
    case abi::Command::close_session:
    case abi::Command::cancel:
    case abi::Command::register_shm:
    case abi::Command::unregister_shm: return true;
    }
    return false;
}

} // namespace

Status ShadowMessage::fetch(GuestWindow const& guest, RpcRoom rpc_room)
{
    auto const header = guest.read<abi::MessageHeader>(0);
    command_ = static_cast<abi::Command>(header.command);
    if (!is_known(command_))
        return Error::bad_command;
    MEDIATOR_ASSIGN_OR_RETURN(auto const count, ParamCount::from_guest(header.param_count));
    // Both go into one page of ours, whatever room the guest has.
    auto const rpc_bytes = rpc_room == RpcRoom::none ? 0 : abi::rpc_argument_bytes;
    if (count.message_bytes() + rpc_bytes > guest.room())
        return Error::bad_parameters;
    params_ = count;
    rpc_room_ = rpc_room;

    // An SMC that fails, or an OP-TEE that forgets, must not be taken for success.
    *Mapped<abi::MessageHeader>{page_} = {.command = header.command,
                                          .function = header.function,
                                          .session = header.session,
                                          .cancel_id = header.cancel_id,
                                          .pad = 0,
                                          .result = static_cast<std::uint32_t>(abi::TeeResult::generic),
                                          .result_origin = abi::origin_comms,
                                          .param_count = header.param_count};
    if (params() != 0) {
        Mapped<abi::Param> const to{page_.plus(param_offset(0))};
        guest.read(param_offset(0), std::span{to.get(), params()});
    }
    return {};
}

abi::Param ShadowMessage::param(std::uint32_t index) const
{
    return *Mapped<abi::Param const>{page_.plus(param_offset(index))};
}

void ShadowMessage::set_param(std::uint32_t index, abi::Param const& forwarded, CopyBack copy_back)
{
    *Mapped<abi::Param>{page_.plus(param_offset(index))} = forwarded;
    copy_back_[index] = copy_back;
}

void ShadowMessage::set_buffer(std::uint32_t index, Pa buffer) const
{
    Mapped<abi::Param>
    {
        page_.plus(param_offset(index))
        } -> tmem.buffer = buffer.raw();
}

abi::TeeResult ShadowMessage::result() const
{
    return static_cast<abi::TeeResult>(Mapped<abi::MessageHeader const> { page_ } -> result);
}

void ShadowMessage::copy_back(GuestWindow const& guest) const
{
    Mapped<abi::MessageHeader const> const header{page_};
    if (command_ == abi::Command::open_session)
        guest.write(session_offset, header->session);
    for (std::uint32_t i = 0; i != params(); ++i) {
        if (copy_back_[i] == CopyBack::nothing)
            continue;
        Mapped<abi::Param const> const param{page_.plus(param_offset(i))};
        if (copy_back_[i] == CopyBack::value)
            guest.write(param_offset(i) + value_offset, param->value);
        else
            guest.write(param_offset(i) + size_offset, param->tmem.size);
    }
    guest.write(result_offset, ResultFields{header->result, header->result_origin});
}

void ShadowMessage::clear()
{
    Mapped<unsigned char> const bytes{page_};
    __builtin_memset(bytes.get(), 0, used_bytes());
    params_ = ParamCount{};
    rpc_room_ = RpcRoom::none;
}

void write_result(GuestWindow const& guest, abi::TeeResult result)
{
    guest.write(result_offset, ResultFields{static_cast<std::uint32_t>(result), abi::origin_comms});
}

} // namespace optee
