// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/attack/under_test.hpp"

namespace sim::attack {

UnderTest const& under_test()
{
    // Limits that upstream's mediator has too, so that a script can go to the edge of either.
    static constexpr UnderTest core{
        .name = "ours",
        .is_core = true,
        .limits = {.threads = 4, .buffers = 16, .pages = 16 * 129, .pages_of_buffer = 129},
        .make = make_core_mediator,
    };
    return core;
}

} // namespace sim::attack
