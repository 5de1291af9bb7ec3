// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// The least that a mediator can run on: memory, a stage-2 table for each VM, and an OP-TEE that answers at once. Unlike
// the simulator it checks nothing, so that what is measured is the mediator; it only counts what it is asked for.

#include <optee_mediator/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace bench {

inline constexpr std::uint64_t page_bytes = 4096;
inline constexpr std::uint64_t ram_begin = 0x4000'0000; ///< IPA of a VM's first page

/// What one CPU asked of the machine.
struct Work {
    std::uint64_t look_ups = 0; ///< in a stage-2 table
    std::uint64_t pages_pinned = 0;
    std::uint64_t bytes_copied = 0; ///< between guest and mediator
    std::uint64_t pages_allocated = 0;
    std::uint64_t blocks_allocated = 0; ///< of a hypervisor's heap
    std::uint64_t locks = 0;
    std::uint64_t smcs = 0;
};
extern thread_local Work work;

/// What the mediator under test holds of the machine's memory now.
struct Held {
    std::atomic<std::uint64_t> bytes{0};
    std::atomic<std::uint64_t> pins{0};
};

/// While one of these lives on a CPU its instructions are not the mediator's (only valgrind counts them at all).
class Outside {
public:
    Outside();
    ~Outside();
    Outside(Outside const&) = delete;
    Outside& operator=(Outside const&) = delete;
};
/// The opposite: from here on the mediator runs.
class Inside {
public:
    Inside();
    ~Inside();
    Inside(Inside const&) = delete;
    Inside& operator=(Inside const&) = delete;
};

/// How a VM's pages lie in the machine.
enum class Layout { contiguous, scattered };

/// What OP-TEE does with a call: in the message's `func`.
enum class Wish : std::uint32_t { nothing, foreign_interrupts, requests };

class NullMachine;

/// Memory of a VM and its stage-2.
class NullVm {
public:
    NullVm(NullMachine& machine, std::uint16_t client, std::uint64_t pages, Layout layout);

    /// The page's physical address; 0: there is none.
    std::uint64_t look_up(std::uint64_t ipa) const
    {
        auto const number = (ipa - ram_begin) / page_bytes;
        return ipa >= ram_begin && number < stage2_.size() ? stage2_[number] : 0;
    }
    /// What the guest itself sees at an IPA; for objects that lie in one page.
    template <typename T>
    T& at(std::uint64_t ipa) const
    {
        return *static_cast<T*>(address(ipa));
    }
    NullMachine& machine() const { return *machine_; }
    std::uint16_t client() const { return client_; }

private:
    void* address(std::uint64_t ipa) const;

    NullMachine* machine_;
    std::uint16_t client_;
    std::vector<std::uint64_t> stage2_;
};

class NullMachine {
public:
    explicit NullMachine(std::uint64_t pages, std::uint64_t threads = most_threads);
    ~NullMachine();
    NullMachine(NullMachine const&) = delete;
    NullMachine& operator=(NullMachine const&) = delete;

    void* address(std::uint64_t pa) const { return memory_ + (pa - memory_begin); }
    std::uint64_t take_run(std::uint64_t pages); ///< for a VM; never given back
    std::uint64_t take_page();                   ///< for the mediator
    void give_page(std::uint64_t pa);
    std::atomic<std::uint32_t>& pins(std::uint64_t pa) { return pins_[(pa - memory_begin) / page_bytes]; }
    Held& held() { return held_; }

    void smc(std::uint64_t* a); ///< a0 to a7 in, a0 to a3 out
    /// The machine in which the hypervisor makes SMCs of its own.
    static NullMachine& current();
    static constexpr std::uint32_t most_threads = 256; ///< of OP-TEE, for each client

private:
    static constexpr std::uint64_t memory_begin = 0x8'0000'0000; ///< no IPA and no cookie is as large
    /// A thread of OP-TEE that waits.
    struct Thread {
        std::atomic<bool> is_used{false};
        Wish wish = Wish::nothing;
        std::uint32_t left = 0;     ///< RPCs that are still to come
        std::uint64_t argument = 0; ///< physical address of its page for requests
        std::uint64_t cookie = 0;   ///< the page's name
        std::uint64_t message = 0;
    };
    using Threads = std::array<Thread, most_threads>;

    void begin(std::uint64_t* a);
    void go_on(std::uint64_t* a);
    void next(std::uint64_t* a, Thread& thread, std::uint64_t number);
    void end(std::uint64_t* a, std::uint64_t message) const;

    std::uint64_t pages_;
    std::uint64_t threads_;
    unsigned char* memory_;
    std::unique_ptr<std::atomic<std::uint32_t>[]> pins_;
    std::atomic<std::uint64_t> next_page_{0};
    std::atomic_flag pages_lock_ = ATOMIC_FLAG_INIT;
    std::vector<std::uint64_t> free_pages_;
    std::vector<std::unique_ptr<Threads>> clients_;
    Held held_;
};

/// A lock for both mediators: it spins, and lets others run.
template <typename Word>
void lock(std::atomic_ref<Word> word)
{
    ++work.locks;
    while (word.exchange(1, std::memory_order_acquire) != 0)
        std::this_thread::yield();
}
template <typename Word>
void unlock(std::atomic_ref<Word> word)
{
    word.store(0, std::memory_order_release);
}

} // namespace bench
