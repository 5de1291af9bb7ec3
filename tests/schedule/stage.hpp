// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// One VM of a world: its guest, what its vCPUs share, and how each operation is done. One vCPU runs at a time.

#include "tests/schedule/operations.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sim::schedule {

class Stage {
public:
    Stage(Vm&, Plan const&);

    /// What a vCPU does: its script, and an answer to what it has begun.
    void play(std::uint32_t vcpu, Script const&);

    /// Once nobody plays any more.
    void settle();
    std::string const& complaints() const { return complaints_; }

private:
    /// A call that OP-TEE has suspended. Any vCPU may answer, one is heard.
    struct Suspended {
        explicit Suspended(Call begun) : call{std::move(begun)} {}
        Call call;
        std::uint32_t winners = 0;
    };
    using SuspendedCall = std::shared_ptr<Suspended>;

    void perform(std::uint32_t vcpu, Operation);
    CallResult complete(std::uint32_t vcpu, Call);
    CallResult finish(std::uint32_t vcpu, Call&);
    void call(std::uint32_t vcpu);
    void rpc_call(std::uint32_t vcpu);
    void begin(std::uint32_t vcpu);
    void answer(std::uint32_t vcpu, SuspendedCall const&);
    void resume_stale(std::uint32_t vcpu);
    void resume_other(std::uint32_t vcpu);
    void temporary(std::uint32_t vcpu);
    void use(std::uint32_t vcpu);
    void add(std::uint32_t vcpu);
    void remove(std::uint32_t vcpu);
    void cancel(std::uint32_t vcpu);
    void destroy();

    void expect(bool right, char const* sentence);
    void expect_order();
    bool is_refusal(CallResult const&) const;

    Vm& vm_;
    LinuxGuest guest_;
    std::uint32_t echo_ = 0;
    std::uint32_t clock_ = 0;
    std::uint32_t memory_ = 0;
    Shm shared_;
    std::uint32_t stale_handle_ = 0;
    std::vector<SuspendedCall> current_;   ///< by vCPU
    std::vector<SuspendedCall> suspended_; ///< all that there were
    std::uint32_t added_ = 0;              ///< times that OP-TEE agreed
    std::uint32_t removed_ = 0;
    std::uint32_t used_ = 0;
    bool is_ending_ = false;
    std::string complaints_;
};

} // namespace sim::schedule
