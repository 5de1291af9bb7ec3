// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// Words in which attacks are told: messages and page lists made by hand, pages and addresses that will not do, what a
// VM holds, what comes to OP-TEE. A hostile guest is VM 0; what is not its own belongs to VM 1.

#include "sim/invariants/unchanged.hpp"
#include "tests/attack/attack.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sim::attack {

// --- what lies at an address where RAM of the guest should be

struct BadPage {
    char const* name;
    void (*put)(Machine&, Ipa); ///< at that address of VM 0
};
/// Absent, read-only, a page of VM 1 (mapped, granted), a device.
std::vector<BadPage> const& bad_pages();
/// The page of VM 1 that is put there.
Ipa innocent_page(Machine&);

struct BadAddress {
    char const* name;
    Ipa ipa;
};
/// Whole pages that no stage-2 translates: just beyond the VM's RAM, beyond every stage-2, at the very end.
std::vector<BadAddress> addresses_of_nothing(Vm const&);
/// RAM at IPA 0, which OP-TEE takes for "no memory".
void put_ram_at_null(Vm&);

// --- messages

/// RETURN_FROM_RPC as Linux sends it: the other registers are as the RPC left them.
Registers back_from_rpc(Answer const& rpc);
/// CALL_WITH_ARG on what is at that address.
Registers call_with_arg(Ipa message);
Call call_at(LinuxGuest&, Ipa message);
/// Writes a message; the rest of the page stays.
GuestMessage write_message(
    Vm&, Ipa at, std::uint32_t cmd, std::uint32_t func, std::uint32_t session, std::vector<abi::Param> const& params);
/// A parameter exactly as it will stand in the message.
Argument as_is(abi::Param const&);
/// A new session with the app that adds one to values.
std::uint32_t echo_session(LinuxGuest&);

/// The app that inverts memory does so, in a session of its.
CallResult invert(LinuxGuest&, std::uint32_t session, Arguments const&, std::uint32_t vcpu = 0);

// --- page lists

/// A NONCONTIG page list of any entries, in pages of its own that lead from one to the next. Freed with the object.
class HandMadeList {
public:
    HandMadeList(LinuxGuest&, std::vector<Ipa> const& entries);
    ~HandMadeList();
    HandMadeList(HandMadeList const&) = delete;
    HandMadeList& operator=(HandMadeList const&) = delete;

    Ipa page(std::uint64_t n = 0) const { return Ipa{base_.raw + n * page_bytes}; }
    void set_entry(std::size_t n, Ipa) const;
    void set_next(std::uint64_t page, Ipa) const;
    /// A reference to it, of the whole list if no size is given.
    abi::Param reference(std::uint64_t tmem_attr, std::uint64_t cookie) const;
    abi::Param reference(std::uint64_t tmem_attr,
                         std::uint64_t cookie,
                         std::uint64_t size,
                         std::uint32_t offset) const;

private:
    LinuxGuest& guest_;
    std::uint64_t entries_;
    std::uint64_t pages_;
    Ipa base_;
};

/// Pages of the guest's own, not next to each other. They stay allocated.
std::vector<Ipa> own_pages(LinuxGuest&, std::size_t count);

// --- names

/// A cookie that the guest's driver never gives.
constexpr std::uint64_t odd_cookie(std::uint64_t n = 0)
{
    return 0xffff'0000'7000'0000 + n * 0x80;
}
/// The same memory under another name.
Shm renamed(Shm const&, std::uint64_t cookie);

// --- what is there, before and after

using PageContents = std::array<std::uint32_t, page_bytes / 4>;
PageContents contents_of(Vm const&, Ipa page);
/// Every word of the page becomes this.
void fill_page(Vm&, Ipa page, std::uint32_t word);
/// Byte offsets of the words that differ.
std::vector<std::uint32_t> changes(PageContents const& before, PageContents const& after);

/// Where in a message its outputs are: session, ret and ret_origin, and `words` (1: a, 2: b or size, 3: c) of parameter
/// `n`. The session is one of OPEN_SESSION only, but says nothing new where another call gets it back.
std::vector<std::uint32_t> outputs_of_result();
std::vector<std::uint32_t> outputs_of_param(std::uint32_t n, std::vector<std::uint32_t> const& words);
/// Every change is at one of these places.
testing::AssertionResult changed_only(std::vector<std::uint32_t> const& changes,
                                      std::vector<std::vector<std::uint32_t>> const& allowed);

// --- what comes to OP-TEE

/// How often a VM came to OP-TEE. Lives within one world.
class Smcs : public Observer {
public:
    explicit Smcs(Vm&);
    ~Smcs() override;
    void at(Moment const&) override;
    std::uint32_t seen() const { return seen_; }

private:
    Vm& vm_;
    std::uint32_t seen_ = 0;
};

/// What OP-TEE is given with every yielding call of a VM, in order. Lives within one world; OP-TEE's odd behaviour ends
/// with it.
class Forwarded {
public:
    struct Message {
        optee_smc_frame frame;
        std::array<std::uint32_t, abi::header_bytes / 4> header; ///< see field()
        std::vector<abi::Param> params;

        std::uint32_t field(std::uint32_t at) const { return header.at(at / 4); }
    };
    explicit Forwarded(Vm&);
    ~Forwarded();
    Forwarded(Forwarded const&) = delete;
    Forwarded& operator=(Forwarded const&) = delete;

    std::vector<Message> const& all() const { return messages_; }
    Message const& last() const { return messages_.back(); }

private:
    Vm& vm_;
    std::vector<Message> messages_;
};

/// OP-TEE's next answer to DISABLE_SHM_CACHE hands back this cookie, whether it has it or not.
void hand_back_next(Machine&, std::uint64_t cookie);

// --- answers

/// Unknown function, said by the mediator, or by the hypervisor since the mediator does not know the id.
testing::AssertionResult is_unknown(Registers const& before, Answer const&);
/// This a0, and a1 to a7 as they were.
testing::AssertionResult is_only(std::uint32_t a0, Registers const& before, Answer const&);
/// Answered in the message, with one of these, without OP-TEE.
testing::AssertionResult is_refused_with(CallResult const&, std::vector<std::uint32_t> const& rets);
/// As when a buffer is not there, or not any more, or not at this moment.
bool is_refused_or_busy(CallResult const&);
/// OP-TEE itself refused: its origin is in the message.
testing::AssertionResult is_refused_by_optee(CallResult const&);

} // namespace sim::attack
