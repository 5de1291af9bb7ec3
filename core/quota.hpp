// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include "base/address.hpp"
#include "base/result.hpp"
#include "vm_context.hpp"

namespace optee {

/// Charges the VM for one more shared buffer of so many pages, before anything is done for it.
inline Status charge_buffer(VmContext& vm, PageCount pages)
{
    if (vm.statistics.add_within(Counter::buffers_live, 1, vm.policy.buffers())) {
        if (vm.statistics.add_within(Counter::pages_live, pages.count(), vm.policy.pages()))
            return {};
        vm.statistics.subtract(Counter::buffers_live);
    }
    vm.statistics.add(Counter::over_quota);
    return Error::out_of_memory;
}

inline void refund_buffer(VmContext& vm, PageCount pages)
{
    vm.statistics.subtract(Counter::pages_live, pages.count());
    vm.statistics.subtract(Counter::buffers_live);
}

} // namespace optee
