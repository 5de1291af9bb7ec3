// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include <optee_mediator/mediator.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>

namespace optee {

/// Where nobody says otherwise: enough for any client seen so far, and at most 5 MiB of page lists in the hypervisor.
struct DefaultPolicy {
    static constexpr std::uint32_t buffers = 1024;
    static constexpr std::uint32_t pages = 65536;
};

/// The limits of one VM. Changed while the VM runs; a limit counts for what is asked for afterwards.
class Policy {
public:
    static constexpr optee_mediator_policy defaults()
    {
        constexpr auto all = std::numeric_limits<std::uint32_t>::max();
        return {
            .threads = all, .buffers = DefaultPolicy::buffers, .pages = DefaultPolicy::pages, .capabilities = all};
    }

    void set(optee_mediator_policy const& policy)
    {
        threads_.store(std::max(policy.threads, 1U), std::memory_order_relaxed);
        buffers_.store(std::max(policy.buffers, 1U), std::memory_order_relaxed);
        pages_.store(std::max(policy.pages, 1U), std::memory_order_relaxed);
        capabilities_.store(policy.capabilities, std::memory_order_relaxed);
    }
    optee_mediator_policy get() const
    {
        return {.threads = threads(), .buffers = buffers(), .pages = pages(), .capabilities = capabilities()};
    }

    std::uint32_t threads() const { return threads_.load(std::memory_order_relaxed); }
    std::uint32_t buffers() const { return buffers_.load(std::memory_order_relaxed); }
    std::uint32_t pages() const { return pages_.load(std::memory_order_relaxed); }
    std::uint32_t capabilities() const { return capabilities_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint32_t> threads_{1};
    std::atomic<std::uint32_t> buffers_{1};
    std::atomic<std::uint32_t> pages_{1};
    std::atomic<std::uint32_t> capabilities_{0};
};

} // namespace optee
