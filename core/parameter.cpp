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

// Memory that the guest shares for this call. NULL is a reference without pages; where it is a list of pages, the list
// has a place other than the null page, and at least one byte (OP-TEE computes (size - 1) / 4096 + 1 pages).
Result<ParamUse> judge_tmem(abi::Param& param, CopyBack copy_back, bool null_allowed)
{
    auto& tmem = param.tmem;
    if (has(param, Attribute::meta))
        return Error::bad_parameters;
    if (!has(param, Attribute::noncontiguous)) {
        if (tmem.buffer != 0 || !null_allowed)
            return Error::bad_parameters;
        tmem.cookie = 0;
        return ParamUse{copy_back, ParamNeeds::nothing};
    }
    if (Ipa::from_raw(tmem.buffer).is_in_null_page() || tmem.size == 0)
        return Error::bad_parameters;
    tmem.buffer = 0;
    return ParamUse{copy_back, ParamNeeds::pages_pinned};
}

Result<ParamUse> judge_rmem(abi::Param const& param, CopyBack copy_back)
{
    if (has(param, Attribute::meta) || has(param, Attribute::noncontiguous))
        return Error::bad_parameters;
    return ParamUse{copy_back, ParamNeeds::registered_memory};
}

} // namespace

Result<ParamUse> judge(abi::Param& param, std::uint32_t index, bool null_allowed)
{
    if ((param.attributes & ~Attribute::known) != 0)
        return Error::bad_parameters;
    // Only the first two parameters of OPEN_SESSION carry META; elsewhere the bit means nothing and does not go on.
    auto const meta = index < abi::max_meta_params ? Attribute::meta : 0;
    auto const plain = param.attributes & (Attribute::type_mask | meta);

    switch (type_of(param)) {
    case ParamType::none: param = {.attributes = plain, .value = {}}; return ParamUse{};
    case ParamType::value_input:
    case ParamType::value_output:
    case ParamType::value_inout:
        if (has(param, Attribute::noncontiguous))
            return Error::bad_parameters;
        param.attributes = plain;
        return ParamUse{type_of(param) == ParamType::value_input ? CopyBack::nothing : CopyBack::value,
                        ParamNeeds::nothing};
    case ParamType::rmem_input: return judge_rmem(param, CopyBack::nothing);
    case ParamType::rmem_output:
    case ParamType::rmem_inout: return judge_rmem(param, CopyBack::size);
    case ParamType::tmem_input: return judge_tmem(param, CopyBack::nothing, null_allowed);
    case ParamType::tmem_output:
    case ParamType::tmem_inout: return judge_tmem(param, CopyBack::size, null_allowed);
    }
    return Error::bad_parameters; // a type of tomorrow may hold an address
}

Result<ParamUse> judge_request(abi::Param& request)
{
    if ((request.attributes & ~Attribute::type_mask) != 0)
        return Error::bad_command;

    switch (type_of(request)) {
    case ParamType::none:        request.value = {}; return ParamUse{};
    case ParamType::value_input: return ParamUse{};
    case ParamType::value_output:
    case ParamType::value_inout: return ParamUse{CopyBack::value, ParamNeeds::nothing};
    case ParamType::rmem_input:  return ParamUse{CopyBack::nothing, ParamNeeds::registered_memory};
    case ParamType::rmem_output:
    case ParamType::rmem_inout: return ParamUse{CopyBack::size, ParamNeeds::registered_memory};
    case ParamType::tmem_input:
    case ParamType::tmem_output:
    case ParamType::tmem_inout:
        if (request.tmem.buffer != 0)
            return Error::bad_command;
        request.tmem.cookie = 0;
        return ParamUse{type_of(request) == ParamType::tmem_input ? CopyBack::nothing : CopyBack::size,
                        ParamNeeds::nothing};
    }
    return Error::bad_command;
}

} // namespace optee
