// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// What the attacks on calls with RPC argument share: messages by hand, in registered memory and in pages.

#include "tests/attack/rpc_words.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace sim::attack {

/// Of many worlds, each small.
inline World small_world()
{
    World world;
    world.ram_pages = 128;
    return world;
}

/// CALL_WITH_REGD_ARG on what is there.
inline Registers registered_message(std::uint64_t cookie, std::uint64_t offset)
{
    return {{abi::smc::call_with_regd_arg, abi::high(cookie), abi::low(cookie), offset, 4, 5, 6, 7}};
}

/// A call of the clock with its message there, in memory whose pages follow each other.
inline Call registered_clock(
    LinuxGuest& guest, Shm const& shm, std::uint64_t offset, std::uint32_t session, std::uint64_t times = 1)
{
    auto const at = shm->at(offset);
    write_message(guest.vm(),
                  at,
                  abi::cmd::invoke_command,
                  command::clock_get,
                  session,
                  {{abi::attr::value_output, 0, 0, 0}, {abi::attr::value_input, times, 0, 0}});
    return Call{guest, registered_message(shm->cookie, offset), GuestMessage{guest.vm(), at}, true};
}

/// CANCEL of a session that is not there, with so many parameters, or as many as there is place for.
inline void write_long_message(Vm& vm, Ipa at, std::uint32_t params)
{
    constexpr std::uint32_t most = 127;
    std::vector<abi::Param> const none(std::min(params, most), abi::Param{abi::attr::none, 0, 0, 0});
    write_message(vm, at, abi::cmd::invoke_command, 0, 77, none).set_field(abi::arg::num_params, params);
}

inline Call message_in_page(LinuxGuest& guest, Ipa page, std::uint32_t params)
{
    write_long_message(guest.vm(), page, params);
    return Call{guest,
                {{abi::smc::call_with_rpc_arg, abi::high(page.raw), abi::low(page.raw), 0, 0, 0, 0, 0}},
                GuestMessage{guest.vm(), page},
                true};
}

inline Call message_in_buffer(LinuxGuest& guest, Shm const& shm, std::uint64_t offset, std::uint32_t params)
{
    write_long_message(guest.vm(), shm->at(offset), std::min(params, 127u));
    GuestMessage message{guest.vm(), shm->at(offset)};
    message.set_field(abi::arg::num_params, params);
    return Call{guest, registered_message(shm->cookie, offset), message, true};
}

/// EBADADDR and nothing else, from who has the function.
inline testing::AssertionResult is_not_there(bool offered, Registers const& asked, Answer const& answer)
{
    return offered ? is_only(abi::ret::bad_address, asked, answer) : is_unknown(asked, answer);
}

} // namespace sim::attack
