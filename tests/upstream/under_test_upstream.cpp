// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/attack/under_test.hpp"
#include "tests/upstream/mediator.hpp"

namespace sim::attack {

UnderTest const& under_test()
{
    // The constants in optee.c; the threads are OP-TEE's own, four in a world that says nothing else.
    static constexpr UnderTest xen{
        .name = "upstream",
        .is_core = false,
        .limits = {.threads = 4, .buffers = 16, .pages = 16 * 129, .pages_of_buffer = 129},
        .make = []() -> std::unique_ptr<Mediator> { return std::make_unique<upstream::UpstreamMediator>(); },
    };
    return xen;
}

} // namespace sim::attack
