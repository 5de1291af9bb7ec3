// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// Pages of a guest that Xen has mapped. On a board they are the guest's memory itself: each load sees what the guest
// wrote last, each store is there at once. Here Xen has a copy, and the compiler announces every load and store of
// optee.c (watched_accesses.cpp): a load brings the copy up to date first, and what was stored goes to the guest before
// Xen does anything else. So an access of a guest is one of the simulator's, at its moment, with all its checks.

#include "sim/machine/entry.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace sim::upstream {

class GuestWindows {
public:
    void* map(Entry&, Pa page);
    bool unmap(Entry&, void const*); ///< false: not one of ours
    void forget(Entry&);             ///< what an entry left mapped

    /// True: the address is in a window.
    bool before_load(Entry&, void const*, std::size_t bytes);
    bool before_store(Entry&, void const*, std::size_t bytes);

    /// What this CPU stored last is in the guest's memory now.
    void settle(Entry&);

private:
    struct Stored {
        std::uint32_t offset = 0;
        std::uint32_t bytes = 0;
    };
    struct Window {
        Entry* entry;
        Pa page;
        Stored stored;
        alignas(std::uint64_t) std::array<std::uint8_t, page_bytes> copy;
    };

    Window* find(void const*) const;
    std::vector<Window*> of(Entry const&) const;
    static Stored words_of(Window const&, void const*, std::size_t bytes);

    mutable std::mutex mutex_; ///< guards the list, not what is in it: that is of one CPU
    std::vector<std::unique_ptr<Window>> windows_;
};

} // namespace sim::upstream
