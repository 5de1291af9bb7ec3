// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// OP-TEE as normal world sees it: what comes in by SMC, and how odd it is to behave. Version 4.10, built with
// CFG_NS_VIRTUALIZATION, without reserved shared memory.

#include "sim/machine/vm.hpp"
#include "sim/optee/abi.hpp"
#include "sim/optee/options.hpp"
#include "sim/optee/partition.hpp"

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

namespace sim::tee {

/// One SMC on its way, for a script that makes OP-TEE odd.
class Smc {
public:
    Smc(Optee& optee, Vm* caller, optee_smc_frame& registers) : frame{registers}, vm{caller}, optee_{optee} {}

    /// Lets OP-TEE do what it would do.
    void proceed();

    optee_smc_frame& frame; ///< request, then answer: only a0 to a3 of it reach the mediator
    Vm* vm;                 ///< whose CPU it is; nullptr while the machine boots

private:
    Optee& optee_;
};

class Optee {
public:
    Optee(Machine&, Options const&);

    Options const& options() const { return options_; }

    /// `vm`: whose CPU it is; nullptr while the machine boots.
    void smc(Vm* vm, optee_smc_frame&);

    // --- odd behaviour, all of it undone by behave()
    using Script = std::function<void(Smc&)>;
    void instead_of_next(Script);                            ///< for the next SMC, whatever it is
    void instead_of_next(std::uint32_t function_id, Script); ///< for the next with this function id
    void instead_of_every(std::uint32_t function_id, Script);
    void answer_next(std::uint32_t function_id, std::uint32_t a0); ///< without doing anything
    void answer_every(std::uint32_t function_id, std::uint32_t a0);
    void return_result(std::uint32_t cmd, std::uint32_t ret);    ///< REGISTER_SHM and UNREGISTER_SHM: fail with this
    void drop_results(bool yes = true) { drops_results_ = yes; } ///< ret and ret_origin are not written
    void ask_for_cookie(std::uint64_t cookie) { odd_rpc_cookie_ = cookie; } ///< in every RPC CMD
    void interrupt_without_end(bool yes = true) { endless_interrupts_ = yes; }
    void interrupt_every(std::uint32_t n) { interrupt_every_ = n; } ///< 0: never
    void behave();

    // --- for the model itself
    bool drops_results() const { return drops_results_; }
    std::uint64_t odd_rpc_cookie(std::uint64_t cookie) const
    {
        auto const odd = odd_rpc_cookie_.load();
        return odd != 0 ? odd : cookie;
    }
    bool is_interrupted_now();
    std::optional<std::uint32_t> odd_result(std::uint32_t cmd);

    // --- what the checks and the tests know
    void expect_client(std::uint32_t client, Vm&);
    void forget_client(std::uint32_t client);
    bool has_partition(std::uint32_t client) const;
    std::shared_ptr<Partition> partition(std::uint32_t client) const; ///< nullptr when there is none
    std::shared_ptr<Partition> partition(Vm const& vm) const { return partition(vm.client()); }

private:
    friend class Smc;

    struct Line {
        std::optional<std::uint32_t> function_id;
        Script script;
        bool stays;
    };
    void serve(Vm*, optee_smc_frame&);
    std::optional<Script> take_script(std::uint32_t function_id);
    void expect_caller(Vm*, optee_smc_frame const&);
    void fast_call(optee_smc_frame&);
    void exchange_capabilities(optee_smc_frame&);
    void vm_created(optee_smc_frame&);
    void vm_destroyed(optee_smc_frame&);

    Machine& machine_;
    Options options_;
    mutable std::mutex mutex_; ///< guards what follows, up to the atomics; never held while a thread runs
    std::map<std::uint32_t, std::shared_ptr<Partition>> partitions_;
    std::map<std::uint32_t, Vm*> expected_;
    std::deque<Line> script_;
    std::map<std::uint32_t, std::uint32_t> odd_results_;
    std::atomic<bool> is_scripted_{false};
    std::atomic<bool> drops_results_{false};
    std::atomic<bool> endless_interrupts_{false};
    std::atomic<std::uint64_t> odd_rpc_cookie_{0};
    std::atomic<std::uint32_t> interrupt_every_;
    std::atomic<std::uint32_t> interruptible_points_{0};
};

} // namespace sim::tee
