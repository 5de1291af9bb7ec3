// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Plays one attack after the other. After each the mediator must still serve this guest: where it does not, the rest would
// prove nothing, so the guest ends and says so, and whoever watches starts it again at the next attack (from=N).

#include "optee.hpp"
#include "tap.hpp"

namespace hostile {

namespace {

bool failed;
char const* skipped;

std::span<Case const> group(std::size_t number)
{
    switch (number) {
    case 0:  return attacks_on_registers();
    case 1:  return attacks_on_messages();
    case 2:  return attacks_on_parameters();
    case 3:  return attacks_on_page_lists();
    case 4:  return attacks_on_the_registry();
    case 5:  return attacks_on_rpc();
    case 6:  return attacks_on_rpc_memory();
    case 7:  return attacks_on_rpc_arguments();
    case 8:  return attacks_on_resources();
    case 9:  return races();
    case 10: return attacks_on_lifetime();
    default: return {};
    }
}

std::size_t attacks()
{
    std::size_t count = 0;
    for (std::size_t i = 0; !group(i).empty(); ++i)
        count += group(i).size();
    return count;
}

// True when the mediator still serves the guest afterwards.
bool play(Case const& attack, Word number)
{
    failed = false;
    skipped = nullptr;
    registers_lost();
    // Before it begins: should the guest die in it, whoever watches knows in what.
    Line{}.text("# attack ").number(number).text(" - ").text(attack.id).text(" ").text(attack.title).end();
    auto const begin = now();
    attack.play();
    expect_equal(registers_lost(), 0, "calls that changed x4 to x7");
    auto const served = attack.then == Then::is_over || is_served();
    expect(served, "OP-TEE serves this guest afterwards");
    Line{}.text("# took ").number((now() - begin) * 1000 / ticks_per_second()).text(" ms").end();
    Line line;
    line.text(failed ? "not ok " : "ok ").number(number).text(" - ").text(attack.id).text(" ").text(attack.title);
    if (skipped != nullptr && !failed)
        line.text(" # SKIP ").text(skipped);
    line.end();
    free_pages();
    return served;
}

void play_all()
{
    auto const first = option("from=", 1);
    Line{}.text("TAP version 14").end();
    Line{}.text("1..").number(attacks()).end();
    Word number = 0;
    for (std::size_t i = 0; !group(i).empty(); ++i) {
        for (auto const& attack : group(i)) {
            if (++number < first)
                continue;
            if (!play(attack, number)) {
                Line{}.text("# lost: goes on in a new guest").end();
                return;
            }
        }
    }
    Line{}.text("# done").end();
}

} // namespace

bool expect(bool held, char const* what)
{
    if (!held) {
        failed = true;
        Line{}.text("# not so: ").text(what).end();
    }
    return held;
}

bool expect_equal(Word seen, Word required, char const* what)
{
    if (seen != required) {
        failed = true;
        Line{}.text("# ").text(what).text(": ").hex(seen).text(", required ").hex(required).end();
    }
    return seen == required;
}

void skip(char const* why)
{
    skipped = why;
}

} // namespace hostile

extern "C" [[noreturn]] void guest_main(void const* device_tree)
{
    hostile::set_device_tree(device_tree);
    if (hostile::option("victim=", 0) != 0)
        hostile::be_the_victim();
    else
        hostile::play_all();
    hostile::power_off();
}

extern "C" [[noreturn]] void guest_died(std::uint64_t syndrome, std::uint64_t place, std::uint64_t address)
{
    hostile::Line{}.text("# exception ").hex(syndrome).text(" at ").hex(place).text(", address ").hex(address).end();
    hostile::power_off();
}
