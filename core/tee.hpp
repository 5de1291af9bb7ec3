// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include "abi/smc.hpp"
#include "vm_context.hpp"

#include <optee_mediator/port.h>

#include <cstdint>

namespace optee {

/// One entry into OP-TEE for a VM. a7 is always the VM's own client id, whatever its guest wrote there.
struct TeeEntry {
    abi::SmcFunction function;
    std::uint64_t a1 = 0;
    std::uint64_t a2 = 0;
    std::uint64_t a3 = 0;
    std::uint64_t a4 = 0;
    std::uint64_t a5 = 0;
};

/// What OP-TEE came back with. SMC32: 32 bits each.
struct TeeAnswer {
    std::uint32_t a0;
    std::uint32_t a1;
    std::uint32_t a2;
    std::uint32_t a3;

    bool is(abi::ReturnCode code) const { return a0 == static_cast<std::uint32_t>(code); }
    bool is_rpc() const
    {
        return (a0 & abi::RpcReturn::prefix_mask) == abi::RpcReturn::prefix && !is(abi::ReturnCode::unknown_function);
    }
    /// One of the error codes that the ABI lists: OP-TEE did not do it, and holds nothing.
    bool is_known_code() const { return a0 <= static_cast<std::uint32_t>(abi::ReturnCode::not_available); }
};

/// The one door to the secure world once the VM exists; accounts for the time spent there.
TeeAnswer enter_tee(VmContext& vm, TeeEntry const& entry);

/// What the mediator carries of the capabilities in this answer to exchange_capabilities.
std::uint32_t mediated_capabilities(TeeAnswer const& answer);

/// An SMC of the hypervisor itself, for no VM.
TeeAnswer enter_tee_as_hypervisor(abi::SmcFunction function, std::uint32_t a1);

} // namespace optee
