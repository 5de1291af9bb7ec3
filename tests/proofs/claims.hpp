// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// What tools/proofs proves, by an SMT solver over the code that the compiler made of it: CLAIM(name, arguments...)
// { return ...; } holds whatever the arguments are. A FALSE_CLAIM is what one would write without care: a
// counterexample must be found, or the proof of the others would prove nothing.

#define CLAIM(name, ...) extern "C" [[gnu::visibility("default")]] bool claim_##name(__VA_ARGS__)
#define FALSE_CLAIM(name, ...) extern "C" [[gnu::visibility("default")]] bool false_claim_##name(__VA_ARGS__)
