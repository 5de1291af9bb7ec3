// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "shm_registry.hpp"

#include "abi/message.hpp"
#include "base/invariant.hpp"
#include "quota.hpp"

#include <algorithm>
#include <new>

namespace optee {

namespace {

bool holds(SharedMemory const& memory, std::uint64_t offset, std::uint64_t size)
{
    return offset <= memory.size && size <= memory.size - offset;
}

} // namespace

Result<ShmRef> ShmRegistry::make(VmContext& vm, SharedMemory const& memory)
{
    Guard const guard{lock_};
    MEDIATOR_ASSIGN_OR_RETURN(auto const cell, pool_.allocate(vm));
    new (Mapped<unsigned char>{cell.pa()}.get()) SharedMemory{memory};
    if (memory.cookie == Cookie::none)
        return cell;
    if (auto named = index_.insert(vm, pool_, memory.cookie, cell); !named.ok()) {
        pool_.free(vm, cell);
        return named.error();
    }
    return cell;
}

Result<ShmRef> ShmRegistry::add(VmContext& vm, NewBuffer const& buffer)
{
    if (buffer.cookie == Cookie::none && buffer.kind != ShmKind::temporary)
        return Error::bad_parameters;
    MEDIATOR_ASSIGN_OR_RETURN(auto const pages, PageCount::covering(buffer.offset, buffer.size));
    MEDIATOR_RETURN_IF_ERROR(charge_buffer(vm, pages));
    auto made = make(vm,
                     SharedMemory{.cookie = buffer.cookie,
                                  .kind = buffer.kind,
                                  .owner = buffer.owner,
                                  .pages = pages,
                                  .offset = buffer.offset,
                                  .size = buffer.size});
    if (!made.ok()) {
        refund_buffer(vm, pages);
        return made.error();
    }
    return made.get();
}

Result<ShmRef> ShmRegistry::add_argument(VmContext& vm, Cookie cookie, TeeThread owner, std::uint32_t limit)
{
    if (cookie == Cookie::none)
        return Error::bad_parameters;
    if (!vm.statistics.add_within(Counter::arguments_live, 1, limit))
        return Error::out_of_memory;
    auto made = make(vm,
                     SharedMemory{.cookie = cookie,
                                  .kind = ShmKind::rpc_argument,
                                  .owner = owner,
                                  .pages = PageCount{0},
                                  .offset = 0,
                                  .size = 0});
    if (!made.ok()) {
        vm.statistics.subtract(Counter::arguments_live);
        return made.error();
    }
    return made.get();
}

void ShmRegistry::set_live(ShmRef memory)
{
    Guard const guard{lock_};
    map(memory)->state = ShmState::live;
}

// A buffer of this kind that OP-TEE has; whatever else is known under the name does not count. `act` has it mapped, so
// that nobody maps it a second time, and may refuse it.
template <typename Act>
Result<ShmRef> ShmRegistry::with_live(Cookie cookie, ShmKind kind, Act act)
{
    auto const found = index_.find(cookie);
    if (!found)
        return Error::bad_parameters;
    MappedShm const memory = map(*found);
    if (memory->kind != kind || memory->state != ShmState::live)
        return Error::bad_parameters;
    MEDIATOR_RETURN_IF_ERROR(act(*memory));
    return *found;
}

Result<ShmRef> ShmRegistry::use_registered(Cookie cookie, std::uint64_t offset, std::uint64_t size)
{
    Guard const guard{lock_};
    return with_live(cookie, ShmKind::registered, [=](SharedMemory& memory) -> Status {
        if (!holds(memory, offset, size))
            return Error::bad_parameters;
        ++memory.uses;
        return {};
    });
}

Result<ShmRegistry::MessageBuffer> ShmRegistry::use_for_message(Cookie cookie, std::uint32_t offset)
{
    Guard const guard{lock_};
    auto place = GuestPlace::in_pinned({Pa::from_raw(0), Pa::from_raw(0)}, 0, 0);
    MEDIATOR_ASSIGN_OR_RETURN(
        auto const found, with_live(cookie, ShmKind::registered, [&](SharedMemory& memory) -> Status {
            if (!holds(memory, offset, sizeof(abi::MessageHeader)))
                return Error::bad_parameters;
            auto const begin = std::uint64_t{memory.offset} + offset;
            auto const room = std::min<std::uint64_t>(memory.size - offset, page_bytes);
            auto const first = begin / page_bytes;
            auto const last = (begin + room - 1) / page_bytes;
            if (begin % abi::message_alignment != 0 || last >= abi::PageListPage::entries)
                return Error::bad_parameters;
            place = GuestPlace::in_pinned(
                memory.list.pinned_pages(static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(last)),
                static_cast<std::uint32_t>(begin % page_bytes),
                static_cast<std::uint32_t>(room));
            ++memory.uses;
            return {};
        }));
    return MessageBuffer{found, place};
}

Result<ShmRef> ShmRegistry::use_argument(Cookie cookie, TeeThread owner)
{
    Guard const guard{lock_};
    return with_live(cookie, ShmKind::rpc_argument, [=](SharedMemory& memory) -> Status {
        if (memory.owner != owner)
            return Error::bad_parameters;
        ++memory.uses;
        return {};
    });
}

void ShmRegistry::end_use(ShmRef memory)
{
    Guard const guard{lock_};
    --map(memory)->uses;
}

bool ShmRegistry::may_name(Cookie cookie, std::uint64_t offset, std::uint64_t size)
{
    Guard const guard{lock_};
    auto const found = index_.find(cookie);
    if (!found)
        return false;
    MappedShm const memory = map(*found);
    return memory->kind != ShmKind::rpc_argument && memory->state == ShmState::live && holds(*memory, offset, size);
}

bool ShmRegistry::knows(Cookie cookie)
{
    Guard const guard{lock_};
    return index_.find(cookie).has_value();
}

Result<ShmRef> ShmRegistry::begin_unregister(Cookie cookie)
{
    Guard const guard{lock_};
    return with_live(cookie, ShmKind::registered, [](SharedMemory& memory) -> Status {
        if (memory.uses != 0)
            return Error::buffer_busy;
        memory.state = ShmState::leaving;
        return {};
    });
}

void ShmRegistry::cancel_unregister(ShmRef memory)
{
    set_live(memory);
}

void ShmRegistry::unname(VmContext& vm, ShmRef memory)
{
    auto cookie = Cookie::none;
    {
        MappedShm const mapped = map(memory);
        cookie = mapped->cookie;
        mapped->cookie = Cookie::none;
        mapped->state = ShmState::leaving;
        // OP-TEE may ask for the next one at once, on the same thread: this one does not count any more.
        // not covered: an argument that has no name any more, for it is taken once
        if (mapped->kind == ShmKind::rpc_argument && cookie != Cookie::none)
            vm.statistics.subtract(Counter::arguments_live);
    }
    if (cookie != Cookie::none)
        index_.erase(vm, pool_, cookie);
}

Result<ShmRef> ShmRegistry::take(VmContext& vm, Cookie cookie, ShmKind kind, std::optional<TeeThread> owner)
{
    Guard const guard{lock_};
    MEDIATOR_ASSIGN_OR_RETURN(auto const found, with_live(cookie, kind, [=](SharedMemory const& memory) -> Status {
                                  if (memory.uses != 0 || (owner && memory.owner != owner))
                                      return Error::bad_parameters;
                                  return {};
                              }));
    unname(vm, found);
    return found;
}

Result<ShmRef> ShmRegistry::take_rpc_data(VmContext& vm, Cookie cookie, TeeThread owner)
{
    return take(vm, cookie, ShmKind::rpc_data, owner);
}

Result<ShmRef> ShmRegistry::take_argument(VmContext& vm, Cookie cookie, TeeThread owner)
{
    return take(vm, cookie, ShmKind::rpc_argument, owner);
}

Result<ShmRef> ShmRegistry::take_cached_argument(VmContext& vm, Cookie cookie)
{
    return take(vm, cookie, ShmKind::rpc_argument, std::nullopt);
}

void ShmRegistry::forget_name(VmContext& vm, ShmRef memory)
{
    Guard const guard{lock_};
    unname(vm, memory);
}

void ShmRegistry::erase(VmContext& vm, ShmRef memory)
{
    {
        MappedShm const mapped = map(memory);
        if (mapped->list.pinned().count() != 0 || mapped->shadow)
            invariant_broken("I3: a buffer is forgotten that still has pages");
        if (mapped->kind != ShmKind::rpc_argument)
            refund_buffer(vm, mapped->pages);
    }
    Guard const guard{lock_};
    pool_.free(vm, memory);
}

std::optional<ShmRef> ShmRegistry::any()
{
    Guard const guard{lock_};
    return index_.any();
}

void ShmRegistry::trim(VmContext& vm)
{
    Guard const guard{lock_};
    pool_.trim(vm);
}

} // namespace optee
