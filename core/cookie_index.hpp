// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include "cell_pool.hpp"

#include <array>
#include <cstdint>
#include <optional>

namespace optee {

/// How a guest names what it shares (shm_ref in OP-TEE's ABI): any number but 0, which names nothing.
enum class Cookie : std::uint64_t { none = 0 };

/// From a cookie to a cell: a 16-way radix tree over the scrambled cookie.
///
/// Guests choose their cookies, so a hash table's bad case would be theirs to choose too. Here the scrambling loses
/// nothing (it can be undone), so two cookies always differ in one of sixteen digits: no look-up takes more than sixteen
/// steps, whatever a guest does, and about log16(n) with the cookies of a real one. Nothing is ever rehashed. The owner
/// has the lock.
class CookieIndex {
public:
    /// `cell` begins with its cookie. Fails when the cookie is there already, or without memory for a node.
    Status insert(VmContext& vm, CellPool& pool, Cookie cookie, CellRef cell);
    std::optional<CellRef> find(Cookie cookie) const;
    void erase(VmContext& vm, CellPool& pool, Cookie cookie);
    /// Some cell, while there is one.
    std::optional<CellRef> any() const;

private:
    static constexpr unsigned digit_bits = 4;
    static constexpr unsigned digits = 64 / digit_bits;

    // Nothing, a node below, or a cell. Cells are aligned, so the low bits are free to tell which.
    class Link {
    public:
        static constexpr Link to_node(CellRef node) { return Link{node.pa().raw() | node_tag}; }
        static constexpr Link to_cell(CellRef cell) { return Link{cell.pa().raw() | cell_tag}; }
        constexpr Link() = default;

        constexpr bool is_empty() const { return raw_ == 0; }
        constexpr bool is_node() const { return (raw_ & node_tag) != 0; }
        constexpr bool is_cell() const { return (raw_ & cell_tag) != 0; }
        constexpr CellRef target() const { return CellRef::at(Pa::from_raw(raw_ & ~(node_tag | cell_tag))); }

    private:
        static constexpr std::uint64_t node_tag = 1;
        static constexpr std::uint64_t cell_tag = 2;
        constexpr explicit Link(std::uint64_t raw) : raw_{raw} {}
        std::uint64_t raw_ = 0;
    };
    struct Node {
        std::array<Link, 1U << digit_bits> child{};
    };
    static_assert(sizeof(Node) == CellPool::cell_bytes);

    class Path;

    static std::uint64_t scrambled(Cookie cookie);
    static unsigned digit(std::uint64_t key, unsigned level);
    static Cookie cookie_of(CellRef cell);
    static std::optional<Link> only_cell_below(CellRef node);
    Link link(std::optional<CellRef> node, unsigned at) const;
    void set_link(std::optional<CellRef> node, unsigned at, Link to);
    void collapse(VmContext& vm, CellPool& pool, Path& path);

    Node root_{};
};

} // namespace optee
