// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// Schedules by chance, for more vCPUs than can be explored: each has a priority, the highest that is ready runs, and at a
// few moments the one that runs falls below all others. A bug that needs d such moments is found with a probability that
// is known: Burckhardt and others, A randomized scheduler with probabilistic guarantees of finding bugs, 2010.

#include "sim/schedule/random.hpp"
#include "sim/schedule/scheduler.hpp"

#include <cstdint>
#include <vector>

namespace sim::schedule {

class RandomPriorities : public Strategy {
public:
    /// `changes`: how many moments. All else comes from the seed, also how late they can be.
    RandomPriorities(std::uint64_t seed, std::uint32_t changes) : seed_{seed}, changes_{changes} {}

    void begin(std::uint32_t vcpus) override;
    std::uint32_t choose(Choice const&) override;

private:
    std::uint64_t seed_;
    std::uint32_t changes_;
    std::vector<std::uint32_t> priority_;      ///< by vCPU; higher goes first
    std::vector<std::uint32_t> change_points_; ///< numbers of choices; the one at place n gives the priority n
};

} // namespace sim::schedule
