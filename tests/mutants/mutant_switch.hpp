// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

extern "C" unsigned optee_chosen_mutant;

namespace optee {

/// Which of its bodies a function is to run; see tools/check/mutant_schema.py. What the compiler itself evaluates is not
/// mutated.
constexpr unsigned chosen_mutant()
{
    return __builtin_is_constant_evaluated() ? 0 : optee_chosen_mutant;
}

} // namespace optee
