// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/invariants/unchanged.hpp"

#include "sim/machine/machine.hpp"
#include "sim/optee/optee.hpp"

#include <ostream>
#include <tuple>

namespace sim {

namespace {

constexpr std::uint64_t spare_pages = 1; ///< core/cell_pool.hpp keeps the last one that has room

} // namespace

Possessions Possessions::of(Vm& vm)
{
    auto const partition = vm.machine().optee().partition(vm);
    return {.pins = vm.pins(),
            .mediator_pages = vm.mediator_pages(),
            .calls = vm.counter("calls_live"),
            .buffers = vm.counter("buffers_live"),
            .pages = vm.counter("pages_live"),
            .arguments = vm.counter("arguments_live"),
            .names_at_optee = partition ? partition->live_buffers() : 0,
            .busy_threads = partition ? partition->busy_threads() : 0};
}

bool operator==(Possessions const& one, Possessions const& other)
{
    auto const exact = [](Possessions const& has) {
        return std::tie(
            has.pins, has.calls, has.buffers, has.pages, has.arguments, has.names_at_optee, has.busy_threads);
    };
    return exact(one) == exact(other);
}

std::ostream& operator<<(std::ostream& out, Possessions const& has)
{
    return out << has.pins << " pins, " << has.calls << " calls, " << has.buffers << " buffers of " << has.pages
               << " pages, " << has.arguments << " arguments; in OP-TEE " << has.names_at_optee << " buffers, "
               << has.busy_threads << " threads";
}

void check_unchanged(Vm& vm, Possessions const& before, std::string const& what)
{
    auto const after = Possessions::of(vm);
    auto const compare = [&](char const* name, std::uint64_t was, std::uint64_t is, std::uint64_t more = 0) {
        if (is < was || is > was + more)
            vm.machine().broken(Invariant::i16,
                                what + " changed " + name + " from " + std::to_string(was) + " to " +
                                    std::to_string(is));
    };
    compare("pins", before.pins, after.pins);
    compare("mediator_pages", before.mediator_pages, after.mediator_pages, spare_pages);
    compare("calls_live", before.calls, after.calls);
    compare("buffers_live", before.buffers, after.buffers);
    compare("pages_live", before.pages, after.pages);
    compare("arguments_live", before.arguments, after.arguments);
    compare("the buffers that OP-TEE keeps", before.names_at_optee, after.names_at_optee);
    compare("the busy threads of OP-TEE", before.busy_threads, after.busy_threads);
}

} // namespace sim
