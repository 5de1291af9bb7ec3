// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "parameter.hpp"

#include "base/address.hpp"

namespace optee {

namespace {

using abi::Attribute;
using abi::ParamType;

ParamType type_of(abi::Param const& param)
{
    return static_cast<ParamType>(param.attributes & Attribute::type_mask);
}

bool has(abi::Param const& param, std::uint64_t bit)
{
    return (param.attributes & bit) != 0;
}

JudgedParam judged_value(abi::Param const& param, std::uint64_t attributes, CopyBack copy_back)
{
    return {{.attributes = attributes, .value = param.value}, copy_back, ParamNeeds::nothing};
}

// Memory that the guest shares for this call. NULL is a reference without pages; where it is a list of pages, the list
// has a place other than the null page, and at least one byte (OP-TEE computes (size - 1) / 4096 + 1 pages).
Result<JudgedParam> judged_tmem(abi::Param const& guest, CopyBack copy_back, bool null_allowed)
{
    auto const& tmem = guest.tmem;
    if (has(guest, Attribute::meta))
        return Error::bad_parameters;
    if (!has(guest, Attribute::noncontiguous)) {
        if (tmem.buffer != 0 || !null_allowed)
            return Error::bad_parameters;
        return JudgedParam{{.attributes = guest.attributes, .tmem = {.buffer = 0, .size = tmem.size, .cookie = 0}},
                           copy_back,
                           ParamNeeds::nothing};
    }
    if (Ipa::from_raw(tmem.buffer).is_in_null_page() || tmem.size == 0)
        return Error::bad_parameters;
    return JudgedParam{
        {.attributes = guest.attributes, .tmem = {.buffer = 0, .size = tmem.size, .cookie = tmem.cookie}},
        copy_back,
        ParamNeeds::pages_pinned};
}

Result<JudgedParam> judged_rmem(abi::Param const& guest, CopyBack copy_back)
{
    if (has(guest, Attribute::meta) || has(guest, Attribute::noncontiguous))
        return Error::bad_parameters;
    return JudgedParam{
        {.attributes = guest.attributes, .rmem = guest.rmem}, copy_back, ParamNeeds::registered_memory};
}

} // namespace

Result<JudgedParam> judge(abi::Param const& guest, std::uint32_t index, bool null_allowed)
{
    if ((guest.attributes & ~Attribute::known) != 0)
        return Error::bad_parameters;
    // Only the first two parameters of OPEN_SESSION carry META; elsewhere the bit means nothing and does not go on.
    auto const meta = index < abi::max_meta_params ? Attribute::meta : 0;
    auto const plain = guest.attributes & (Attribute::type_mask | meta);

    switch (type_of(guest)) {
    case ParamType::none:
        return JudgedParam{{.attributes = plain, .value = {}}, CopyBack::nothing, ParamNeeds::nothing};
    case ParamType::value_input:
    case ParamType::value_output:
    case ParamType::value_inout:
        if (has(guest, Attribute::noncontiguous))
            return Error::bad_parameters;
        return judged_value(
            guest, plain, type_of(guest) == ParamType::value_input ? CopyBack::nothing : CopyBack::value);
    case ParamType::rmem_input: return judged_rmem(guest, CopyBack::nothing);
    case ParamType::rmem_output:
    case ParamType::rmem_inout: return judged_rmem(guest, CopyBack::size);
    case ParamType::tmem_input: return judged_tmem(guest, CopyBack::nothing, null_allowed);
    case ParamType::tmem_output:
    case ParamType::tmem_inout: return judged_tmem(guest, CopyBack::size, null_allowed);
    }
    return Error::bad_parameters; // a type of tomorrow may hold an address
}

Result<JudgedParam> judge_request(abi::Param const& request)
{
    if ((request.attributes & ~Attribute::type_mask) != 0)
        return Error::bad_command;

    switch (type_of(request)) {
    case ParamType::none:
        return JudgedParam{{.attributes = request.attributes, .value = {}}, CopyBack::nothing, ParamNeeds::nothing};
    case ParamType::value_input: return judged_value(request, request.attributes, CopyBack::nothing);
    case ParamType::value_output:
    case ParamType::value_inout: return judged_value(request, request.attributes, CopyBack::value);
    case ParamType::rmem_input:
    case ParamType::rmem_output:
    case ParamType::rmem_inout:
        return JudgedParam{request,
                           type_of(request) == ParamType::rmem_input ? CopyBack::nothing : CopyBack::size,
                           ParamNeeds::registered_memory};
    case ParamType::tmem_input:
    case ParamType::tmem_output:
    case ParamType::tmem_inout:
        if (request.tmem.buffer != 0)
            return Error::bad_command;
        return JudgedParam{
            {.attributes = request.attributes, .tmem = {.buffer = 0, .size = request.tmem.size, .cookie = 0}},
            type_of(request) == ParamType::tmem_input ? CopyBack::nothing : CopyBack::size,
            ParamNeeds::nothing};
    }
    return Error::bad_command;
}

} // namespace optee
