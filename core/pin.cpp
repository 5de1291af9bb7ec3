// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "pin.hpp"

#include "base/invariant.hpp"

#include <optee_mediator/port.h>

namespace optee {

Result<PinnedRun> pin_run(VmContext& vm, Ipa first, PageCount pages)
{
    optee_pa pa{};
    auto const pinned = optee_port_pin_run(vm.port, to_c(first), pages.count(), &pa);
    if (pinned == 0)
        return Error::bad_address;
    if (pinned > pages.count())
        invariant_broken("optee_port_pin_run() pinned more than it was asked for");
    PinnedRun const run{Pa::from_raw(pa.raw), PageCount{pinned}};
    // RAM all right, but OP-TEE takes its address for no memory at all.
    if (run.first.is_in_null_page()) {
        unpin_run(vm, run);
        return Error::bad_address;
    }
    return run;
}

void unpin_run(VmContext& vm, PinnedRun run)
{
    optee_port_unpin_run(vm.port, to_c(run.first), run.pages.count());
}

Result<PinnedPage> PinnedPage::pin(VmContext& vm, Ipa page)
{
    MEDIATOR_ASSIGN_OR_RETURN(auto const run, pin_run(vm, page, PageCount{1}));
    return PinnedPage{vm, run.first};
}

PinnedPage::~PinnedPage()
{
    if (vm_ != nullptr)
        unpin_run(*vm_, {pa_, PageCount{1}});
}

} // namespace optee
