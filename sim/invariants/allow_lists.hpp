// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// I5: a VM opens no session with a TA that its policy keeps from it. Knows no mediator.

#include <optee_mediator/mediator.h>

#include <cstdint>
#include <deque>
#include <mutex>

namespace sim {

/// The allow lists of one VM, as far back as a call may go that is still under way: it was judged by one of them, and
/// lists are replaced meanwhile. By one writer at a time.
class AllowLists {
public:
    void begin_anew();                            ///< a VM is created: there is no list
    void announce(optee_mediator_ta_list const&); ///< from now on calls may be judged by it
    void withdraw();                              ///< it was refused
    void settle();                                ///< from now on they are not judged by older ones
    std::uint64_t settled() const;                ///< the number of the list that was settled last
    void forget_before(std::uint64_t number);     ///< nobody is left who was judged by an older one

    /// What OP-TEE is asked to open. False: all lists that it can have been judged by keep it from the VM.
    bool may_allow(std::uint64_t uuid_a, std::uint64_t uuid_b) const;

private:
    mutable std::mutex mutex_;
    std::deque<optee_mediator_ta_list> lists_{optee_mediator_ta_list{}};
    std::uint64_t first_ = 0; ///< number of the oldest
    std::uint64_t settled_ = 0;
};

} // namespace sim
