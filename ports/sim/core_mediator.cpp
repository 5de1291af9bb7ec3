// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// The core behind its C boundary, as a simulated hypervisor uses it.

#include "sim/machine/machine.hpp"
#include "sim/machine/mediator.hpp"

#include <optee_mediator/mediator.h>

#include <array>
#include <cstddef>
#include <map>
#include <mutex>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

namespace sim {

namespace {

constexpr std::align_val_t vm_alignment{64}; // mediator.h, optee_mediator_vm_bytes()

struct AlignedDelete {
    void operator()(std::byte* memory) const { ::operator delete[](memory, vm_alignment); }
};
using VmMemory = std::unique_ptr<std::byte[], AlignedDelete>;

/// mediator.h: the memory of a VM in quarantine is never freed, so it must outlive its machine.
void keep_for_ever(VmMemory memory)
{
    static std::mutex mutex;
    static auto& kept = *new std::vector<VmMemory>;
    std::lock_guard const guard{mutex};
    kept.push_back(std::move(memory));
}

class CoreMediator : public Mediator {
public:
    CoreMediator()
    {
        for (std::uint32_t index = 0; index < optee_mediator_counters(); ++index)
            counters_[optee_mediator_counter_name(index)] = index;
    }

    ~CoreMediator() override
    {
        for (auto& place : places_)
            if (place.in_quarantine)
                keep_for_ever(std::move(place.memory));
    }

    optee_mediator_status probe() override { return optee_mediator_probe(); }

    optee_mediator_status create(Vm& vm, std::uint32_t client, optee_mediator_policy const& policy) override
    {
        auto const bytes = static_cast<std::size_t>(optee_mediator_vm_bytes(&policy));
        VmMemory memory{new (vm_alignment) std::byte[bytes + 1]}; // a fresh block, also where the size is zero
        auto* const handle = reinterpret_cast<optee_mediator_vm*>(memory.get());
        auto const status = optee_mediator_vm_create(handle, &vm, client, &policy);
        if (status == OPTEE_MEDIATOR_OK) {
            auto& place = places_.at(vm.index());
            if (std::exchange(place.in_quarantine, false))
                keep_for_ever(std::move(place.memory));
            place.memory = std::move(memory);
        }
        return status;
    }

    bool handle_smc(Vm& vm, optee_smc_frame& frame) override
    {
        return optee_mediator_handle_smc(handle_of(vm), &frame);
    }

    optee_mediator_status destroy(Vm& vm) override
    {
        auto const status = optee_mediator_vm_destroy(handle_of(vm));
        places_.at(vm.index()).in_quarantine = status == OPTEE_MEDIATOR_QUARANTINED;
        return status;
    }

    void set_policy(Vm& vm, optee_mediator_policy const& policy) override
    {
        optee_mediator_vm_set_policy(handle_of(vm), &policy);
    }

    bool set_tas(Vm& vm, optee_mediator_ta_list const& list) override
    {
        return optee_mediator_vm_set_tas(handle_of(vm), &list);
    }

    std::optional<std::uint64_t> counter(Vm const& vm, std::string_view name) const override
    {
        auto const* const handle = handle_of(vm);
        auto const counter = counters_.find(name);
        if (handle == nullptr || counter == counters_.end())
            return std::nullopt;
        return optee_mediator_vm_counter(handle, counter->second);
    }

private:
    /// The memory of a VM is kept until the machine goes, or its place is used again: counters are read after death.
    struct Place {
        VmMemory memory;
        bool in_quarantine = false;
    };

    static constexpr std::size_t most_vms = 64;

    optee_mediator_vm* handle_of(Vm const& vm) const
    {
        return reinterpret_cast<optee_mediator_vm*>(places_.at(vm.index()).memory.get());
    }

    std::array<Place, most_vms> places_;
    std::map<std::string_view, std::uint32_t> counters_;
};

} // namespace

std::unique_ptr<Mediator> make_core_mediator()
{
    return std::make_unique<CoreMediator>();
}

} // namespace sim
