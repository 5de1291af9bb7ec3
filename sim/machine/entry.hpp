// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// One CPU inside the mediator: from the trap of an SMC (or a call of the hypervisor) to its return. Everything that
// the mediator may do there is a function here, in the words of port.h, and is held to port.h's rules as it happens.
// ports/sim/port.cpp only forwards; a shim around another mediator uses the same functions.

#include "sim/machine/observer.hpp"
#include "sim/machine/stage2.hpp"

#include <optee_mediator/types.h>

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace sim {

class Machine;
class Vm;
enum class Invariant : std::uint8_t;

/// What one entry did; the maxima over all entries are kept by the machine (I13).
struct Work {
    std::uint32_t smcs = 0;
    std::uint32_t look_ups = 0;    ///< calls of pin_run
    std::uint32_t pins = 0;        ///< pages pinned
    std::uint32_t unpins = 0;      ///< pages unpinned
    std::uint32_t allocations = 0; ///< pages asked for
    std::uint32_t guest_reads = 0;
    std::uint32_t guest_writes = 0;

    void keep_larger(Work const&);
};

/// Bytes of a guest that the mediator wrote (I8).
struct GuestWrite {
    Pa page;
    std::uint32_t offset;
    std::vector<std::uint8_t> bytes;
};

class Entry {
public:
    enum class Kind : std::uint8_t { boot, create, smc, control, destroy };

    Entry(Machine&, Vm*, std::uint32_t vcpu, Kind);
    ~Entry();
    Entry(Entry const&) = delete;
    Entry& operator=(Entry const&) = delete;

    /// The entry of the CPU that runs this thread of the host; nullptr outside the mediator.
    static Entry* current();
    /// Does something as another CPU would, in the middle of what this one does.
    static void meanwhile(std::function<void()> const&);

    // What a mediator may do; see port.h.
    void smc(optee_smc_frame&);
    std::uint32_t pin_run(Vm&, Ipa first, std::uint32_t pages, Pa* pa);
    /// For mediators whose hypervisor also holds pages that the VM may not write: one page, and which kind it is.
    std::optional<Mapping> pin_own_ram(Vm&, Ipa page);
    void unpin_run(Vm&, Pa first, std::uint32_t pages);
    void read_guest(Vm&, Pa page, std::uint32_t offset, void* to, std::uint32_t bytes);
    void write_guest(Vm&, Pa page, std::uint32_t offset, void const* from, std::uint32_t bytes);
    std::optional<Pa> allocate_page(Vm&);
    void free_page(Vm&, Pa);
    void* map_page(Pa);
    void unmap_page(void*);
    void lock_taken(std::uint32_t rank);
    void lock_released(std::uint32_t rank);
    bool preemption_pending();

    /// Everything must be given back by now: locks, mapped pages.
    void finish();

    Machine& machine() const { return machine_; }
    Vm* vm() const { return vm_; }
    std::uint32_t vcpu() const { return vcpu_; }
    Kind kind() const { return kind_; }
    Work const& work() const { return work_; }
    std::vector<GuestWrite> const& writes() const { return writes_; }

    Moment moment(Point, Pa pa = Pa{0}, std::uint64_t number = 0) const;

private:
    void broken(Invariant, std::string sentence) const;
    void expect_no_lock(char const* doing) const;
    void expect_own(Vm&, char const* doing) const;
    Frame* expect_pinned(Vm&, Pa page, std::uint32_t offset, std::uint32_t bytes, char const* doing) const;
    std::uint32_t pin_if(
        Vm&, Ipa first, std::uint32_t pages, Pa* pa, std::function<bool(MappingKind)> const& qualifies);
    void expect_bounded() const;
    void unpin(Vm&, Pa);

    static constexpr std::size_t most_mapped = 4; // port.h, optee_port_map_page()

    Machine& machine_;
    Vm* vm_;
    std::uint32_t vcpu_;
    Kind kind_;
    Entry* previous_;
    Work work_;
    std::vector<std::uint32_t> ranks_;
    std::vector<Pa> mapped_;
    std::vector<GuestWrite> writes_;
    std::unordered_map<std::uint64_t, std::bitset<Frame::words>> words_read_;
    std::uint32_t preemption_queries_ = 0;
};

} // namespace sim
