// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: optee-mediator contributors

// optee.c is compiled with -fsanitize=thread and linked without it: the compiler announces each load and store by a call,
// and these are the functions. Nothing of ThreadSanitizer itself is there.

#include "tests/upstream/here.hpp"

#include <cstddef>

namespace {

using namespace sim;
using namespace sim::upstream;

enum class Access { load, store };

void before(Access access, void const* address, std::size_t bytes)
{
    auto& entry = here();
    auto& windows = mediator().windows();
    auto const is_of_guest = access == Access::load ? windows.before_load(entry, address, bytes)
                                                    : windows.before_store(entry, address, bytes);
    if (!is_of_guest && mediator().heap().is_freed(address))
        entry.machine().broken(Invariant::panic,
                               access == Access::load ? "Xen reads memory of its heap that it has freed"
                                                      : "Xen writes memory of its heap that it has freed");
}

} // namespace

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}

// NOLINTBEGIN(cppcoreguidelines-macro-usage): ten functions of one form, whose names the compiler chooses
#define WATCHED(bytes)                                                                                               \
    void __tsan_read##bytes(void* address)                                                                           \
    {                                                                                                                \
        before(Access::load, address, bytes);                                                                        \
    }                                                                                                                \
    void __tsan_write##bytes(void* address)                                                                          \
    {                                                                                                                \
        before(Access::store, address, bytes);                                                                       \
    }                                                                                                                \
    void __tsan_unaligned_read##bytes(void* address)                                                                 \
    {                                                                                                                \
        before(Access::load, address, bytes);                                                                        \
    }                                                                                                                \
    void __tsan_unaligned_write##bytes(void* address)                                                                \
    {                                                                                                                \
        before(Access::store, address, bytes);                                                                       \
    }
WATCHED(1)
WATCHED(2)
WATCHED(4)
WATCHED(8)
WATCHED(16)
// NOLINTEND(cppcoreguidelines-macro-usage)

void __tsan_read_range(void* address, std::size_t bytes)
{
    before(Access::load, address, bytes);
}
void __tsan_write_range(void* address, std::size_t bytes)
{
    before(Access::store, address, bytes);
}

} // extern "C"
