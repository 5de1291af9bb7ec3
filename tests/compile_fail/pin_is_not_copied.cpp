// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors
//
// Two owners of one pin would give it back twice.
// expect: (use of deleted function|call to deleted constructor)

#include "pin.hpp"

#include <utility>

optee::PinnedPage hand_on(optee::PinnedPage&& page)
{
#ifdef WRONG
    return optee::PinnedPage{page};
#else
    return optee::PinnedPage{std::move(page)};
#endif
}
