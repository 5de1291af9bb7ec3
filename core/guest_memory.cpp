// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "guest_memory.hpp"

#include <algorithm>

namespace optee {

namespace {

// What an access that is not all in the first page is in each of the two: access(page, offset in it, bytes before it, bytes).
template <typename Access>
void in_each_page(std::uint32_t begin, std::uint32_t bytes, Access access)
{
    auto const first = begin < page_bytes ? std::min(bytes, page_bytes - begin) : 0;
    if (first != 0)
        access(0U, begin, 0U, first);
    access(1U, begin + first - page_bytes, first, bytes - first);
}

} // namespace

Result<GuestWindow> GuestWindow::acquire(VmContext& vm, Ipa page)
{
    return acquire(vm, GuestPlace::in_page(page));
}

Result<GuestWindow> GuestWindow::look_up(VmContext& vm, Ipa page, GuestPlace const& place)
{
    MEDIATOR_ASSIGN_OR_RETURN(auto pinned, PinnedPage::pin(vm, page));
    auto const pa = pinned.pa();
    return GuestWindow{vm, {pa, pa}, place.offset_, place.room_, std::move(pinned)};
}

void GuestWindow::read_across(std::uint32_t offset, void* to, std::uint32_t bytes) const
{
    auto* const into = static_cast<unsigned char*>(to);
    in_each_page(offset_ + offset, bytes, [&](auto page, auto at, auto before, auto part) {
        optee_port_read_guest(vm_->port, to_c(pages_[page]), at, into + before, part);
    });
}

void GuestWindow::write_across(std::uint32_t offset, void const* from, std::uint32_t bytes) const
{
    auto const* const out_of = static_cast<unsigned char const*>(from);
    in_each_page(offset_ + offset, bytes, [&](auto page, auto at, auto before, auto part) {
        optee_port_write_guest(vm_->port, to_c(pages_[page]), at, out_of + before, part);
    });
}

} // namespace optee
