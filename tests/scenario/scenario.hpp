// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// What the scenarios share: the real core between a guest that behaves as Linux's driver and a model of OP-TEE.

#include "sim/linux/guest.hpp"
#include "sim/machine/machine.hpp"
#include "sim/optee/optee.hpp"

#include <cstdint>
#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace sim::scenario {

using tee::App;
namespace command = tee::command;

/// Drivers that let OP-TEE ask for the argument of its RPCs (RPC ALLOC): anew for each call, or once for each thread.
inline constexpr LinuxGuest::Options plain_driver{.uses_rpc_arguments = false, .enables_shm_cache = false};
inline constexpr LinuxGuest::Options caching_driver{.uses_rpc_arguments = false, .enables_shm_cache = true};

/// One SMC of a vCPU.
Answer ask(Vm&, std::uint64_t function, std::uint64_t a1 = 0, std::uint64_t a2 = 0, std::uint64_t a3 = 0);
Answer ask_on(std::uint32_t vcpu, Vm&, Registers const&);

/// RETURN_FROM_RPC under this handle, with nothing else.
Registers return_from_rpc(std::uint32_t handle);

/// The mediator answered in the message: a0 is OK, the result is `ret`, and it says that it never came to OP-TEE.
testing::AssertionResult is_refused(CallResult const&, std::uint32_t ret);

/// Answers as Linux does until OP-TEE asks for something. False: it never asked.
bool run_until(Call&, std::function<bool(Call const&)> const& asked);
bool run_until_rpc(Call&, std::uint32_t rpc);
bool run_until_command(Call&, std::uint32_t rpc_cmd);

/// What OP-TEE gets through the mediator is what the guest has: adds one to each of `values` in a new session.
bool works(LinuxGuest&, std::uint32_t vcpu = 0);

std::vector<std::uint8_t> counting(std::size_t bytes);
std::vector<std::uint8_t> inverted(std::vector<std::uint8_t>);

/// Every page that the mediator held, every pin and every count of the VM has gone.
testing::AssertionResult holds_nothing(Vm const&);

/// How every scenario ends: all VMs go, nothing is left, and no rule was broken on the way.
void expect_clean_end(Machine&);

/// Names a case of a table after its field `name`.
template <typename Case>
std::string name_of_case(testing::TestParamInfo<Case> const& info)
{
    return info.param.name;
}

} // namespace sim::scenario
