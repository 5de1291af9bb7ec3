// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include "page_list.hpp"
#include "shadow_message.hpp"
#include "shm_registry.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace optee {

/// The memory that one call refers to, from the moment at which its names are taken to that at which its pages are free.
class MemoryReferences {
public:
    /// Judges all parameters, takes names, charges quotas. Nothing is pinned yet. After an error the caller settles and
    /// releases what was taken before.
    Status prepare(VmContext& vm, ShmRegistry& registry, ShadowMessage& message);
    /// Pins pages and puts our lists into the message. To be called again until it is done.
    Result<Progress> translate(VmContext& vm, ShadowMessage& message, Budget& budget);
    /// The call is over, or never was: registered memory changes hands if OP-TEE agreed, uses end. Once settled, a
    /// reference stays so.
    void settle(VmContext& vm, ShmRegistry& registry, bool tee_agreed);
    /// Unpins the pages of what does not stay. To be called again until it is done.
    Progress release(VmContext& vm, ShmRegistry& registry, Budget& budget);

private:
    enum class Purpose : std::uint8_t {
        temporary,
        registered_use,
        registering,
        unregistering,
        leaving, ///< settled: its pages are to be released
    };
    struct Reference {
        ShmRef memory;
        Purpose purpose;
        std::uint32_t param;
        std::optional<GuestPageList> guest_list; ///< while pages are to be pinned
    };

    Status prepare_param(VmContext& vm, ShmRegistry& registry, ShadowMessage& message, std::uint32_t index);
    Status refer(ShmRegistry& registry, abi::RmemParam& rmem, abi::Command command, std::uint32_t index);
    Status share(
        VmContext& vm, ShmRegistry& registry, abi::TmemParam const& tmem, Purpose purpose, std::uint32_t index);
    Status push(Reference const& reference);
    bool stays(ShmRegistry& registry, Reference const& reference, bool tee_agreed);

    std::span<std::optional<Reference>> used() { return std::span{references_}.first(used_); }

    std::array<std::optional<Reference>, abi::max_memory_references> references_{};
    std::uint32_t used_ = 0; ///< places that were taken; some may be empty again
};

} // namespace optee
