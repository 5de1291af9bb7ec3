// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// The simulator's port, held to the contract.

#include "sim/machine/machine.hpp"
#include "sim/optee/optee.hpp"
#include "tests/conformance/port_contract.hpp"

namespace conformance {
namespace {

class SimBench : public Bench {
public:
    void on_cpu(std::uint32_t cpu, std::function<void()> const& work) override
    {
        // An entry from the hypervisor's side: it may map and free what is held for the VM, and its SMCs may be any.
        sim::Entry entry{machine_, &mediated(), cpu, sim::Entry::Kind::smc};
        work();
        entry.finish();
    }
    std::uint32_t cpus() const override { return machine_.vcpus_of_a_vm(); }
    void* vm() override { return &mediated(); }

    optee_ipa fresh_ram(std::uint32_t pages, bool in_one_piece) override
    {
        auto const first = next_page_;
        next_page_ += pages;
        if (!in_one_piece) // its RAM is: so pages are exchanged with every second one from elsewhere
            for (std::uint32_t n = 0; n < pages; ++n)
                mediated().swap(mediated().ram(first + n), mediated().ram(2 * (first + n) + 3000));
        return mediated().ram(first);
    }
    bool make(NoRam kind, optee_ipa at) override
    {
        auto& donor = machine_.vm(1);
        switch (kind) {
        case NoRam::absent:    return mediated().balloon_out(at);
        case NoRam::read_only: return mediated().write_protect(at);
        case NoRam::foreign:   mediated().map_of(donor, donor.ram(7), at, sim::MappingKind::foreign); return true;
        case NoRam::granted:   mediated().map_of(donor, donor.ram(8), at, sim::MappingKind::grant); return true;
        case NoRam::device:    mediated().map_mmio(at); return true;
        }
        return false;
    }
    void take_away(optee_ipa at) override { mediated().balloon_out(at); }
    bool is_reusable(optee_pa page) override { return !machine_.memory().is_used(page.raw); }

    void guest_writes(optee_ipa at, std::uint32_t value) override { mediated().poke(at, value); }
    std::uint32_t guest_reads(optee_ipa at) override { return mediated().peek<std::uint32_t>(at); }

    std::uint64_t held_pages() override { return mediated().mediator_pages(); }
    bool run_out_of_pages(bool yes) override
    {
        if (yes)
            machine_.add(no_pages_);
        else
            machine_.remove(no_pages_);
        return true;
    }
    bool pend_preemption(bool yes) override
    {
        machine_.preempt(yes ? sim::Preemption::always() : sim::Preemption::never());
        return true;
    }

    void answer_next_smc(optee_smc_frame const& answer) override
    {
        machine_.optee().instead_of_next([this, answer](sim::tee::Smc& smc) {
            sent_ = smc.frame;
            smc.frame = answer;
        });
    }
    optee_smc_frame last_smc() override { return sent_; }

    testing::AssertionResult is_sound() override
    {
        if (machine_.invariants_hold())
            return testing::AssertionSuccess();
        return testing::AssertionFailure() << machine_.violations();
    }

private:
    sim::Vm& mediated() { return machine_.vm(0); }

    sim::Machine machine_ =
        sim::Machine::with_vms(2).ram_pages(8192).placement(sim::Placement::contiguous).power_on();
    sim::Failure no_pages_{sim::Point::allocate_page, 0, sim::Failure::Extent::from_then_on};
    std::uint64_t next_page_ = 16;
    optee_smc_frame sent_{};
};

std::unique_ptr<Bench> make_sim_bench()
{
    return std::make_unique<SimBench>();
}

} // namespace

INSTANTIATE_TEST_SUITE_P(Sim, PortContract, testing::Values(&make_sim_bench), [](auto const&) { return "Port"; });

} // namespace conformance
