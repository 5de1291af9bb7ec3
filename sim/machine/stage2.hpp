// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// One VM's stage-2 translation: IPA pages to frames. It may change at any moment, also while the mediator works.

#include "sim/machine/physical_memory.hpp"

#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

namespace sim {

enum class MappingKind : std::uint8_t {
    ram,       ///< read-write RAM of the VM
    read_only, ///< RAM of the VM that it may not write
    foreign,   ///< RAM of another VM, mapped by a privileged one
    grant,     ///< RAM of another VM that granted it
    mmio,      ///< a device
};

struct Mapping {
    MappingKind kind;
    Pa page;
};

class Stage2 {
public:
    /// `base` and `pages`: where the VM's RAM lies; pages elsewhere are possible, only slower.
    Stage2(Ipa base, std::uint64_t pages);

    std::optional<Mapping> look_up(Ipa) const;
    std::optional<Mapping> map(Ipa, Mapping); ///< returns what was there
    std::optional<Mapping> unmap(Ipa);        ///< returns what was there

    /// Held by a look-up that also takes a reference, and by those who give a page away.
    std::unique_lock<std::mutex> lock() const { return std::unique_lock{mutex_}; }
    std::optional<Mapping> look_up_locked(Ipa) const;
    std::optional<Mapping> replace_locked(Ipa, std::optional<Mapping>);

private:
    using Packed = std::uint64_t; // the frame's address, and the kind plus one in its low bits; 0 is absent
    static Packed pack(std::optional<Mapping> const&);
    static std::optional<Mapping> unpack(Packed);

    Ipa base_;
    std::vector<Packed> ram_;
    std::unordered_map<std::uint64_t, Packed> elsewhere_;
    mutable std::mutex mutex_;
};

} // namespace sim
