// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "ta_allow_list.hpp"

#include <cstdint>

namespace optee {

TaUuid TaUuid::from_message(abi::ValueParam const& value)
{
    optee_mediator_uuid uuid;
    static_assert(sizeof uuid == sizeof value.a + sizeof value.b);
    __builtin_memcpy(uuid.octets, &value.a, sizeof value.a);
    __builtin_memcpy(uuid.octets + sizeof value.a, &value.b, sizeof value.b);
    return TaUuid{uuid};
}

bool TaUuid::is(optee_mediator_uuid const& other) const
{
    return __builtin_memcmp(&uuid_, &other, sizeof other) == 0;
}

bool TaAllowList::set(optee_mediator_ta_list const& list)
{
    if (list.count > OPTEE_MEDIATOR_MAX_TAS)
        return false;
    Guard const guard{lock_};
    list_ = list;
    in_force_.store(list.in_force, std::memory_order_relaxed);
    return true;
}

void TaAllowList::get(optee_mediator_ta_list& list) const
{
    Guard const guard{lock_};
    list = list_;
}

bool TaAllowList::allows(TaUuid const& ta) const
{
    Guard const guard{lock_};
    if (!list_.in_force)
        return true;
    for (std::uint32_t i = 0; i != list_.count; ++i)
        if (ta.is(list_.ta[i]))
            return true;
    return false;
}

} // namespace optee
