// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/upstream/mediator.hpp"

#include "tests/upstream/bridge.h"

#include <algorithm>
#include <cerrno>
#include <string>

namespace sim::upstream {

namespace {

constexpr std::uint32_t first_reserved_domain = 0x7ff0; // xen/include/public/xen.h, DOMID_FIRST_RESERVED
constexpr std::uint64_t unknown_function = 0xffff'ffff;

/// SMCs of trusted operating systems come to the mediator: xen/arch/arm/vsmc.c.
bool is_for_a_trusted_os(std::uint64_t a0)
{
    auto const owner = (a0 >> 24) & 0x3f;
    return owner >= 50;
}

optee_mediator_status status_of(int error)
{
    switch (error) {
    case 0:       return OPTEE_MEDIATOR_OK;
    case -ENOMEM: return OPTEE_MEDIATOR_NO_MEMORY;
    default:      return OPTEE_MEDIATOR_REFUSED;
    }
}

} // namespace

UpstreamMediator& UpstreamMediator::of(Entry& entry)
{
    return static_cast<UpstreamMediator&>(entry.machine().mediator());
}

vcpu& UpstreamMediator::current(Vm const& vm)
{
    return places_.at(vm.index()).cpu;
}

optee_mediator_status UpstreamMediator::probe()
{
    is_probed_ = upstream_probe();
    return is_probed_ ? OPTEE_MEDIATOR_OK : OPTEE_MEDIATOR_NOT_OPTEE;
}

bool UpstreamMediator::knows(std::uint32_t client) const
{
    return std::any_of(places_.begin(), places_.end(), [client](Place const& place) {
        return place.dom && place.dom->domain_id + 1u == client;
    });
}

// Xen makes a domain once, with an id that no other has: what a caller of ours may do wrong cannot happen there.
optee_mediator_status UpstreamMediator::create(Vm& vm, std::uint32_t client, optee_mediator_policy const&)
{
    if (!is_probed_)
        return OPTEE_MEDIATOR_NOT_PROBED;
    auto& place = places_.at(vm.index());
    if (place.dom || client == 0 || client > first_reserved_domain || knows(client))
        return OPTEE_MEDIATOR_BAD_CLIENT;
    place.dom = std::make_unique<domain>(domain{static_cast<std::uint16_t>(client - 1), {nullptr}});
    place.cpu.domain = place.dom.get();
    place.is_dying = false;
    place.restarts = 0;
    auto const error = upstream_domain_init(place.dom.get());
    if (error != 0)
        place.dom.reset();
    return status_of(error);
}

bool UpstreamMediator::handle_smc(Vm& vm, optee_smc_frame& frame)
{
    if (!is_for_a_trusted_os(frame.a[0]))
        return false;
    auto& place = places_.at(vm.index());
    ++place.inside;
    // A domain that dies is paused for ever, so its vCPUs make no SMC.
    auto handled = false;
    if (place.dom && !place.is_dying) {
        cpu_user_regs regs{};
        std::copy(std::begin(frame.a), std::end(frame.a), std::begin(regs.x));
        handled = upstream_handle_call(&regs);
        std::copy(std::begin(regs.x), std::end(regs.x), std::begin(frame.a));
        windows_.forget(*Entry::current());
    }
    if (!handled)
        frame.a[0] = unknown_function;
    --place.inside;
    return true;
}

// domain_kill() and domain_relinquish_resources(): first every vCPU has left the hypervisor.
optee_mediator_status UpstreamMediator::destroy(Vm& vm)
{
    auto& place = places_.at(vm.index());
    place.is_dying = true;
    if (place.inside != 0)
        return OPTEE_MEDIATOR_BUSY;
    if (!place.dom)
        return OPTEE_MEDIATOR_OK;
    place.checks = 0;
    if (upstream_relinquish(place.dom.get()) == -ERESTART) {
        ++place.restarts;
        return OPTEE_MEDIATOR_AGAIN;
    }
    place.dom.reset();
    if (auto const left = heap_.live(&vm); left != 0)
        vm.machine().broken(Invariant::i5,
                            std::to_string(left) + " objects of Xen's heap are left of a VM that is gone");
    return OPTEE_MEDIATOR_OK;
}

/// What was pending when the domain's end stopped at a check was served before it went on: each check stops it once.
bool UpstreamMediator::preempts(Entry& entry)
{
    auto& place = places_.at(entry.vm()->index());
    if (entry.kind() == Entry::Kind::destroy && place.checks++ < place.restarts)
        return false;
    return entry.preemption_pending();
}

} // namespace sim::upstream
