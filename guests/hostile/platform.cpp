// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "platform.hpp"

#include "xen.hpp"

extern "C" void secondary();
extern "C" void guest_secondary(void (*work)());

namespace hostile {

namespace {

unsigned lost_registers;
bool volatile second_vcpu_done = true;
char const* device_tree;

constexpr Word psci_system_off = 0x84000008; // PSCI 0.2: SYSTEM_OFF
constexpr Word psci_cpu_off = 0x84000002;    // PSCI 0.2: CPU_OFF
constexpr Word psci_cpu_on = 0xc4000003;     // PSCI 0.2: CPU_ON
constexpr Word psci_affinity = 0xc4000004;   // PSCI 0.2: AFFINITY_INFO
constexpr Word affinity_off = 1;

void count_lost(Registers const& in, Registers const& out)
{
    for (unsigned i = 4; i != 8; ++i)
        lost_registers += in.x[i] != out.x[i];
}

} // namespace

// SMCCC: x0 to x17 are the callee's.
#define HOSTILE_CALL(instruction)                                                                                    \
    register Word x0 asm("x0") = in.x[0];                                                                            \
    register Word x1 asm("x1") = in.x[1];                                                                            \
    register Word x2 asm("x2") = in.x[2];                                                                            \
    register Word x3 asm("x3") = in.x[3];                                                                            \
    register Word x4 asm("x4") = in.x[4];                                                                            \
    register Word x5 asm("x5") = in.x[5];                                                                            \
    register Word x6 asm("x6") = in.x[6];                                                                            \
    register Word x7 asm("x7") = in.x[7];                                                                            \
    asm volatile("dsb ish\n\t" instruction                                                                           \
                 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x5), "+r"(x6), "+r"(x7)                    \
                 :                                                                                                   \
                 : "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "memory");                    \
    Registers const out{{x0, x1, x2, x3, x4, x5, x6, x7}};                                                           \
    count_lost(in, out);                                                                                             \
    return out

Registers smc(Registers const& in)
{
    HOSTILE_CALL("smc #0");
}

Registers hvc(Registers const& in)
{
    HOSTILE_CALL("hvc #0");
}

unsigned registers_lost()
{
    auto const lost = lost_registers;
    lost_registers = 0;
    return lost;
}

std::int64_t hypercall(Word operation, Word a, Word b, Word c)
{
    register Word x0 asm("x0") = a;
    register Word x1 asm("x1") = b;
    register Word x2 asm("x2") = c;
    register Word x16 asm("x16") = operation;
    asm volatile("hvc %[tag]"
                 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x16)
                 : [tag] "i"(xen::hypercall_tag)
                 : "x3", "x4", "memory");
    return static_cast<std::int64_t>(x0);
}

void power_off()
{
    drain_console();
    for (;;)
        hvc({{psci_system_off}});
}

// --- memory

bool give_back(Page& page)
{
    auto frame = address_of(&page) / page_bytes;
    xen::MemoryReservation reservation{.extent_start = &frame, .extents = 1};
    return hypercall(xen::memory_op, xen::decrease_reservation, address_of(&reservation)) == 1;
}

bool take_again(Page& page)
{
    auto frame = address_of(&page) / page_bytes;
    xen::MemoryReservation reservation{.extent_start = &frame, .extents = 1};
    return hypercall(xen::memory_op, xen::populate_physmap, address_of(&reservation)) == 1;
}

bool map_own_grant(Page& page, Word at, bool read_only)
{
    static bool table_is_mapped;
    static unsigned used = 8; // the first entries belong to console and xenstore
    auto* const table = reinterpret_cast<xen::GrantEntry volatile*>(xen::grant_table);
    if (!table_is_mapped) {
        xen::AddToPhysmap map{.space = xen::map_grant_table, .frame = xen::grant_table / page_bytes};
        if (hypercall(xen::memory_op, xen::add_to_physmap, address_of(&map)) != 0)
            return false;
        table_is_mapped = true;
    }
    auto& entry = table[used];
    entry.frame = static_cast<std::uint32_t>(address_of(&page) / page_bytes);
    // Nobody tells a guest its number; the one with which this works is it.
    for (std::uint16_t domain = 1; domain != 100; ++domain) {
        entry.domain = domain;
        entry.flags = xen::permit_access;
        xen::MapGrant map{.host_address = at,
                          .flags = xen::host_map | (read_only ? xen::read_only_map : 0),
                          .reference = used,
                          .domain = domain};
        if (hypercall(xen::grant_table_op, xen::map_grant_ref, address_of(&map), 1) == 0 && map.status == 0) {
            ++used;
            return true;
        }
        entry.flags = 0;
    }
    return false;
}

// --- the second vCPU

void start_on_second_vcpu(void (*work)())
{
    second_vcpu_done = false;
    hvc({{psci_cpu_on, 1, address_of(reinterpret_cast<void const*>(&secondary)), reinterpret_cast<Word>(work)}});
}

void join_second_vcpu()
{
    while (!second_vcpu_done)
        let_others_run();
    // It may be on its way: another start would be refused.
    while (hvc({{psci_affinity, 1}}).x[0] != affinity_off)
        let_others_run();
}

void let_others_run()
{
    hypercall(xen::sched_op, xen::yield);
}

Word now()
{
    Word count = 0;
    asm volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(count));
    return count;
}

Word ticks_per_second()
{
    Word frequency = 0;
    asm volatile("mrs %0, cntfrq_el0" : "=r"(frequency));
    return frequency;
}

// --- options. They are in a string of the device tree, which is found without reading the tree.

void set_device_tree(void const* tree)
{
    device_tree = static_cast<char const*>(tree);
}

Word option(char const* name, Word otherwise)
{
    auto const* const big_endian = reinterpret_cast<std::uint8_t const*>(device_tree);
    auto const size =
        Word{big_endian[4]} << 24 | Word{big_endian[5]} << 16 | Word{big_endian[6]} << 8 | big_endian[7];
    for (Word begin = 0; begin < size; ++begin) {
        auto const* at = device_tree + begin;
        auto const* wanted = name;
        while (*wanted != 0 && *at == *wanted) {
            ++at;
            ++wanted;
        }
        if (*wanted != 0)
            continue;
        Word value = 0;
        for (; *at >= '0' && *at <= '9'; ++at)
            value = value * 10 + static_cast<Word>(*at - '0');
        return value;
    }
    return otherwise;
}

} // namespace hostile

extern "C" void guest_secondary(void (*work)())
{
    work();
    hostile::second_vcpu_done = true;
    hostile::hvc({{hostile::psci_cpu_off}});
}
