// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// A guest that uses OP-TEE as Linux 6.1 does (drivers/tee/optee). Two ways: to the end (open, invoke, ...: blocks as
// a process would, so other vCPUs must be threads), or step by step (begin_...: see call.hpp).

#include "sim/linux/call.hpp"
#include "sim/linux/guest_memory.hpp"
#include "sim/linux/supplicant.hpp"
#include "sim/optee/trusted_apps.hpp"

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace sim {

class LinuxGuest {
public:
    struct Options {
        bool uses_rpc_arguments = true; ///< when OP-TEE offers them; false: a kernel before 5.19
        bool enables_shm_cache = true;
    };

    explicit LinuxGuest(Vm& vm) : LinuxGuest{vm, Options{}} {}
    LinuxGuest(Vm&, Options);

    // --- the driver
    bool probe(std::uint32_t vcpu = 0); ///< false: the driver would not bind; see probe_failure()
    std::string const& probe_failure() const { return probe_failure_; }
    void remove(std::uint32_t vcpu = 0); ///< fetches the cached arguments, frees what the driver has
    std::uint32_t capabilities() const { return capabilities_; }

    // --- memory
    Shm allocate_shm(std::uint64_t bytes, std::uint32_t vcpu = 0); ///< kernel memory, registered
    Shm register_memory(std::uint64_t bytes, std::uint32_t offset = 0, std::uint32_t vcpu = 0); ///< a process's
    CallResult register_shm(Shm const&, std::uint32_t vcpu = 0);
    CallResult unregister_shm(Shm const&, std::uint32_t vcpu = 0);
    void free_shm(Shm const&, std::uint32_t vcpu = 0); ///< unregisters it when it is registered
    /// Registers the memory for so many messages at once, so that no call has to wait for that.
    void prepare_messages(std::uint32_t count, std::uint32_t vcpu = 0);
    GuestMemory& memory() { return memory_; }
    void fill(Shm const&, std::vector<std::uint8_t> const&);
    std::vector<std::uint8_t> contents(Shm const&) const;

    // --- calls to the end
    CallResult open(tee::App, Arguments const& = {}, std::uint32_t vcpu = 0);
    CallResult invoke(std::uint32_t session, std::uint32_t function, Arguments const& = {}, std::uint32_t vcpu = 0);
    CallResult close(std::uint32_t session, std::uint32_t vcpu = 0);
    CallResult cancel(std::uint32_t session, std::uint32_t vcpu = 0);
    /// Runs a call that was begun; throws std::runtime_error when it does not end within some seconds.
    CallResult finish(Call&, std::uint32_t vcpu = 0);

    // --- calls step by step
    Call begin_open(tee::App, Arguments const& = {}, std::uint32_t vcpu = 0);
    Call begin_invoke(std::uint32_t session, std::uint32_t function, Arguments const& = {}, std::uint32_t vcpu = 0);
    Call begin_close(std::uint32_t session, std::uint32_t vcpu = 0);
    Call begin_cancel(std::uint32_t session, std::uint32_t vcpu = 0);
    Call begin_register(Shm const&);
    Call begin_unregister(Shm const&);
    /// For who drives a call by hand and finds it waiting: sleeps until something has happened since events() was asked.
    std::uint64_t events();
    void sleep(std::uint64_t events_seen);
    void wake_all(); ///< those who sleep look again
    /// Any message.
    Call begin(
        std::uint32_t cmd, std::uint32_t func, std::uint32_t session, Arguments const&, std::uint32_t vcpu = 0);

    Vm& vm() const { return vm_; }
    Supplicant& supplicant() { return supplicant_; }

private:
    friend class Call;

    bool exchange_capabilities(std::uint32_t vcpu);
    Call begin_private(std::uint32_t cmd, Arguments const&);
    Call begin_cached(
        std::uint32_t cmd, std::uint32_t func, std::uint32_t session, Arguments const&, std::uint32_t vcpu);
    void write_message(Call&, std::uint32_t cmd, std::uint32_t func, std::uint32_t session, Arguments const&);
    bool has_rpc_arguments() const { return rpc_param_count_ != 0; }
    std::uint64_t take_slot(std::uint32_t vcpu); ///< which may register memory
    void give_slot(std::uint64_t);
    void asked_for_unknown(char const* what);

    bool take_notification(std::uint64_t key);
    void notify(std::uint64_t key);

    Vm& vm_;
    Options options_;
    GuestMemory memory_;
    Supplicant supplicant_;
    std::string probe_failure_;
    std::uint32_t capabilities_ = 0;
    std::uint32_t rpc_param_count_ = 0;
    std::mutex mutex_; ///< guards what follows
    std::condition_variable changed_;
    std::uint64_t events_ = 0; ///< calls ended, notifications sent: what a sleeper waits for
    std::set<std::uint64_t> notifications_;
    std::vector<Shm> argument_cache_;
    std::vector<std::uint64_t> free_slots_;
};

} // namespace sim
