// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// A mediator as the benchmarks see it.

#include "tests/bench/null_machine.hpp"

#include <memory>
#include <string_view>

namespace bench {

/// What a mediator keeps for one VM.
class Client {
public:
    virtual ~Client() = default;
    /// One trapped SMC. The registers are a0 to a7, as the guest has them.
    virtual void handle_smc(std::uint64_t* a) = 0;
};

struct Subject {
    std::string_view name;
    std::uint32_t most_calls;   ///< in flight at once
    std::uint32_t most_buffers; ///< of one VM
    std::uint64_t most_pages;   ///< in one buffer
    bool offers_rpc_arguments;  ///< calls whose message is in registered memory, with room for RPCs behind it
    /// False: this mediator does not serve that machine's OP-TEE.
    bool (*probe)();
    std::unique_ptr<Client> (*make)(NullVm& vm);
};

Subject const& ours();
/// Xen's mediator; its limits are those of its source.
Subject const& upstream();

} // namespace bench
