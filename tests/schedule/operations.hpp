// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// What vCPUs do while a scheduler switches between them: scripts of a few operations on things that they share. After a
// schedule the world says what was wrong: a result that no order of the operations explains, a call without end, anything
// left of a VM that is gone, a broken invariant.

#include "sim/linux/guest.hpp"
#include "sim/machine/machine.hpp"
#include "sim/schedule/scheduler.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sim::schedule {

enum class Operation : std::uint8_t {
    call,         ///< an echo, to its end
    rpc_call,     ///< a call that asks for the time, to its end
    begin,        ///< the same, but only until OP-TEE asks
    resume,       ///< ... and answered, by the vCPU that began it
    resume_stale, ///< a handle that was used before
    resume_other, ///< the call that another vCPU has begun: one of the two gets it
    temporary,    ///< a call with a buffer that is shared for it only
    use,          ///< a call with the VM's registered buffer
    add,          ///< REGISTER_SHM of that buffer, all vCPUs under one name
    remove,       ///< UNREGISTER_SHM of it
    cancel,
    destroy, ///< of the VM, whatever goes on
};

using Script = std::vector<Operation>;

std::vector<Operation> const& all_operations();
std::string_view name_of(Operation);
std::string text_of(Script const&); ///< "use.remove"
std::optional<Script> script_from(std::string_view);

/// What the vCPUs of each VM do.
struct Plan {
    std::vector<std::vector<Script>> vms;
    std::uint32_t optee_threads = 2;
    bool caches_arguments = false;      ///< the guests' drivers do
    bool uses_rpc_arguments = false;    ///< they do; else they are of a kernel before 5.19
    std::uint32_t interrupts_every = 0; ///< of OP-TEE
    Preemption preemption = Preemption::never();

    bool has(std::size_t vm, Operation) const;
};

/// Two vCPUs of one VM. As text "use.remove+call", where the driver uses RPC arguments "rpc_arg:use.remove+call".
Plan pair_of(Script, Script, bool uses_rpc_arguments = false);
std::string text_of(Plan const&);
std::optional<Plan> pair_from(std::string_view);

/// Several VMs; scripts and all else from the seed.
Plan random_plan(std::uint64_t seed, std::uint32_t vms, std::uint32_t vcpus);

class Stage;

/// A machine in which a plan is about to be played, once.
class World {
public:
    explicit World(Plan const&, std::function<std::unique_ptr<Mediator>()> mediator = {});
    ~World();
    World(World const&) = delete;
    World& operator=(World const&) = delete;

    Machine& machine() { return *machine_; }
    std::vector<Body> const& bodies() const { return bodies_; }

    /// Ends the VMs and says what was wrong; empty when all was right.
    std::string verdict(Outcome const&);

private:
    std::unique_ptr<Machine> machine_;
    std::vector<std::unique_ptr<Stage>> stages_;
    std::vector<Body> bodies_;
};

} // namespace sim::schedule
