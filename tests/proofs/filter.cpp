// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Parameters of a message, whatever 32 bytes a guest or OP-TEE puts there.

#include "claims.hpp"
#include "parameter.cpp"
#include "tests/unit/judged_copy.hpp"

namespace optee {
namespace {

using Bits = std::uint64_t;

constexpr Bits type_bits = Attribute::type_mask;

abi::Param param_of(Bits attributes, Bits a, Bits b, Bits c)
{
    return {.attributes = attributes, .value = {.a = a, .b = b, .c = c}};
}

bool is(Bits attributes, ParamType first, ParamType last)
{
    auto const type = attributes & type_bits;
    return type >= static_cast<Bits>(first) && type <= static_cast<Bits>(last);
}

bool is_value(Bits attributes)
{
    return is(attributes, ParamType::value_input, ParamType::value_inout);
}

bool is_rmem(Bits attributes)
{
    return is(attributes, ParamType::rmem_input, ParamType::rmem_inout);
}

bool is_tmem(Bits attributes)
{
    return is(attributes, ParamType::tmem_input, ParamType::tmem_inout);
}

bool is_input(Bits attributes)
{
    auto const type = static_cast<ParamType>(attributes & type_bits);
    return type == ParamType::value_input || type == ParamType::rmem_input || type == ParamType::tmem_input;
}

bool has_a_type(Bits attributes)
{
    return (attributes & type_bits) == 0 || is_value(attributes) || is_rmem(attributes) || is_tmem(attributes);
}

bool is_same_value(abi::Param const& one, abi::Param const& other)
{
    return one.value.a == other.value.a && one.value.b == other.value.b && one.value.c == other.value.c;
}

} // namespace

CLAIM(only_known_bits_and_types_pass, Bits attributes, Bits a, Bits b, Bits c, std::uint32_t index, bool null_allowed)
{
    auto const judged = judge(param_of(attributes, a, b, c), index, null_allowed);
    if (!judged.ok())
        return true;
    auto const passed = judged.get().forwarded.attributes;
    return (passed & ~attributes) == 0 && has_a_type(passed) && (passed & type_bits) == (attributes & type_bits) &&
           (attributes & ~(type_bits | Attribute::meta | Attribute::noncontiguous)) == 0;
}

CLAIM(no_address_of_a_guest_passes, Bits attributes, Bits a, Bits b, Bits c, std::uint32_t index, bool null_allowed)
{
    auto const judged = judge(param_of(attributes, a, b, c), index, null_allowed);
    if (!judged.ok() || !is_tmem(attributes))
        return true;
    auto const& tmem = judged.get().forwarded.tmem;
    auto const is_list = (attributes & Attribute::noncontiguous) != 0;
    auto const pinned = judged.get().needs == ParamNeeds::pages_pinned;
    return tmem.buffer == 0 && tmem.size == b && pinned == is_list && (is_list ? a >= page_bytes && b != 0 : a == 0);
}

CLAIM(memory_is_looked_up, Bits attributes, Bits a, Bits b, Bits c, std::uint32_t index, bool null_allowed)
{
    auto const guest = param_of(attributes, a, b, c);
    auto const judged = judge(guest, index, null_allowed);
    if (!judged.ok())
        return true;
    auto const needs = judged.get().needs;
    auto const same = is_tmem(attributes) || is_same_value(judged.get().forwarded, guest);
    return (needs == ParamNeeds::registered_memory) == is_rmem(attributes) &&
           (needs != ParamNeeds::pages_pinned || is_tmem(attributes)) && ((attributes & type_bits) == 0 || same);
}

CLAIM(only_outputs_go_back, Bits attributes, Bits a, Bits b, Bits c, std::uint32_t index, bool null_allowed)
{
    auto const judged = judge(param_of(attributes, a, b, c), index, null_allowed);
    if (!judged.ok())
        return true;
    auto const back = judged.get().copy_back;
    if (is_input(attributes) || (attributes & type_bits) == 0)
        return back == CopyBack::nothing;
    return back == (is_value(attributes) ? CopyBack::value : CopyBack::size);
}

CLAIM(meta_is_for_open_session, Bits attributes, Bits a, Bits b, Bits c, std::uint32_t index, bool null_allowed)
{
    auto const judged = judge(param_of(attributes, a, b, c), index, null_allowed);
    if (!judged.ok() || (judged.get().forwarded.attributes & Attribute::meta) == 0)
        return true;
    return index < abi::max_meta_params && !is_rmem(attributes) && !is_tmem(attributes);
}

CLAIM(what_the_abi_has_is_not_refused, Bits attributes, Bits a, Bits b, Bits c, std::uint32_t index)
{
    auto const plain = (attributes & ~type_bits) == 0;
    if (!plain || is_tmem(attributes) || !has_a_type(attributes))
        return true;
    return judge(param_of(attributes, a, b, c), index, false).ok();
}

CLAIM(no_address_of_optee_goes_out, Bits attributes, Bits a, Bits b, Bits c)
{
    auto const judged = judge_request(param_of(attributes, a, b, c));
    if (!judged.ok())
        return judged.error() == Error::bad_command;
    auto const& sent = judged.get().forwarded;
    auto const no_address = !is_tmem(attributes) || (a == 0 && sent.tmem.buffer == 0 && sent.tmem.cookie == 0);
    return no_address && sent.attributes == attributes && attributes <= type_bits && has_a_type(attributes);
}

FALSE_CLAIM(type_is_in_four_bits, Bits attributes, Bits a, Bits b, Bits c)
{
    auto const four_bits = attributes & 0xf;
    return !has_a_type(four_bits) || judge(param_of(attributes, a, b, c), 0, true).ok();
}

FALSE_CLAIM(noncontiguous_says_that_there_is_an_address, Bits attributes, Bits a, Bits b, Bits c)
{
    auto const judged = judge(param_of(attributes, a, b, c), 0, true);
    return !is_tmem(attributes) || !judged.ok() || (attributes & Attribute::noncontiguous) != 0;
}

FALSE_CLAIM(optee_names_memory_by_cookie_only, Bits attributes, Bits a, Bits b, Bits c)
{
    auto const judged = judge_request(param_of(attributes, a, b, c));
    return !judged.ok() || !is_tmem(attributes);
}

} // namespace optee
