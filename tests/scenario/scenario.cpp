// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/scenario/scenario.hpp"

#include <algorithm>
#include <numeric>

namespace sim::scenario {

Answer ask(Vm& vm, std::uint64_t function, std::uint64_t a1, std::uint64_t a2, std::uint64_t a3)
{
    return vm.smc(0, {{function, a1, a2, a3, 0, 0, 0, 0}});
}

Answer ask_on(std::uint32_t vcpu, Vm& vm, Registers const& registers)
{
    return vm.smc(vcpu, registers);
}

Registers return_from_rpc(std::uint32_t handle)
{
    return {{abi::smc::return_from_rpc, 0, 0, handle, 0, 0, 0, 0}};
}

testing::AssertionResult is_refused(CallResult const& result, std::uint32_t ret)
{
    if (result.a0 == abi::ret::ok && result.ret == ret && result.origin == abi::origin::comms)
        return testing::AssertionSuccess();
    return testing::AssertionFailure() << std::hex << "a0 " << result.a0 << ", ret " << result.ret << ", origin "
                                       << result.origin << "; expected ret " << ret;
}

bool run_until(Call& call, std::function<bool(Call const&)> const& asked)
{
    if (call.state() == Call::State::fresh)
        call.start_on(0);
    while (call.waits_for_rpc() && !asked(call)) {
        call.answer_on(0);
        if (call.is_blocked())
            return false;
    }
    return call.waits_for_rpc();
}

bool run_until_rpc(Call& call, std::uint32_t rpc)
{
    return run_until(call, [rpc](Call const& c) { return c.rpc() == rpc; });
}

bool run_until_command(Call& call, std::uint32_t rpc_cmd)
{
    return run_until(call, [rpc_cmd](Call const& c) { return c.asks_for(rpc_cmd); });
}

bool works(LinuxGuest& guest, std::uint32_t vcpu)
{
    auto const opened = guest.open(App::echo, {}, vcpu);
    if (!opened.ok())
        return false;
    auto const result = guest.invoke(opened.session, command::echo_add_one, {value_inout(41, 1)}, vcpu);
    return guest.close(opened.session, vcpu).ok() && result.ok() && result.params.at(0).a == 42;
}

std::vector<std::uint8_t> counting(std::size_t bytes)
{
    std::vector<std::uint8_t> octets(bytes);
    std::iota(octets.begin(), octets.end(), std::uint8_t{1});
    return octets;
}

std::vector<std::uint8_t> inverted(std::vector<std::uint8_t> octets)
{
    std::transform(octets.begin(), octets.end(), octets.begin(), [](std::uint8_t octet) {
        return static_cast<std::uint8_t>(~octet);
    });
    return octets;
}

testing::AssertionResult holds_nothing(Vm const& vm)
{
    if (vm.pins() != 0)
        return testing::AssertionFailure() << vm.pins() << " pages are pinned";
    if (vm.mediator_pages() != 0)
        return testing::AssertionFailure() << vm.mediator_pages() << " pages of the mediator are held";
    for (auto const* const name : {"calls_live", "buffers_live", "pages_live", "arguments_live", "mediator_pages"})
        if (auto const value = vm.counter(name); value != 0)
            return testing::AssertionFailure() << name << " is " << value;
    return testing::AssertionSuccess();
}

void expect_clean_end(Machine& machine)
{
    for (std::size_t n = 0; n < machine.vms(); ++n) {
        auto& vm = machine.vm(n);
        if (vm.exists()) {
            EXPECT_EQ(vm.destroy(), OPTEE_MEDIATOR_OK);
        }
        if (!vm.is_quarantined()) {
            EXPECT_TRUE(holds_nothing(vm)) << "VM " << n;
        }
    }
    EXPECT_TRUE(machine.invariants_hold()) << machine.violations();
}

} // namespace sim::scenario
