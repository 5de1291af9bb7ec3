// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// A machine: RAM, VMs, OP-TEE, and a mediator between them. Start here; sim/README.md has an example.
//
//     auto machine = Machine::with_one_vm().vcpus(2).optee_threads(1).boot();
//     LinuxGuest guest{machine.vm(0)};
//     ...
//     EXPECT_TRUE(machine.invariants_hold()) << machine.violations();

#include "sim/machine/invariant.hpp"
#include "sim/machine/mediator.hpp"
#include "sim/machine/observer.hpp"
#include "sim/machine/physical_memory.hpp"
#include "sim/machine/vm.hpp"
#include "sim/optee/options.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sim {

namespace tee {
class Optee;
} // namespace tee

/// How a VM's RAM lies in the machine.
enum class Placement : std::uint8_t {
    scattered,  ///< neighbours in IPA are hardly ever neighbours in PA
    contiguous, ///< one run: long pins are possible
};

/// When optee_port_preemption_pending() says yes.
struct Preemption {
    enum class Kind : std::uint8_t { never, always, every_nth, after };
    Kind kind = Kind::never;
    std::uint32_t n = 0;

    static constexpr Preemption never() { return {}; }
    static constexpr Preemption always() { return {Kind::always, 0}; }
    static constexpr Preemption every(std::uint32_t n) { return {Kind::every_nth, n}; } ///< over all entries
    static constexpr Preemption after(std::uint32_t n) { return {Kind::after, n}; }     ///< n queries in one entry
};

class Machine;

class MachineOptions {
public:
    MachineOptions vms(std::uint32_t) &&;
    MachineOptions vcpus(std::uint32_t) &&; ///< most of one VM
    MachineOptions ram_pages(std::uint64_t) &&;
    MachineOptions placement(Placement) &&;
    MachineOptions optee(tee::Options const&) &&;
    MachineOptions optee_threads(std::uint32_t) &&;
    MachineOptions policy(optee_mediator_policy const&) &&; ///< absent: what the mediator gives by default
    MachineOptions preemption(Preemption) &&;
    MachineOptions seed(std::uint64_t) &&;
    MachineOptions mediated_by(std::function<std::unique_ptr<Mediator>()>) &&; ///< absent: the core

    /// Probes OP-TEE and creates the VMs; throws std::runtime_error when that fails.
    Machine boot() &&;
    /// Only switches it on: the test probes and creates.
    Machine power_on() &&;

private:
    friend class Machine;
    std::uint32_t vms_ = 1;
    std::uint32_t vcpus_ = 4;
    std::uint64_t ram_pages_ = 1024;
    Placement placement_ = Placement::scattered;
    tee::Options optee_;
    std::optional<optee_mediator_policy> policy_;
    Preemption preemption_;
    std::uint64_t seed_ = 1;
    std::function<std::unique_ptr<Mediator>()> mediator_;
};

class Machine {
public:
    static MachineOptions with_one_vm() { return {}; }
    static MachineOptions with_vms(std::uint32_t n) { return MachineOptions{}.vms(n); }

    Machine(MachineOptions const&, bool boot);
    ~Machine();
    Machine(Machine const&) = delete;
    Machine& operator=(Machine const&) = delete;

    Vm& vm(std::size_t index) { return *vms_.at(index); }
    std::size_t vms() const { return vms_.size(); }
    tee::Optee& optee() { return *optee_; }
    PhysicalMemory& memory() { return memory_; }
    PhysicalMemory const& memory() const { return memory_; }
    Mediator& mediator() { return *mediator_; }

    optee_mediator_status probe();
    /// A client id that no VM of this process uses, and none that was quarantined.
    std::uint32_t fresh_client();
    optee_mediator_policy default_policy() const;

    // --- invariants
    bool invariants_hold() const { return log_.empty(); }
    bool violates(Invariant invariant) const { return log_.has(invariant); }
    std::string violations() const { return log_.text(); }
    ViolationLog& log() { return log_; }
    void broken(Invariant, std::string sentence);

    // --- who steps in. Changed only while no vCPU runs.
    void add(Observer& observer) { observers_.push_back(&observer); }
    void remove(Observer&);
    void at(Moment const&);
    bool fails(Moment const&);
    bool waits(Moment const&);

    // --- preemption
    void preempt(Preemption preemption) { preemption_ = preemption; }
    bool preemption_pending(std::uint32_t queries_in_this_entry);

    // --- figures
    std::uint64_t steps() const { return steps_.load(); }
    void count_step() { steps_.fetch_add(1, std::memory_order_relaxed); }
    Work largest_entry() const; ///< maxima over all entries so far
    void account(Work const&);
    std::uint64_t tick() { return clock_.fetch_add(1, std::memory_order_relaxed) + 1; }

    // --- what the mediator logged
    struct LogLine {
        bool is_error;
        std::string text;
        std::uint64_t number;
    };
    void log_line(LogLine);
    std::vector<LogLine> log_lines() const;

    std::uint32_t vcpus_of_a_vm() const { return vcpus_; }

private:
    void populate(Vm&, Placement, std::uint64_t seed);

    PhysicalMemory memory_;
    ViolationLog log_;
    std::vector<Observer*> observers_;
    std::uint32_t vcpus_;
    std::unique_ptr<tee::Optee> optee_;
    std::vector<std::unique_ptr<Vm>> vms_;
    std::optional<optee_mediator_policy> policy_;
    Preemption preemption_;
    std::atomic<std::uint32_t> preemption_queries_{0};
    std::atomic<std::uint64_t> steps_{0};
    std::atomic<std::uint64_t> clock_{0};
    mutable std::mutex mutex_; ///< guards the two below
    Work largest_;
    std::vector<LogLine> lines_;
    std::unique_ptr<Mediator> mediator_; ///< the last to come and the first to go
};

} // namespace sim
