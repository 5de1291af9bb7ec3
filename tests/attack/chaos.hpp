// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// Three VMs of four vCPUs that do anything: any call, any answer, any change of stage-2, at any moment of each other's
// entries, over an OP-TEE that answers oddly and a hypervisor whose pages run out. All of it follows from a seed.

#include "tests/attack/rpc_words.hpp"

#include <array>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <random>
#include <vector>

namespace sim::attack {

/// Where numbers come from: one row for all of a run.
class Dice {
public:
    explicit Dice(std::uint64_t seed) : engine_{seed} {}
    /// 0 to n - 1.
    std::uint64_t pick(std::uint64_t n) { return engine_() % n; }
    bool one_in(std::uint64_t n) { return pick(n) == 0; }
    template <typename T>
    T of(std::initializer_list<T> all)
    {
        return *(all.begin() + pick(all.size()));
    }

private:
    std::mt19937_64 engine_;
};

/// A guest that does whatever the dice say, by SMCs and writes to its own memory alone.
class ChaoticGuest {
public:
    ChaoticGuest(Vm&, Vm& other, Dice&);

    /// One operation; nothing when no vCPU is outside the mediator.
    void act();
    /// One step of its end, or its beginning.
    void live_and_die();
    bool is_ending() const { return is_ending_; }
    Vm& vm() const { return vm_; }
    /// How often it was answered so: with OK, or with an RPC of this kind.
    std::uint64_t answers(std::uint32_t a0) const
    {
        auto const place = answers_.find(a0);
        return place == answers_.end() ? 0 : place->second;
    }

private:
    struct Waiting {
        std::uint32_t rpc = 0;
        std::uint32_t handle = 0;
        std::uint64_t cookie = 0;
    };

    void send(Registers const&);
    void start_call();
    std::vector<abi::Param> params_of_call(std::uint32_t cmd);
    abi::Param any_param(std::uint32_t place);
    abi::Param list_of(std::uint32_t place, std::uint64_t attr);
    void come_back();
    Registers answer(Waiting const&);
    void answer_command(Ipa argument);
    void answer_alloc(Registers&);
    void fast_call();
    void change_stage2();
    std::uint64_t any_cookie();
    Ipa page_of(std::uint64_t pool, std::uint64_t pages) { return vm_.ram(pool + dice_.pick(pages)); }

    Vm& vm_;
    Vm& other_;
    Dice& dice_;
    std::vector<Waiting> waiting_;
    std::map<std::uint64_t, Ipa> arguments_;
    std::map<std::uint32_t, std::uint64_t> answers_;
    std::array<bool, 4> inside_{};
    bool is_ending_ = false;
    bool is_at_it_ = false;
};

/// The machine's part: when who acts, what OP-TEE does oddly, what fails, which VM comes and goes.
class Chaos : public Observer {
public:
    Chaos(Machine&, std::uint64_t seed);
    ~Chaos() override;

    void run(unsigned operations);
    void at(Moment const&) override;
    bool fails(Moment const&) override;
    /// Over all VMs.
    std::uint64_t answers(std::uint32_t a0) const;

private:
    void act();
    void on_smc(tee::Smc&);
    tee::Buffer argument_of(Vm&, std::uint64_t cookie) const;
    void spoil_request(tee::Smc const&);

    Machine& machine_;
    Dice dice_;
    std::vector<ChaoticGuest> guests_;
    unsigned depth_ = 0;
    unsigned operations_ = 0;
};

} // namespace sim::attack
