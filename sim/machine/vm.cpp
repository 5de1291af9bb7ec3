// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/machine/vm.hpp"

#include "sim/invariants/after_entry.hpp"
#include "sim/machine/machine.hpp"
#include "sim/optee/optee.hpp"

#include <algorithm>
#include <stdexcept>

namespace sim {

namespace {

constexpr std::uint32_t most_destroy_steps = 1'000'000;

} // namespace

Vm::Vm(Machine& machine, std::uint16_t index, std::uint64_t ram_pages)
    : machine_{machine}, index_{index}, ram_pages_{ram_pages}, stage2_{ram_base, ram_pages},
      inside_(machine.vcpus_of_a_vm())
{
}

optee_mediator_status Vm::create(std::uint32_t client, optee_mediator_policy const& policy)
{
    Entry entry{machine_, this, 0, Entry::Kind::create};
    client_ = client;
    {
        std::lock_guard const guard{policy_mutex_};
        policy_ = ceiling_ = policy;
        threads_when_created_ = policy.threads;
    }
    open_calls_.begin_anew();
    allow_lists_.begin_anew();
    machine_.optee().expect_client(client, *this);
    auto const status = machine_.mediator().create(*this, client, policy);
    entry.finish();
    if (status == OPTEE_MEDIATOR_OK) {
        life_ = Life::created;
        if (!machine_.optee().has_partition(client))
            machine_.broken(Invariant::i14, "a VM was created without telling OP-TEE");
    } else {
        if (machine_.optee().has_partition(client))
            machine_.broken(Invariant::i14, "a VM was not created, but OP-TEE keeps a partition for it");
        check_after_death();
        machine_.optee().forget_client(client);
    }
    return status;
}

optee_mediator_status Vm::destroy_step()
{
    if (!exists())
        throw std::logic_error{"this VM does not exist"};
    Entry entry{machine_, this, 0, Entry::Kind::destroy};
    life_ = Life::dying;
    entries_.fetch_add(1);
    begun_.fetch_add(1);
    auto const status = machine_.mediator().destroy(*this);
    entry.finish();
    entries_.fetch_sub(1);
    if (status == OPTEE_MEDIATOR_OK) {
        life_ = Life::gone;
        if (machine_.optee().has_partition(client_))
            machine_.broken(Invariant::i14, "a VM is gone, but OP-TEE was not told");
        check_after_death();
        machine_.optee().forget_client(client_);
    } else if (status == OPTEE_MEDIATOR_QUARANTINED) {
        life_ = Life::quarantined;
    } else if (status != OPTEE_MEDIATOR_AGAIN && status != OPTEE_MEDIATOR_BUSY) {
        machine_.broken(Invariant::port, "vm_destroy returned a status that it does not have");
    }
    return status;
}

optee_mediator_status Vm::destroy()
{
    for (std::uint32_t step = 0; step < most_destroy_steps; ++step) {
        auto const status = destroy_step();
        if (status != OPTEE_MEDIATOR_AGAIN)
            return status;
    }
    machine_.broken(Invariant::i13, "a VM is destroyed without end");
    return OPTEE_MEDIATOR_AGAIN;
}

void Vm::check_after_death()
{
    if (pins_.load() != 0)
        machine_.broken(Invariant::i4, std::to_string(pins_.load()) + " pins are left of a VM that is gone");
    if (held_.load() != 0)
        machine_.broken(Invariant::i5, std::to_string(held_.load()) + " pages are held for a VM that is gone");
    for (auto const* const name : {"buffers_live", "pages_live", "calls_live", "arguments_live", "mediator_pages"})
        if (counter(name) != 0)
            machine_.broken(Invariant::i5, std::string{name} + " is not zero for a VM that is gone");
}

Answer Vm::smc(std::uint32_t vcpu, Registers const& registers)
{
    if (inside_.at(vcpu).exchange(true))
        throw std::logic_error{"this vCPU is inside the mediator already"};
    Answer answer;
    answer.registers = registers;
    {
        Entry entry{machine_, this, vcpu, Entry::Kind::smc};
        auto const allow_list = allow_lists_.settled();
        auto const begun_before = begun_.load();
        auto const is_first = entries_.fetch_add(1) == 0;
        auto const is_next =
            begun_.fetch_add(1) == begun_before; // or another entry began between the two lines above
        auto const is_alone = is_first && is_next;
        if (is_alone && open_calls_.calls() == 0)
            allow_lists_.forget_before(allow_list);
        auto const visit = open_calls_.enter(*this, registers.a[0], registers.a[3], is_alone);
        answer.handled = machine_.mediator().handle_smc(*this, answer.registers);
        answer.work = entry.work();
        answer.writes = entry.writes();
        open_calls_.leave(*this, visit, answer, [&] { return is_alone && begun_.load() == begun_before + 1; });
        entry.finish();
        check_registers(machine_, registers, answer);
        if (entries_.fetch_sub(1) == 1)
            check_balance(*this);
        check_quota(*this);
    }
    inside_.at(vcpu) = false;
    return answer;
}

optee_mediator_policy Vm::policy() const
{
    std::lock_guard const guard{policy_mutex_};
    return policy_;
}

std::uint32_t Vm::least_threads() const
{
    std::lock_guard const guard{policy_mutex_};
    return std::max(std::min(threads_when_created_, policy_.threads), 1u);
}

void Vm::set_policy(optee_mediator_policy const& policy)
{
    std::lock_guard const guard{policy_mutex_};
    ceiling_.threads = std::max(ceiling_.threads, policy.threads);
    ceiling_.buffers = std::max(ceiling_.buffers, policy.buffers);
    ceiling_.pages = std::max(ceiling_.pages, policy.pages);
    policy_ = policy;
    machine_.mediator().set_policy(*this, policy);
}

bool Vm::set_tas(optee_mediator_ta_list const& list)
{
    Entry entry{machine_, this, 0, Entry::Kind::control};
    allow_lists_.announce(list);
    auto const taken = machine_.mediator().set_tas(*this, list);
    if (taken)
        allow_lists_.settle();
    else
        allow_lists_.withdraw();
    entry.finish();
    return taken;
}

std::uint64_t Vm::counter(std::string_view name) const
{
    return machine_.mediator().counter(*this, name).value_or(0);
}

std::uint32_t Vm::pins_of(Ipa ipa) const
{
    auto const mapping = stage2_.look_up(ipa);
    return mapping ? machine_.memory().frame(mapping->page.raw)->pins.load() : 0;
}

Pa Vm::pa_of(Ipa ipa) const
{
    auto const mapping = stage2_.look_up(ipa);
    return mapping ? Pa{mapping->page.raw | (ipa.raw & page_mask)} : Pa{0};
}

bool Vm::read(Ipa ipa, void* to, std::size_t bytes) const
{
    auto* out = static_cast<std::uint8_t*>(to);
    while (bytes != 0) {
        auto const mapping = stage2_.look_up(ipa);
        if (!mapping || mapping->kind == MappingKind::mmio)
            return false;
        auto const offset = ipa.raw & page_mask;
        auto const part = bytes < page_bytes - offset ? bytes : static_cast<std::size_t>(page_bytes - offset);
        machine_.memory().read(Pa{mapping->page.raw | offset}, out, part);
        out += part;
        ipa.raw += part;
        bytes -= part;
    }
    return true;
}

bool Vm::write(Ipa ipa, void const* from, std::size_t bytes)
{
    auto const* in = static_cast<std::uint8_t const*>(from);
    while (bytes != 0) {
        auto const mapping = stage2_.look_up(ipa);
        if (!mapping || mapping->kind == MappingKind::mmio || mapping->kind == MappingKind::read_only)
            return false;
        auto const offset = ipa.raw & page_mask;
        auto const part = bytes < page_bytes - offset ? bytes : static_cast<std::size_t>(page_bytes - offset);
        machine_.memory().write(Pa{mapping->page.raw | offset}, in, part);
        in += part;
        ipa.raw += part;
        bytes -= part;
    }
    return true;
}

} // namespace sim
