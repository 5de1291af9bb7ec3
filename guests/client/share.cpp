// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "client.hpp"
#include "teec.hpp"

#include <algorithm>
#include <atomic>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <memory>
#include <thread>

namespace client {

namespace {

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;
constexpr std::size_t page = 4 * kib;
constexpr std::size_t block = 16; // of AES
constexpr std::size_t big = 16 * mib;
constexpr std::size_t small = 64 * kib;
constexpr std::size_t count = 256;
constexpr std::size_t most_counted = 300;
constexpr std::size_t biggest_tried = 32 * mib;
constexpr int rounds_meanwhile = 8;

// Every block is another one, so that a page in another one's place would show.
std::uint64_t pattern(std::uint64_t word, std::uint64_t buffer)
{
    return word * 0x9e3779b97f4a7c15 ^ (buffer << 32);
}

void fill(Buffer& buffer, std::size_t number)
{
    auto const bytes = buffer.bytes();
    for (std::size_t word = 0; word != bytes.size() / sizeof(std::uint64_t); ++word) {
        auto const value = pattern(word, number);
        std::memcpy(&bytes[word * sizeof(value)], &value, sizeof(value));
    }
}

bool has_pattern(Buffer& buffer, std::size_t number)
{
    auto const bytes = buffer.bytes();
    for (std::size_t word = 0; word != bytes.size() / sizeof(std::uint64_t); ++word) {
        auto const value = pattern(word, number);
        if (std::memcmp(&bytes[word * sizeof(value)], &value, sizeof(value)) != 0)
            return false;
    }
    return true;
}

// No block may be what it was: the TA has seen, and written, each of them, the last byte of the buffer among them.
std::size_t blocks_changed(Buffer& buffer, std::size_t number)
{
    auto const bytes = buffer.bytes();
    std::size_t changed = 0;
    for (std::size_t at = 0; at != bytes.size(); at += block) {
        std::uint64_t const was[] = {pattern(at / sizeof(std::uint64_t), number),
                                     pattern(at / sizeof(std::uint64_t) + 1, number)};
        changed += std::memcmp(&bytes[at], was, block) != 0;
    }
    return changed;
}

void one_big(Context& context, Session& ta)
{
    auto const begin = seconds_now();
    Buffer buffer{context, big};
    auto const registered = seconds_now();
    auto result = buffer.result();
    bool last_there = false;
    bool all_back = false;
    std::size_t changed = 0;
    if (result == TEEC_SUCCESS) {
        fill(buffer, 1);
        result = work_in_place(ta, crypt::aes256_ecb_encrypt, buffer, 0, big);
        changed = blocks_changed(buffer, 1);
        // ECB: the last byte alone decides upon the last block, and no other one depends on it.
        std::byte with_old_byte[block];
        std::memcpy(with_old_byte, &buffer.bytes()[big - block], block);
        if (result == TEEC_SUCCESS)
            result = work_in_place(ta, crypt::aes256_ecb_decrypt, buffer, 0, big);
        all_back = result == TEEC_SUCCESS && has_pattern(buffer, 1);
        if (result == TEEC_SUCCESS) {
            buffer.bytes()[big - 1] ^= std::byte{1};
            result = work_in_place(ta, crypt::aes256_ecb_encrypt, buffer, big - block, block);
            last_there = std::memcmp(with_old_byte, &buffer.bytes()[big - block], block) != 0;
        }
    }
    std::printf("fact sharing.buffer bytes=%zu result=%#" PRIx32 " blocks=%zu blocks_changed=%zu all_back=%d "
                "last_byte_seen=%d register_ms=%.0f\n",
                big,
                result,
                big / block,
                changed,
                all_back,
                last_there,
                (registered - begin) * 1000);
}

void many(Context& context, Session& ta)
{
    std::vector<std::unique_ptr<Buffer>> buffers;
    std::size_t wrong = 0;
    TEEC_Result result = TEEC_SUCCESS;
    while (buffers.size() != count && result == TEEC_SUCCESS) {
        auto next = std::make_unique<Buffer>(context, small);
        result = next->result();
        if (result == TEEC_SUCCESS) {
            fill(*next, buffers.size());
            buffers.push_back(std::move(next));
        }
    }
    auto const at_once = buffers.size();
    // All are registered while each is used.
    for (std::size_t number = 0; number != at_once; ++number) {
        auto& buffer = *buffers[number];
        bool const there = work_in_place(ta, crypt::aes256_ecb_encrypt, buffer, 0, small) == TEEC_SUCCESS &&
                           blocks_changed(buffer, number) == small / block;
        bool const back = work_in_place(ta, crypt::aes256_ecb_decrypt, buffer, 0, small) == TEEC_SUCCESS &&
                          has_pattern(buffer, number);
        wrong += !there || !back;
    }
    std::printf("fact sharing.buffers wanted=%zu bytes=%zu at_once=%zu wrong=%zu result=%#" PRIx32 "\n",
                count,
                small,
                at_once,
                wrong,
                result);
}

// The last size, in pages, that can be registered: doubled until it fails, then halved in between.
void largest(Context& context)
{
    auto const fits = [&](std::size_t pages) { return Buffer{context, pages * page}.result() == TEEC_SUCCESS; };
    std::size_t good = 0;
    std::size_t bad = 1;
    while (bad <= biggest_tried / page && fits(bad)) {
        good = bad;
        bad *= 2;
    }
    bool const ended = bad <= biggest_tried / page;
    while (ended && bad - good > 1) {
        auto const between = good + (bad - good) / 2;
        (fits(between) ? good : bad) = between;
    }
    std::printf("fact sharing.largest kib=%zu end_found=%d\n", good * page / kib, ended);
}

// How many of one page can be registered at once.
void most(Context& context)
{
    std::vector<std::unique_ptr<Buffer>> buffers;
    for (; buffers.size() != most_counted; buffers.back()->bytes()[0] = std::byte{1}) {
        auto next = std::make_unique<Buffer>(context, page);
        if (next->result() != TEEC_SUCCESS)
            break;
        buffers.push_back(std::move(next));
    }
    std::printf("fact sharing.most buffers=%zu end_found=%d\n", buffers.size(), buffers.size() != most_counted);
}

// Another thread, on the other vCPU when there is one, calls a TA while the big buffer comes and goes.
void meanwhile(Context& context)
{
    std::atomic<bool> registering{false};
    std::atomic<bool> over{false};
    std::size_t calls = 0;
    std::size_t failed = 0;
    std::thread other{[&] {
        Context its_own;
        Session ta{its_own, crypt::uuid};
        Buffer buffer{its_own, page};
        while (!over) {
            bool const before = registering;
            bool const ok = work_in_place(ta, crypt::aes256_ecb_encrypt, buffer, 0, block) == TEEC_SUCCESS;
            failed += !ok;
            // Only what began and ended in the midst of it counts.
            calls += ok && before && registering;
        }
    }};
    int done = 0;
    double seconds = 0;
    for (; done != rounds_meanwhile; ++done) {
        auto const begin = seconds_now();
        registering = true;
        bool const ok = Buffer{context, big}.result() == TEEC_SUCCESS;
        registering = false;
        seconds += seconds_now() - begin;
        if (!ok)
            break;
    }
    over = true;
    other.join();
    std::printf("fact sharing.meanwhile rounds=%d seconds=%.2f calls=%zu failed=%zu\n", done, seconds, calls, failed);
}

} // namespace

int share()
{
    Context context;
    Session ta{context, crypt::uuid};
    if (ta.result() != TEEC_SUCCESS) {
        std::fprintf(stderr, "client: no session with the TA that encrypts: %#" PRIx32 "\n", ta.result());
        return 1;
    }
    largest(context);
    most(context);
    one_big(context, ta);
    many(context, ta);
    meanwhile(context);
    std::printf("fact sharing.end\n");
    return 0;
}

} // namespace client
