// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/machine/invariant.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace sim {

namespace {

constexpr std::array<std::string_view, 19> names{"I1",
                                                 "I2",
                                                 "I3",
                                                 "I4",
                                                 "I5",
                                                 "I6",
                                                 "I7",
                                                 "I8",
                                                 "I9",
                                                 "I10",
                                                 "I11",
                                                 "I12",
                                                 "I13",
                                                 "I14",
                                                 "I15",
                                                 "I16",
                                                 "I17",
                                                 "port",
                                                 "panic"};

std::uint32_t bit(Invariant invariant)
{
    return 1u << static_cast<unsigned>(invariant);
}

/// tools/seeded_bugs wants to know what fired even in a test that does not look, or that dies of what comes next.
bool prints_at_once()
{
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody here changes the environment
    static bool const asked_for = std::getenv("SIM_PRINT_VIOLATIONS") != nullptr;
    return asked_for;
}

} // namespace

std::string_view name_of(Invariant invariant)
{
    return names.at(static_cast<std::size_t>(invariant));
}

void ViolationLog::report(Invariant invariant, std::string sentence, std::uint64_t step)
{
    std::lock_guard const guard{mutex_};
    auto const is_tolerated =
        (tolerated_ & bit(invariant)) != 0 || tolerated_sentences_.count({invariant, sentence}) != 0;
    if (is_tolerated || violations_.size() >= most_kept)
        return;
    if (prints_at_once())
        (void)std::fprintf(stderr, "violation %s: %s\n", name_of(invariant).data(), sentence.c_str());
    violations_.push_back({invariant, std::move(sentence), step});
}

void ViolationLog::tolerate(Invariant invariant)
{
    std::lock_guard const guard{mutex_};
    tolerated_ |= bit(invariant);
}

void ViolationLog::tolerate(Invariant invariant, std::string sentence)
{
    std::lock_guard const guard{mutex_};
    tolerated_sentences_.emplace(invariant, std::move(sentence));
}

bool ViolationLog::empty() const
{
    std::lock_guard const guard{mutex_};
    return violations_.empty();
}

bool ViolationLog::has(Invariant invariant) const
{
    std::lock_guard const guard{mutex_};
    return std::any_of(violations_.begin(), violations_.end(), [&](Violation const& violation) {
        return violation.invariant == invariant;
    });
}

std::vector<Violation> ViolationLog::all() const
{
    std::lock_guard const guard{mutex_};
    return violations_;
}

std::string ViolationLog::text() const
{
    std::string lines;
    for (auto const& violation : all()) {
        lines += name_of(violation.invariant);
        lines += ": " + violation.sentence + " (step " + std::to_string(violation.step) + ")\n";
    }
    return lines;
}

void ViolationLog::clear()
{
    std::lock_guard const guard{mutex_};
    violations_.clear();
}

} // namespace sim
