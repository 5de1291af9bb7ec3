// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/optee/optee.hpp"

#include "sim/machine/machine.hpp"

#include <algorithm>
#include <utility>

namespace sim::tee {

namespace {

constexpr std::uint32_t fast_call_bit = 1u << 31;
constexpr std::uint32_t hypervisor = 0;       // virtualization.h, HYP_CLNT_ID
constexpr std::uint32_t client_mask = 0xffff; // OP-TEE keeps 16 bits

std::uint32_t client_of(optee_smc_frame const& frame)
{
    return static_cast<std::uint32_t>(frame.a[7]) & client_mask;
}

} // namespace

Optee::Optee(Machine& machine, Options const& options)
    : machine_{machine}, options_{options}, interrupt_every_{options.foreign_interrupt_every}
{
}

void Smc::proceed()
{
    optee_.serve(vm, frame);
}

void Optee::smc(Vm* vm, optee_smc_frame& frame)
{
    machine_.count_step();
    expect_caller(vm, frame);
    auto working = frame;
    auto const script = is_scripted_ ? take_script(static_cast<std::uint32_t>(frame.a[0])) : std::nullopt;
    if (script) {
        Smc call{*this, vm, working};
        (*script)(call);
    } else {
        serve(vm, working);
    }
    for (unsigned i = 0; i < 4; ++i)
        frame.a[i] = working.a[i];
}

/// What the mediator puts into registers that OP-TEE acts on: its own client id, nothing of the guest's.
void Optee::expect_caller(Vm* vm, optee_smc_frame const& frame)
{
    auto const function = static_cast<std::uint32_t>(frame.a[0]);
    auto const of_hypervisor = function == abi::smc::vm_created || function == abi::smc::vm_destroyed;
    auto const expected = vm == nullptr || of_hypervisor ? hypervisor : vm->client();
    if (frame.a[7] != expected)
        machine_.broken(Invariant::i12, "an SMC carries another client id than the caller's");
    if (of_hypervisor && vm != nullptr && frame.a[1] != vm->client())
        machine_.broken(Invariant::i12, "OP-TEE is told about another VM than the one that is made or ended");
    auto const begins_call = function == abi::smc::call_with_arg || function == abi::smc::call_with_rpc_arg;
    if (begins_call && (frame.a[3] > 1 || frame.a[4] != 0 || frame.a[5] != 0 || frame.a[6] != 0))
        machine_.broken(Invariant::i10, "registers of the guest's reach OP-TEE with a call");
}

void Optee::serve(Vm*, optee_smc_frame& frame)
{
    auto const function = static_cast<std::uint32_t>(frame.a[0]);
    if (!options_.answers_as_optee) {
        frame.a[0] = abi::ret::unknown_function;
        return;
    }
    if ((function & fast_call_bit) != 0) {
        fast_call(frame);
        return;
    }
    auto const target = partition(client_of(frame));
    if (target)
        target->yielding_call(frame);
    else
        frame.a[0] = abi::ret::not_available;
}

// entry_fast.c, __tee_entry_fast().
void Optee::fast_call(optee_smc_frame& frame)
{
    auto const target = partition(client_of(frame));
    if (!target && client_of(frame) != hypervisor) {
        frame.a[0] = abi::ret::not_available;
        return;
    }
    switch (static_cast<std::uint32_t>(frame.a[0])) {
    case abi::smc::calls_count: frame.a[0] = 14; break;
    case abi::smc::calls_uid:   std::copy(std::begin(abi::uid), std::end(abi::uid), std::begin(frame.a)); break;
    case abi::smc::calls_revision:
        frame.a[0] = 2;
        frame.a[1] = 0;
        break;
    case abi::smc::get_os_uuid:
        std::copy(std::begin(abi::os_uuid), std::end(abi::os_uuid), std::begin(frame.a));
        break;
    case abi::smc::get_os_revision:
        frame.a[0] = 4;
        frame.a[1] = 10;
        frame.a[2] = 0x0051'6d00; // TEE_IMPL_GIT_SHA1, the first eight digits of some commit
        break;
    case abi::smc::exchange_capabilities: exchange_capabilities(frame); break;
    case abi::smc::disable_shm_cache:
        if (target)
            target->disable_shm_cache(frame);
        else
            frame.a[0] = abi::ret::not_available;
        break;
    case abi::smc::enable_shm_cache:
        if (target)
            target->enable_shm_cache(frame);
        else
            frame.a[0] = abi::ret::not_available;
        break;
    case abi::smc::get_thread_count:
        frame.a[0] = abi::ret::ok;
        frame.a[1] = options_.threads;
        break;
    case abi::smc::vm_created:     vm_created(frame); break;
    case abi::smc::vm_destroyed:   vm_destroyed(frame); break;
    case abi::smc::boot_secondary: frame.a[0] = abi::ret::not_available; break;
    default:                       frame.a[0] = abi::ret::unknown_function; break;
    }
}

void Optee::exchange_capabilities(optee_smc_frame& frame)
{
    if ((static_cast<std::uint32_t>(frame.a[1]) & ~abi::cap::nsec_uniprocessor) != 0) {
        frame.a[0] = abi::ret::not_available;
        return;
    }
    frame.a[0] = abi::ret::ok;
    frame.a[1] = options_.capabilities;
    if ((options_.capabilities & abi::cap::async_notif) != 0)
        frame.a[2] = 63; // NOTIF_VALUE_MAX
    if ((options_.capabilities & abi::cap::rpc_arg) != 0)
        frame.a[3] = abi::max_rpc_params;
}

// virtualization.c, virt_guest_created(): OP-TEE does not look whether the id is in use.
void Optee::vm_created(optee_smc_frame& frame)
{
    std::lock_guard const guard{mutex_};
    auto const client = static_cast<std::uint32_t>(frame.a[1]) & client_mask;
    if ((options_.capabilities & abi::cap::virtualization) == 0) {
        frame.a[0] = abi::ret::unknown_function;
        return;
    }
    if (client_of(frame) != hypervisor || client == hypervisor) {
        machine_.broken(Invariant::i14, "VM_CREATED by or for client 0");
        frame.a[0] = abi::ret::not_available;
        return;
    }
    if (partitions_.count(client) != 0)
        machine_.broken(Invariant::i14, "VM_CREATED twice for one client");
    auto const expected = expected_.find(client);
    if (expected == expected_.end() || partitions_.size() >= options_.partitions) {
        frame.a[0] = abi::ret::not_available;
        return;
    }
    partitions_[client] = std::make_shared<Partition>(*this, *expected->second, client);
    frame.a[0] = abi::ret::ok;
}

// virtualization.c, virt_guest_destroyed(): succeeds whatever the id.
void Optee::vm_destroyed(optee_smc_frame& frame)
{
    if ((options_.capabilities & abi::cap::virtualization) == 0) {
        frame.a[0] = abi::ret::unknown_function;
        return;
    }
    std::shared_ptr<Partition> gone;
    {
        std::lock_guard const guard{mutex_};
        auto const client = static_cast<std::uint32_t>(frame.a[1]) & client_mask;
        auto const place = partitions_.find(client);
        // Client 0, at boot: whether OP-TEE knows the function. There are better ways to ask, but this harms nobody.
        auto const is_a_question = client == hypervisor && partitions_.empty();
        if (place != partitions_.end()) {
            gone = place->second;
            partitions_.erase(place);
        } else if (!is_a_question) {
            machine_.broken(Invariant::i14, "VM_DESTROYED for a client that does not exist");
        }
    }
    if (gone) {
        if (gone->busy_threads() != gone->suspended_threads())
            machine_.broken(Invariant::i14, "VM_DESTROYED while a vCPU is inside OP-TEE");
        gone->shut_down();
    }
    frame.a[0] = abi::ret::ok;
}

std::optional<Optee::Script> Optee::take_script(std::uint32_t function_id)
{
    std::lock_guard const guard{mutex_};
    auto const place = std::find_if(script_.begin(), script_.end(), [&](Line const& line) {
        return !line.function_id || *line.function_id == function_id;
    });
    if (place == script_.end())
        return std::nullopt;
    auto script = place->script;
    if (!place->stays)
        script_.erase(place);
    return script;
}

void Optee::instead_of_next(Script script)
{
    std::lock_guard const guard{mutex_};
    script_.push_back({std::nullopt, std::move(script), false});
    is_scripted_ = true;
}

void Optee::instead_of_next(std::uint32_t function_id, Script script)
{
    std::lock_guard const guard{mutex_};
    script_.push_back({function_id, std::move(script), false});
    is_scripted_ = true;
}

void Optee::instead_of_every(std::uint32_t function_id, Script script)
{
    std::lock_guard const guard{mutex_};
    script_.push_back({function_id, std::move(script), true});
    is_scripted_ = true;
}

void Optee::answer_next(std::uint32_t function_id, std::uint32_t a0)
{
    instead_of_next(function_id, [a0](Smc& smc) { smc.frame.a[0] = a0; });
}

void Optee::answer_every(std::uint32_t function_id, std::uint32_t a0)
{
    instead_of_every(function_id, [a0](Smc& smc) { smc.frame.a[0] = a0; });
}

void Optee::return_result(std::uint32_t cmd, std::uint32_t ret)
{
    std::lock_guard const guard{mutex_};
    odd_results_[cmd] = ret;
}

std::optional<std::uint32_t> Optee::odd_result(std::uint32_t cmd)
{
    std::lock_guard const guard{mutex_};
    auto const place = odd_results_.find(cmd);
    return place == odd_results_.end() ? std::nullopt : std::optional{place->second};
}

bool Optee::is_interrupted_now()
{
    if (endless_interrupts_)
        return true;
    auto const every = interrupt_every_.load();
    return every != 0 && ++interruptible_points_ % every == 0;
}

void Optee::behave()
{
    std::lock_guard const guard{mutex_};
    script_.clear();
    odd_results_.clear();
    is_scripted_ = false;
    drops_results_ = false;
    endless_interrupts_ = false;
    odd_rpc_cookie_ = 0;
    interrupt_every_ = options_.foreign_interrupt_every;
}

void Optee::expect_client(std::uint32_t client, Vm& vm)
{
    std::lock_guard const guard{mutex_};
    expected_[client & client_mask] = &vm;
}

void Optee::forget_client(std::uint32_t client)
{
    std::lock_guard const guard{mutex_};
    expected_.erase(client & client_mask);
}

bool Optee::has_partition(std::uint32_t client) const
{
    return partition(client & client_mask) != nullptr;
}

std::shared_ptr<Partition> Optee::partition(std::uint32_t client) const
{
    std::lock_guard const guard{mutex_};
    auto const place = partitions_.find(client & client_mask);
    return place == partitions_.end() ? nullptr : place->second;
}

} // namespace sim::tee
