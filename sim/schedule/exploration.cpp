// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/schedule/exploration.hpp"

#include <stdexcept>
#include <utility>

namespace sim::schedule {

bool Exploration::next()
{
    if (found_.empty())
        return false;
    current_ = std::move(found_.back());
    found_.pop_back();
    ++explored_;
    return true;
}

std::uint32_t Exploration::choose(Choice const& choice)
{
    auto const& path = current_.path;
    if (next_turn_ < path.size()) {
        if (path[next_turn_].choice > choice.number)
            return usual(choice);
        auto const turn = path[next_turn_++];
        for (auto const vcpu : choice.ready)
            if (turn == Turn{choice.number, vcpu})
                return vcpu;
        throw std::logic_error{"a story does not do the same when it is told again"};
    }
    // Past the last turn: each other way from here is a schedule of its own.
    auto const cost = choice.running == nobody ? 0u : 1u;
    if (current_.preemptions + cost <= preemptions_) {
        for (auto const vcpu : choice.ready) {
            if (vcpu == usual(choice))
                continue;
            found_.push_back({path, current_.preemptions + cost});
            found_.back().path.push_back({choice.number, vcpu});
        }
    }
    return usual(choice);
}

} // namespace sim::schedule
