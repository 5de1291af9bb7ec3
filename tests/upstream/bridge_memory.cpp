// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: optee-mediator contributors

// Xen's memory: pages of guests and its own, its heap.

#include "tests/upstream/bridge.h"
#include "tests/upstream/here.hpp"

#include <algorithm>
#include <cerrno>
#include <string>

using namespace sim;
using namespace sim::upstream;

namespace {

bool is_of_mediator(Entry& entry, std::uint64_t address)
{
    auto const* const frame = entry.machine().memory().frame(address);
    return frame != nullptr && frame->use.load() == FrameUse::mediator;
}

/// One page's part of a copy. The guest's page is held as long as it takes, as Xen does.
bool copy_within_page(Entry& entry, std::uint64_t ipa, std::uint8_t* buffer, std::uint32_t bytes, bool is_write)
{
    auto& vm = *entry.vm();
    auto const offset = static_cast<std::uint32_t>(ipa & page_mask);
    auto const mapping = entry.pin_own_ram(vm, Ipa{ipa - offset});
    if (!mapping)
        return false;
    if (is_write && mapping->kind == MappingKind::read_only)
        entry.machine().broken(Invariant::i8, "Xen writes a page that is read-only for the guest");
    if (is_write)
        entry.write_guest(vm, mapping->page, offset, buffer, bytes);
    else
        entry.read_guest(vm, mapping->page, offset, buffer, bytes);
    entry.unpin_run(vm, mapping->page, 1);
    return true;
}

} // namespace

void* shim_xzalloc(std::size_t bytes)
{
    auto& entry = here();
    auto const moment = entry.moment(Point::allocate_page);
    entry.machine().at(moment);
    return entry.machine().fails(moment) ? nullptr : mediator().heap().allocate(entry.vm(), bytes);
}

void shim_xfree(void* block)
{
    auto& entry = here();
    if (block != nullptr && !mediator().heap().release(block))
        entry.machine().broken(Invariant::panic, "Xen frees what it has freed before");
}

// Whatever is not RAM of the domain itself: get_page() refuses it, or the caller does by its type.
std::uint64_t shim_get_page(domain*, std::uint64_t gfn, int* kind)
{
    auto& entry = here();
    auto const mapping = entry.pin_own_ram(*entry.vm(), Ipa{gfn * page_bytes});
    if (!mapping)
        return 0;
    *kind = mapping->kind == MappingKind::ram ? SHIM_RAM_RW : SHIM_RAM_RO;
    return mapping->page.raw;
}

void shim_put_page(std::uint64_t address)
{
    auto& entry = here();
    entry.unpin_run(*entry.vm(), Pa{address}, 1);
}

/// The machine gives single pages; upstream's limit of 129 pages for a buffer never asks for more.
std::uint64_t shim_alloc_pages(unsigned int order)
{
    auto& entry = here();
    auto const page = order == 0 ? entry.allocate_page(*entry.vm()) : std::nullopt;
    return page ? page->raw : 0;
}

void shim_free_pages(std::uint64_t address, unsigned int)
{
    auto& entry = here();
    if (is_of_mediator(entry, address))
        entry.machine().memory().fill_with_zeros(Pa{address}); // Xen scrubs what is of no domain: page_alloc.c
    entry.free_page(*entry.vm(), Pa{address});
}

void* shim_map_page(std::uint64_t address)
{
    auto& entry = here();
    if (is_of_mediator(entry, address))
        return entry.map_page(Pa{address});
    return mediator().windows().map(entry, Pa{address});
}

void shim_unmap_page(void const* mapped)
{
    auto& entry = here();
    if (!mediator().windows().unmap(entry, mapped))
        entry.unmap_page(const_cast<void*>(mapped));
}

int shim_access_guest(domain*, std::uint64_t ipa, void* buffer, std::uint32_t bytes, bool is_write)
{
    auto& entry = here();
    if (bytes > page_bytes) {
        entry.machine().broken(Invariant::panic,
                               "Xen copies " + std::to_string(bytes) + " bytes from or to one page");
        bytes = page_bytes;
    }
    for (auto* here_in_buffer = static_cast<std::uint8_t*>(buffer); bytes != 0;) {
        auto const part = std::min<std::uint32_t>(bytes, page_bytes - static_cast<std::uint32_t>(ipa & page_mask));
        if (!copy_within_page(entry, ipa, here_in_buffer, part, is_write))
            return -EINVAL;
        ipa += part;
        here_in_buffer += part;
        bytes -= part;
    }
    return 0;
}
