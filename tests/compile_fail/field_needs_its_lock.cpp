// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors
//
// What a lock guards is not read without it.
// expect (clang++-14): requires holding

#include "base/lock.hpp"

class Table {
public:
    int live()
    {
#ifndef WRONG
        optee::LockGuard const guard{lock_};
#endif
        return live_;
    }

private:
    optee::RankedLock<optee::LockRank::vm_table> lock_;
    int live_ GUARDED_BY(lock_) = 0;
};

int call(Table& table)
{
    return table.live();
}
