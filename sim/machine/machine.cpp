// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/machine/machine.hpp"

#include "sim/optee/optee.hpp"

#include <algorithm>
#include <numeric>
#include <random>
#include <set>
#include <stdexcept>
#include <utility>

namespace sim {

namespace {

/// Client ids in use, over all machines of this process: the core keeps one table of them.
class ClientIds {
public:
    std::uint32_t take()
    {
        std::lock_guard const guard{mutex_};
        std::uint32_t id = 1;
        while (used_.count(id) != 0)
            ++id;
        used_.insert(id);
        return id;
    }
    void give_back(std::uint32_t id)
    {
        std::lock_guard const guard{mutex_};
        used_.erase(id);
    }

private:
    std::mutex mutex_;
    std::set<std::uint32_t> used_;
};

ClientIds& client_ids()
{
    static ClientIds ids;
    return ids;
}

} // namespace

// clang-format off
MachineOptions MachineOptions::vms(std::uint32_t n) && { vms_ = n; return std::move(*this); }
MachineOptions MachineOptions::vcpus(std::uint32_t n) && { vcpus_ = n; return std::move(*this); }
MachineOptions MachineOptions::ram_pages(std::uint64_t n) && { ram_pages_ = n; return std::move(*this); }
MachineOptions MachineOptions::placement(Placement p) && { placement_ = p; return std::move(*this); }
MachineOptions MachineOptions::optee(tee::Options const& o) && { optee_ = o; return std::move(*this); }
MachineOptions MachineOptions::optee_threads(std::uint32_t n) && { optee_.threads = n; return std::move(*this); }
MachineOptions MachineOptions::policy(optee_mediator_policy const& p) && { policy_ = p; return std::move(*this); }
MachineOptions MachineOptions::preemption(Preemption p) && { preemption_ = p; return std::move(*this); }
MachineOptions MachineOptions::seed(std::uint64_t s) && { seed_ = s; return std::move(*this); }
// clang-format on

MachineOptions MachineOptions::mediated_by(std::function<std::unique_ptr<Mediator>()> make) &&
{
    mediator_ = std::move(make);
    return std::move(*this);
}

Machine MachineOptions::boot() &&
{
    return Machine{*this, true};
}

Machine MachineOptions::power_on() &&
{
    return Machine{*this, false};
}

Machine::Machine(MachineOptions const& options, bool boot)
    : vcpus_{options.vcpus_}, optee_{std::make_unique<tee::Optee>(*this, options.optee_)}, policy_{options.policy_},
      preemption_{options.preemption_}, mediator_{options.mediator_ ? options.mediator_() : make_core_mediator()}
{
    for (std::uint32_t index = 0; index < options.vms_; ++index) {
        vms_.push_back(std::make_unique<Vm>(*this, static_cast<std::uint16_t>(index), options.ram_pages_));
        populate(*vms_.back(), options.placement_, options.seed_ + index);
    }
    if (!boot)
        return;
    if (probe() != OPTEE_MEDIATOR_OK)
        throw std::runtime_error{"the mediator finds no OP-TEE"};
    for (auto& vm : vms_)
        if (vm->create(fresh_client(), policy_.value_or(default_policy())) != OPTEE_MEDIATOR_OK)
            throw std::runtime_error{"the mediator creates no VM"};
}

Machine::~Machine()
{
    // What a test left running is ended the usual way: the core's own tables must not name memory that is gone.
    observers_.clear();
    preemption_ = Preemption::never();
    optee_->behave();
    for (auto& vm : vms_) {
        if (vm->exists())
            vm->destroy();
        if (vm->client() != 0 && !vm->exists() && !vm->is_quarantined())
            client_ids().give_back(vm->client());
    }
}

void Machine::populate(Vm& vm, Placement placement, std::uint64_t seed)
{
    auto const pages = vm.ram_pages();
    std::vector<std::uint32_t> order(to_index(pages));
    std::iota(order.begin(), order.end(), 0u);
    if (placement == Placement::scattered)
        std::shuffle(order.begin(), order.end(), std::mt19937_64{seed});
    // One bank holds 1.25 GiB: a larger VM lies in several, as it would on a board.
    for (std::uint64_t first = 0; first < pages;) {
        auto const part = std::min(pages - first, PhysicalMemory::bank_frames);
        auto const base = memory_.reserve(part);
        for (std::uint64_t page = first; page < first + part; ++page) {
            auto const place = placement == Placement::scattered && pages <= PhysicalMemory::bank_frames
                                   ? std::uint64_t{order[to_index(page)]}
                                   : page - first;
            Pa const frame{base.raw + place * page_bytes};
            memory_.give_to_vm(frame, vm.index());
            vm.stage2().map(vm.ram(page), {MappingKind::ram, frame});
        }
        first += part;
    }
}

optee_mediator_status Machine::probe()
{
    Entry entry{*this, nullptr, 0, Entry::Kind::boot};
    auto const status = mediator_->probe();
    entry.finish();
    return status;
}

std::uint32_t Machine::fresh_client()
{
    return client_ids().take();
}

optee_mediator_policy Machine::default_policy() const
{
    // mediator.h, optee_mediator_default_policy(); written out, so that the simulator works with any mediator.
    return {.threads = 0xffff'ffff, .buffers = 1024, .pages = 65536, .capabilities = 0xffff'ffff};
}

void Machine::broken(Invariant invariant, std::string sentence)
{
    log_.report(invariant, std::move(sentence), steps());
}

void Machine::remove(Observer& observer)
{
    observers_.erase(std::remove(observers_.begin(), observers_.end(), &observer), observers_.end());
}

void Machine::at(Moment const& moment)
{
    for (auto* const observer : observers_)
        observer->at(moment);
}

bool Machine::fails(Moment const& moment)
{
    bool result = false;
    for (auto* const observer : observers_)
        result = observer->fails(moment) || result;
    return result;
}

bool Machine::waits(Moment const& moment)
{
    bool result = false;
    for (auto* const observer : observers_)
        result = observer->waits(moment) || result;
    return result;
}

bool Machine::preemption_pending(std::uint32_t queries_in_this_entry)
{
    switch (preemption_.kind) {
    case Preemption::Kind::never:     return false;
    case Preemption::Kind::always:    return true;
    case Preemption::Kind::every_nth: return ++preemption_queries_ % std::max(preemption_.n, 1u) == 0;
    case Preemption::Kind::after:     return queries_in_this_entry > preemption_.n;
    }
    return false;
}

Work Machine::largest_entry() const
{
    std::lock_guard const guard{mutex_};
    return largest_;
}

void Machine::account(Work const& work)
{
    std::lock_guard const guard{mutex_};
    largest_.keep_larger(work);
}

void Machine::log_line(LogLine line)
{
    std::lock_guard const guard{mutex_};
    lines_.push_back(std::move(line));
}

std::vector<Machine::LogLine> Machine::log_lines() const
{
    std::lock_guard const guard{mutex_};
    return lines_;
}

} // namespace sim
