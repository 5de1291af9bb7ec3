// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include "abi/message.hpp"
#include "base/address.hpp"
#include "guest_memory.hpp"
#include "parameter.hpp"
#include "shadow_page.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace optee {

/// How many parameters a message has. The guest's number is bounded before anything is computed from it.
class ParamCount {
public:
    static constexpr Result<ParamCount> from_guest(std::uint32_t raw)
    {
        if (raw > abi::max_params)
            return Error::bad_parameters;
        return ParamCount{raw};
    }
    constexpr ParamCount() = default;
    constexpr std::uint32_t count() const { return count_; }
    constexpr std::uint32_t message_bytes() const
    {
        return static_cast<std::uint32_t>(sizeof(abi::MessageHeader) + count_ * sizeof(abi::Param));
    }

private:
    constexpr explicit ParamCount(std::uint32_t count) : count_{count} {}
    std::uint32_t count_ = 0;
};
static_assert(ParamCount::from_guest(abi::max_params).ok() && !ParamCount::from_guest(abi::max_params + 1).ok());
static_assert(ParamCount::from_guest(abi::max_params).get().message_bytes() <= abi::message_page_bytes);

constexpr std::uint32_t param_offset(std::uint32_t index)
{
    return static_cast<std::uint32_t>(sizeof(abi::MessageHeader) + index * sizeof(abi::Param));
}

/// What is written or read of a message alone: its result; of a parameter, counted from its begin: the value, or the size
/// of the memory that it refers to.
inline constexpr auto result_offset = static_cast<std::uint32_t>(offsetof(abi::MessageHeader, result));
inline constexpr auto value_offset = static_cast<std::uint32_t>(offsetof(abi::Param, value));
inline constexpr auto size_offset = value_offset + static_cast<std::uint32_t>(offsetof(abi::TmemParam, size));

/// Our copy of a guest's message, in a page of ours: the one that OP-TEE sees and writes.
///
/// It is copied for three reasons: the guest must not change what was checked, addresses in it become physical ones, and
/// those stay hidden from the guest. Copying in and copying back happen in different entries, perhaps on different CPUs,
/// and the guest may have changed its page, its stage-2 and its mind in between: nothing read then is believed.
class ShadowMessage {
public:
    explicit ShadowMessage(Pa page) : page_{page} {}

    /// The guest may leave room for the argument of RPCs behind its message, and OP-TEE then finds it behind ours.
    enum class RpcRoom : std::uint8_t { none, behind_message };

    /// Reads the message once. bad_parameters when it does not fit, or both do not; bad_command for an unknown command.
    Status fetch(GuestWindow const& guest, RpcRoom rpc_room);

    abi::Command command() const { return command_; }
    std::uint32_t params() const { return params_.count(); }
    Pa page() const { return page_; }
    /// How long the message itself is: the argument of RPCs is behind it, in the guest's memory as in ours.
    std::uint32_t length() const { return params_.message_bytes(); }
    std::optional<Pa> rpc_argument() const
    {
        return rpc_room_ == RpcRoom::none ? std::nullopt : std::optional{page_.plus(length())};
    }

    /// As it was read, and what OP-TEE will see.
    abi::Param& param(std::uint32_t index) { return *reinterpret_cast<abi::Param*>(bytes() + param_offset(index)); }
    /// What goes back of it later.
    void set_copy_back(std::uint32_t index, CopyBack copy_back) { copy_back_[index] = copy_back; }
    void set_buffer(std::uint32_t index, Pa buffer);

    /// What OP-TEE wrote as the message's result.
    abi::TeeResult result();
    /// Writes OP-TEE's results into the guest's message: outputs, and nothing else.
    void copy_back(GuestWindow const& guest);
    /// Makes the page zero again, for the next call: all that the call had of it. OP-TEE writes nothing behind that.
    void clear();
    /// To be called before another CPU may have the message.
    void close();

private:
    std::uint32_t used_bytes() const { return length() + (rpc_room_ == RpcRoom::none ? 0 : abi::rpc_argument_bytes); }

    // The page is mapped when an entry first looks at it, and stays so until close(): once, not for each field.
    unsigned char* bytes()
    {
        if (mapped_ == nullptr)
            mapped_ = static_cast<unsigned char*>(optee_port_map_page(to_c(page_)));
        return mapped_;
    }
    abi::MessageHeader& header() { return *reinterpret_cast<abi::MessageHeader*>(bytes()); }

    Pa page_;
    unsigned char* mapped_ = nullptr;
    abi::Command command_ = abi::Command::cancel;
    RpcRoom rpc_room_ = RpcRoom::none;
    ParamCount params_{};
    std::array<CopyBack, abi::max_params> copy_back_{};
};

/// Writes a result of the mediator's own into the guest's message.
void write_result(GuestWindow const& guest, abi::TeeResult result);

} // namespace optee
