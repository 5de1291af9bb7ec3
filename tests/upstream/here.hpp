// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// Where the bridge finds the simulator: by the CPU that runs.

#include "tests/upstream/mediator.hpp"

namespace sim::upstream {

/// The entry that runs on this CPU; what Xen stored in a guest before is there.
Entry& here();

inline UpstreamMediator& mediator()
{
    return UpstreamMediator::of(here());
}

} // namespace sim::upstream
