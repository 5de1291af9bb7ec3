// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include "base/slot_set.hpp"
#include "policy.hpp"
#include "statistics.hpp"
#include "ta_allow_list.hpp"
#include "trace.hpp"

#include <cstdint>

namespace optee {

/// The id under which OP-TEE knows a VM; 0 is the hypervisor's own. OP-TEE keeps 16 bits.
enum class ClientId : std::uint16_t {};

/// Yielding calls of one VM at once, whatever OP-TEE offers: a handle has eight bits for the slot.
inline constexpr std::uint32_t max_threads = 256;

/// What every part of a VM needs: who it is for the hypervisor and for OP-TEE, what it may use, and what it did.
struct VmContext {
    void* port;      ///< the hypervisor's own handle, only ever given back to it
    ClientId client; ///< what OP-TEE is told in a7, whatever the guest wrote there
    Policy policy{};
    TaAllowList allowed_tas{};
    Statistics statistics{};
    Trace trace{};
    /// Threads of OP-TEE in this VM's partition, and which of them are suspended in a call of ours.
    std::uint32_t tee_threads;
    SlotSet<max_threads> suspended_threads{};
    /// Capabilities that OP-TEE offered and the mediator carries.
    std::uint32_t offered_capabilities = 0;

    VmContext(void* port_handle, ClientId client_id, std::uint32_t threads)
        : port{port_handle}, client{client_id}, tee_threads{threads}
    {
    }
    /// Those that the policy leaves.
    std::uint32_t granted_capabilities() const { return offered_capabilities & policy.capabilities(); }

    VmContext(VmContext const&) = delete;
    VmContext& operator=(VmContext const&) = delete;
};

} // namespace optee
