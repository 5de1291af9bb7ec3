// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// A guest whose driver is the fuzzer's bytes: it knows the protocol, and each byte decides how far it keeps to it. Where
// every byte is zero it behaves, which is what takes a script deep into OP-TEE.

#include "sim/machine/machine.hpp"
#include "sim/optee/abi.hpp"
#include "tests/fuzz/bytes.hpp"

#include <cstdint>
#include <map>
#include <vector>

namespace sim::fuzz {

/// What the pages of a VM are for. A page has one purpose, unless the script is of those that mix them.
struct Layout {
    static constexpr std::uint64_t messages = 0; ///< first page
    static constexpr std::uint64_t message_pages = 8;
    static constexpr std::uint64_t lists = 8;
    static constexpr std::uint64_t list_pages = 24;
    static constexpr std::uint64_t arguments = 32; ///< of RPCs
    static constexpr std::uint64_t argument_pages = 8;
    static constexpr std::uint64_t data = 40;
    static constexpr std::uint64_t data_pages = 24;
    static constexpr std::uint64_t pages = data + data_pages;
};

class HostileGuest {
public:
    /// `mixes`: a page may be message and list and data at once. Then I9 has no meaning: see sim/README.md.
    HostileGuest(Vm& vm, bool mixes) : vm_{vm}, mixes_{mixes} {}

    // --- one step each, on this vCPU
    void fast_call(Bytes&, std::uint32_t vcpu);
    void call(Bytes&, std::uint32_t vcpu);
    void answer(Bytes&, std::uint32_t vcpu);
    void any_smc(Bytes&, std::uint32_t vcpu);
    void write_memory(Bytes&);

    /// Answers what is open as a fair guest would, a bounded number of times.
    void finish_calls(std::uint32_t vcpu);
    void forget_calls() { open_.clear(); }

    Vm& vm() const { return vm_; }

private:
    struct OpenCall {
        Registers asked; ///< the RPC, as it stands in the registers
        Ipa message;
        std::uint32_t cmd;
        Ipa room{0}; ///< behind the message, for the argument of its RPCs, if it came with one
    };
    enum class Form : std::uint8_t { with_arg, with_rpc_arg, with_regd_arg };

    void take(OpenCall, Answer const&);
    Registers serve(Bytes&, OpenCall const&);
    void serve_command(Bytes&, Ipa message);
    abi::Param memory_for_optee(Bytes&, std::uint64_t bytes);
    abi::Param param(Bytes&, std::uint32_t n);
    abi::Param any_param(Bytes&, std::uint32_t n);
    Ipa list(Bytes&, std::uint32_t n, std::uint64_t pages);
    Registers call_registers(Bytes&, Form, Ipa message);
    Ipa room_behind(Ipa message) const;
    Ipa page(Bytes&, std::uint64_t purpose, std::uint64_t pages);
    Ipa any_address(Bytes&);
    Ipa odd_list(Bytes&); ///< where no page list is, unless the script mixes purposes
    std::uint64_t cookie(Bytes&);
    std::uint64_t size(Bytes&);
    void write_message(Bytes&, Ipa, std::uint32_t cmd);
    std::uint32_t session(Bytes&);

    Vm& vm_;
    bool mixes_;
    std::vector<OpenCall> open_;
    std::vector<std::uint32_t> sessions_;
    std::map<std::uint64_t, Ipa> arguments_; ///< RPC arguments given to OP-TEE, by cookie
};

} // namespace sim::fuzz
