// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// Several vCPUs, one at a time. Each is a thread of the host, so that thread_local, sanitizers and every architecture work
// as ever; but only the one that holds the baton runs, and it hands it over only where a strategy says so. Whatever the
// strategy decides, deciding the same again gives the same run.

#include "sim/machine/observer.hpp"

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace sim {
class Machine;
} // namespace sim

namespace sim::schedule {

/// What one vCPU does.
using Body = std::function<void()>;

/// Where a vCPU may be stopped and another one run.
enum class Grain : std::uint8_t {
    shared, ///< before what another vCPU can notice: locks, SMCs, look-ups, guest accesses, the edges of an entry
    every,  ///< and where a page of the mediator's own is allocated, mapped or used
};

inline constexpr std::uint32_t nobody = ~0u;

/// A vCPU has come to such a place, or cannot go on, and more than one could run now.
struct Choice {
    std::uint32_t number;                    ///< of the choices of this run, from 0
    std::uint32_t running;                   ///< who came here; nobody: who it was cannot go on, or the run begins
    std::vector<std::uint32_t> const& ready; ///< who could run, in rising order; with `running`
};

class Strategy {
public:
    Strategy() = default;
    Strategy(Strategy const&) = delete;
    Strategy& operator=(Strategy const&) = delete;
    virtual ~Strategy() = default;

    virtual void begin(std::uint32_t /*vcpus*/) {}
    /// One of `ready`.
    virtual std::uint32_t choose(Choice const&) = 0;
};

/// Who runs when nothing speaks for another: the one that runs, else the first.
std::uint32_t usual(Choice const&);

struct Outcome {
    std::uint64_t moments = 0;  ///< points that the vCPUs passed
    std::uint32_t choices = 0;  ///< where another could have run
    std::uint32_t switches = 0; ///< where another did
    std::string failure;        ///< empty: every vCPU came to its end
};

class Scheduler : public Observer {
public:
    explicit Scheduler(std::uint32_t vcpus, Grain grain = Grain::shared);
    ~Scheduler() override;

    /// Runs them all to their ends. A deadlock is an Outcome that says who waits for what; if one of them is inside the
    /// core, which knows no exceptions, it is printed, with `last_words`, and the program ends.
    Outcome run(Machine&, Strategy&, std::vector<Body> const&, std::string last_words = {});

    void at(Moment const&) override;
    bool waits(Moment const&) override;

private:
    enum class State : std::uint8_t { ready, waits_for_lock, waits_for_guest, finished };

    struct Vcpu {
        State state = State::finished;
        std::uint32_t rank = 0;              ///< of the lock that it waits for
        Vm* vm = nullptr;                    ///< for whom it ran last
        std::optional<std::uint32_t> wanted; ///< it is about to take this lock
        std::vector<std::uint32_t> held;
        std::condition_variable turn;
        std::thread thread;
    };

    void work(std::uint32_t number);
    void follow_locks(Vcpu&, Moment const&) const;
    void wake(State, Moment const&);
    void consider();
    void wait(State);
    void finish();
    void hand_to(std::uint32_t next);
    void wait_for_turn(std::uint32_t number);
    std::uint32_t choose(std::uint32_t running);
    void find_ready();
    void give_up(std::string why);
    static void leave_at(Point);
    std::string who_waits_for_what() const;
    std::string name_of(std::uint32_t number) const;
    bool may_switch_at(Point) const;

    static constexpr std::uint64_t most_moments = 100'000;

    Grain grain_;
    std::vector<std::unique_ptr<Vcpu>> vcpus_;

    // Who holds the baton; `nobody`: the one who called run(). All that follows is the holder's.
    std::mutex mutex_; ///< guards turn_ and quit_ only
    std::condition_variable over_;
    std::uint32_t turn_ = nobody;
    bool quit_ = false;

    Strategy* strategy_ = nullptr;
    std::vector<Body> const* bodies_ = nullptr;
    std::vector<std::uint32_t> ready_;
    Outcome outcome_;
    std::string last_words_;
    bool given_up_ = false;
};

} // namespace sim::schedule
