// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include "base/address.hpp"
#include "base/result.hpp"
#include "vm_context.hpp"

#include <optee_mediator/port.h>

#include <cstdint>
#include <utility>

namespace optee {

/// Allocates a page of ours, filled with zeros, that no VM can name.
Result<Pa> allocate_shadow_page(VmContext& vm);

/// Scrubs the page and gives it back: its next owner may be a guest. `used`: bytes from its begin that are not zero.
void free_shadow_page(VmContext& vm, Pa page, std::uint32_t used = page_bytes);

/// A page of ours that goes back unless it is handed on.
class ShadowPage {
public:
    static Result<ShadowPage> allocate(VmContext& vm);
    ShadowPage(ShadowPage&& from) noexcept : vm_{std::exchange(from.vm_, nullptr)}, pa_{from.pa_} {}
    ShadowPage& operator=(ShadowPage&&) = delete;
    ShadowPage(ShadowPage const&) = delete;
    ShadowPage& operator=(ShadowPage const&) = delete;
    ~ShadowPage();

    Pa pa() const { return pa_; }
    /// The caller frees it from now on.
    Pa hand_on() &&
    {
        vm_ = nullptr;
        return pa_;
    }

private:
    ShadowPage(VmContext& vm, Pa pa) : vm_{&vm}, pa_{pa} {}
    VmContext* vm_;
    Pa pa_;
};

/// Where a page of ours is mapped, and the place in it that was asked for.
struct MappedPlace {
    void* page;
    void* object;
};
MappedPlace map_shadow_page(Pa object);

/// An object inside one of our pages, addressable as long as this lives. Pages of ours are mapped when they are used:
/// nothing here assumes that the hypervisor has all memory mapped.
template <typename T>
class Mapped {
public:
    explicit Mapped(Pa object) : Mapped{map_shadow_page(object)} {}
    ~Mapped() { optee_port_unmap_page(page_); }
    Mapped(Mapped const&) = delete;
    Mapped& operator=(Mapped const&) = delete;

    T* operator->() const { return object_; }
    T& operator*() const { return *object_; }
    T* get() const { return object_; }

private:
    explicit Mapped(MappedPlace place) : page_{place.page}, object_{static_cast<T*>(place.object)} {}
    void* page_;
    T* object_;
};

} // namespace optee
