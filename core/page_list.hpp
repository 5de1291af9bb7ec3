// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include "base/budget.hpp"
#include "pin.hpp"

#include <array>
#include <cstdint>
#include <optional>

namespace optee {

/// Our copy of a page list, with physical addresses: what OP-TEE is given, and at the same time the record of what is
/// pinned. The list's format is OP-TEE's (optee_msg.h, OPTEE_MSG_ATTR_NONCONTIG): 8 bytes for each shared page.
class ShadowPageList {
public:
    /// Records pages that are pinned, which this list gives back from now on. Without memory for one more page of the
    /// list, those that did not fit are unpinned at once.
    Status append(VmContext& vm, PinnedRun run);
    /// Unpins, from the front. To be called again until it is done.
    Progress release(VmContext& vm, Budget& budget);

    /// Where OP-TEE finds the list. Only for a list that is not empty.
    Pa first_page() const { return *head_; }
    PageCount pinned() const { return PageCount{pinned_}; }
    /// Two of the pages that are pinned, which the first page of the list tells: indices < PageListPage::entries.
    std::array<Pa, 2> pinned_pages(std::uint32_t one, std::uint32_t other) const;

private:
    Status make_room(VmContext& vm);
    void release_front(VmContext& vm, std::uint32_t pages);

    std::optional<Pa> head_{};
    std::optional<Pa> tail_{};
    std::uint32_t pinned_ = 0;   ///< entries from `released_` of the first page on
    std::uint32_t released_ = 0; ///< entries of the first page that are gone
};

/// How far we are in a guest's page list. Kept in the call while the guest runs in between.
class GuestPageList {
public:
    GuestPageList(Ipa first_page, PageCount pages) : page_{first_page}, remaining_{pages.count()} {}

    /// Reads on, pins what is named, and appends it to the shadow. Progress, or bad_parameters when the guest's list or
    /// what it names is not read-write RAM of the VM. What was appended before an error stays in the shadow.
    Result<Progress> translate(VmContext& vm, ShadowPageList& shadow, Budget& budget);

private:
    Result<std::uint32_t> translate_portion(VmContext& vm, ShadowPageList& shadow);

    Ipa page_;                ///< the page of the list that is being read
    std::uint32_t entry_ = 0; ///< where in it
    std::uint32_t remaining_; ///< data pages that are still to come
};

} // namespace optee
