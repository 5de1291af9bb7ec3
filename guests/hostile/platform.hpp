// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// What a guest without an operating system has: calls to Xen and to the secure world, pages, a console, a second vCPU.

#include <cstddef>
#include <cstdint>

namespace hostile {

using Word = std::uint64_t;

// --- calls

/// x0 to x7, as they go into a call and come out of it.
struct Registers {
    Word x[8] = {};
};

/// SMC and HVC of the SMC calling convention. That x4 to x7 come back as they went is counted, see registers_lost().
Registers smc(Registers const&);
Registers hvc(Registers const&);

/// How many calls have brought back something else in x4 to x7, since this was asked last.
unsigned registers_lost();

/// A call to Xen: 0 or more when it worked.
std::int64_t hypercall(Word operation, Word a = 0, Word b = 0, Word c = 0);

[[noreturn]] void power_off();

// --- memory

inline constexpr std::size_t page_bytes = 4096;

struct alignas(page_bytes) Page {
    std::uint8_t bytes[page_bytes];
    std::uint64_t& word(std::size_t index) { return reinterpret_cast<std::uint64_t*>(bytes)[index]; }
};

/// Pages of the case that runs: zeroed, neighbours of each other, and given back all at once.
Page* new_pages(std::size_t count);
inline Page& new_page()
{
    return *new_pages(1);
}
void free_pages();

/// Where something is: the guest's map leaves every address as it is.
inline Word address_of(void const* thing)
{
    return reinterpret_cast<Word>(thing);
}

/// Gives a page of the guest back to Xen (a balloon that grows), and asks for one at the same address.
bool give_back(Page&);
bool take_again(Page&);

/// Addresses that are no RAM of this guest, whatever else they are (Xen's public/arch-arm.h).
namespace address {
inline constexpr Word nothing = 0x01000000;
inline constexpr Word interrupt_controller = 0x03001000; // GUEST_GICV3_GICD_BASE
inline constexpr Word behind_ram = 0x80000000;
inline constexpr Word grant_window = 0x30000000; // nothing, until a grant is mapped there
} // namespace address

/// Grants a page of the guest to the guest itself and maps the grant: an address that works, of a page that must not be
/// shared any further. False when Xen does not play.
bool map_own_grant(Page&, Word at, bool read_only);

// --- console

/// A line that is written in pieces.
class Line {
public:
    Line& text(char const*);
    Line& number(Word);
    Line& hex(Word);
    /// Ends the line, and shows it.
    void end();

private:
    void put(char);
    std::size_t length_ = 0;
    char text_[256] = {};
};

/// Waits until the console was read out, and until it has something for this guest.
void drain_console();
void wait_for_input();

// --- the second vCPU, and time

/// Runs a function on the second vCPU; join() waits until it has returned.
void start_on_second_vcpu(void (*)());
void join_second_vcpu();

/// For loops that wait: the other vCPU may need this processor.
void let_others_run();

Word now();
Word ticks_per_second();

/// A number that Xen's command line for this guest has after a name, such as from=12.
Word option(char const* name, Word otherwise);
void set_device_tree(void const*);

} // namespace hostile
