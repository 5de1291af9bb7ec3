// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include "base/lock.hpp"
#include "shm_registry.hpp"
#include "tee_facts.hpp"
#include "yielding_call.hpp"

#include <optee_mediator/mediator.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace optee {

/// The life of a VM, in this order. docs/lifecycles.md holds the same table, and a check compares the two.
enum class VmState : std::uint32_t {
    live,
    draining,    ///< new calls are refused; those that OP-TEE has suspended are led to their end
    releasing,   ///< OP-TEE has forgotten the VM: its pages go back
    gone,        ///< nothing is left
    quarantined, ///< OP-TEE did not let go: nothing is given back
};

constexpr bool allowed(VmState from, VmState to)
{
    using enum VmState;
    switch (from) {
    case live:      return to == draining;
    case draining:  return to == releasing || to == quarantined;
    case releasing: return to == gone;
    case gone:
    case quarantined: return false;
    }
    return false; // not covered: there are no other states
}

/// One VM: its calls, what it shares, and its end. Its memory is the hypervisor's.
class Vm {
public:
    /// Calls that there is room for: what OP-TEE has threads for, or fewer if the policy says so.
    static std::uint32_t slots(TeeFacts const& facts, optee_mediator_policy const& policy)
    {
        return std::clamp(policy.threads, 1U, facts.threads);
    }
    static std::size_t bytes(std::uint32_t slots) { return sizeof(Vm) + slots * sizeof(YieldingCall); }

    /// Makes the VM in memory of bytes(slots()), with a shadow page for each slot, and tells OP-TEE.
    static optee_mediator_status create(
        void* memory, void* port, ClientId client, TeeFacts const& facts, optee_mediator_policy const& policy);
    /// One step of its end.
    optee_mediator_status destroy();

    VmContext& context() { return context_; }
    VmContext const& context() const { return context_; }
    TeeFacts const& facts() const { return facts_; }
    /// Yielding calls that the guest may have at once.
    std::uint32_t threads() const { return std::min(context_.policy.threads(), slot_count_); }
    ShmRegistry& registry() { return registry_; }

    /// CALL_WITH_ARG and its like: a call in a free slot, if there is one.
    void start_call(MessageLocation const& location, optee_smc_frame& frame);
    /// RETURN_FROM_RPC: the call that waits under this handle, if it does.
    void resume_call(CallHandle handle, optee_smc_frame& frame);

    /// One vCPU in the mediator, as long as this lives. VMs that are on their way out let nobody in.
    class Entry {
    public:
        explicit Entry(Vm& vm) : vm_{vm} { vm_.entries_.fetch_add(1); }
        ~Entry() { vm_.entries_.fetch_sub(1); }
        Entry(Entry const&) = delete;
        Entry& operator=(Entry const&) = delete;
        // The counter first, then the state, and destroy() the other way round: one of the two sees the other.
        bool is_let_in() const { return vm_.state_.load() == VmState::live; }

    private:
        Vm& vm_;
    };

private:
    friend class VmTable;

    Vm(void* port, ClientId client, TeeFacts const& facts, optee_mediator_policy const& policy, std::uint32_t slots);
    Status make_slots();
    void free_last_slot();
    optee_mediator_status introduce_to_tee();
    void move(VmState to);

    Progress drain(Budget& budget);
    void drain_once(YieldingCall& call);
    void tell_tee();
    Progress release(Budget& budget);
    Progress release_call(YieldingCall& call, Budget& budget);
    Progress release_shared_memory(Budget& budget);
    Progress release_memory(Budget& budget);

    std::span<YieldingCall> calls() { return {reinterpret_cast<YieldingCall*>(this + 1), made_slots_}; }
    void refuse_call(optee_smc_frame& frame);
    void run_ended(CallRun const& run, std::uint32_t slot);

    VmContext context_;
    TeeFacts const& facts_;
    ShmRegistry registry_{};
    SlotSet<max_threads> taken_slots_{};
    std::uint32_t const slot_count_;
    std::uint32_t made_slots_ = 0;
    std::atomic<std::uint32_t> entries_{0};
    std::atomic<VmState> state_{VmState::live};

    // Where the end of the VM has got to.
    std::uint32_t next_call_ = 0;
    std::uint32_t drain_attempts_ = 0;
    std::optional<ShmRef> leaving_{};

    Vm* next_in_table_ = nullptr;
};

/// All VMs that OP-TEE knows of, by client id: OP-TEE itself takes a second one under the same id.
class VmTable {
public:
    void prepare();
    /// False when the client id is in use.
    [[nodiscard]] bool insert(Vm& vm);
    void remove(Vm& vm);

private:
    using Guard = LockGuard<LockRank::vm_table>;
    RankedLock<LockRank::vm_table> lock_;
    Vm* first_ GUARDED_BY(lock_) = nullptr;
};

extern VmTable vm_table;

} // namespace optee
