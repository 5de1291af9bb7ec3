// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "page_list.hpp"

#include "abi/message.hpp"
#include "guest_memory.hpp"
#include "shadow_page.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace optee {

namespace {

using abi::PageListPage;

// Entries read from the guest at once: small enough for the stack, large enough to find runs.
constexpr std::uint32_t portion = 32;
// Pages unpinned between two looks at the clock.
constexpr std::uint32_t release_portion = 128;

constexpr std::uint32_t offset_of_entry(std::uint32_t entry)
{
    return entry * static_cast<std::uint32_t>(sizeof(std::uint64_t));
}

// How many entries of a page of the list are read next. tests/proofs shows that they are in the page.
constexpr std::uint32_t next_portion(std::uint32_t entry, std::uint32_t remaining)
{
    return std::min({portion, remaining, PageListPage::entries - entry});
}

// Whether that is the page behind this one. The last page of the address space has none, least of all the null page.
constexpr bool are_neighbours(std::uint64_t page, std::uint64_t next)
{
    return page < next && next - page == page_bytes;
}

// Behind the last entry of those that name one page after the other, from this one on.
std::uint32_t end_of_run(std::span<std::uint64_t const> entries, std::uint32_t begin)
{
    auto end = begin + 1;
    for (auto page = entries[begin]; end != entries.size() && are_neighbours(page, entries[end]); ++end)
        page = entries[end];
    return end;
}

// A guest's entry: a page, and never the null page, which OP-TEE takes for "no memory" where a board has RAM there.
Result<Ipa> page_from_guest(std::uint64_t entry)
{
    auto const page = Ipa::from_raw(entry);
    if (!page.is_page_aligned() || page.is_in_null_page())
        return Error::bad_parameters;
    return page;
}

} // namespace

Status ShadowPageList::make_room(VmContext& vm)
{
    if (pinned_ % PageListPage::entries != 0)
        return {};
    MEDIATOR_ASSIGN_OR_RETURN(auto const page, allocate_shadow_page(vm));
    if (tail_) {
        Mapped<PageListPage> const last{*tail_};
        last->next = page.raw();
    } else {
        head_ = page;
    }
    tail_ = page;
    return {};
}

Status ShadowPageList::append(VmContext& vm, PinnedRun run)
{
    for (std::uint32_t done = 0; done != run.pages.count();) {
        if (auto room = make_room(vm); !room.ok()) {
            unpin_run(vm, {run.first.plus(PageCount{done}), PageCount{run.pages.count() - done}});
            return room.error();
        }
        Mapped<PageListPage> const list{*tail_};
        auto entry = pinned_ % PageListPage::entries;
        for (; entry != PageListPage::entries && done != run.pages.count(); ++entry, ++done, ++pinned_)
            list->page[entry] = run.first.plus(PageCount{done}).raw();
    }
    return {};
}

std::array<Pa, 2> ShadowPageList::pinned_pages(std::uint32_t one, std::uint32_t other) const
{
    Mapped<PageListPage const> const list{*head_};
    return {Pa::from_raw(list->page[one]), Pa::from_raw(list->page[other])};
}

// Unpins that many entries of the first page of the list; neighbours go with one call.
void ShadowPageList::release_front(VmContext& vm, std::uint32_t pages)
{
    auto const end = released_ + pages;
    while (released_ != end) {
        auto const run_begin = released_;
        auto first = Pa::from_raw(0);
        {
            Mapped<PageListPage const> const list{*head_};
            first = Pa::from_raw(list->page[run_begin]);
            while (released_ != end && list->page[released_] == first.plus(PageCount{released_ - run_begin}).raw())
                ++released_;
        }
        unpin_run(vm, {first, PageCount{released_ - run_begin}});
    }
    pinned_ -= pages;
}

Progress ShadowPageList::release(VmContext& vm, Budget& budget)
{
    while (head_) {
        auto const pages = std::min({pinned_, PageListPage::entries - released_, release_portion});
        release_front(vm, pages);
        if (released_ == PageListPage::entries || pinned_ == 0) {
            auto const next = Mapped<PageListPage const>
            {
                *head_
                } -> next;
            // Only a full page has a link behind its entries. OP-TEE reads the list, and writes nothing into it.
            free_shadow_page(
                vm, *head_, released_ == PageListPage::entries ? page_bytes : offset_of_entry(released_));
            head_ = next == 0 ? std::nullopt : std::optional{Pa::from_raw(next)};
            released_ = 0;
        }
        if (head_ && budget.spent_after(pages))
            return Progress::preempted;
    }
    tail_ = std::nullopt;
    return Progress::done;
}

// Returns how many pages were translated. The guest may change its list at any moment: each entry is read once, and what
// was read is what gets pinned.
Result<std::uint32_t> GuestPageList::translate_portion(VmContext& vm, ShadowPageList& shadow)
{
    auto const pages = next_portion(entry_, remaining_);
    std::array<std::uint64_t, portion> entries;
    auto next_page = page_;
    {
        auto list = GuestWindow::acquire(vm, page_);
        if (!list.ok())
            return Error::bad_parameters;
        list.get().read(offset_of_entry(entry_), std::span{entries}.first(pages));
        if (entry_ + pages == PageListPage::entries && remaining_ != pages) {
            MEDIATOR_ASSIGN_OR_RETURN(next_page,
                                      page_from_guest(list.get().read<std::uint64_t>(
                                          static_cast<std::uint32_t>(offsetof(PageListPage, next)))));
        }
    }

    // What lies in a row for the VM may lie scattered in the machine: such a run is looked for once, and pinned in pieces.
    std::uint32_t run_end = 0;
    for (std::uint32_t i = 0; i != pages;) {
        MEDIATOR_ASSIGN_OR_RETURN(auto const first, page_from_guest(entries[i]));
        if (run_end == i)
            run_end = end_of_run(std::span{entries}.first(pages), i);
        auto pinned = pin_run(vm, first, PageCount{run_end - i});
        if (!pinned.ok())
            return Error::bad_parameters;
        MEDIATOR_RETURN_IF_ERROR(shadow.append(vm, pinned.get()));
        i += pinned.get().pages.count();
    }

    entry_ += pages;
    remaining_ -= pages;
    if (entry_ == PageListPage::entries) {
        page_ = next_page;
        entry_ = 0;
    }
    return pages;
}

Result<Progress> GuestPageList::translate(VmContext& vm, ShadowPageList& shadow, Budget& budget)
{
    while (remaining_ != 0) {
        MEDIATOR_ASSIGN_OR_RETURN(auto const pages, translate_portion(vm, shadow));
        if (remaining_ != 0 && budget.spent_after(pages))
            return Progress::preempted;
    }
    return Progress::done;
}

} // namespace optee
