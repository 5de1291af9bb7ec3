// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// Xen's mediator as one of the simulator's: what Xen does around optee.c, as far as it can be seen there.

#include "sim/machine/machine.hpp"
#include "sim/machine/mediator.hpp"
#include "tests/upstream/guest_windows.hpp"
#include "tests/upstream/heap.hpp"
#include "tests/upstream/xen_types.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

namespace sim::upstream {

class UpstreamMediator final : public Mediator {
public:
    optee_mediator_status probe() override;
    optee_mediator_status create(Vm&, std::uint32_t client, optee_mediator_policy const&) override;
    bool handle_smc(Vm&, optee_smc_frame&) override;
    optee_mediator_status destroy(Vm&) override;

    /// The one of the machine in which this CPU runs.
    static UpstreamMediator& of(Entry& entry);

    vcpu& current(Vm const&);
    bool preempts(Entry&); ///< hypercall_preempt_check()
    Heap& heap() { return heap_; }
    GuestWindows& windows() { return windows_; }
    bool may_log_of_guest() { return guest_lines_.fetch_add(1) < most_guest_lines; }

private:
    static constexpr std::size_t most_vms = 64;
    /// Xen prints 10 lines that guests cause in 5 seconds, and no time passes here.
    static constexpr std::uint32_t most_guest_lines = 10;

    struct Place {
        std::unique_ptr<domain> dom;
        vcpu cpu{};
        bool is_dying = false;
        std::atomic<std::uint32_t> inside{0};
        std::uint32_t restarts = 0; ///< of its end
        std::uint32_t checks = 0;   ///< for preemption, in this step of its end
    };

    bool knows(std::uint32_t client) const;

    std::array<Place, most_vms> places_;
    Heap heap_;
    GuestWindows windows_;
    std::atomic<std::uint32_t> guest_lines_{0};
    bool is_probed_ = false;
};

} // namespace sim::upstream
