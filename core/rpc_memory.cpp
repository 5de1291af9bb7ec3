// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "rpc_memory.hpp"

#include "guest_memory.hpp"
#include "shadow_page.hpp"

namespace optee {

namespace {

constexpr auto one_contiguous_page = static_cast<std::uint64_t>(abi::ParamType::tmem_output);
constexpr auto page_list = one_contiguous_page | abi::Attribute::noncontiguous;

} // namespace

Result<OfferedBuffer> accept_buffer(
    VmContext& vm, ShmRegistry& registry, abi::Param const& answer, std::uint64_t asked_bytes, TeeThread owner)
{
    auto const& tmem = answer.tmem;
    auto const buffer = Ipa::from_raw(tmem.buffer);
    if (answer.attributes != page_list && answer.attributes != one_contiguous_page)
        return Error::bad_parameters;
    if (buffer.is_in_null_page() || tmem.size == 0 || tmem.size < asked_bytes)
        return Error::bad_parameters;
    MEDIATOR_ASSIGN_OR_RETURN(auto const pages, PageCount::covering(buffer.page_offset(), tmem.size));
    auto const is_list = answer.attributes == page_list;
    if (!is_list && pages != PageCount{1})
        return Error::bad_parameters;

    MEDIATOR_ASSIGN_OR_RETURN(auto const memory,
                              registry.add(vm,
                                           {.cookie = Cookie{tmem.cookie},
                                            .kind = ShmKind::rpc_data,
                                            .offset = buffer.page_offset(),
                                            .size = tmem.size,
                                            .owner = owner}));
    if (is_list)
        return OfferedBuffer{.memory = memory, .guest_list = GuestPageList{buffer.page_base(), pages}};
    return OfferedBuffer{.memory = memory, .single_page = buffer.page_base()};
}

Result<Progress> translate_buffer(VmContext& vm, OfferedBuffer& buffer, Budget& budget)
{
    MappedShm const memory = map(buffer.memory);
    if (buffer.guest_list)
        return buffer.guest_list->translate(vm, memory->list, budget);
    auto pinned = pin_run(vm, *buffer.single_page, PageCount{1});
    if (!pinned.ok())
        return Error::bad_parameters;
    MEDIATOR_RETURN_IF_ERROR(memory->list.append(vm, pinned.get()));
    return Progress::done;
}

Cookie offered_cookie(abi::Param const& answer)
{
    switch (static_cast<abi::ParamType>(answer.attributes & abi::Attribute::type_mask)) {
    case abi::ParamType::tmem_input:
    case abi::ParamType::tmem_output:
    case abi::ParamType::tmem_inout: return Cookie{answer.tmem.cookie};
    case abi::ParamType::rmem_input:
    case abi::ParamType::rmem_output:
    case abi::ParamType::rmem_inout: return Cookie{answer.rmem.cookie};
    case abi::ParamType::none:
    case abi::ParamType::value_input:
    case abi::ParamType::value_output:
    case abi::ParamType::value_inout: return Cookie::none;
    }
    return Cookie::none;
}

Result<ShmRef> accept_argument(VmContext& vm, ShmRegistry& registry, Ipa guest_page, Cookie cookie, TeeThread owner)
{
    if (!guest_page.is_page_aligned() || guest_page.is_in_null_page())
        return Error::bad_address;
    {
        // Looked at again for each request: this only tells OP-TEE at once when there is nothing.
        auto page = GuestWindow::acquire(vm, guest_page);
        if (!page.ok())
            return page.error();
    }
    MEDIATOR_ASSIGN_OR_RETURN(auto shadow, ShadowPage::allocate(vm));
    MEDIATOR_ASSIGN_OR_RETURN(auto const argument, registry.add_argument(vm, cookie, owner, vm.tee_threads));
    {
        MappedShm const memory = map(argument);
        memory->guest_page = guest_page;
        memory->shadow = std::move(shadow).hand_on();
    }
    registry.set_live(argument);
    return argument;
}

void release_argument(VmContext& vm, ShmRegistry& registry, ShmRef argument)
{
    {
        MappedShm const memory = map(argument);
        free_shadow_page(vm, *memory->shadow);
        memory->shadow = std::nullopt;
    }
    registry.erase(vm, argument);
}

} // namespace optee
