// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include "abi/message.hpp"
#include "base/address.hpp"
#include "page_list.hpp"
#include "shm_registry.hpp"

#include <cstdint>
#include <optional>

namespace optee {

/// Memory that a guest hands over in answer to a request of OP-TEE: SHM_ALLOC for data, RPC ALLOC for arguments.

/// An answer to SHM_ALLOC that is worth translating: its name is taken, its quota charged.
struct OfferedBuffer {
    ShmRef memory;
    std::optional<GuestPageList> guest_list{}; ///< what the guest named: a page list,
    std::optional<Ipa> single_page{};          ///< or one contiguous page
};

/// Judges the guest's answer by what OP-TEE asked for. bad_parameters, or out_of_memory: the guest keeps its memory.
Result<OfferedBuffer> accept_buffer(
    VmContext& vm, ShmRegistry& registry, abi::Param const& answer, std::uint64_t asked_bytes, TeeThread owner);
/// Pins the pages. To be called again until it is done.
Result<Progress> translate_buffer(VmContext& vm, OfferedBuffer& buffer, Budget& budget);
/// What the guest should free when its answer is refused: the name that it gave, where such an answer has one.
Cookie offered_cookie(abi::Param const& answer);

/// Judges the guest's answer to RPC ALLOC: a page of its own where requests will be delivered. Makes our page, which
/// OP-TEE gets instead.
Result<ShmRef> accept_argument(VmContext& vm, ShmRegistry& registry, Ipa guest_page, Cookie cookie, TeeThread owner);
/// Frees our page and the record of an argument whose name is gone.
void release_argument(VmContext& vm, ShmRegistry& registry, ShmRef argument);

} // namespace optee
