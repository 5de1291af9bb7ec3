// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// The console of a Xen guest: a ring in a page that dom0 reads. And memory, which comes from one array.

#include "platform.hpp"
#include "xen.hpp"

#include <atomic>
#include <cstddef>

namespace hostile {

namespace {

constexpr std::size_t pages_of_a_case = 4096;
Page pages[pages_of_a_case];
std::atomic<std::size_t> pages_used;

std::uint64_t parameter(std::uint32_t index)
{
    xen::HvmParam param{.index = index};
    hypercall(xen::hvm_op, xen::get_param, address_of(&param));
    return param.value;
}

xen::ConsoleRing volatile& ring()
{
    static xen::ConsoleRing volatile* the_ring;
    if (the_ring == nullptr)
        the_ring = reinterpret_cast<xen::ConsoleRing volatile*>(parameter(xen::console_frame) * page_bytes);
    return *the_ring;
}

void ring_the_bell()
{
    static auto const port = static_cast<std::uint32_t>(parameter(xen::console_event));
    auto sent = port;
    hypercall(xen::event_channel_op, xen::send, address_of(&sent));
}

void write_to_ring(char character)
{
    auto& out = ring();
    while (out.out_produced - out.out_consumed == sizeof(out.out)) {
        ring_the_bell();
        let_others_run();
    }
    out.out[out.out_produced % sizeof(out.out)] = character;
    asm volatile("dmb ish" ::: "memory");
    out.out_produced = out.out_produced + 1;
}

} // namespace

Page* new_pages(std::size_t count)
{
    auto const begin = pages_used.fetch_add(count); // two vCPUs may ask at once
    if (begin + count > pages_of_a_case) {
        Line{}.text("Bail out! a case needs more pages than there are").end();
        power_off();
    }
    auto* const first = &pages[begin];
    for (std::size_t i = 0; i != count; ++i)
        first[i] = Page{};
    return first;
}

void free_pages()
{
    pages_used = 0;
}

Line& Line::text(char const* words)
{
    while (*words != 0)
        put(*words++);
    return *this;
}

Line& Line::number(Word value)
{
    char digits[20];
    std::size_t count = 0;
    do {
        digits[count++] = static_cast<char>('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count != 0)
        put(digits[--count]);
    return *this;
}

Line& Line::hex(Word value)
{
    text("0x");
    bool begun = false;
    for (int shift = 60; shift >= 0; shift -= 4) {
        auto const digit = value >> shift & 15;
        begun = begun || digit != 0 || shift == 0;
        if (begun)
            put("0123456789abcdef"[digit]);
    }
    return *this;
}

void Line::put(char character)
{
    if (length_ != sizeof(text_))
        text_[length_++] = character;
}

void Line::end()
{
    for (std::size_t i = 0; i != length_; ++i)
        write_to_ring(text_[i]);
    write_to_ring('\n');
    ring_the_bell();
}

void drain_console()
{
    auto& out = ring();
    auto const end = now() + 5 * ticks_per_second();
    while (out.out_produced != out.out_consumed && now() < end)
        let_others_run();
}

void wait_for_input()
{
    auto& in = ring();
    while (in.in_produced == in.in_consumed)
        let_others_run();
    in.in_consumed = in.in_produced;
}

} // namespace hostile

// What a compiler may call on its own.
extern "C" void* memset(void* to, int value, std::size_t bytes)
{
    for (std::size_t i = 0; i != bytes; ++i)
        static_cast<unsigned char volatile*>(to)[i] = static_cast<unsigned char>(value);
    return to;
}

extern "C" void* memcpy(void* to, void const* from, std::size_t bytes)
{
    for (std::size_t i = 0; i != bytes; ++i)
        static_cast<unsigned char volatile*>(to)[i] = static_cast<unsigned char const*>(from)[i];
    return to;
}
