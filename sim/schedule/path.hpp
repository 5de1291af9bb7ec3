// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// One schedule, written down: where it leaves the usual way, and for whom.

#include "sim/schedule/scheduler.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sim::schedule {

struct Turn {
    std::uint32_t choice; ///< its number
    std::uint32_t vcpu;   ///< who runs from there on

    friend bool operator==(Turn, Turn) = default;
};

/// In rising order of choices. As text: "12:1,40:0"; "-" when there is none.
using Path = std::vector<Turn>;

std::string text_of(Path const&);
std::optional<Path> path_from(std::string_view);

/// Goes that way.
class Replay : public Strategy {
public:
    explicit Replay(Path path) : path_{std::move(path)} {}

    void begin(std::uint32_t) override { next_ = 0; }
    std::uint32_t choose(Choice const&) override;

    /// False: the run had no such choices, so it was not the run that the path was found in.
    bool was_followed() const { return next_ == path_.size(); }

private:
    Path path_;
    std::size_t next_ = 0;
};

} // namespace sim::schedule
