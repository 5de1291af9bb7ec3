// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include "pin.hpp"

#include <optee_mediator/port.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>

namespace optee {

/// Where a guest keeps a message, or the argument of an RPC; at most a page of it is ours to look at.
///
/// A page of the guest's is looked up anew for each access: its stage-2 may have changed. Memory that it has registered
/// is pinned for OP-TEE, so there is nothing to look up as long as it counts as in use.
class GuestPlace {
public:
    static GuestPlace in_page(Ipa page)
    {
        return GuestPlace{page, {Pa::from_raw(0), Pa::from_raw(0)}, 0, page_bytes};
    }
    /// Begins `offset` bytes into the first of two pinned pages; the second does not count where `room` ends before it.
    static GuestPlace in_pinned(std::array<Pa, 2> const& pages, std::uint32_t offset, std::uint32_t room)
    {
        return GuestPlace{std::nullopt, pages, offset, room};
    }

    /// What comes behind so many bytes of it. Only for bytes that there are.
    GuestPlace behind(std::uint32_t bytes) const
    {
        return GuestPlace{page_, pinned_, offset_ + bytes, room_ - bytes};
    }

private:
    friend class GuestWindow;
    GuestPlace(std::optional<Ipa> page, std::array<Pa, 2> const& pinned, std::uint32_t offset, std::uint32_t room)
        : page_{page}, pinned_{pinned}, offset_{offset}, room_{room}
    {
    }

    std::optional<Ipa> page_; ///< absent: the place is in pinned memory
    std::array<Pa, 2> pinned_;
    std::uint32_t offset_;
    std::uint32_t room_;
};

/// A place in the VM's memory, held for one access: this file is the only door to what a guest can write.
///
/// The type of a page is checked by the look-up that takes the reference, so what we read or write is read-write RAM of
/// this VM at this moment. Another vCPU may write the page meanwhile, or take it out of stage-2: the page then stays
/// where it is until the reference goes, and what the guest misses is its own loss. Every byte is read once.
class GuestWindow {
public:
    static Result<GuestWindow> acquire(VmContext& vm, Ipa page);
    static Result<GuestWindow> acquire(VmContext& vm, GuestPlace const& place)
    {
        if (place.page_)
            return look_up(vm, *place.page_, place);
        return GuestWindow{vm, place.pinned_, place.offset_, place.room_, std::nullopt};
    }

    /// Bytes that can be read or written. Whoever computes an offset from what a guest says has to ask.
    std::uint32_t room() const { return room_; }

    template <typename T>
    T read(std::uint32_t offset) const
    {
        static_assert(std::is_trivially_copyable_v<T>);
        T copy;
        read_bytes(offset, &copy, sizeof(T));
        return copy;
    }
    template <typename T>
    void read(std::uint32_t offset, std::span<T> to) const
    {
        static_assert(std::is_trivially_copyable_v<T>);
        read_bytes(offset, to.data(), static_cast<std::uint32_t>(to.size_bytes()));
    }
    template <typename T>
    void write(std::uint32_t offset, T const& value) const
    {
        static_assert(std::is_trivially_copyable_v<T>);
        write_bytes(offset, &value, sizeof(T));
    }
    void write(std::uint32_t offset, std::span<std::byte const> bytes) const
    {
        write_bytes(offset, bytes.data(), static_cast<std::uint32_t>(bytes.size()));
    }

private:
    static Result<GuestWindow> look_up(VmContext& vm, Ipa page, GuestPlace const& place);
    GuestWindow(VmContext& vm,
                std::array<Pa, 2> const& pages,
                std::uint32_t offset,
                std::uint32_t room,
                std::optional<PinnedPage> pin)
        : vm_{&vm}, pages_{pages}, offset_{offset}, room_{room}, pin_{std::move(pin)}
    {
    }
    void read_bytes(std::uint32_t offset, void* to, std::uint32_t bytes) const
    {
        if (offset_ + offset + bytes <= page_bytes)
            optee_port_read_guest(vm_->port, to_c(pages_[0]), offset_ + offset, to, bytes);
        else
            read_across(offset, to, bytes);
    }
    void write_bytes(std::uint32_t offset, void const* from, std::uint32_t bytes) const
    {
        if (offset_ + offset + bytes <= page_bytes)
            optee_port_write_guest(vm_->port, to_c(pages_[0]), offset_ + offset, from, bytes);
        else
            write_across(offset, from, bytes);
    }
    void read_across(std::uint32_t offset, void* to, std::uint32_t bytes) const;
    void write_across(std::uint32_t offset, void const* from, std::uint32_t bytes) const;

    VmContext* vm_;
    std::array<Pa, 2> pages_;
    std::uint32_t offset_; ///< of the window in the first page, or beyond it
    std::uint32_t room_;
    std::optional<PinnedPage> pin_; ///< of a page that was looked up for this access
};

} // namespace optee
