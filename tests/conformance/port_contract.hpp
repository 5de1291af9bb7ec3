// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// The contract of <optee_mediator/port.h> as tests. A port derives a Bench that can set the scene with its own means, and
// instantiates PortContract with it, as sim_port_test.cpp does; the tests then call the port's functions and nothing else.

#include <optee_mediator/port.h>

#include <cstdint>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <optional>

namespace conformance {

/// What a page of a VM may be besides read-write RAM of its own.
enum class NoRam : std::uint8_t { absent, read_only, foreign, granted, device };

/// A hypervisor with two VMs, one of which is to be mediated, and CPUs to do it on.
class Bench {
public:
    Bench() = default;
    Bench(Bench const&) = delete;
    Bench& operator=(Bench const&) = delete;
    virtual ~Bench() = default;

    /// Runs `work` on a CPU, in the context in which the mediator handles an SMC of the VM. May be called on several
    /// threads at once, with different CPUs below cpus().
    virtual void on_cpu(std::uint32_t cpu, std::function<void()> const& work) = 0;
    virtual std::uint32_t cpus() const = 0;

    /// The handle that the mediator was given for the VM.
    virtual void* vm() = 0;

    /// IPAs of `pages` pages of RAM of the VM that nobody has used yet, one after the other. `in_one_piece`: one after the
    /// other in physical memory too; else no two of them.
    virtual optee_ipa fresh_ram(std::uint32_t pages, bool in_one_piece) = 0;
    /// Makes something else of the page; false where this hypervisor has no such thing.
    virtual bool make(NoRam, optee_ipa) = 0;
    /// Takes the page away from the VM, as a balloon does.
    virtual void take_away(optee_ipa) = 0;
    /// Could the physical page be given to somebody else at this moment?
    virtual bool is_reusable(optee_pa) = 0;

    virtual void guest_writes(optee_ipa, std::uint32_t) = 0;
    virtual std::uint32_t guest_reads(optee_ipa) = 0;

    /// Pages that the mediator holds for the VM, as this hypervisor counts them.
    virtual std::uint64_t held_pages() = 0;
    /// Lets allocations fail from now on, or work again; false where this hypervisor cannot be told to.
    virtual bool run_out_of_pages(bool) = 0;
    virtual bool pend_preemption(bool) = 0;

    /// Answers the next SMC; what the mediator's port sent is returned when it was issued.
    virtual void answer_next_smc(optee_smc_frame const& answer) = 0;
    virtual optee_smc_frame last_smc() = 0;

    /// No rule of the hypervisor's own was broken.
    virtual testing::AssertionResult is_sound() = 0;
};

using MakeBench = std::unique_ptr<Bench> (*)();

class PortContract : public testing::TestWithParam<MakeBench> {
protected:
    PortContract() : bench_{GetParam()()} {}

    Bench& bench() { return *bench_; }
    void on_cpu(std::function<void()> const& work) { bench_->on_cpu(0, work); }
    void TearDown() override { EXPECT_TRUE(bench_->is_sound()); }

private:
    std::unique_ptr<Bench> bench_;
};

} // namespace conformance
