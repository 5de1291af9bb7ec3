// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// What the attacks on calls under way share: how far a call is led, what OP-TEE gets back, pages that are none.

#include "tests/attack/words.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace sim::attack {

/// Answers interrupts until the guest is asked for something else, or the call is through.
void pass_interrupts(Call&, std::uint32_t vcpu = 0);

/// Resumes with these registers, and passes the interrupts that follow.
void resume(Call&, Registers const&, std::uint32_t vcpu = 0);

/// The argument of an RPC, as it is in the page that OP-TEE sees, and what follows it there.
struct SeenArgument {
    std::array<std::uint64_t, page_bytes / 8> words{};

    std::uint32_t field(std::uint32_t offset) const;
    void set_field(std::uint32_t offset, std::uint32_t value);
    abi::Param param(std::uint32_t n) const;
    void set_param(std::uint32_t n, abi::Param const&);
    std::uint32_t cmd() const { return field(abi::arg::cmd); }
    std::uint32_t ret() const { return field(abi::arg::ret); }
    std::uint32_t num_params() const { return field(abi::arg::num_params); }
    bool holds(std::uint64_t word) const;
};

/// Watches what OP-TEE asks a VM for, and what it gets back; may change either, for an odd OP-TEE.
class Rpcs {
public:
    struct Return {
        std::uint32_t to = 0; ///< the request: abi::rpc::*
        optee_smc_frame frame{};
        SeenArgument argument; ///< when the request was a command

        /// The mediator's own answer: an error, and nothing else.
        bool is_failure() const { return argument.ret() == abi::result::generic && argument.num_params() == 0; }
        bool has_nothing() const { return frame.a[1] == 0 && frame.a[2] == 0 && frame.a[4] == 0 && frame.a[5] == 0; }
    };

    Rpcs(Machine&, Vm const&);
    ~Rpcs();
    Rpcs(Rpcs const&) = delete;
    Rpcs& operator=(Rpcs const&) = delete;

    std::vector<Return> const& returns() const { return returns_; }
    /// The newest answer to a request of this kind; what is asked for must have come.
    Return const& last(std::uint32_t to) const;

    /// Changes the request that OP-TEE wrote into its argument.
    std::function<void(SeenArgument&)> change_request;
    /// Changes the registers with which OP-TEE leaves, or those with which it is entered.
    std::function<void(optee_smc_frame&)> change_leaving;
    std::function<void(optee_smc_frame&)> change_entering;

private:
    void on(tee::Smc&);
    void note(optee_smc_frame const&);

    Machine& machine_;
    Vm const& vm_;
    std::map<std::uint32_t, std::uint32_t> asked_; ///< by thread of OP-TEE
    std::map<std::uint32_t, Pa> arguments_;
    std::vector<Return> returns_;
};

/// A call of the allocator that waits for the answer to SHM_ALLOC, which the driver has put into the page already.
struct Offer {
    explicit Offer(LinuxGuest&,
                   std::uint64_t bytes = 3 * page_bytes,
                   std::uint32_t function = command::allocator_appl);

    bool is_asked_for() const { return shm != nullptr; }
    void change(abi::Param const& to) { call.rpc_message().set_param(0, to); }
    Ipa list() const { return Ipa{param.a & ~page_mask}; }

    std::uint32_t session;
    Call call;
    Registers answer{};
    abi::Param param{};
    Shm shm;
};

/// A call of the clock that waits for the answer to GET_TIME.
struct Question {
    explicit Question(LinuxGuest&, std::uint64_t times = 1);

    bool is_asked() const { return call.asks_for(abi::rpc_cmd::get_time); }

    std::uint32_t session;
    Call call;
    Registers answer{};
};

/// OP-TEE has memory of the guest's, by SHM_ALLOC, and waits until a trusted application is loaded into it.
struct Loading {
    explicit Loading(LinuxGuest&);

    bool waits() const { return cookie() != 0; }
    std::uint64_t cookie() const { return call.asks_for(abi::rpc_cmd::load_ta) ? call.rpc_message().param(1).c : 0; }

    Call call;
};

/// All kinds of live objects of one guest.
class Household {
public:
    explicit Household(LinuxGuest&);

    /// What each is called, by us and by the guest.
    std::vector<std::pair<char const*, std::uint64_t>> cookies() const;
    /// All of it is still there and works; then it is taken back.
    void expect_intact();

    bool is_ready = false;
    std::uint64_t pins = 0;

private:
    LinuxGuest& guest_;
    std::uint32_t memory_;
    Shm registered_;
    Shm brief_;
    std::uint32_t clock_;
    Call call_;
    Loading loading_;
};

/// A page of a VM that a mediator must not touch, as long as this lives.
class SpoiltPage {
public:
    enum class How : std::uint8_t { absent, read_only, foreign, granted, device };
    static constexpr std::array every{How::absent, How::read_only, How::foreign, How::granted, How::device};

    /// `other`: whose page is there instead, for some.
    SpoiltPage(Vm&, Vm& other, Ipa page, How);
    ~SpoiltPage();
    SpoiltPage(SpoiltPage const&) = delete;
    SpoiltPage& operator=(SpoiltPage const&) = delete;

    /// The pages of the other VM that may have come in its place are as they were.
    void expect_others_as_they_were() const;

private:
    Vm& vm_;
    Vm& other_;
    Ipa page_;
    How how_;
    Ipa elsewhere_;
    std::array<PageContents, 2> before_;
};

char const* name_of(SpoiltPage::How);

} // namespace sim::attack
