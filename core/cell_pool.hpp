// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include "shadow_page.hpp"

#include <cstdint>
#include <optional>

namespace optee {

/// Where a cell is: never null, never seen outside the mediator.
class CellRef {
public:
    static constexpr CellRef at(Pa cell) { return CellRef{cell}; }
    constexpr Pa pa() const { return cell_; }
    friend constexpr bool operator==(CellRef, CellRef) = default;

private:
    constexpr explicit CellRef(Pa cell) : cell_{cell} {}
    Pa cell_;
};

/// Small objects of one size in pages of ours: the only memory that grows with what a VM shares, besides page lists.
/// The owner has the lock.
class CellPool {
public:
    static constexpr std::uint32_t cell_bytes = 128;

    /// A cell filled with zeros.
    Result<CellRef> allocate(VmContext& vm);
    void free(VmContext& vm, CellRef cell);
    /// Gives back the page that is kept so that one cell, taken and given back again and again, costs no allocation.
    void trim(VmContext& vm);

private:
    struct PageHeader;

    Status add_page(VmContext& vm);
    void unlink(PageHeader const& header);
    void set_previous(std::optional<Pa> page, std::optional<Pa> previous);

    std::optional<Pa> with_room_; ///< first of the pages that have a free cell
};

} // namespace optee
