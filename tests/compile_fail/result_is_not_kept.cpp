// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors
//
// A Result is tested and taken where it comes from.
// expect: (use of deleted function|call to deleted constructor)

#include "base/result.hpp"

int keep()
{
    optee::Result<int> const first{1};
#ifdef WRONG
    optee::Result<int> const second = first;
    return second.get();
#else
    return first.get();
#endif
}
