// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/invariants/after_entry.hpp"

#include "sim/invariants/leak.hpp"
#include "sim/machine/machine.hpp"
#include "sim/optee/abi.hpp"

#include <algorithm>
#include <mutex>
#include <string>

namespace sim {

namespace {

/// What the answer to a function id may change, besides a0: bit n for register n.
struct Rule {
    bool any_a0;         ///< a0 carries data
    unsigned on_success; ///< with a0 OK, or with any a0 where it carries data
    unsigned on_rpc;     ///< with a0 an RPC request
};

constexpr unsigned a1_only = 0b10;
constexpr unsigned a1_to_a2 = 0b110;
constexpr unsigned a1_to_a3 = 0b1110;

Rule rule_of(std::uint32_t function)
{
    switch (function) {
    case abi::smc::calls_uid:             return {true, a1_to_a3, 0};
    case abi::smc::calls_revision:        return {true, a1_only, 0};
    case abi::smc::calls_count:           return {true, 0, 0};
    case abi::smc::get_os_uuid:           return {true, a1_to_a3, 0};
    case abi::smc::get_os_revision:       return {true, a1_to_a2, 0};
    case abi::smc::get_shm_config:        return {false, a1_to_a3, 0};
    case abi::smc::exchange_capabilities: return {false, a1_to_a3, 0};
    case abi::smc::disable_shm_cache:     return {false, a1_to_a2, 0};
    case abi::smc::get_thread_count:      return {false, a1_only, 0};
    case abi::smc::get_async_notif_value: return {false, a1_to_a2, 0};
    case abi::smc::call_with_arg:
    case abi::smc::call_with_rpc_arg:
    case abi::smc::call_with_regd_arg:
    case abi::smc::return_from_rpc: return {false, 0, a1_to_a3};
    default:                        return {false, 0, 0};
    }
}

bool is_rpc(std::uint64_t a0)
{
    return a0 == abi::rpc::alloc || a0 == abi::rpc::free || a0 == abi::rpc::foreign_interrupt ||
           a0 == abi::rpc::command;
}

bool is_return_code(std::uint64_t a0)
{
    return a0 <= abi::ret::not_available || a0 == abi::ret::unknown_function;
}

} // namespace

void check_registers(Machine& machine, Registers const& before, Answer const& answer)
{
    auto const& after = answer.registers;
    auto const function = static_cast<std::uint32_t>(before.a[0]);
    if (!answer.handled) {
        for (unsigned i = 0; i < 8; ++i)
            if (after.a[i] != before.a[i])
                machine.broken(Invariant::i7, "a frame that is not the mediator's was changed");
        return;
    }
    auto const rule = rule_of(function);
    auto const a0 = after.a[0];
    auto const rpc = is_rpc(a0) && rule.on_rpc != 0;
    if (a0 > 0xffff'ffff || (!rule.any_a0 && !rpc && !is_return_code(a0)))
        machine.broken(Invariant::i7, "a0 is none of the ABI's answers: " + std::to_string(a0));
    unsigned allowed = 0;
    if (rpc)
        allowed = rule.on_rpc;
    else if (a0 == abi::ret::ok || (rule.any_a0 && a0 != abi::ret::unknown_function))
        allowed = rule.on_success;
    for (unsigned i = 1; i < 8; ++i)
        if ((allowed & (1u << i)) == 0 && after.a[i] != before.a[i])
            machine.broken(Invariant::i7, "a" + std::to_string(i) + " was changed, the ABI says it is not");
    auto const identity = function == abi::smc::calls_uid || function == abi::smc::get_os_uuid;
    if (auto const leak = identity ? std::nullopt : find_address(machine.memory(), before, after))
        machine.broken(Invariant::i1, "a guest gets " + *leak);
}

void check_quota(Vm& vm)
{
    auto& machine = vm.machine();
    std::lock_guard const guard{vm.policy_mutex_};
    auto const compare = [&](char const* name, std::uint32_t limit, std::uint32_t& ceiling) {
        auto const value = machine.mediator().counter(vm, name);
        if (value && *value > ceiling)
            machine.broken(Invariant::i5,
                           std::string{name} + " is " + std::to_string(*value) + ", the limit is " +
                               std::to_string(limit));
        else if (value)
            ceiling = std::max(limit, static_cast<std::uint32_t>(*value)); // never grows beyond a lowered limit again
    };
    compare("buffers_live", vm.policy_.buffers, vm.ceiling_.buffers);
    compare("pages_live", vm.policy_.pages, vm.ceiling_.pages);
    compare("calls_live", vm.policy_.threads, vm.ceiling_.threads);
}

void check_balance(Vm& vm)
{
    auto& machine = vm.machine();
    // The figures are of one moment if no entry was under way, and none has begun while they were read.
    auto const begun = vm.begun_.load();
    if (vm.entries_.load() != 0)
        return;
    auto const counted = machine.mediator().counter(vm, "mediator_pages");
    auto const held = vm.mediator_pages();
    auto const pins = vm.pins();
    auto const expected = vm.expected_pins ? vm.expected_pins() : pins;
    if (vm.begun_.load() != begun)
        return;
    if (counted && *counted != held)
        machine.broken(Invariant::i5,
                       "mediator_pages is " + std::to_string(*counted) + ", but " + std::to_string(held) +
                           " pages are held");
    if (expected != pins)
        machine.broken(Invariant::i4,
                       std::to_string(pins) + " pins, but objects account for " + std::to_string(expected));
}

} // namespace sim
