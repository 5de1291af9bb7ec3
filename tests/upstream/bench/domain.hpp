// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// How the bridge finds the VM of a domain, and the CPU its domain.

#include "tests/bench/null_machine.hpp"
#include "tests/upstream/xen_types.h"

namespace bench {

struct BenchDomain : domain {
    explicit BenchDomain(NullVm& its_vm) : domain{}, vm{its_vm} {}
    NullVm& vm;
};

/// Xen's `current`.
extern thread_local vcpu this_cpu;

} // namespace bench
