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
    return PinnedRun{Pa::from_raw(pa.raw), PageCount{pinned}};
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
