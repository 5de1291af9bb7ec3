// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// Where other parts of the simulator step in: a scheduler that switches vCPUs, an injector of faults, a guest that
// changes memory under the mediator's hands, a recorder. Each sees the moment *before* the thing happens.

#include "sim/machine/physical_memory.hpp"

#include <cstdint>
#include <functional>
#include <utility>

namespace sim {

class Vm;

enum class Point : std::uint8_t {
    entry_begins,
    entry_ends,
    lock,        ///< number: rank
    lock_busy,   ///< number: rank. The lock is held; a scheduler of fibers must run somebody else before it returns
    unlock,      ///< number: rank
    smc,         ///< number: function id
    smc_returns, ///< number: a0
    look_up,     ///< number: the IPA. May fail: the page does not qualify
    unpin,
    read_guest,
    write_guest,
    allocate_page, ///< may fail: out of memory
    free_page,
    map_page,
    optee_touches_page,
    optee_step,   ///< OP-TEE works on a call, and could be interrupted
    guest_blocks, ///< the guest's driver waits: for a thread of OP-TEE, or for a notification
    guest_wakes,  ///< ... and is woken, whatever it waits for: it looks again
};

struct Moment {
    Point point;
    Vm* vm = nullptr; ///< on whose behalf; none while the machine boots
    std::uint32_t vcpu = 0;
    Pa pa{0};
    std::uint64_t number = 0;
};

class Observer {
public:
    Observer() = default;
    Observer(Observer const&) = delete;
    Observer& operator=(Observer const&) = delete;
    virtual ~Observer() = default;

    /// Any CPU, several at once.
    virtual void at(Moment const&) {}

    /// True makes the thing fail; asked where Point says so.
    virtual bool fails(Moment const&) { return false; }

    /// At Point::guest_blocks: true when somebody else was run meanwhile and the guest shall look again; else its
    /// thread sleeps. For a scheduler of fibers.
    virtual bool waits(Moment const&) { return false; }
};

/// Calls a function at each moment: enough for most scripts.
class Watch : public Observer {
public:
    explicit Watch(std::function<void(Moment const&)> then) : then_{std::move(then)} {}
    void at(Moment const& moment) override { then_(moment); }

private:
    std::function<void(Moment const&)> then_;
};

/// Calls a function once, the `nth` time (from 0) that `point` is reached.
class Once : public Observer {
public:
    Once(Point point, std::uint32_t nth, std::function<void(Moment const&)> then)
        : point_{point}, nth_{nth}, then_{std::move(then)}
    {
    }
    void at(Moment const& moment) override
    {
        if (moment.point == point_ && seen_++ == nth_)
            then_(moment);
    }
    bool happened() const { return seen_ > nth_; }

private:
    Point point_;
    std::uint32_t nth_;
    std::uint32_t seen_ = 0;
    std::function<void(Moment const&)> then_;
};

/// Lets the `nth` attempt (from 0) at `point` fail, or all from it on. `attempts()` tells a sweep when to stop.
class Failure : public Observer {
public:
    enum class Extent : std::uint8_t { once, from_then_on };

    Failure(Point point, std::uint32_t nth, Extent extent = Extent::once) : point_{point}, nth_{nth}, extent_{extent}
    {
    }
    bool fails(Moment const& moment) override
    {
        if (moment.point != point_)
            return false;
        auto const attempt = attempts_++;
        return extent_ == Extent::once ? attempt == nth_ : attempt >= nth_;
    }
    std::uint32_t attempts() const { return attempts_; }

private:
    Point point_;
    std::uint32_t nth_;
    Extent extent_;
    std::uint32_t attempts_ = 0;
};

} // namespace sim
