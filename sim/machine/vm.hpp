// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// One VM as the machine sees it: RAM behind stage-2, vCPUs that trap SMCs, a life. What runs in it (a driver such as
// Linux's, a hostile script) is elsewhere and uses only this.

#include "sim/invariants/allow_lists.hpp"
#include "sim/invariants/open_calls.hpp"
#include "sim/machine/entry.hpp"
#include "sim/machine/stage2.hpp"

#include <optee_mediator/mediator.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string_view>
#include <vector>

namespace sim {

class Machine;

using Registers = optee_smc_frame;

/// What a vCPU has in its registers after an SMC, and what the mediator did meanwhile.
struct Answer {
    Registers registers{};
    bool handled = false; ///< false: not OP-TEE's function id, the hypervisor would answer
    Work work;
    std::vector<GuestWrite> writes;

    std::uint32_t a0() const { return static_cast<std::uint32_t>(registers.a[0]); }
    std::uint32_t a(unsigned n) const { return static_cast<std::uint32_t>(registers.a[n]); }
    std::uint64_t pair(unsigned high) const { return (std::uint64_t{a(high)} << 32) | a(high + 1); }
};

class Vm {
public:
    static constexpr Ipa ram_base{0x4000'0000};

    Vm(Machine&, std::uint16_t index, std::uint64_t ram_pages);
    Vm(Vm const&) = delete;
    Vm& operator=(Vm const&) = delete;

    Machine& machine() const { return machine_; }
    std::uint16_t index() const { return index_; }
    std::uint32_t client() const { return client_; }
    std::uint64_t ram_pages() const { return ram_pages_; }
    Ipa ram(std::uint64_t page) const { return Ipa{ram_base.raw + page * page_bytes}; }

    // --- life
    optee_mediator_status create(std::uint32_t client, optee_mediator_policy const&);
    optee_mediator_status destroy_step();
    /// Steps until the VM is gone or quarantined; BUSY when a vCPU never leaves the mediator.
    optee_mediator_status destroy();
    bool exists() const { return life_ == Life::created || life_ == Life::dying; }
    bool is_quarantined() const { return life_ == Life::quarantined; }

    // --- vCPUs. One SMC at a time on each; different vCPUs may run on different threads.
    Answer smc(std::uint32_t vcpu, Registers const&);

    // --- memory as the guest sees it. False: the access would fault.
    bool read(Ipa, void* to, std::size_t bytes) const;
    bool write(Ipa, void const* from, std::size_t bytes);
    template <typename T>
    T peek(Ipa ipa) const
    {
        T value{};
        static_cast<void>(read(ipa, &value, sizeof value));
        return value;
    }
    template <typename T>
    void poke(Ipa ipa, T const& value)
    {
        static_cast<void>(write(ipa, &value, sizeof value));
    }

    // --- stage-2 as the hypervisor changes it, at any moment. False: refused, because the page is pinned or absent.
    bool balloon_out(Ipa);            ///< the VM gives the page up; it is kept while it is pinned
    bool populate(Ipa);               ///< fresh RAM, zeroed
    bool write_protect(Ipa);          ///< RAM becomes read-only
    bool allow_writing(Ipa);          ///< read-only becomes RAM
    bool swap(Ipa, Ipa);              ///< exchanges what two addresses mean
    bool give_away(Ipa, Vm& to, Ipa); ///< the frame changes its owner: refused while it is pinned
    void map_of(Vm& other, Ipa theirs, Ipa here, MappingKind); ///< foreign or grant
    void map_mmio(Ipa);
    void unmap(Ipa); ///< the address means nothing any more; a frame of RAM stays the VM's
    Stage2& stage2() { return stage2_; }
    Stage2 const& stage2() const { return stage2_; }

    /// The frame behind an IPA: for tests only, a guest never learns it.
    Pa pa_of(Ipa) const;

    // --- what the checks know
    std::uint64_t pins() const { return pins_.load(); }           ///< sum over all its pages
    std::uint64_t mediator_pages() const { return held_.load(); } ///< held on its behalf
    std::uint32_t pins_of(Ipa) const;
    optee_mediator_policy policy() const;
    std::uint32_t least_threads() const; ///< that the policy gave it, when it was created or now
    OpenCalls const& open_calls() const { return open_calls_; }
    void set_policy(optee_mediator_policy const&); ///< any time: what is above a new limit stays, but does not grow
    /// Any time, by one at a time. False: refused, nothing has changed.
    bool set_tas(optee_mediator_ta_list const&);
    AllowLists const& allow_lists() const { return allow_lists_; }
    std::uint64_t counter(std::string_view name) const; ///< 0 when the mediator has none of that name

    /// I4 exactly: the sum of pins that the mediator's objects should hold, asked at the end of an entry while no
    /// other is under way. Absent: only the balance after destroy is checked.
    std::function<std::uint64_t()> expected_pins;

private:
    friend class Entry;
    friend void check_quota(Vm&);
    friend void check_balance(Vm&);
    enum class Life : std::uint8_t { unborn, created, dying, gone, quarantined };

    void check_after_entry(Entry const&);
    void check_after_death();

    Machine& machine_;
    std::uint16_t index_;
    std::uint64_t ram_pages_;
    std::uint32_t client_ = 0;
    mutable std::mutex policy_mutex_; ///< guards the three below
    optee_mediator_policy policy_{};
    optee_mediator_policy ceiling_{}; ///< the policy, or what was in use when it was lowered
    std::uint32_t threads_when_created_ = 0;
    OpenCalls open_calls_;
    AllowLists allow_lists_;
    std::atomic<Life> life_{Life::unborn};
    Stage2 stage2_;
    std::atomic<std::uint64_t> pins_{0};
    std::atomic<std::uint64_t> held_{0};
    std::atomic<std::uint64_t> begun_{0}; ///< entries so far, counted after entries_ and before the first step
    std::atomic<std::uint32_t> entries_{0};
    std::vector<std::atomic<bool>> inside_;
};

} // namespace sim
