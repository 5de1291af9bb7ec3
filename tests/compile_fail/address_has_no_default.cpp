// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors
//
// No address is 'unset': that is written std::optional.
// expect: (no matching (function|constructor)|no default constructor)

#include "base/address.hpp"

#include <optional>

bool is_set()
{
#ifdef WRONG
    optee::Ipa const none;
    return none.raw() != 0;
#else
    std::optional<optee::Ipa> const none;
    return none.has_value();
#endif
}
