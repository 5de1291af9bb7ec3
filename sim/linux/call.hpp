// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// One yielding call of a guest, step by step: each SMC on the vCPU that the test names, each RPC looked at, answered
// as Linux would, answered otherwise, or not at all.
//
//     auto call = guest.begin_invoke(session, command::clock_get, {value_out()});
//     call.start_on(0);
//     while (call.waits_for_rpc())
//         call.answer_on(1);
//     EXPECT_EQ(call.result().ret, abi::result::success);

#include "sim/linux/arguments.hpp"
#include "sim/linux/guest_message.hpp"
#include "sim/machine/vm.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace sim {

class LinuxGuest;

/// What a call came to.
struct CallResult {
    std::uint32_t a0 = 0;
    std::uint32_t ret = 0; ///< meaningful when a0 is OK
    std::uint32_t origin = 0;
    std::uint32_t session = 0;
    std::vector<abi::Param> params;

    bool ok() const { return a0 == abi::ret::ok && ret == abi::result::success; }
};

class Call {
public:
    enum class State : std::uint8_t { fresh, waits_for_rpc, waits_for_thread, done };

    /// `supplied_argument`: the message is followed by a place for RPCs (CALL_WITH_RPC_ARG and CALL_WITH_REGD_ARG).
    Call(LinuxGuest&, Registers first, GuestMessage message, bool supplied_argument);
    ~Call();
    Call(Call&&) noexcept = default;
    Call& operator=(Call&&) = delete;
    Call(Call const&) = delete;
    Call& operator=(Call const&) = delete;

    State state() const { return state_; }
    bool waits_for_rpc() const { return state_ == State::waits_for_rpc; }
    bool waits_for_thread() const { return state_ == State::waits_for_thread; }
    bool done() const { return state_ == State::done; }

    /// The call's first SMC, or its next try when no thread was free.
    Answer const& start_on(std::uint32_t vcpu);
    /// Serves the RPC as Linux would, and resumes. Where Linux would sleep (a notification that has not come) nothing
    /// happens: see is_blocked().
    Answer const& answer_on(std::uint32_t vcpu);
    /// Serves the RPC as Linux would but only says what it would send; absent where Linux would sleep.
    std::optional<Registers> serve_rpc();
    /// Resumes with registers of one's own.
    Answer const& resume_on(std::uint32_t vcpu, Registers const&);
    /// Starts when it has not, and answers until the call is done, or sleeps.
    State run_on(std::uint32_t vcpu);
    /// Goes on from an answer that another vCPU got with an SMC of its own.
    Answer const& take(Answer);
    bool is_blocked() const { return is_blocked_; }

    // --- what the guest was asked for
    Answer const& last() const { return last_; }
    std::uint32_t rpc() const { return last_.a0(); } ///< abi::rpc::*
    std::uint32_t handle() const { return last_.a(3); }
    GuestMessage rpc_message() const;           ///< of an RPC CMD
    bool asks_for(std::uint32_t rpc_cmd) const; ///< an RPC CMD with this command

    GuestMessage& message() { return message_; }
    CallResult result() const;
    /// The registers of the next SMC, before an answer is put into them.
    Registers const& registers() const { return registers_; }

    /// Frees the message and the page lists; else the destructor does, and a call that never ends keeps them.
    void forget();

private:
    friend class LinuxGuest;

    /// The guest's memory that the call uses; not there in a call that was moved from.
    struct Memory {
        Shm message;                                      ///< when the call has memory of its own for it
        std::uint64_t cache_slot{};                       ///< else its place in the guest's argument cache
        std::vector<std::pair<Ipa, std::uint64_t>> lists; ///< page lists of temporary references
        std::optional<std::pair<Ipa, std::uint64_t>> rpc_list;
    };

    void serve_command(GuestMessage&);
    void serve_shm_alloc(GuestMessage&);
    void serve_shm_free(GuestMessage&);
    void serve_load_ta(GuestMessage&);
    void serve_file_system(GuestMessage&);
    void free_page_list();

    LinuxGuest* guest_;
    Registers registers_;
    GuestMessage message_;
    bool supplied_argument_;
    State state_ = State::fresh;
    bool is_blocked_ = false;
    Answer last_;
    std::unique_ptr<Memory> memory_ = std::make_unique<Memory>();
};

} // namespace sim
