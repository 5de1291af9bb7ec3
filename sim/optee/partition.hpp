// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// What OP-TEE keeps for one client (virtualization.c, struct guest_partition): threads, shared buffers, sessions.
// Calls of several vCPUs run in it at once; its mutex guards the lists and is never held while a thread runs, nor at
// a moment that an observer sees (one that switches fibers there would lock itself out).

#include "sim/machine/vm.hpp"
#include "sim/optee/message.hpp"
#include "sim/optee/performance.hpp"
#include "sim/optee/task.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace sim::tee {

class Optee;

/// What a thread asks normal world for: a0 to a2.
struct RpcRequest {
    std::uint32_t a0 = 0;
    std::uint32_t a1 = 0;
    std::uint32_t a2 = 0;
    bool takes_answer = true; ///< false for foreign interrupts: thread.h, THREAD_FLAGS_COPY_ARGS_ON_RETURN
};

/// Who keeps a payload: thread.h, enum thread_shm_cache_user.
enum class PayloadUser : std::uint8_t { file_system, socket };

struct CachedPayload {
    PayloadUser user{};
    Buffer buffer;
};

struct Thread {
    enum class State : std::uint8_t { free, active, suspended };

    std::uint32_t id = 0;
    State state = State::free; ///< guarded by the partition's mutex
    Task<std::uint32_t> body;
    std::coroutine_handle<> resume_at;
    RpcRequest request;
    std::array<std::uint32_t, 4> answer{};          ///< a1, a2, a4, a5 of the RETURN_FROM_RPC
    Buffer rpc_buffer;                              ///< thr->rpc_mobj: argument of RPCs, perhaps cached over calls
    Message rpc_message;                            ///< thr->rpc_arg
    std::vector<CachedPayload> payloads;            ///< thr->shm_cache, the youngest first
    std::shared_ptr<Performance const> performance; ///< what the application does in this call, when it is given
    bool is_reserved = false;                       ///< guarded by the partition's mutex
};

enum class App : std::uint8_t;

struct Session {
    std::uint32_t id = 0;
    App app{};
    // Guarded by the partition's mutex.
    bool busy = false; ///< one call at a time in a session
    bool cancelled = false;
    bool signalled = false;
    bool opening = false;
    bool closing = false;
    std::vector<std::uint32_t> waiting_for_turn;
    std::vector<std::uint32_t> waiting_for_signal;
};

class Partition : public std::enable_shared_from_this<Partition> {
public:
    Partition(Optee&, Vm&, std::uint32_t client);
    ~Partition();
    Partition(Partition const&) = delete;
    Partition& operator=(Partition const&) = delete;

    void yielding_call(optee_smc_frame&);
    void disable_shm_cache(optee_smc_frame&);
    void enable_shm_cache(optee_smc_frame&);

    /// VM_DESTROYED. Threads that are suspended never run again; those that run end with the call they are in.
    void shut_down();

    Optee& optee() const { return optee_; }
    Machine& machine() const { return vm_.machine(); }
    Vm& vm() const { return vm_; }
    std::uint32_t client() const { return client_; }
    std::mutex& mutex() { return mutex_; }

    // --- for the threads
    void add(Buffer const&);                                    ///< reports a name that is in use (I11)
    void remove(Buffer const&);                                 ///< takes it off the list and gives the pages back
    BufferList buffers;                                         ///< guarded by mutex()
    std::map<std::uint32_t, std::shared_ptr<Session>> sessions; ///< guarded by mutex()
    std::uint32_t next_session() const;                         ///< with mutex() held
    bool caches_rpc_arguments = false;                          ///< guarded by mutex()

    // --- for who plays what another OP-TEE did
    void perform_in_next_call(std::shared_ptr<Performance const>);
    void begin_next_call_on(std::uint32_t thread);  ///< if it is free; else, and without this, on the first free one
    std::uint32_t last_thread() const;              ///< of the call that began last
    void reserve_thread(std::uint32_t id, bool on); ///< no call begins on it, as if another vCPU were still there

    // --- for the tests
    std::uint32_t busy_threads() const;
    std::uint32_t suspended_threads() const;
    bool knows(std::uint64_t cookie) const;
    std::size_t live_buffers() const;
    std::size_t open_sessions() const;

private:
    void begin(optee_smc_frame&);
    void resume(optee_smc_frame&);
    void run(Thread&, std::coroutine_handle<>, optee_smc_frame&);

    Optee& optee_;
    Vm& vm_;
    std::uint32_t client_;
    std::vector<std::unique_ptr<Thread>> threads_;
    mutable std::mutex mutex_;
    bool is_shut_down_ = false;
    std::shared_ptr<Performance const> next_performance_;
    std::optional<std::uint32_t> next_thread_;
    std::uint32_t last_thread_ = 0;
    std::vector<std::unique_ptr<Thread>>::iterator free_thread();
};

} // namespace sim::tee
