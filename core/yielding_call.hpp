// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include "call_state.hpp"
#include "memory_references.hpp"
#include "rpc.hpp"
#include "rpc_memory.hpp"
#include "shadow_message.hpp"
#include "tee.hpp"

#include <cstdint>
#include <optional>

namespace optee {

/// What a call does next. A call that waits for the guest keeps the stage with which it goes on when the guest is back.
enum class CallStage : std::uint8_t {
    // Before OP-TEE.
    translate_references,
    // With OP-TEE.
    enter_tee,
    // OP-TEE asks for something.
    deliver_request,
    release_buffer, ///< OP-TEE's SHM_FREE: the pages go before the guest hears of it
    // The guest is back.
    take_argument,
    take_answer,
    translate_answer, ///< its answer to SHM_ALLOC
    release_answer,   ///< refused: what was pinned goes
    ask_to_free,      ///< refused: the guest may have its memory back
    fail_request,
    // After OP-TEE.
    release_references,
    complete,
};

/// Where a guest says that its message is: in a page of its own, or in memory that it has registered.
struct MessageLocation {
    std::optional<Ipa> page{};
    Cookie buffer = Cookie::none;
    std::uint32_t offset = 0; ///< in the buffer
    ShadowMessage::RpcRoom rpc_room = ShadowMessage::RpcRoom::none;
};

/// One yielding call, in a slot that lives as long as the VM. Everything but the state belongs to the vCPU that moved
/// the state out of free or waiting_for_rpc; the hand-over from vCPU to vCPU is in AtomicCallState.
struct YieldingCall {
    explicit YieldingCall(Pa shadow_page) : message{shadow_page} {}

    AtomicCallState state{};
    CallStage stage = CallStage::complete;
    ShadowMessage message;
    MemoryReferences references{};
    std::optional<GuestPlace> guest_message{}; ///< where results go; nothing before the message was found
    std::optional<ShmRef> message_buffer{};    ///< registered memory that the message is in: in use until the end
    std::optional<TeeThread> thread{};         ///< of OP-TEE, while it is suspended in our call
    std::optional<TeeEntry> next_entry{};      ///< registers for the next entry into OP-TEE
    std::optional<RpcRequest> request{};       ///< the RPC CMD that waits for its answer
    std::optional<OfferedBuffer> offer{};      ///< a buffer on its way to OP-TEE, or back
    Cookie refused_cookie = Cookie::none;      ///< what the guest is asked to free
    std::optional<ShmRef> retired{}; ///< an argument that OP-TEE gave back, but lets go of only when it runs again
    std::optional<Error> refusal{};  ///< why the call never came to OP-TEE
    abi::ReturnCode code = abi::ReturnCode::ok;
    std::uint32_t failed_requests = 0;

    /// Where OP-TEE has made the request of this name: in use from now on. A call with room for RPCs has no other place.
    Result<RpcArgument> argument_named(ShmRegistry& registry, Cookie cookie) const;
};

/// One entry of a guest into its call: from the registers that it came with to those that it gets back.
class CallRun {
public:
    CallRun(VmContext& vm, ShmRegistry& registry, YieldingCall& call, std::uint32_t slot, optee_smc_frame& frame);

    /// CALL_WITH_ARG and its like, in a slot that was just taken.
    void begin(MessageLocation const& location);
    /// RETURN_FROM_RPC, with a claim on the call.
    void resume();
    /// True when the call is through, and its slot free for the next one.
    bool ended() const { return ended_; }

private:
    // What the guest gets to see for a while.
    enum class Step { next_stage, back_to_guest };

    Status prepare(MessageLocation const& location);
    Status fetch_message(MessageLocation const& location);
    Status judge_ta();
    Result<GuestWindow> find_message(MessageLocation const& location);
    void run();
    Step do_stage();

    Step translate_references();
    Step enter_tee();
    Step deliver_request();
    Step release_buffer();
    Step take_argument();
    Step take_answer();
    Step translate_answer();
    Step release_answer();
    Step ask_to_free();
    Step fail_request();
    Step release_references();
    Step complete();

    void release_retired();
    bool belongs_to_this_call(TeeAnswer const& answer);
    Step take_return(TeeAnswer const& answer);
    Step on_rpc(TeeAnswer const& answer);
    Step on_rpc_alloc(TeeAnswer const& answer);
    Step on_rpc_free(TeeAnswer const& answer);
    Step on_foreign_interrupt(TeeAnswer const& answer);
    Step on_rpc_command(TeeAnswer const& answer);
    Step on_end(TeeAnswer const& answer);
    Step take_alloc_answer(GuestWindow const& guest);
    Step refuse_offer(abi::Param const& answer);

    Step go_to(CallStage stage);
    Step resume_tee(std::uint64_t a1 = 0, std::uint64_t a2 = 0, std::uint64_t a4 = 0, std::uint64_t a5 = 0);
    Step finish_request();
    /// What the guest is asked for.
    struct Question {
        std::uint32_t rpc; ///< abi::RpcReturn
        std::uint64_t a1 = 0;
        std::uint64_t a2 = 0;
        std::uint32_t command = 0; ///< of RpcReturn::command: it stands in the argument, and here for the trace
    };
    Step suspend(CallStage then, Question const& question);
    Step suspend_for_command(CallStage then, std::uint32_t command);
    Step suspend_for_interrupt(CallStage then);
    Step preempted();
    Step quarantine(TeeAnswer const& answer, abi::ReturnCode code);
    Step anomaly(TeeAnswer const& answer);
    CallHandle handle() const;
    void set_code(abi::ReturnCode code);
    void record_end(abi::TeeResult result);

    VmContext& vm_;
    ShmRegistry& registry_;
    YieldingCall& call_;
    std::uint32_t slot_;
    optee_smc_frame& frame_;
    Budget translate_budget_;
    Budget release_budget_;
    std::uint32_t entries_left_;
    std::uint32_t in_place_left_;
    bool ended_ = false;
};

/// Limits on the work of one entry (I13). docs/architecture.md tells where the numbers come from.
struct EntryLimits {
    static constexpr std::uint32_t pages_translated = 64;
    static constexpr std::uint32_t pages_released = 512;
    static constexpr std::uint32_t tee_entries = 8;
    static constexpr std::uint32_t interrupts_in_place = 4;
    /// Of one call, not of one entry: requests that the mediator answers with a failure before it gives the call up.
    static constexpr std::uint32_t failed_requests = 256;
};

} // namespace optee
