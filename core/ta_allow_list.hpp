// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include "abi/message.hpp"
#include "base/lock.hpp"

#include <optee_mediator/mediator.h>

#include <atomic>

namespace optee {

/// Names a TA.
class TaUuid {
public:
    /// The words a and b as they lie in memory are the octets, in either byte order of the machine.
    static TaUuid from_message(abi::ValueParam const& value);
    bool is(optee_mediator_uuid const& other) const;

private:
    explicit TaUuid(optee_mediator_uuid const& uuid) : uuid_{uuid} {}
    optee_mediator_uuid uuid_;
};

/// The TAs that a VM may open sessions with. Replaced while calls of the VM are judged by it: each by one whole list.
class TaAllowList {
public:
    void prepare() { lock_.prepare(); }
    /// False, and nothing has changed, when there is no room for so many.
    [[nodiscard]] bool set(optee_mediator_ta_list const& list);
    void get(optee_mediator_ta_list& list) const;

    /// Most VMs have no list, and need no lock to find that out.
    bool is_in_force() const { return in_force_.load(std::memory_order_relaxed); }
    bool allows(TaUuid const& ta) const;

private:
    using Guard = LockGuard<LockRank::ta_allow_list>;
    mutable RankedLock<LockRank::ta_allow_list> lock_;
    std::atomic<bool> in_force_{false}; ///< a copy of the list's own
    optee_mediator_ta_list list_ GUARDED_BY(lock_){};
};

} // namespace optee
