// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "shadow_page.hpp"

namespace optee {

MappedPlace map_shadow_page(Pa object)
{
    auto* const page = optee_port_map_page(to_c(object.page_base()));
    return {.page = page, .object = static_cast<unsigned char*>(page) + object.page_offset()};
}

Result<Pa> allocate_shadow_page(VmContext& vm)
{
    optee_pa page{};
    if (!optee_port_allocate_page(vm.port, &page))
        return Error::out_of_memory;
    // OP-TEE takes this address for no page at all.
    if (Pa::from_raw(page.raw).is_in_null_page()) {
        optee_port_free_page(vm.port, page);
        return Error::out_of_memory;
    }
    vm.statistics.add(Counter::mediator_pages);
    return Pa::from_raw(page.raw);
}

void free_shadow_page(VmContext& vm, Pa page, std::uint32_t used)
{
    {
        Mapped<unsigned char> const bytes{page};
        __builtin_memset(bytes.get(), 0, used);
    }
    vm.statistics.subtract(Counter::mediator_pages);
    optee_port_free_page(vm.port, to_c(page));
}

Result<ShadowPage> ShadowPage::allocate(VmContext& vm)
{
    MEDIATOR_ASSIGN_OR_RETURN(auto const pa, allocate_shadow_page(vm));
    return ShadowPage{vm, pa};
}

ShadowPage::~ShadowPage()
{
    if (vm_ != nullptr)
        free_shadow_page(*vm_, pa_);
}

} // namespace optee
