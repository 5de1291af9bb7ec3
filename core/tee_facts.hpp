// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include "tee.hpp"

#include <optee_mediator/mediator.h>

#include <cstdint>

namespace optee {

/// What OP-TEE said of itself at boot. It does not change, so guests that ask get it without an SMC.
struct TeeFacts {
    std::uint32_t threads = 0; ///< 0: not probed, or nothing to mediate
    TeeAnswer calls_uid{};
    TeeAnswer calls_revision{};
    TeeAnswer os_uuid{};
    TeeAnswer os_revision{};
};

/// Asks OP-TEE. On success the facts are complete.
optee_mediator_status probe(TeeFacts& facts);

} // namespace optee
