// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// A guest that does what it is told, with as little work of its own as possible.

#include "sim/optee/abi.hpp"
#include "tests/bench/subject.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace bench {

class Guest {
public:
    static constexpr std::uint64_t most_calls = NullMachine::most_threads;
    /// Pages of a VM that can share so many in one buffer.
    static constexpr std::uint64_t pages_for(std::uint64_t shared)
    {
        return data_begin + shared + shared / sim::abi::entries_per_list + 2;
    }

    Guest(Subject const& subject, NullMachine& machine, std::uint16_t client, std::uint64_t shared, Layout layout);

    /// INVOKE_COMMAND in message `call`, from begin to end, without memory or with a buffer that is registered.
    void invoke(std::uint64_t call);
    void invoke_with(std::uint64_t call, std::uint64_t cookie);
    /// As Linux 6.1 does it: the message is in registered memory, if the mediator offers that.
    void invoke_as_linux(std::uint64_t cookie);
    /// One that OP-TEE suspends: it waits at its first request (of the driver, or an interrupt).
    void start(std::uint64_t call, Wish wish);
    /// Answers what the call waits for; it comes to its next request.
    void go_on(std::uint64_t call);

    void register_memory(std::uint64_t cookie, std::uint64_t pages);
    void unregister_memory(std::uint64_t cookie);
    void ask_revision();
    void open_and_close();

    /// Entries into the mediator since it was asked last.
    std::uint64_t take_entries();

private:
    // Where things are in the guest's memory, by pages.
    static constexpr std::uint64_t arguments_begin = most_calls;
    static constexpr std::uint64_t data_begin = 2 * most_calls;

    struct Waiting {
        std::uint64_t a[8];
    };

    static std::uint64_t page(std::uint64_t number) { return ram_begin + number * page_bytes; }
    std::uint64_t message_of(std::uint64_t call) const { return page(call); }
    void write_message(std::uint64_t message,
                       std::uint32_t command,
                       std::uint32_t wish,
                       sim::abi::Param const* param);
    void enter(std::uint64_t* a);
    void call_to_the_end(std::uint64_t call);
    void to_the_end(std::uint64_t* a, std::uint64_t message);
    void answer(std::uint64_t call, std::uint64_t* a);

    std::unique_ptr<NullVm> vm_;
    std::unique_ptr<Client> client_;
    bool uses_rpc_arguments_;
    std::uint64_t shared_;
    std::vector<Waiting> waiting_{most_calls};
    std::atomic<std::uint64_t> entries_{0};
};

} // namespace bench
