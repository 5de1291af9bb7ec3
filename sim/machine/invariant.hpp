// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// The rules that the simulator checks after every step, and the log of those that were broken.

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sim {

/// Numbers as in docs/architecture.md. `port` is what port.h asks of the mediator, `panic` what would stop OP-TEE
/// or the hypervisor.
enum class Invariant : std::uint8_t {
    i1,  ///< no physical address, and no byte of somebody else, reaches a guest
    i2,  ///< OP-TEE is given only read-write RAM of the calling VM, pinned, or a shadow page made for that VM
    i3,  ///< what OP-TEE may still access is pinned, or a live shadow page
    i4,  ///< pins of a page are the references from live objects; none are left after the VM
    i5,  ///< quota counters stay below their limits and end at zero
    i6,  ///< a thread of OP-TEE is resumed only when it is suspended, once for each RPC
    i7,  ///< registers change only where the ABI says so
    i8,  ///< guest memory is written only where a live call has its outputs
    i9,  ///< no byte of a guest is read twice in one entry
    i10, ///< OP-TEE sees only handles and attributes that the mediator made or knows
    i11, ///< a live cookie names one object
    i12, ///< an entry of one VM touches nothing of another
    i13, ///< bounded work for each entry; no lock over an SMC or a guest access; lock order
    i14, ///< VM_CREATED and VM_DESTROYED alternate; pages go back after the second
    i15, ///< shadow pages are zero past the message, scrubbed when freed, out of reach of guests
    i16, ///< an entry that fails leaves the state as it was
    i17, ///< fair guests get on
    port,
    panic,
};

/// "I1" to "I17", "port", "panic".
std::string_view name_of(Invariant);

struct Violation {
    Invariant invariant;
    std::string sentence;
    std::uint64_t step; ///< entries and model transitions before it
};

/// What was broken, in order. Any thread may add. With SIM_PRINT_VIOLATIONS in the environment each is also a line on
/// stderr, as it happens: "violation I3: sentence".
class ViolationLog {
public:
    void report(Invariant, std::string sentence, std::uint64_t step);

    /// Reports of this invariant are dropped from now on: for scripts that break it on purpose (see `aliasing`
    /// in sim/README.md). Not for hiding a defect.
    void tolerate(Invariant);
    void tolerate(Invariant, std::string sentence); ///< only those in these words

    bool empty() const;
    bool has(Invariant) const;
    std::vector<Violation> all() const;
    std::string text() const;
    void clear();

private:
    static constexpr std::size_t most_kept = 100;
    mutable std::mutex mutex_;
    std::vector<Violation> violations_;
    std::uint32_t tolerated_ = 0;
    std::set<std::pair<Invariant, std::string>> tolerated_sentences_;
};

} // namespace sim
