// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Linked into the test programs by tools/mutants: the environment chooses the mutant that they run.

#include "mutant_switch.hpp"

#include <cstdlib>

unsigned optee_chosen_mutant = 0;

namespace {

constexpr int before_other_objects = 101;

[[gnu::constructor(before_other_objects)]] void choose()
{
    if (auto const* number = std::getenv("OPTEE_MUTANT"))
        optee_chosen_mutant = static_cast<unsigned>(std::strtoul(number, nullptr, 10));
}

} // namespace
