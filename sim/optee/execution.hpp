// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// What a running thread of OP-TEE can do besides computing: ask normal world (thread_optee_smc.c, thread_rpc_*), be
// interrupted, wait for another thread (wait_queue.c).

#include "sim/optee/partition.hpp"

#include <cstdint>
#include <functional>
#include <vector>

namespace sim::tee {

/// One parameter of an RPC. A memory reference with a buffer goes out as RMEM, without one as TMEM NULL.
struct RpcParam {
    std::uint64_t attr = abi::attr::none;
    std::uint64_t a = 0; ///< offset
    std::uint64_t b = 0; ///< size
    std::uint64_t c = 0;
    Buffer memory;

    static RpcParam value(std::uint64_t attr, std::uint64_t a = 0, std::uint64_t b = 0, std::uint64_t c = 0)
    {
        return {attr, a, b, c, nullptr};
    }
    /// `rmem_attr`: the direction, as an attribute of RMEM.
    static RpcParam reference(std::uint64_t rmem_attr, Buffer memory, std::uint64_t offset, std::uint64_t size)
    {
        return {rmem_attr, offset, size, 0, std::move(memory)};
    }
};

using RpcParams = std::vector<RpcParam>;

class Execution {
public:
    Execution(Partition& partition, Thread& thread) : partition_{partition}, thread_{thread} {}

    Partition& partition() const { return partition_; }
    Thread& thread() const { return thread_; }
    Machine& machine() const { return partition_.machine(); }
    Vm& vm() const { return partition_.vm(); }

    /// Leaves the secure world with this request; goes on when normal world returns.
    struct Return {
        Thread& thread;
        RpcRequest request;

        bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<> here) const noexcept
        {
            thread.request = request;
            thread.resume_at = here;
        }
        void await_resume() const noexcept {}
    };
    Return rpc(RpcRequest request) { return {thread_, request}; }

    /// A point at which an interrupt for normal world may arrive.
    Task<> interruptible();

    /// RPC CMD: returns what normal world answered as `ret`, and its outputs in `params`.
    Task<std::uint32_t> command(std::uint32_t cmd, RpcParams& params);

    /// SHM_ALLOC and SHM_FREE, for a payload of either kind. nullptr when normal world cannot or may not.
    Task<Buffer> allocate_payload(std::uint64_t size, std::uint64_t kind);
    Task<> free_payload(Buffer payload, std::uint64_t kind);
    /// A payload that is kept until the call ends, for the next request of the same user.
    Task<Buffer> cached_payload(PayloadUser, std::uint64_t size);

    /// Gives back what the thread got from normal world; the RPC argument stays when it is cached.
    Task<> end_of_call(bool argument_was_supplied);
    Task<> drop_rpc_argument();

    /// Sleeps until `met()`, asked with the partition's mutex held, is true. `waiting` is who to wake.
    Task<> wait_until(std::vector<std::uint32_t>& waiting, std::function<bool()> met);
    Task<> wake(std::vector<std::uint32_t>& waiting);
    std::uint64_t own_notification() const; ///< what this thread sleeps for

private:
    Task<Buffer> allocate_argument();
    Task<> free_argument(std::uint64_t cookie);
    Task<std::uint32_t> prepare(std::uint32_t cmd, RpcParams const& params);
    Task<> request_command();
    Buffer payload_from_answer(std::uint64_t size, std::uint64_t* cookie);

    Partition& partition_;
    Thread& thread_;
};

} // namespace sim::tee
