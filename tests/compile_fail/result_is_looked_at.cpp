// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors
//
// An error cannot be dropped by forgetting it.
// expect: (unused-result|unused-value|ignoring returned value)

#include "base/result.hpp"

optee::Status refuse();

void call()
{
#ifdef WRONG
    refuse();
#else
    if (!refuse().ok())
        return;
#endif
}
