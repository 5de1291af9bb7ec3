// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include "abi/message.hpp"
#include "guest_memory.hpp"
#include "parameter.hpp"
#include "shm_registry.hpp"

#include <array>
#include <cstdint>
#include <optional>

namespace optee {

/// Where OP-TEE makes its requests: a page that the guest gave for it in answer to RPC ALLOC, or the room that it left
/// behind its message.
struct RpcArgument {
    Pa shadow;                      ///< ours, which OP-TEE writes
    GuestPlace guest;               ///< the guest's, where requests are delivered
    Cookie cookie = Cookie::none;   ///< of a page; the room behind a message has no name
    std::optional<ShmRef> buffer{}; ///< the record of a page, which counts as in use

    void end_use(ShmRegistry& registry) const
    {
        if (buffer)
            registry.end_use(*buffer);
    }
    /// Makes OP-TEE's request fail.
    void fail(std::uint32_t result) const;
};

/// The argument page of this name, in which this thread makes a request: in use from now on.
Result<RpcArgument> use_argument(ShmRegistry& registry, Cookie cookie, TeeThread owner);

/// A request of OP-TEE (RPC CMD) in an argument: what was asked is saved, and the guest's answer is judged by that.
///
/// OP-TEE writes the request into our page. The guest gets it in its own memory, and what it writes there reaches ours
/// only where the request has outputs. A page for arguments counts as in use as long as this object is kept.
class RpcRequest {
public:
    /// Reads what OP-TEE asks. bad_command when it is not something that a guest could be asked.
    static Result<RpcRequest> read(ShmRegistry& registry, RpcArgument const& argument);

    std::uint32_t command() const { return command_; }
    RpcArgument const& argument() const { return argument_; }
    /// SHM_ALLOC and SHM_FREE carry what they are about in value.b of their only parameter.
    std::uint64_t subject() const { return subject_; }

    /// The guest's memory, if it is still read-write RAM of the VM.
    Result<GuestWindow> guest_window(VmContext& vm) const;
    /// Writes the request into the guest's memory.
    void deliver(GuestWindow const& guest) const;
    /// Writes a request of our own: to free what the guest offered and we refused.
    void deliver_free(GuestWindow const& guest, Cookie cookie) const;
    /// Takes result and outputs from the guest's memory; the rest stays as OP-TEE wrote it.
    void take_outputs(GuestWindow const& guest) const;

    /// The answers to SHM_ALLOC, which are not the guest's bytes: the buffer as we translated it, or a failure.
    void answer_buffer(Pa list, std::uint64_t size, Cookie cookie) const;
    void answer_failure(std::uint32_t result) const;

private:
    explicit RpcRequest(RpcArgument const& argument) : argument_{argument} {}
    Pa shadow() const { return argument_.shadow; }

    RpcArgument argument_;
    std::uint32_t command_ = 0;
    std::uint32_t params_ = 0;
    std::uint64_t subject_ = 0;
    std::array<CopyBack, abi::max_rpc_params> outputs_{};
};

} // namespace optee
