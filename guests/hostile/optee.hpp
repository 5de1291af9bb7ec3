// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// OP-TEE's ABI as a guest speaks it: messages, calls with their RPCs, and a supplicant that has nothing to offer. The
// constants are those of the core.

#include "abi/message.hpp"
#include "abi/rpc.hpp"
#include "abi/smc.hpp"
#include "platform.hpp"

#include <cstdint>

namespace hostile {

namespace abi = optee::abi;
using abi::Command;
using abi::ParamType;
using abi::ReturnCode;
using abi::RpcReturn;
using abi::SmcFunction;
using abi::TeeResult;

constexpr Word raw(auto value)
{
    return static_cast<Word>(value);
}

// --- messages

/// struct optee_msg_arg in a page of its own.
struct Message {
    abi::MessageHeader header;
    abi::Param params[abi::max_params];

    Message& value(unsigned index, ParamType type, Word a = 0, Word b = 0, Word c = 0);
    /// A reference to memory: for temporary memory `buffer` is an address, for registered memory an offset.
    Message& memory(unsigned index, Word attributes, Word buffer, Word size, Word cookie);

    abi::Param volatile& param(unsigned index) { return params[index]; }
    bool has_result(TeeResult result) const { return header.result == static_cast<std::uint32_t>(result); }
    /// Refused by whoever carries the message, before OP-TEE has seen it.
    bool is_refused() const { return header.result != 0 && header.result_origin == abi::origin_comms; }
};
static_assert(sizeof(Message) == page_bytes);

inline constexpr Word list_of_pages = raw(ParamType::tmem_output) | abi::Attribute::noncontiguous;
inline constexpr Word list_in_and_out = raw(ParamType::tmem_inout) | abi::Attribute::noncontiguous;

/// A result of 0 stands in it from the beginning: who forgets to write one lets a failed call look like success.
Message& new_message(Command, unsigned params);
Message& new_message(Word command, unsigned params);

/// A name of shared memory that was not used before.
Word new_cookie();

/// A page list: entries that follow each other, and pages of the list behind each other.
Page& page_list(Word first_page, std::size_t pages);

// --- calls

/// a0 of a call that went its way; its message tells the rest.
inline constexpr Word ended_well = 0;

/// Says that a call brings the room for its RPCs with it: CALL_WITH_RPC_ARG.
struct RoomBehind {};
inline constexpr RoomBehind room_behind{};

/// A message of so many parameters, or the argument of an RPC.
constexpr std::size_t bytes_of_message(std::size_t params)
{
    return abi::header_bytes + params * abi::param_bytes;
}

/// A yielding call. Interrupts are nobody's business but OP-TEE's: such a call goes on at once.
class Call {
public:
    explicit Call(Message&);
    Call(RoomBehind, Message&);
    /// CALL_WITH_REGD_ARG: the message is in registered memory, and this guest finds it at `message`.
    Call(Word cookie, Word offset, Message& message);
    Call(Word function, Registers const&); ///< any other way to begin one

    Word a0() const { return last_.x[0] & 0xffffffff; }
    Word handle() const { return last_.x[3]; }
    Registers const& registers() const { return last_; }
    bool is_rpc() const;
    bool asks(std::uint32_t rpc) const { return a0() == rpc; }
    /// The request of an RPC with a command; the guest's own page.
    Message& request() const;
    bool asks_command(std::uint32_t command) const;

    /// Answers the RPC with these registers; a0 and a3 are set here.
    void answer(Registers);
    /// Answers with exactly these registers, whatever they say.
    void answer_raw(Registers const&);
    /// Answers the RPC as a guest should.
    void serve();
    /// Serves until the call asks for this, or ends.
    bool serve_until(std::uint32_t rpc);
    bool serve_until_command(std::uint32_t command);
    /// Serves to the end. False when it does not end.
    bool finish();

    void keep_interrupts() { keeps_interrupts_ = true; }

private:
    void go(Registers const&);

    Registers last_;
    Message* room_ = nullptr; ///< for requests, if the call brought some
    bool keeps_interrupts_ = false;
};

/// Requests that OP-TEE may make of a guest: optee_rpc_cmd.h.
struct Request {
    static constexpr std::uint32_t load_ta = 0;      // OPTEE_RPC_CMD_LOAD_TA
    static constexpr std::uint32_t file_system = 2;  // OPTEE_RPC_CMD_FS
    static constexpr std::uint32_t notification = 4; // OPTEE_RPC_CMD_NOTIFICATION
    static constexpr std::uint32_t shm_alloc = abi::RpcCommand::shm_alloc;
    static constexpr std::uint32_t shm_free = abi::RpcCommand::shm_free;
};

/// One call from begin to end; returns a0.
Word call(Message&);

/// A call that is refused before OP-TEE hears of it: a0 is OK, and the message says why.
bool is_refused(Message&, char const* what);

// --- what OP-TEE has for everybody

struct Uuid {
    Word a;
    Word b;
};

/// Pseudo TAs that are part of OP-TEE: invoke_tests.pta and device.pta.
inline constexpr Uuid tests_pta{0xe321e5c3405b6ad9, 0x1bc6d5a502109487};
inline constexpr Uuid devices_pta{0x5340dedd88a61170, 0xb813df4d3c7ba9a5};
/// Nobody's: to look for it OP-TEE asks the guest for everything that it can ask for.
inline constexpr Uuid nobody{0x1111111111111111, 0x2222222222222222};

Message& open_session(Uuid const&, unsigned more_params = 0);
Message& invoke(std::uint32_t session, std::uint32_t function, unsigned params);

inline constexpr std::uint32_t tests_params = 1; // PTA_INVOKE_TESTS_CMD_PARAMS: a value, or the sum of bytes
inline constexpr std::uint32_t tests_mutex = 7;  // PTA_INVOKE_TESTS_CMD_MUTEX: takes as long as it is told
inline constexpr std::uint32_t tests_null = 10;  // PTA_INVOKE_TESTS_CMD_MEMREF_NULL

/// The session with tests_pta that all attacks use.
std::uint32_t tests_session();

/// Messages that register pages under a name, and unregister them; and the calls. True when OP-TEE agreed.
Message& register_message(Word cookie, Word list, Word size);
Message& unregister_message(Word cookie);
bool share(Word cookie, Page& first, std::size_t pages = 1);
bool unshare(Word cookie);

/// Lets OP-TEE add up registered bytes; the sum is in the first byte afterwards. True when OP-TEE did it.
bool sum(Word cookie, std::size_t bytes);

/// Values, registered memory, and RPC: does all of it work?
bool is_served();

} // namespace hostile
