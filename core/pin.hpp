// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include "base/address.hpp"
#include "base/result.hpp"
#include "vm_context.hpp"

#include <optional>
#include <utility>

namespace optee {

/// Pages that are pinned and lie one behind the other, in the VM's view and in the machine's.
struct PinnedRun {
    Pa first;
    PageCount pages;
};

/// Pins as many of these pages as lie one behind the other in the machine, at least one. Absent, read-only, foreign and
/// device pages are refused alike: a guest must not learn which it was.
Result<PinnedRun> pin_run(VmContext& vm, Ipa first, PageCount pages);

/// Gives the pins back, one for each page.
void unpin_run(VmContext& vm, PinnedRun run);

/// One pinned page; the pin lasts as long as this object.
class PinnedPage {
public:
    static Result<PinnedPage> pin(VmContext& vm, Ipa page);
    PinnedPage(PinnedPage&& from) noexcept : vm_{std::exchange(from.vm_, nullptr)}, pa_{from.pa_} {}
    PinnedPage& operator=(PinnedPage&&) = delete;
    PinnedPage(PinnedPage const&) = delete;
    PinnedPage& operator=(PinnedPage const&) = delete;
    ~PinnedPage();

    Pa pa() const { return pa_; }
    VmContext& vm() const { return *vm_; }

private:
    PinnedPage(VmContext& vm, Pa pa) : vm_{&vm}, pa_{pa} {}
    VmContext* vm_; ///< null when the pin was handed on
    Pa pa_;
};

} // namespace optee
