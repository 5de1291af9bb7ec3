// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// Xen's heap. What was freed is kept for a while, so that somebody who still uses it is caught, and changes nothing
// that belongs to others.

#include "sim/machine/vm.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>

namespace sim::upstream {

class Heap {
public:
    void* allocate(Vm const* on_behalf_of, std::size_t bytes); ///< zeroed
    bool release(void*);                                       ///< false: not a block, or freed before
    bool is_freed(void const* address) const;
    std::size_t live(Vm const* on_behalf_of) const;

private:
    static constexpr std::size_t most_kept = 4096;

    struct Block {
        std::unique_ptr<std::byte[]> memory;
        std::size_t bytes;
        Vm const* vm;
        bool is_freed;
    };
    using Blocks = std::map<std::uintptr_t, Block>;

    mutable std::mutex mutex_; ///< guards what follows
    Blocks blocks_;            ///< by address
    std::deque<std::uintptr_t> freed_;
};

} // namespace sim::upstream
