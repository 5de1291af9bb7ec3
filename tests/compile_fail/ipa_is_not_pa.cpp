// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors
//
// What the VM calls physical is never handed to OP-TEE without a look-up.
// expect: (could not convert|no matching function)

#include "base/address.hpp"

namespace {

optee::Pa given_to_optee(optee::Pa address)
{
    return address;
}

} // namespace

optee::Pa call(optee::Ipa from_guest, optee::Pa pinned)
{
#ifdef WRONG
    static_cast<void>(pinned);
    return given_to_optee(from_guest);
#else
    static_cast<void>(from_guest);
    return given_to_optee(pinned);
#endif
}
