// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// Steps in at the moments that the script named: something fails, or another vCPU goes on.

#include "sim/machine/entry.hpp"
#include "sim/machine/observer.hpp"

#include <array>
#include <cstdint>
#include <functional>

namespace sim::fuzz {

class Director : public Observer {
public:
    /// Moments at which no lock is held, so that another vCPU can make a whole entry.
    static constexpr std::array interruptible{
        Point::smc, Point::smc_returns, Point::look_up, Point::read_guest, Point::write_guest, Point::entry_begins};

    explicit Director(std::function<void(std::uint32_t steps)> play) : play_{std::move(play)} {}

    /// At the `nth` time from now on, `steps` of the script happen in between.
    void interrupt(Point point, std::uint32_t nth, std::uint32_t steps)
    {
        point_ = point;
        countdown_ = nth + 1;
        steps_ = steps;
    }

    /// The `nth` attempt from now on fails.
    void fail(Point point, std::uint32_t nth)
    {
        failing_ = point;
        attempts_left_ = nth + 1;
    }

    void rest()
    {
        countdown_ = 0;
        attempts_left_ = 0;
    }

    void at(Moment const& moment) override
    {
        if (countdown_ == 0 || moment.point != point_ || --countdown_ != 0)
            return;
        Entry::meanwhile([this] { play_(steps_); });
    }

    bool fails(Moment const& moment) override
    {
        return attempts_left_ != 0 && moment.point == failing_ && --attempts_left_ == 0;
    }

private:
    std::function<void(std::uint32_t steps)> play_;
    Point point_ = Point::smc;
    std::uint32_t countdown_ = 0;
    std::uint32_t steps_ = 0;
    Point failing_ = Point::allocate_page;
    std::uint32_t attempts_left_ = 0;
};

} // namespace sim::fuzz
