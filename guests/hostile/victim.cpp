// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// The other role of this image (victim=1): a guest that has nothing to do with OP-TEE. It fills its memory with a pattern, waits,
// and looks whether the pattern is still there.

#include "optee.hpp"
#include "tap.hpp"

namespace hostile {

namespace {

constexpr Word first_page = 0x42000000; // behind this image
constexpr Word end_of_pages = 0x47000000;
constexpr std::size_t words_of_pattern = 16;

Word pattern(Word place, std::size_t index)
{
    return (place << 16) ^ 0x76696374696d2121 ^ index;
}

Page& page_at(Word place)
{
    return *reinterpret_cast<Page*>(place);
}

bool is_as_it_was(Word place)
{
    for (std::size_t i = 0; i != words_of_pattern; ++i)
        if (page_at(place).word(i) != pattern(place, i))
            return false;
    return true;
}

void show(Word place)
{
    Line line;
    line.text("# page ").hex(place).text(" begins with \"");
    for (std::size_t i = 0; i != 16; ++i) {
        char const byte[] = {static_cast<char>(page_at(place).bytes[i]), 0};
        line.text(byte[0] >= ' ' && byte[0] <= '~' ? byte : ".");
    }
    line.text("\"").end();
}

// This guest has no right to OP-TEE: for it there is no such thing.
bool is_without_tee()
{
    auto held = true;
    for (auto const function : {SmcFunction::calls_uid,
                                SmcFunction::exchange_capabilities,
                                SmcFunction::call_with_arg,
                                SmcFunction::return_from_rpc,
                                SmcFunction::vm_destroyed}) {
        auto const a0 = smc({{raw(function)}}).x[0] & 0xffffffff;
        held = held && a0 == raw(ReturnCode::unknown_function);
    }
    return held;
}

void report(bool held, Word number, char const* what)
{
    Line{}.text(held ? "ok " : "not ok ").number(number).text(" - ").text(what).end();
}

void announce(Word number, char const* what)
{
    Line{}.text("# attack ").number(number).text(" - ").text(what).end();
}

} // namespace

void be_the_victim()
{
    constexpr unsigned shown = 4;
    auto const* const without_tee = "F11 calls of a guest that has no TEE";
    auto const* const untouched = "HX02 the memory of another guest stays as it was";
    for (auto place = first_page; place != end_of_pages; place += page_bytes)
        for (std::size_t i = 0; i != words_of_pattern; ++i)
            page_at(place).word(i) = pattern(place, i);
    Line{}.text("TAP version 14").end();
    Line{}.text("1..2").end();
    announce(1, without_tee);
    report(is_without_tee(), 1, without_tee);
    Line{}.text("# ready").end();
    announce(2, untouched);
    wait_for_input();
    unsigned changed = 0;
    for (auto place = first_page; place != end_of_pages; place += page_bytes)
        if (!is_as_it_was(place) && ++changed <= shown)
            show(place);
    Line{}
        .text("# ")
        .number(changed)
        .text(" pages changed of ")
        .number((end_of_pages - first_page) / page_bytes)
        .end();
    report(changed == 0, 2, untouched);
}

} // namespace hostile
