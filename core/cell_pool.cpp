// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "cell_pool.hpp"

#include <new>

namespace optee {

// The first cell of each page. Cells that were given back form a list through their first word; those behind
// `fresh` were never taken.
struct CellPool::PageHeader {
    std::optional<Pa> next{};
    std::optional<Pa> previous{};
    std::uint32_t used = 0;
    std::uint32_t given_back = 0; ///< index of a cell, 0 for none
    std::uint32_t fresh = 1;

    static constexpr std::uint32_t end = page_bytes / cell_bytes;
    bool is_full() const { return given_back == 0 && fresh == end; }
};

namespace {

constexpr std::uint32_t offset_of(std::uint32_t index)
{
    return index * CellPool::cell_bytes;
}

} // namespace

Status CellPool::add_page(VmContext& vm)
{
    static_assert(sizeof(PageHeader) <= cell_bytes);
    MEDIATOR_ASSIGN_OR_RETURN(auto const page, allocate_shadow_page(vm));
    Mapped<PageHeader> const header{page};
    new (header.get()) PageHeader{};
    with_room_ = page;
    return {};
}

void CellPool::set_previous(std::optional<Pa> page, std::optional<Pa> previous)
{
    if (page)
        Mapped<PageHeader>
        {
            *page
            } -> previous = previous;
}

// Takes a page out of the list of those that have room.
void CellPool::unlink(PageHeader const& header)
{
    if (header.previous)
        Mapped<PageHeader>
        {
            *header.previous
            } -> next = header.next;
    else
        with_room_ = header.next;
    set_previous(header.next, header.previous);
}

Result<CellRef> CellPool::allocate(VmContext& vm)
{
    if (!with_room_)
        MEDIATOR_RETURN_IF_ERROR(add_page(vm));
    auto const page = *with_room_;
    Mapped<PageHeader> const header{page};
    auto index = header->given_back;
    if (index != 0) {
        Mapped<std::uint32_t> const next{page.plus(offset_of(index))};
        header->given_back = *next;
        *next = 0;
    } else {
        index = header->fresh++;
    }
    ++header->used;
    if (header->is_full())
        unlink(*header);
    return CellRef::at(page.plus(offset_of(index)));
}

void CellPool::free(VmContext& vm, CellRef cell)
{
    auto const page = cell.pa().page_base();
    {
        Mapped<PageHeader> const header{page};
        if (header->is_full()) {
            header->previous = std::nullopt;
            header->next = with_room_;
            set_previous(with_room_, page);
            with_room_ = page;
        }
        Mapped<unsigned char> const bytes{cell.pa()};
        __builtin_memset(bytes.get(), 0, cell_bytes);
        *reinterpret_cast<std::uint32_t*>(bytes.get()) = header->given_back;
        header->given_back = cell.pa().page_offset() / cell_bytes;
        --header->used;
        auto const is_only_one = !header->next && !header->previous;
        if (header->used != 0 || is_only_one)
            return;
        unlink(*header);
    }
    // not covered: though it is: clang counts 0 behind a block with a destructor that a return leaves
    free_shadow_page(vm, page);
}

void CellPool::trim(VmContext& vm)
{
    if (!with_room_)
        return;
    auto const page = *with_room_;
    {
        Mapped<PageHeader> const header{page};
        if (header->used != 0)
            return;
        unlink(*header);
    }
    // not covered: though it is: clang counts 0 behind a block with a destructor that a return leaves
    free_shadow_page(vm, page);
}

} // namespace optee
