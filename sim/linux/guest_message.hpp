// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// struct optee_msg_arg in the guest's memory, as its driver reads and writes it.

#include "sim/machine/vm.hpp"
#include "sim/optee/abi.hpp"

#include <cstdint>

namespace sim {

class GuestMessage {
public:
    GuestMessage(Vm& vm, Ipa at) : vm_{&vm}, at_{at} {}

    Ipa ipa() const { return at_; }
    std::uint32_t field(std::uint32_t offset) const { return vm_->peek<std::uint32_t>(Ipa{at_.raw + offset}); }
    void set_field(std::uint32_t offset, std::uint32_t value) { vm_->poke(Ipa{at_.raw + offset}, value); }
    abi::Param param(std::uint32_t n) const { return vm_->peek<abi::Param>(place(n)); }
    void set_param(std::uint32_t n, abi::Param const& value) { vm_->poke(place(n), value); }

    std::uint32_t cmd() const { return field(abi::arg::cmd); }
    std::uint32_t num_params() const { return field(abi::arg::num_params); }
    std::uint32_t ret() const { return field(abi::arg::ret); }

    void set_ret(std::uint32_t ret, std::uint32_t origin = abi::origin::comms)
    {
        set_field(abi::arg::ret, ret);
        set_field(abi::arg::ret_origin, origin);
    }

    /// What follows the message: with a supplied RPC argument, that.
    GuestMessage after() const { return {*vm_, place(num_params())}; }

private:
    Ipa place(std::uint32_t n) const { return Ipa{at_.raw + abi::arg::bytes(n)}; }

    Vm* vm_;
    Ipa at_;
};

} // namespace sim
