// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/machine/physical_memory.hpp"

#include <cstring>
#include <memory>
#include <new>

namespace sim {

PhysicalMemory::~PhysicalMemory()
{
    delete null_frame_.contents.load();
    for (auto& slot : chunks_) {
        std::unique_ptr<Chunk> const chunk{slot.load()};
        if (chunk)
            for (auto& frame : *chunk)
                delete frame.contents.load();
    }
}

bool PhysicalMemory::in_a_bank(std::uint64_t address)
{
    auto const bank = (address >> 32) - first_bank;
    auto const low = address & 0xffff'ffff;
    return bank < banks && low >= bank_offset && low - bank_offset < bank_frames * page_bytes;
}

std::optional<std::uint64_t> PhysicalMemory::index_of(std::uint64_t address)
{
    if (!in_a_bank(address))
        return std::nullopt;
    auto const bank = (address >> 32) - first_bank;
    return bank * bank_frames + ((address & 0xffff'ffff) - bank_offset) / page_bytes;
}

Pa PhysicalMemory::pa_of(std::uint64_t frame_index)
{
    auto const bank = frame_index / bank_frames;
    auto const in_bank = frame_index % bank_frames;
    return Pa{((first_bank + bank) << 32) + bank_offset + in_bank * page_bytes};
}

Frame* PhysicalMemory::frame(std::uint64_t address) const
{
    if (is_null(address))
        return null_frame_.use.load() == FrameUse::free ? nullptr : &null_frame_;
    auto const index = index_of(address);
    if (!index)
        return nullptr;
    auto* const chunk = chunks_[to_index(*index / chunk_frames)].load(std::memory_order_acquire);
    return chunk == nullptr ? nullptr : &(*chunk)[to_index(*index % chunk_frames)];
}

bool PhysicalMemory::is_used(std::uint64_t address) const
{
    // Zero is everywhere: nobody can tell that it is an address.
    auto const* const found = is_null(address) ? nullptr : frame(address);
    return found != nullptr && found->use.load() != FrameUse::free;
}

Frame& PhysicalMemory::use_frame(Pa pa)
{
    if (is_null(pa.raw))
        return null_frame_;
    auto const index = index_of(pa.raw).value();
    auto& slot = chunks_[to_index(index / chunk_frames)];
    if (slot.load(std::memory_order_acquire) == nullptr) {
        auto fresh = std::make_unique<Chunk>();
        Chunk* expected = nullptr;
        if (slot.compare_exchange_strong(expected, fresh.get()))
            static_cast<void>(fresh.release());
    }
    return (*slot.load(std::memory_order_acquire))[to_index(index % chunk_frames)];
}

Pa PhysicalMemory::reserve(std::uint64_t pages)
{
    std::lock_guard const guard{mutex_};
    // A run does not cross from one bank into the next: there is a hole between them.
    if (next_frame_ % bank_frames + pages > bank_frames && pages <= bank_frames)
        next_frame_ += bank_frames - next_frame_ % bank_frames;
    if (pages > bank_frames || next_frame_ + pages > mediator_bank * bank_frames)
        throw std::bad_alloc{};
    auto const first = next_frame_;
    next_frame_ += pages;
    return pa_of(first);
}

void PhysicalMemory::give_to_vm(Pa pa, std::uint16_t vm)
{
    auto& frame = use_frame(pa);
    frame.owner = vm;
    frame.removed = false;
    frame.use = FrameUse::guest_ram;
}

void PhysicalMemory::free_frame(Pa pa)
{
    auto& frame = use_frame(pa);
    frame.use = FrameUse::free;
    frame.removed = false;
    fill_with_zeros(pa);
}

std::optional<Pa> PhysicalMemory::allocate_mediator_frame(std::uint16_t vm)
{
    if (null_frame_is_next_.exchange(false)) {
        null_frame_.owner = vm;
        null_frame_.use = FrameUse::mediator;
        mediator_frames_ += 1;
        return Pa{0};
    }
    std::uint64_t index = 0;
    {
        std::lock_guard const guard{mutex_};
        if (free_mediator_count_ != 0)
            index = free_mediator_frames_[--free_mediator_count_];
        else if (next_mediator_frame_ < banks * bank_frames)
            index = next_mediator_frame_++;
        else
            return std::nullopt;
    }
    auto const pa = pa_of(index);
    auto& frame = use_frame(pa);
    frame.owner = vm;
    frame.use = FrameUse::mediator;
    mediator_frames_ += 1;
    return pa;
}

void PhysicalMemory::free_mediator_frame(Pa pa)
{
    free_frame(pa);
    mediator_frames_ -= 1;
    if (is_null(pa.raw))
        return;
    // A few are used again soon, so that a stale reference meets a new owner; the others never, so that it is caught.
    std::lock_guard const guard{mutex_};
    if (free_mediator_count_ < free_mediator_frames_.size())
        free_mediator_frames_[free_mediator_count_++] = index_of(pa.raw).value();
}

Frame::Contents& PhysicalMemory::materialise(Frame& frame)
{
    if (auto* const present = frame.contents.load(std::memory_order_acquire))
        return *present;
    auto fresh = std::make_unique<Frame::Contents>();
    Frame::Contents* expected = nullptr;
    if (frame.contents.compare_exchange_strong(expected, fresh.get()))
        return *fresh.release();
    return *expected;
}

void PhysicalMemory::read(Pa pa, void* to, std::size_t bytes) const
{
    auto const* const found = frame(pa.raw);
    auto const* const contents = found == nullptr ? nullptr : found->contents.load(std::memory_order_acquire);
    if (contents == nullptr) {
        std::memset(to, 0, bytes);
        return;
    }
    auto* out = static_cast<std::uint8_t*>(to);
    for (auto offset = to_index(pa.raw & page_mask); bytes != 0;) {
        auto const word = (*contents)[offset / 4].load(std::memory_order_relaxed);
        std::uint8_t octets[4];
        std::memcpy(octets, &word, 4);
        for (auto i = offset % 4; i < 4 && bytes != 0; ++i, ++offset, --bytes)
            *out++ = octets[i];
    }
}

void PhysicalMemory::write(Pa pa, void const* from, std::size_t bytes)
{
    auto& contents = materialise(use_frame(pa));
    auto const* in = static_cast<std::uint8_t const*>(from);
    for (auto offset = to_index(pa.raw & page_mask); bytes != 0;) {
        auto& word = contents[offset / 4];
        auto old = word.load(std::memory_order_relaxed);
        auto const first = offset % 4;
        auto const count = bytes < 4 - first ? bytes : 4 - first;
        std::uint32_t fresh = 0;
        do { // whoever writes the other bytes of the word at this moment keeps them
            std::uint8_t octets[4];
            std::memcpy(octets, &old, 4);
            std::memcpy(octets + first, in, count);
            std::memcpy(&fresh, octets, 4);
        } while (!word.compare_exchange_weak(old, fresh, std::memory_order_relaxed));
        offset += count;
        in += count;
        bytes -= count;
    }
}

bool PhysicalMemory::is_zero(Pa page, std::uint32_t from_byte) const
{
    auto const* const found = frame(page.raw);
    auto const* const contents = found == nullptr ? nullptr : found->contents.load(std::memory_order_acquire);
    if (contents == nullptr)
        return true;
    for (auto word = from_byte / 4; word < Frame::words; ++word)
        if ((*contents)[word].load(std::memory_order_relaxed) != 0)
            return false;
    return true;
}

void PhysicalMemory::fill_with_zeros(Pa page)
{
    auto* const found = frame(page.raw);
    auto* const contents = found == nullptr ? nullptr : found->contents.load(std::memory_order_acquire);
    if (contents != nullptr)
        for (auto& word : *contents)
            word.store(0, std::memory_order_relaxed);
}

} // namespace sim
