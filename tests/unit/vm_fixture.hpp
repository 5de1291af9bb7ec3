// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// A VM behind the C boundary, with a guest in it that traps SMCs.

#include "sim/linux/guest.hpp"
#include "sim/machine/machine.hpp"
#include "sim/optee/optee.hpp"

#include <cstdint>
#include <gtest/gtest.h>

namespace optee {

namespace smc = sim::abi::smc;
namespace ret = sim::abi::ret;
namespace rpc = sim::abi::rpc;

class VmTest : public testing::Test {
protected:
    VmTest() : VmTest{sim::Machine::with_one_vm()} {}
    explicit VmTest(sim::MachineOptions options) : machine_{std::move(options).boot()} {}
    ~VmTest() override { EXPECT_TRUE(machine_.invariants_hold()) << machine_.violations(); }

    static sim::Registers registers(std::uint64_t function,
                                    std::uint64_t a1 = 0,
                                    std::uint64_t a2 = 0,
                                    std::uint64_t a3 = 0)
    {
        return {{function, a1, a2, a3, 0x5555, 0x6666, 0x7777, 0x8888}};
    }
    sim::Answer trap(std::uint64_t function, std::uint64_t a1 = 0, std::uint64_t a2 = 0, std::uint64_t a3 = 0)
    {
        return guest_.smc(0, registers(function, a1, a2, a3));
    }
    std::uint64_t count(char const* name) const { return guest_.counter(name); }

    sim::Machine machine_;
    sim::Vm& guest_ = machine_.vm(0);
};

} // namespace optee
