// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/optee/shared_buffer.hpp"

#include "sim/machine/machine.hpp"

#include <algorithm>
#include <utility>

namespace sim::tee {

namespace {

/// Takes one reference, as OP-TEE maps or records the page; says whether OP-TEE accepts the address.
bool take(Machine& machine, Vm& vm, std::uint64_t page)
{
    auto* const frame = machine.memory().frame(page);
    if (frame == nullptr || (page & page_mask) != 0) {
        machine.broken(Invariant::i2, "OP-TEE is given an address that is no page of RAM");
        return false;
    }
    auto const references = frame->secure_references.fetch_add(1) + 1;
    switch (frame->use.load()) {
    case FrameUse::free: machine.broken(Invariant::i2, "OP-TEE is given a page that is free"); break;
    case FrameUse::guest_ram:
        if (frame->owner.load() != vm.index())
            machine.broken(Invariant::i2, "OP-TEE is given a page of another VM");
        else if (frame->pins.load() < references)
            machine.broken(Invariant::i2, "OP-TEE is given a page that is not pinned for it");
        break;
    case FrameUse::mediator:
        if (frame->owner.load() != vm.index())
            machine.broken(Invariant::i2, "OP-TEE is given a shadow page that was made for another VM");
        break;
    }
    return true;
}

void give_back(Machine& machine, std::uint64_t page)
{
    machine.memory().frame(page)->secure_references.fetch_sub(1);
}

} // namespace

SharedBuffer::SharedBuffer(
    Machine& machine, Vm& vm, std::vector<std::uint64_t> pages, std::uint32_t page_offset, std::uint64_t cookie)
    : machine_{machine}, vm_{vm}, pages_{std::move(pages)}, page_offset_{page_offset}, cookie_{cookie}
{
}

Buffer SharedBuffer::make(
    Machine& machine, Vm& vm, std::vector<std::uint64_t> pages, std::uint32_t page_offset, std::uint64_t cookie)
{
    std::size_t taken = 0;
    while (taken < pages.size() && take(machine, vm, pages[taken]))
        ++taken;
    if (taken != pages.size() || pages.empty()) {
        for (std::size_t page = 0; page < taken; ++page)
            give_back(machine, pages[page]);
        return nullptr;
    }
    return Buffer{new SharedBuffer{machine, vm, std::move(pages), page_offset, cookie}};
}

SharedBuffer::~SharedBuffer()
{
    let_go();
}

void SharedBuffer::let_go()
{
    if (std::exchange(held_, false))
        for (auto const page : pages_)
            give_back(machine_, page);
}

Pa SharedBuffer::locate(std::uint64_t offset, char const* doing) const
{
    auto const place = offset + page_offset_;
    auto const page = pages_.at(to_index(place / page_bytes));
    auto const* const frame = machine_.memory().frame(page);
    machine_.at({Point::optee_touches_page, &vm_, 0, Pa{page}, 0});
    auto const use = frame->use.load();
    auto const live = use == FrameUse::mediator || (use == FrameUse::guest_ram && frame->pins.load() != 0);
    if (!held_ || !live || frame->owner.load() != vm_.index())
        machine_.broken(Invariant::i3, std::string{"OP-TEE "} + doing + " a page that is pinned for it no more");
    return Pa{page + place % page_bytes};
}

void SharedBuffer::read(std::uint64_t offset, void* to, std::size_t bytes) const
{
    auto* out = static_cast<std::uint8_t*>(to);
    while (bytes != 0) {
        auto const pa = locate(offset, "reads");
        auto const part = std::min<std::size_t>(bytes, static_cast<std::size_t>(page_bytes - (pa.raw & page_mask)));
        machine_.memory().read(pa, out, part);
        out += part;
        offset += part;
        bytes -= part;
    }
}

void SharedBuffer::write(std::uint64_t offset, void const* from, std::size_t bytes)
{
    auto const* in = static_cast<std::uint8_t const*>(from);
    while (bytes != 0) {
        auto const pa = locate(offset, "writes");
        auto const part = std::min<std::size_t>(bytes, static_cast<std::size_t>(page_bytes - (pa.raw & page_mask)));
        machine_.memory().write(pa, in, part);
        in += part;
        offset += part;
        bytes -= part;
    }
}

bool SharedBuffer::is_shadow() const
{
    return std::all_of(pages_.begin(), pages_.end(), [&](std::uint64_t page) {
        return machine_.memory().frame(page)->use.load() == FrameUse::mediator;
    });
}

bool SharedBuffer::is_zero_from(std::uint64_t offset) const
{
    return machine_.memory().is_zero(Pa{pages_.front()}, static_cast<std::uint32_t>(offset + page_offset_));
}

bool BufferList::insert(Buffer const& buffer)
{
    auto const unique = buffer->cookie() == 0 || !has_live(buffer->cookie());
    by_cookie_[buffer->cookie()].push_back(buffer);
    return unique;
}

void BufferList::erase(Buffer const& buffer)
{
    auto const place = by_cookie_.find(buffer->cookie());
    if (place == by_cookie_.end())
        return;
    auto& same = place->second;
    same.erase(std::remove(same.begin(), same.end(), buffer), same.end());
    if (same.empty())
        by_cookie_.erase(place);
}

Buffer BufferList::find(std::uint64_t cookie) const
{
    auto const place = by_cookie_.find(cookie);
    return place == by_cookie_.end() ? nullptr : place->second.back();
}

bool BufferList::has_live(std::uint64_t cookie) const
{
    auto const place = by_cookie_.find(cookie);
    return place != by_cookie_.end() &&
           std::any_of(place->second.begin(), place->second.end(), [](Buffer const& b) { return b->is_named; });
}

void BufferList::forget_but_keep_name(Buffer const& buffer)
{
    if (buffer->cookie() != 0)
        ++kept_names_[buffer->cookie()];
    buffer->let_go();
    erase(buffer);
}

std::size_t BufferList::live() const
{
    std::size_t count = 0;
    for (auto const& entry : by_cookie_)
        count += entry.second.size();
    return count;
}

void BufferList::clear()
{
    by_cookie_.clear();
    kept_names_.clear();
}

std::optional<std::vector<std::uint64_t>> read_page_list(Machine& machine,
                                                         Vm& vm,
                                                         std::uint64_t list,
                                                         std::uint64_t pages)
{
    std::vector<std::uint64_t> found;
    while (true) {
        auto const page = SharedBuffer::make(machine, vm, {list}, 0, 0);
        if (!page)
            return std::nullopt;
        if (!page->is_shadow())
            machine.broken(Invariant::i10, "OP-TEE is given a page list in a guest's memory");
        auto const here = std::min<std::uint64_t>(pages - found.size(), abi::entries_per_list);
        std::uint64_t entries[abi::entries_per_list + 1] = {};
        page->read(0, entries, sizeof entries);
        found.insert(found.end(), entries, entries + here);
        for (auto rest = here; rest < abi::entries_per_list; ++rest)
            if (entries[rest] != 0)
                machine.broken(Invariant::i15, "a page list has something after its last entry");
        if (found.size() == pages) {
            if (entries[abi::entries_per_list] != 0)
                machine.broken(Invariant::i15, "a page list goes on after its last entry");
            return found;
        }
        list = entries[abi::entries_per_list];
    }
}

Buffer buffer_from_list(Machine& machine, Vm& vm, std::uint64_t buf_ptr, std::uint64_t size, std::uint64_t cookie)
{
    auto const offset = buf_ptr & page_mask;
    if (size + offset < size)
        return nullptr;
    // With a size of zero OP-TEE computes 2^52 pages, and its allocation fails.
    auto const pages = (size + offset - 1) / page_bytes + 1;
    if (pages > PhysicalMemory::banks * PhysicalMemory::bank_frames)
        return nullptr;
    auto list = read_page_list(machine, vm, buf_ptr & ~page_mask, pages);
    if (!list)
        return nullptr;
    return SharedBuffer::make(machine, vm, std::move(*list), static_cast<std::uint32_t>(offset), cookie);
}

} // namespace sim::tee
