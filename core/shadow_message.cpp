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

constexpr auto session_offset = static_cast<std::uint32_t>(offsetof(abi::MessageHeader, session));

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
    this->header() = {.command = header.command,
                      .function = header.function,
                      .session = header.session,
                      .cancel_id = header.cancel_id,
                      .pad = 0,
                      .result = static_cast<std::uint32_t>(abi::TeeResult::generic),
                      .result_origin = abi::origin_comms,
                      .param_count = header.param_count};
    if (params() != 0)
        guest.read(param_offset(0), std::span{&param(0), params()});
    return {};
}

void ShadowMessage::set_buffer(std::uint32_t index, Pa buffer)
{
    param(index).tmem.buffer = buffer.raw();
}

abi::TeeResult ShadowMessage::result()
{
    return static_cast<abi::TeeResult>(header().result);
}

void ShadowMessage::copy_back(GuestWindow const& guest)
{
    if (command_ == abi::Command::open_session)
        guest.write(session_offset, header().session);
    for (std::uint32_t i = 0; i != params(); ++i) {
        switch (copy_back_[i]) {
        case CopyBack::nothing: break;
        case CopyBack::value:   guest.write(param_offset(i) + value_offset, param(i).value); break;
        case CopyBack::size:    guest.write(param_offset(i) + size_offset, param(i).tmem.size); break;
        }
    }
    guest.write(result_offset, ResultFields{header().result, header().result_origin});
}

void ShadowMessage::clear()
{
    __builtin_memset(bytes(), 0, used_bytes());
    params_ = ParamCount{};
    rpc_room_ = RpcRoom::none;
    close();
}

void ShadowMessage::close()
{
    if (mapped_ != nullptr)
        optee_port_unmap_page(mapped_);
    mapped_ = nullptr;
}

void write_result(GuestWindow const& guest, abi::TeeResult result)
{
    guest.write(result_offset, ResultFields{static_cast<std::uint32_t>(result), abi::origin_comms});
}

} // namespace optee
