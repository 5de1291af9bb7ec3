// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// What the guest reports: TAP, the Test Anything Protocol, version 14.

#include "platform.hpp"

#include <span>

namespace hostile {

/// What is after an attack: OP-TEE must still serve this guest, but for those with which the guest ends.
enum class Then : std::uint8_t { is_served, is_over };

/// One attack: a row of the catalogue (tests/attack has the same ids), and the code that plays it.
struct Case {
    char const* id;
    char const* title;
    void (*play)();
    Then then = Then::is_served;
};

/// What must hold. If it does not, the attack has succeeded, and a line says what was seen.
bool expect(bool held, char const* what);
bool expect_equal(Word seen, Word required, char const* what);

/// The attack cannot be played this time, and why.
void skip(char const* why);

/// Holds memory with a pattern until the console has a line for it, and reports whether the pattern is still there.
void be_the_victim();

std::span<Case const> attacks_on_registers();
std::span<Case const> attacks_on_messages();
std::span<Case const> attacks_on_parameters();
std::span<Case const> attacks_on_page_lists();
std::span<Case const> attacks_on_the_registry();
std::span<Case const> attacks_on_rpc();
std::span<Case const> attacks_on_rpc_memory();
std::span<Case const> attacks_on_rpc_arguments();
std::span<Case const> attacks_on_resources();
std::span<Case const> races();
std::span<Case const> attacks_on_lifetime();

} // namespace hostile
