// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// Which mediator the attacks are played on. One program each: the core's (under_test_core.cpp), and that of Xen's own
// mediator (tests/upstream).

#include "sim/machine/mediator.hpp"

#include <cstdint>
#include <memory>

namespace sim::attack {

/// What a VM may have at once.
struct Limits {
    std::uint32_t threads;
    std::uint32_t buffers;
    std::uint32_t pages;           ///< over all buffers
    std::uint32_t pages_of_buffer; ///< of one buffer
};

struct UnderTest {
    char const* name;
    bool is_core;
    Limits limits;
    std::unique_ptr<Mediator> (*make)();
};

UnderTest const& under_test();

} // namespace sim::attack
