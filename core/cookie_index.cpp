// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "cookie_index.hpp"

#include "base/invariant.hpp"

namespace optee {

// The nodes from the root to where a key is, or would be. The root has no cell of its own.
class CookieIndex::Path {
public:
    void enter(std::optional<CellRef> node) { nodes_[depth_++] = node; }
    void leave() { --depth_; }
    std::optional<CellRef> node() const { return nodes_[depth_ - 1]; }
    unsigned level() const { return depth_ - 1; }

private:
    std::array<std::optional<CellRef>, digits> nodes_{};
    unsigned depth_ = 0;
};

// The finalizer of SplitMix64 (Steele, Lea, Flood 2014): each step can be undone, so that no two cookies become equal,
// and neighbouring addresses, as Linux takes them for cookies, end far apart.
std::uint64_t CookieIndex::scrambled(Cookie cookie)
{
    constexpr std::uint64_t first_factor = 13787848793156543929ULL;
    constexpr std::uint64_t second_factor = 10723151780598845931ULL;
    constexpr unsigned first_shift = 30;
    constexpr unsigned second_shift = 27;
    constexpr unsigned third_shift = 31;
    auto key = static_cast<std::uint64_t>(cookie);
    key = (key ^ (key >> first_shift)) * first_factor;
    key = (key ^ (key >> second_shift)) * second_factor;
    return key ^ (key >> third_shift);
}

unsigned CookieIndex::digit(std::uint64_t key, unsigned level)
{
    constexpr auto mask = (1U << digit_bits) - 1;
    return static_cast<unsigned>(key >> (level * digit_bits)) & mask;
}

Cookie CookieIndex::cookie_of(CellRef cell)
{
    return *Mapped<Cookie const>{cell.pa()};
}

CookieIndex::Link CookieIndex::link(std::optional<CellRef> node, unsigned at) const
{
    if (!node)
        return root_.child[at];
    Mapped<Node const> const mapped{node->pa()};
    return mapped->child[at];
}

void CookieIndex::set_link(std::optional<CellRef> node, unsigned at, Link to)
{
    if (!node) {
        root_.child[at] = to;
        return;
    }
    Mapped<Node> const mapped{node->pa()};
    mapped->child[at] = to;
}

std::optional<CellRef> CookieIndex::find(Cookie cookie) const
{
    auto const key = scrambled(cookie);
    std::optional<CellRef> node;
    // not covered: a way to the end of the loop, see there
    for (unsigned level = 0; level < digits; ++level) {
        auto const next = link(node, digit(key, level));
        if (next.is_empty())
            return std::nullopt;
        if (next.is_cell())
            return cookie_of(next.target()) == cookie ? std::optional{next.target()} : std::nullopt;
        node = next.target();
    }
    return std::nullopt; // not covered: at the last digit no two keys are left that share a node
}

Status CookieIndex::insert(VmContext& vm, CellPool& pool, Cookie cookie, CellRef cell)
{
    auto const key = scrambled(cookie);
    Path path;
    path.enter(std::nullopt);
    for (;;) {
        auto const at = digit(key, path.level());
        auto const next = link(path.node(), at);
        if (next.is_empty()) {
            set_link(path.node(), at, Link::to_cell(cell));
            return {};
        }
        if (next.is_node()) {
            path.enter(next.target());
            continue;
        }
        if (cookie_of(next.target()) == cookie)
            return Error::bad_parameters;
        // Two cells want one place: the one that is there moves down, until their digits differ.
        auto made = pool.allocate(vm);
        if (!made.ok()) {
            collapse(vm, pool, path);
            return made.error();
        }
        set_link(made.get(), digit(scrambled(cookie_of(next.target())), path.level() + 1), next);
        set_link(path.node(), at, Link::to_node(made.get()));
        path.enter(made.get());
    }
}

void CookieIndex::erase(VmContext& vm, CellPool& pool, Cookie cookie)
{
    auto const key = scrambled(cookie);
    Path path;
    path.enter(std::nullopt);
    for (;;) {
        auto const next = link(path.node(), digit(key, path.level()));
        if (next.is_empty())
            invariant_broken("I11: a name is erased that is not there");
        if (next.is_cell())
            break;
        path.enter(next.target());
    }
    set_link(path.node(), digit(key, path.level()), Link{});
    collapse(vm, pool, path);
}

// The only child, if it is a cell, or the empty link if there is no child: what may stand in the node's place.
std::optional<CookieIndex::Link> CookieIndex::only_cell_below(CellRef node)
{
    Link only;
    Mapped<Node const> const mapped{node.pa()};
    for (auto const child : mapped->child) {
        if (child.is_empty())
            continue;
        if (child.is_node() || !only.is_empty())
            return std::nullopt;
        only = child;
    }
    return only;
}

// Nodes that have become useless go: empty ones, and those whose only child is a cell, which moves up. So the tree is
// as small as if the erased cookie had never been there.
void CookieIndex::collapse(VmContext& vm, CellPool& pool, Path& path)
{
    while (auto const node = path.node()) {
        auto const only = only_cell_below(*node);
        if (!only)
            return;
        path.leave();
        auto const above = path.node();
        for (unsigned at = 0; at < root_.child.size(); ++at) {
            auto const candidate = link(above, at);
            if (candidate.is_node() && candidate.target() == *node)
                set_link(above, at, *only);
        }
        pool.free(vm, *node);
    }
}

std::optional<CellRef> CookieIndex::any() const
{
    std::optional<CellRef> node;
    unsigned at = 0;
    while (at < root_.child.size()) {
        auto const next = link(node, at);
        if (next.is_cell())
            return next.target();
        if (next.is_node()) {
            node = next.target(); // no node is without children
            at = 0;
        } else {
            ++at;
        }
    }
    return std::nullopt;
}

} // namespace optee
