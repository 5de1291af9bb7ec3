// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// Normal-world memory that OP-TEE may use, as OP-TEE keeps it (mobj_dyn_shm.c, struct mobj_reg_shm): pages, an offset
// into the first, a cookie. Registered, temporary, RPC and argument buffers are all of this kind and in one list.
// Each page is checked when OP-TEE takes it (I2) and whenever it touches it (I3).

#include "sim/machine/physical_memory.hpp"
#include "sim/optee/abi.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace sim {
class Machine;
class Vm;
} // namespace sim

namespace sim::tee {

class SharedBuffer {
public:
    /// nullptr when OP-TEE would refuse the pages.
    static std::shared_ptr<SharedBuffer> make(
        Machine&, Vm&, std::vector<std::uint64_t> pages, std::uint32_t page_offset, std::uint64_t cookie);
    ~SharedBuffer();
    SharedBuffer(SharedBuffer const&) = delete;
    SharedBuffer& operator=(SharedBuffer const&) = delete;

    std::uint64_t cookie() const { return cookie_; }
    std::uint64_t size() const { return pages_.size() * page_bytes - page_offset_; }
    std::size_t pages() const { return pages_.size(); }

    void read(std::uint64_t offset, void* to, std::size_t bytes) const;
    void write(std::uint64_t offset, void const* from, std::size_t bytes);

    /// The pages are given back now, though somebody may still know the buffer.
    void let_go();
    bool is_shadow() const; ///< all its pages are the mediator's
    bool is_zero_from(std::uint64_t offset) const;

    // Guarded by the partition's mutex.
    std::uint32_t references = 1;
    bool guarded = true;    ///< cannot be released by its cookie
    bool releasing = false; ///< UNREGISTER_SHM waits for the last reference
    bool is_named = true;   ///< a live name in its VM (I11)
    std::vector<std::uint32_t> waiting_threads;

private:
    SharedBuffer(Machine&, Vm&, std::vector<std::uint64_t> pages, std::uint32_t page_offset, std::uint64_t cookie);
    Pa locate(std::uint64_t offset, char const* doing) const;

    Machine& machine_;
    Vm& vm_;
    std::vector<std::uint64_t> pages_;
    std::uint32_t page_offset_;
    std::uint64_t cookie_;
    bool held_ = true;
};

using Buffer = std::shared_ptr<SharedBuffer>;

/// The list of a partition, by cookie. Guarded by the partition's mutex.
class BufferList {
public:
    /// False when the cookie names a live buffer already (I11); the newest is found first, as in OP-TEE.
    bool insert(Buffer const&);
    void erase(Buffer const&);
    Buffer find(std::uint64_t cookie) const;

    /// OP-TEE 4.10 loses its reference to a temporary buffer: the buffer stays in the list though no call uses it.
    void forget_but_keep_name(Buffer const&);
    bool keeps_name(std::uint64_t cookie) const { return kept_names_.count(cookie) != 0; }

    std::size_t live() const;
    bool has_live(std::uint64_t cookie) const;
    void clear();

private:
    std::unordered_map<std::uint64_t, std::vector<Buffer>>
        by_cookie_; ///< oldest first; those without a cookie under 0
    std::unordered_map<std::uint64_t, std::uint64_t> kept_names_;
};

/// Reads a NONCONTIG page list as msg_param.c does, page by page. Absent when OP-TEE would refuse it.
std::optional<std::vector<std::uint64_t>> read_page_list(Machine&, Vm&, std::uint64_t list, std::uint64_t pages);

/// A buffer described by a page list: `buf_ptr` carries the offset in its low bits.
Buffer buffer_from_list(Machine&, Vm&, std::uint64_t buf_ptr, std::uint64_t size, std::uint64_t cookie);

} // namespace sim::tee
