// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// The guest's own page allocator, and the names that it gives to shared memory.

#include "sim/machine/vm.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace sim {

/// What Linux calls a tee_shm: memory that OP-TEE may come to see, named by a cookie.
struct SharedMemory {
    std::uint64_t cookie = 0;
    std::vector<Ipa> pages;
    std::uint32_t offset = 0; ///< of the data in the first page
    std::uint64_t size = 0;
    bool is_registered = false;
    bool is_contiguous = false; ///< its pages follow each other in IPA

    Ipa at(std::uint64_t byte) const
    {
        auto const place = byte + offset;
        return Ipa{pages.at(to_index(place / page_bytes)).raw + place % page_bytes};
    }
};

using Shm = std::shared_ptr<SharedMemory>;

class GuestMemory {
public:
    explicit GuestMemory(Vm&);

    /// Pages that follow each other; throws std::bad_alloc.
    Ipa allocate(std::uint64_t pages);
    void free(Ipa, std::uint64_t pages);
    std::uint64_t free_pages() const;

    /// As the kernel allocates: pages that follow each other.
    Shm allocate_contiguous(std::uint64_t bytes);
    /// As a process has its memory: pages from everywhere.
    Shm allocate_scattered(std::uint64_t bytes, std::uint32_t offset = 0);
    void free(Shm const&);
    Shm find(std::uint64_t cookie) const; ///< nullptr when the guest has none of that name

    /// A NONCONTIG page list for it, in pages of its own (`list_pages` of them).
    Ipa write_page_list(SharedMemory const&);
    static std::uint64_t list_pages(SharedMemory const&);

    Vm& vm() const { return vm_; }

private:
    Ipa allocate_locked(std::uint64_t pages);
    void free_locked(Ipa, std::uint64_t pages);
    Shm name_locked(Shm);

    Vm& vm_;
    mutable std::mutex mutex_;
    std::map<std::uint64_t, std::uint64_t> free_runs_; ///< first page, pages
    std::map<std::uint64_t, Shm> named_;
    std::vector<std::uint64_t> free_cookies_; ///< a slab allocator reuses what was freed last
    std::uint64_t next_cookie_;
};

} // namespace sim
