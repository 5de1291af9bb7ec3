// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// One step of the walk over a guest's page list, wherever the cursor stands.

#include "claims.hpp"
#include "page_list.cpp"

namespace optee {

CLAIM(walk_stays_in_the_page_of_the_list, std::uint32_t entry, std::uint32_t remaining)
{
    entry %= PageListPage::entries;
    auto const pages = next_portion(entry, remaining);
    auto const end = offset_of_entry(entry) + pages * sizeof(std::uint64_t);
    return pages <= portion && pages <= remaining && end <= offsetof(PageListPage, next) &&
           offsetof(PageListPage, next) + sizeof(std::uint64_t) <= page_bytes;
}

CLAIM(walk_gets_on, std::uint32_t entry, std::uint32_t remaining)
{
    entry %= PageListPage::entries;
    return remaining == 0 || next_portion(entry, remaining) != 0;
}

CLAIM(cursor_stays_in_the_page_or_at_its_end, std::uint32_t entry, std::uint32_t remaining)
{
    entry %= PageListPage::entries;
    return entry + next_portion(entry, remaining) <= PageListPage::entries;
}

CLAIM(entry_of_a_guest_is_a_page_that_is_there, std::uint64_t entry)
{
    auto const page = page_from_guest(entry);
    auto const aligned = entry % page_bytes == 0;
    return page.ok() == (aligned && entry != 0) && (!page.ok() || page.get().raw() == entry);
}

FALSE_CLAIM(walk_ends_with_a_portion, std::uint32_t entry, std::uint32_t remaining)
{
    entry %= PageListPage::entries;
    return remaining < portion || next_portion(entry, remaining) == portion;
}

} // namespace optee
