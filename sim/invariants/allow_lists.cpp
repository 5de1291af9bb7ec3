// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/invariants/allow_lists.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace sim {

namespace {

bool allows(optee_mediator_ta_list const& list, optee_mediator_uuid const& uuid)
{
    if (!list.in_force)
        return true;
    for (std::size_t n = 0; n < list.count; ++n)
        if (std::memcmp(list.ta[n].octets, uuid.octets, sizeof uuid.octets) == 0)
            return true;
    return false;
}

} // namespace

void AllowLists::begin_anew()
{
    std::lock_guard const guard{mutex_};
    lists_ = {optee_mediator_ta_list{}};
    first_ = settled_ = 0;
}

void AllowLists::announce(optee_mediator_ta_list const& list)
{
    std::lock_guard const guard{mutex_};
    lists_.push_back(list);
}

void AllowLists::withdraw()
{
    std::lock_guard const guard{mutex_};
    lists_.pop_back();
}

void AllowLists::settle()
{
    std::lock_guard const guard{mutex_};
    settled_ = first_ + lists_.size() - 1;
}

std::uint64_t AllowLists::settled() const
{
    std::lock_guard const guard{mutex_};
    return settled_;
}

void AllowLists::forget_before(std::uint64_t number)
{
    std::lock_guard const guard{mutex_};
    for (; first_ < number; ++first_)
        lists_.pop_front();
}

// The octets of the UUID are those of the two words as they lie in memory: entry_std.c, get_open_session_meta().
bool AllowLists::may_allow(std::uint64_t uuid_a, std::uint64_t uuid_b) const
{
    optee_mediator_uuid uuid{};
    std::memcpy(uuid.octets, &uuid_a, sizeof uuid_a);
    std::memcpy(uuid.octets + sizeof uuid_a, &uuid_b, sizeof uuid_b);
    std::lock_guard const guard{mutex_};
    return std::any_of(lists_.begin(), lists_.end(), [&uuid](auto const& list) { return allows(list, uuid); });
}

} // namespace sim
