// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include <optee_mediator/port.h>

#include <cstdint>

namespace optee {

/// Whether a long piece of work is through, or has to give the CPU back first.
enum class Progress { done, preempted };

/// How much one entry into the mediator may still do. At least one portion is always done, so that a guest that comes
/// back for more gets there, however busy its CPU is.
class Budget {
public:
    explicit Budget(std::uint32_t units) : left_{units} {}

    /// Accounts for work that was done. True when the entry should end, if there is more to do.
    [[nodiscard]] bool spent_after(std::uint32_t units)
    {
        left_ = units < left_ ? left_ - units : 0;
        return left_ == 0 || optee_port_preemption_pending();
    }

private:
    std::uint32_t left_;
};

} // namespace optee
