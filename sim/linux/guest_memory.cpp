// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/linux/guest_memory.hpp"

#include "sim/optee/abi.hpp"

#include <algorithm>
#include <iterator>
#include <new>

namespace sim {

namespace {

constexpr std::uint64_t first_cookie = 0xffff'0000'1000'0000; ///< a kernel pointer, as Linux uses them
constexpr std::uint64_t cookie_step = 0x80;

std::uint64_t pages_for(std::uint64_t bytes)
{
    return std::max<std::uint64_t>((bytes + page_bytes - 1) / page_bytes, 1);
}

} // namespace

GuestMemory::GuestMemory(Vm& vm) : vm_{vm}, next_cookie_{first_cookie}
{
    // The first sixteen pages stay free for scripts that want pages of their own.
    free_runs_[16] = vm.ram_pages() - 16;
}

Ipa GuestMemory::allocate_locked(std::uint64_t pages)
{
    for (auto run = free_runs_.begin(); run != free_runs_.end(); ++run) {
        auto const [first, length] = *run;
        if (length < pages)
            continue;
        free_runs_.erase(run);
        if (length > pages)
            free_runs_[first + pages] = length - pages;
        return vm_.ram(first);
    }
    throw std::bad_alloc{};
}

void GuestMemory::free_locked(Ipa ipa, std::uint64_t pages)
{
    auto first = (ipa.raw - Vm::ram_base.raw) / page_bytes;
    auto const next = free_runs_.lower_bound(first);
    if (next != free_runs_.end() && next->first == first + pages) {
        pages += next->second;
        free_runs_.erase(next);
    }
    auto const after = free_runs_.lower_bound(first);
    if (after != free_runs_.begin()) {
        auto const before = std::prev(after);
        if (before->first + before->second == first) {
            before->second += pages;
            return;
        }
    }
    free_runs_[first] = pages;
}

Ipa GuestMemory::allocate(std::uint64_t pages)
{
    std::lock_guard const guard{mutex_};
    return allocate_locked(pages);
}

void GuestMemory::free(Ipa ipa, std::uint64_t pages)
{
    std::lock_guard const guard{mutex_};
    free_locked(ipa, pages);
}

std::uint64_t GuestMemory::free_pages() const
{
    std::lock_guard const guard{mutex_};
    std::uint64_t total = 0;
    for (auto const& run : free_runs_)
        total += run.second;
    return total;
}

Shm GuestMemory::name_locked(Shm shm)
{
    if (free_cookies_.empty()) {
        shm->cookie = next_cookie_;
        next_cookie_ += cookie_step;
    } else {
        shm->cookie = free_cookies_.back();
        free_cookies_.pop_back();
    }
    named_[shm->cookie] = shm;
    return shm;
}

Shm GuestMemory::allocate_contiguous(std::uint64_t bytes)
{
    std::lock_guard const guard{mutex_};
    auto shm = std::make_shared<SharedMemory>();
    auto const pages = pages_for(bytes);
    auto const base = allocate_locked(pages);
    for (std::uint64_t page = 0; page < pages; ++page)
        shm->pages.push_back(Ipa{base.raw + page * page_bytes});
    shm->size = pages * page_bytes;
    shm->is_contiguous = true;
    return name_locked(shm);
}

Shm GuestMemory::allocate_scattered(std::uint64_t bytes, std::uint32_t offset)
{
    std::lock_guard const guard{mutex_};
    auto shm = std::make_shared<SharedMemory>();
    auto const pages = pages_for(bytes + offset);
    for (std::uint64_t page = 0; page < pages; ++page)
        shm->pages.push_back(allocate_locked(1));
    // Not in the order of their addresses: first those with odd numbers, backwards.
    std::reverse(shm->pages.begin(), shm->pages.end());
    std::stable_partition(shm->pages.begin(), shm->pages.end(), [](Ipa ipa) { return (ipa.raw & page_bytes) != 0; });
    shm->size = bytes;
    shm->offset = offset;
    return name_locked(shm);
}

void GuestMemory::free(Shm const& shm)
{
    std::lock_guard const guard{mutex_};
    if (named_.erase(shm->cookie) == 0)
        return;
    free_cookies_.push_back(shm->cookie);
    for (auto const page : shm->pages)
        free_locked(page, 1);
}

Shm GuestMemory::find(std::uint64_t cookie) const
{
    std::lock_guard const guard{mutex_};
    auto const place = named_.find(cookie);
    return place == named_.end() ? nullptr : place->second;
}

std::uint64_t GuestMemory::list_pages(SharedMemory const& shm)
{
    return std::max<std::uint64_t>((shm.pages.size() + abi::entries_per_list - 1) / abi::entries_per_list, 1);
}

Ipa GuestMemory::write_page_list(SharedMemory const& shm)
{
    auto const pages = list_pages(shm);
    auto const list = allocate(pages);
    std::size_t entry = 0;
    for (std::uint64_t page = 0; page < pages; ++page) {
        std::uint64_t words[abi::entries_per_list + 1] = {};
        for (std::uint32_t n = 0; n < abi::entries_per_list && entry < shm.pages.size(); ++n)
            words[n] = shm.pages[entry++].raw;
        auto const here = list.raw + page * page_bytes;
        if (page + 1 < pages)
            words[abi::entries_per_list] = here + page_bytes;
        vm_.write(Ipa{here}, words, sizeof words);
    }
    return list;
}

} // namespace sim
