// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// How late a guest's own timer is while its processor works: in a program, and in OP-TEE. A processor in the secure world
// is nobody's else, so a timer is as late as the interrupt takes to come through OP-TEE, mediator and hypervisor.

#include "client.hpp"
#include "teec.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

namespace client {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t samples = 400;
constexpr std::chrono::milliseconds period{5};
constexpr std::size_t work_bytes = 64 * 1024;

/// How late each tick was, in microseconds, in order.
std::vector<long> lateness()
{
    std::vector<long> late;
    auto due = Clock::now();
    for (std::size_t i = 0; i != samples; ++i) {
        due += period;
        std::this_thread::sleep_until(due);
        auto const now = Clock::now();
        late.push_back(std::chrono::duration_cast<std::chrono::microseconds>(now - due).count());
        due = std::max(due, now); // what is late delays no later one
    }
    std::sort(late.begin(), late.end());
    return late;
}

/// Measures while another thread does this until it is told to end; returns what that thread counted.
template <typename Work>
void measure_while(char const* name, Work work)
{
    std::atomic<bool> ends{false};
    unsigned long done = 0;
    std::thread worker{[&] {
        while (!ends)
            done += work();
    }};
    auto const late = lateness();
    ends = true;
    worker.join();
    std::printf("fact interrupts.timer while=%s samples=%zu done=%lu median_us=%ld p99_us=%ld max_us=%ld\n",
                name,
                late.size(),
                done,
                late[late.size() / 2],
                late[late.size() * 99 / 100],
                late.back());
}

} // namespace

int timer()
{
    Context context;
    Session ta{context, crypt::uuid};
    Buffer buffer{context, work_bytes};
    if (ta.result() != TEEC_SUCCESS || buffer.result() != TEEC_SUCCESS)
        return 1;
    measure_while("computing", [value = 1U]() mutable {
        for (int i = 0; i != 1'000'000; ++i)
            value = value * 1664525U + 1013904223U;
        return value == 0 ? 0UL : 1UL;
    });
    measure_while("calling", [&]() -> unsigned long {
        return work_in_place(ta, crypt::aes256_ecb_encrypt, buffer, 0, work_bytes) == TEEC_SUCCESS ? 1 : 0;
    });
    return 0;
}

} // namespace client
