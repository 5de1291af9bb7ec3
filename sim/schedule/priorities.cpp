// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/schedule/priorities.hpp"

#include <algorithm>

namespace sim::schedule {

namespace {

constexpr std::uint32_t shortest_horizon = 32; ///< choices
constexpr std::uint32_t horizons = 7;          ///< each twice the one before

} // namespace

void RandomPriorities::begin(std::uint32_t vcpus)
{
    Random random{seed_};
    priority_.clear();
    for (std::uint32_t vcpu = 0; vcpu < vcpus; ++vcpu)
        priority_.push_back(changes_ + vcpu);
    random.shuffle(priority_);
    auto const horizon = shortest_horizon << random.below(horizons);
    change_points_.clear();
    for (std::uint32_t n = 0; n < changes_; ++n)
        change_points_.push_back(random.below(horizon));
}

std::uint32_t RandomPriorities::choose(Choice const& choice)
{
    if (choice.running != nobody)
        for (std::uint32_t n = 0; n < changes_; ++n)
            if (change_points_[n] == choice.number)
                priority_[choice.running] = n;
    return *std::max_element(
        choice.ready.begin(), choice.ready.end(), [this](auto a, auto b) { return priority_[a] < priority_[b]; });
}

} // namespace sim::schedule
