// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// The little of Xen's interface that the guest uses, by the names of Xen's public headers.

#include <cstdint>

namespace hostile::xen {

inline constexpr unsigned hypercall_tag = 0xea1;     // XEN_HYPERCALL_TAG
inline constexpr std::uint16_t domain_self = 0x7ff0; // DOMID_SELF

// xen.h: __HYPERVISOR_*
inline constexpr std::uint64_t memory_op = 12;
inline constexpr std::uint64_t grant_table_op = 20;
inline constexpr std::uint64_t sched_op = 29;
inline constexpr std::uint64_t event_channel_op = 32;
inline constexpr std::uint64_t hvm_op = 34;

// sched.h, event_channel.h, hvm/hvm_op.h, hvm/params.h
inline constexpr std::uint64_t yield = 0;          // SCHEDOP_yield
inline constexpr std::uint64_t send = 4;           // EVTCHNOP_send
inline constexpr std::uint64_t get_param = 1;      // HVMOP_get_param
inline constexpr std::uint32_t console_frame = 17; // HVM_PARAM_CONSOLE_PFN
inline constexpr std::uint32_t console_event = 18; // HVM_PARAM_CONSOLE_EVTCHN

struct HvmParam { // struct xen_hvm_param
    std::uint16_t domain = domain_self;
    std::uint32_t index;
    std::uint64_t value = 0;
};

// memory.h
inline constexpr std::uint64_t decrease_reservation = 1; // XENMEM_decrease_reservation
inline constexpr std::uint64_t populate_physmap = 6;     // XENMEM_populate_physmap
inline constexpr std::uint64_t add_to_physmap = 7;       // XENMEM_add_to_physmap
inline constexpr std::uint32_t map_grant_table = 1;      // XENMAPSPACE_grant_table

struct MemoryReservation { // struct xen_memory_reservation
    std::uint64_t* extent_start;
    std::uint64_t extents;
    std::uint32_t order = 0;
    std::uint32_t flags = 0;
    std::uint16_t domain = domain_self;
};

struct AddToPhysmap { // struct xen_add_to_physmap
    std::uint16_t domain = domain_self;
    std::uint16_t size = 0;
    std::uint32_t space;
    std::uint64_t index = 0;
    std::uint64_t frame;
};

// grant_table.h
inline constexpr std::uint64_t grant_table = 0x38000000; // GUEST_GNTTAB_BASE
inline constexpr std::uint64_t map_grant_ref = 0;        // GNTTABOP_map_grant_ref
inline constexpr std::uint16_t permit_access = 1;        // GTF_permit_access
inline constexpr std::uint32_t host_map = 1U << 1;       // GNTMAP_host_map
inline constexpr std::uint32_t read_only_map = 1U << 2;  // GNTMAP_readonly

struct GrantEntry { // struct grant_entry_v1
    std::uint16_t flags;
    std::uint16_t domain;
    std::uint32_t frame;
};

struct MapGrant { // struct gnttab_map_grant_ref
    std::uint64_t host_address;
    std::uint32_t flags;
    std::uint32_t reference;
    std::uint16_t domain;
    std::int16_t status = 0;
    std::uint32_t handle = 0;
    std::uint64_t device_address = 0;
};

// io/console.h: struct xencons_interface
struct ConsoleRing {
    char in[1024];
    char out[2048];
    std::uint32_t in_consumed;
    std::uint32_t in_produced;
    std::uint32_t out_consumed;
    std::uint32_t out_produced;
};

} // namespace hostile::xen
