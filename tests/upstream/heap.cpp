// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/upstream/heap.hpp"

#include <algorithm>

namespace sim::upstream {

namespace {

std::uintptr_t number(void const* address)
{
    return reinterpret_cast<std::uintptr_t>(address);
}

} // namespace

void* Heap::allocate(Vm const* on_behalf_of, std::size_t bytes)
{
    auto memory = std::make_unique<std::byte[]>(bytes);
    auto* const block = memory.get();
    std::lock_guard const guard{mutex_};
    blocks_.emplace(number(block), Block{std::move(memory), bytes, on_behalf_of, false});
    return block;
}

bool Heap::release(void* block)
{
    std::lock_guard const guard{mutex_};
    auto const place = blocks_.find(number(block));
    if (place == blocks_.end() || place->second.is_freed)
        return false;
    place->second.is_freed = true;
    freed_.push_back(place->first);
    if (freed_.size() > most_kept) {
        blocks_.erase(freed_.front());
        freed_.pop_front();
    }
    return true;
}

bool Heap::is_freed(void const* address) const
{
    std::lock_guard const guard{mutex_};
    auto const after = blocks_.upper_bound(number(address));
    if (after == blocks_.begin())
        return false;
    auto const& [begin, block] = *std::prev(after);
    return block.is_freed && number(address) - begin < block.bytes;
}

std::size_t Heap::live(Vm const* on_behalf_of) const
{
    std::lock_guard const guard{mutex_};
    return static_cast<std::size_t>(std::count_if(blocks_.begin(), blocks_.end(), [&](auto const& place) {
        return place.second.vm == on_behalf_of && !place.second.is_freed;
    }));
}

} // namespace sim::upstream
