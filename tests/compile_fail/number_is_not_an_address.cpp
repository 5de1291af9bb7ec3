// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors
//
// A raw number becomes an address at a named door only.
// expect: (could not convert|no viable conversion|cannot convert)

#include "base/address.hpp"

optee::Ipa ipa_of(std::uint64_t from_register)
{
#ifdef WRONG
    return from_register;
#else
    return optee::Ipa::from_raw(from_register);
#endif
}
