// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// Whoever sits between the VMs and OP-TEE: the core behind its C boundary (ports/sim), a stub for tests of the
// simulator itself, or another hypervisor's mediator behind a shim.

#include <optee_mediator/mediator.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace sim {

class Vm;

class Mediator {
public:
    Mediator() = default;
    Mediator(Mediator const&) = delete;
    Mediator& operator=(Mediator const&) = delete;
    virtual ~Mediator() = default;

    virtual optee_mediator_status probe() = 0;
    virtual optee_mediator_status create(Vm&, std::uint32_t client, optee_mediator_policy const&) = 0;
    virtual bool handle_smc(Vm&, optee_smc_frame&) = 0;
    virtual optee_mediator_status destroy(Vm&) = 0;
    virtual void set_policy(Vm&, optee_mediator_policy const&) {}
    /// False when it has no such list, or not for so many.
    virtual bool set_tas(Vm&, optee_mediator_ta_list const&) { return false; }

    /// A counter of the VM by its name; absent when there is none of that name.
    virtual std::optional<std::uint64_t> counter(Vm const&, std::string_view) const { return std::nullopt; }
};

/// The core of this project.
std::unique_ptr<Mediator> make_core_mediator();

} // namespace sim
