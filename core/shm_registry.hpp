// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include "base/lock.hpp"
#include "cell_pool.hpp"
#include "cookie_index.hpp"
#include "guest_memory.hpp"
#include "page_list.hpp"

#include <cstdint>
#include <optional>

namespace optee {

/// A thread of OP-TEE in this VM's partition: what OP-TEE asks to be given back when it is resumed.
enum class TeeThread : std::uint32_t {};

enum class ShmKind : std::uint8_t {
    registered,   ///< REGISTER_SHM to UNREGISTER_SHM
    temporary,    ///< a TMEM parameter, for one call
    rpc_data,     ///< an answer to SHM_ALLOC, until OP-TEE's SHM_FREE
    rpc_argument, ///< an answer to RPC ALLOC, until OP-TEE's FREE or DISABLE_SHM_CACHE
};

enum class ShmState : std::uint8_t {
    arriving, ///< a call is bringing it to OP-TEE: others see that the name is taken, and no more
    live,     ///< OP-TEE has it
    leaving,  ///< a call is taking it from OP-TEE
};

/// Memory that a VM shares. Cookie, kind, state, owner and uses belong to the registry's lock; the rest to the call that
/// is bringing or taking the memory, and to nobody else: in state live it does not change.
struct SharedMemory {
    Cookie cookie; ///< first, for CookieIndex
    ShmKind kind;
    ShmState state = ShmState::arriving;
    std::uint32_t uses = 0;           ///< calls that refer to it
    std::optional<TeeThread> owner{}; ///< rpc_data and rpc_argument: the thread that asked for it
    PageCount pages;
    std::uint32_t offset; ///< of the data in the first page
    std::uint64_t size;
    ShadowPageList list{};
    std::optional<Pa> shadow{};      ///< rpc_argument: our page, that OP-TEE writes its requests into
    std::optional<Ipa> guest_page{}; ///< rpc_argument: the guest's page, where we deliver them
};
static_assert(sizeof(SharedMemory) <= CellPool::cell_bytes);

using ShmRef = CellRef;
using MappedShm = Mapped<SharedMemory>;

inline MappedShm map(ShmRef memory)
{
    return MappedShm{memory.pa()};
}

/// What one VM shares, by cookie: one name space for all kinds, so that nothing can be released under the name of
/// something else. Buffers leave in three steps, of which the middle one may take several entries: the name goes, the
/// pages are unpinned by the call that has the buffer in hand, the record goes.
class ShmRegistry {
public:
    struct NewBuffer {
        Cookie cookie;
        ShmKind kind;
        std::uint32_t offset;
        std::uint64_t size;
        std::optional<TeeThread> owner{};
    };

    void prepare() { lock_.prepare(); }

    /// Charges the VM and takes the name, in state arriving. bad_parameters when the name is taken (a temporary buffer
    /// may do without one), out_of_memory when a quota or the hypervisor's memory is used up.
    Result<ShmRef> add(VmContext& vm, NewBuffer const& buffer);
    /// The same for an argument page: it has no pages to pin, and there is one for each thread of OP-TEE at most.
    Result<ShmRef> add_argument(VmContext& vm, Cookie cookie, TeeThread owner, std::uint32_t limit);
    /// OP-TEE has taken it.
    void set_live(ShmRef memory);

    /// Registered memory for a parameter: in state live, and with these bytes inside.
    Result<ShmRef> use_registered(Cookie cookie, std::uint64_t offset, std::uint64_t size);
    /// Registered memory for a message: the place is good as long as the memory counts as in use. Also bad_parameters
    /// for a place that is beyond the first page of our list, which a look-up for each call would have to walk to.
    struct MessageBuffer {
        ShmRef memory;
        GuestPlace place;
    };
    Result<MessageBuffer> use_for_message(Cookie cookie, std::uint32_t offset);
    /// The argument page in which this thread makes a request.
    Result<ShmRef> use_argument(Cookie cookie, TeeThread owner);
    void end_use(ShmRef memory);
    /// True when OP-TEE may refer to these bytes in a request: it got the buffer from this VM.
    bool may_name(Cookie cookie, std::uint64_t offset, std::uint64_t size);

    /// True while the name is taken, whatever for.
    bool knows(Cookie cookie);

    /// Registered memory, on its way out if OP-TEE agrees; buffer_busy while a call refers to it.
    Result<ShmRef> begin_unregister(Cookie cookie);
    /// OP-TEE did not agree.
    void cancel_unregister(ShmRef memory);

    /// What OP-TEE gives back, and only if this thread got it for this purpose. The name is gone.
    Result<ShmRef> take_rpc_data(VmContext& vm, Cookie cookie, TeeThread owner);
    Result<ShmRef> take_argument(VmContext& vm, Cookie cookie, TeeThread owner);
    /// What OP-TEE gives back from its cache, while no call runs on the thread that it belonged to.
    Result<ShmRef> take_cached_argument(VmContext& vm, Cookie cookie);
    /// The name of a buffer that its owner has in hand.
    void forget_name(VmContext& vm, ShmRef memory);
    /// The record of a buffer without name, of which all pages are unpinned.
    void erase(VmContext& vm, ShmRef memory);

    /// For the end of the VM: some buffer that still has a name, and the last page.
    std::optional<ShmRef> any();
    void trim(VmContext& vm);

private:
    using Guard = LockGuard<LockRank::shm_registry>;

    Result<ShmRef> make(VmContext& vm, SharedMemory const& memory);
    Result<ShmRef> take(VmContext& vm, Cookie cookie, ShmKind kind, std::optional<TeeThread> owner);
    template <typename Act>
    Result<ShmRef> with_live(Cookie cookie, ShmKind kind, Act act) REQUIRES(lock_);
    void unname(VmContext& vm, ShmRef memory) REQUIRES(lock_);

    RankedLock<LockRank::shm_registry> lock_;
    CellPool pool_ GUARDED_BY(lock_);
    CookieIndex index_ GUARDED_BY(lock_);
};

} // namespace optee
