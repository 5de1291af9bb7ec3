// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// Every schedule of a story, up to a number of preemptions. To go on with another vCPU because the one that ran cannot
// is no preemption and costs nothing.
//
//     Exploration exploration{2};
//     while (exploration.next()) {
//         World world{...};
//         auto const outcome = scheduler.run(world.machine(), exploration, world.bodies());
//         ... << text_of(exploration.path())
//     }

#include "sim/schedule/path.hpp"

#include <cstdint>
#include <vector>

namespace sim::schedule {

/// A schedule is known by where it leaves the usual way. Each is run once: it is found from the one that is the same but
/// for its last turn, when that one ran past the choice. Depth first, so little is kept.
class Exploration : public Strategy {
public:
    explicit Exploration(std::uint32_t preemptions) : preemptions_{preemptions} { found_.push_back({}); }

    /// The next schedule is what is run now; false when there is none left.
    bool next();
    Path const& path() const { return current_.path; }
    std::uint64_t explored() const { return explored_; }

    void begin(std::uint32_t) override { next_turn_ = 0; }
    std::uint32_t choose(Choice const&) override;

private:
    struct Candidate {
        Path path;
        std::uint32_t preemptions = 0;
    };

    std::uint32_t preemptions_;
    std::vector<Candidate> found_; ///< not yet run
    Candidate current_;
    std::size_t next_turn_ = 0;
    std::uint64_t explored_ = 0;
};

} // namespace sim::schedule
