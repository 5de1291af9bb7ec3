// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Numbers that a guest chose, against arithmetic that is wide enough for all of them.

#include "base/address.hpp"
#include "call_state.hpp"
#include "claims.hpp"
#include "shadow_message.hpp"
#include "shm_registry.cpp"

namespace optee {
namespace {

using Wide = unsigned _BitInt(128); // clang's, on 32-bit machines too

Wide pages_touched(std::uint32_t offset, std::uint64_t size)
{
    return (Wide{offset} + size + (page_bytes - 1)) / page_bytes;
}

SharedMemory memory_of(std::uint64_t size)
{
    return {.cookie = Cookie::none, .kind = ShmKind::registered, .pages = PageCount{0}, .offset = 0, .size = size};
}

} // namespace

CLAIM(page_count_is_exact_or_refused, std::uint32_t offset, std::uint64_t size)
{
    offset %= page_bytes;
    auto const exact = pages_touched(offset, size);
    auto const pages = PageCount::covering(offset, size);
    if (exact > ~std::uint32_t{0})
        return !pages.ok() && pages.error() == Error::out_of_memory;
    return pages.ok() && pages.get().count() == exact;
}

FALSE_CLAIM(page_count_in_64_bits_needs_no_check, std::uint32_t offset, std::uint64_t size)
{
    offset %= page_bytes;
    return (offset + size + (page_bytes - 1)) / page_bytes == pages_touched(offset, size);
}

CLAIM(message_stays_in_its_page, std::uint32_t from_guest, std::uint32_t index)
{
    auto const params = ParamCount::from_guest(from_guest);
    auto const fits = sizeof(abi::MessageHeader) + Wide{from_guest} * sizeof(abi::Param) <= page_bytes;
    if (!params.ok())
        return !fits && params.error() == Error::bad_parameters;
    auto const count = params.get();
    auto const inside = index >= count.count() || param_offset(index) + sizeof(abi::Param) <= count.message_bytes();
    return fits && count.count() == from_guest && count.message_bytes() <= page_bytes && inside;
}

FALSE_CLAIM(message_may_be_measured_before_it_is_bounded, std::uint32_t from_guest)
{
    auto const bytes = static_cast<std::uint32_t>(sizeof(abi::MessageHeader) + from_guest * sizeof(abi::Param));
    return bytes > page_bytes || from_guest <= abi::max_params;
}

CLAIM(reference_stays_in_its_buffer, std::uint64_t offset, std::uint64_t size, std::uint64_t buffer)
{
    return holds(memory_of(buffer), offset, size) == (Wide{offset} + size <= buffer);
}

FALSE_CLAIM(reference_stays_in_its_buffer_by_one_sum, std::uint64_t offset, std::uint64_t size, std::uint64_t buffer)
{
    return (offset + size <= buffer) == (Wide{offset} + size <= buffer);
}

CLAIM(address_comes_whole_through_two_registers, std::uint64_t raw, std::uint32_t above)
{
    auto const sent = Pa::from_raw(raw);
    auto const low = (std::uint64_t{above} << 32) | sent.low_half();
    return sent.high_half() <= ~std::uint32_t{0} && sent.low_half() <= ~std::uint32_t{0} &&
           Pa::from_halves(sent.high_half(), low) == sent;
}

CLAIM(address_is_a_page_and_an_offset, std::uint64_t raw)
{
    auto const address = Ipa::from_raw(raw);
    return address.page_base().is_page_aligned() && address.page_offset() < page_bytes &&
           address.page_base().plus(address.page_offset()) == address &&
           address.is_in_null_page() == (address.page_base().raw() == 0);
}

CLAIM(handle_names_its_slot_and_generation, std::uint32_t slot, std::uint32_t generation, std::uint32_t above)
{
    slot %= max_threads;
    generation &= CallHandle::generation_mask;
    auto const given = CallHandle{slot, generation};
    auto const back = CallHandle::from_guest((std::uint64_t{above} << 32) | given.raw());
    return back.slot() == slot && back.generation() == generation;
}

CLAIM(handle_of_a_guest_names_a_slot_that_exists, std::uint64_t from_guest)
{
    auto const handle = CallHandle::from_guest(from_guest);
    return handle.slot() < max_threads && handle.generation() <= CallHandle::generation_mask;
}

CLAIM(stale_handle_differs, std::uint32_t slot, std::uint32_t then, std::uint32_t now)
{
    then &= CallHandle::generation_mask;
    now &= CallHandle::generation_mask;
    return (CallHandle{slot % max_threads, then}.raw() == CallHandle{slot % max_threads, now}.raw()) == (then == now);
}

} // namespace optee
