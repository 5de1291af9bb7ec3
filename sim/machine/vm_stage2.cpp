// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// What a hypervisor does to a VM's stage-2 while the VM runs.

#include "sim/machine/machine.hpp"
#include "sim/machine/vm.hpp"

namespace sim {

namespace {

bool is_own_ram(std::optional<Mapping> const& mapping)
{
    return mapping && (mapping->kind == MappingKind::ram || mapping->kind == MappingKind::read_only);
}

} // namespace

bool Vm::balloon_out(Ipa ipa)
{
    auto const guard = stage2_.lock();
    auto const mapping = stage2_.look_up_locked(ipa);
    if (!is_own_ram(mapping))
        return false;
    stage2_.replace_locked(ipa, std::nullopt);
    auto* const frame = machine_.memory().frame(mapping->page.raw);
    frame->removed = true;
    if (frame->pins.load() == 0)
        machine_.memory().free_frame(mapping->page);
    return true;
}

bool Vm::populate(Ipa ipa)
{
    auto const page = machine_.memory().reserve(1);
    machine_.memory().give_to_vm(page, index_);
    auto const guard = stage2_.lock();
    if (stage2_.look_up_locked(ipa))
        return false;
    stage2_.replace_locked(ipa, Mapping{MappingKind::ram, page});
    return true;
}

bool Vm::write_protect(Ipa ipa)
{
    auto const guard = stage2_.lock();
    auto const mapping = stage2_.look_up_locked(ipa);
    if (!is_own_ram(mapping))
        return false;
    stage2_.replace_locked(ipa, Mapping{MappingKind::read_only, mapping->page});
    return true;
}

bool Vm::allow_writing(Ipa ipa)
{
    auto const guard = stage2_.lock();
    auto const mapping = stage2_.look_up_locked(ipa);
    if (!is_own_ram(mapping))
        return false;
    stage2_.replace_locked(ipa, Mapping{MappingKind::ram, mapping->page});
    return true;
}

bool Vm::swap(Ipa one, Ipa other)
{
    auto const guard = stage2_.lock();
    auto const first = stage2_.look_up_locked(one);
    auto const second = stage2_.look_up_locked(other);
    stage2_.replace_locked(one, second);
    stage2_.replace_locked(other, first);
    return true;
}

bool Vm::give_away(Ipa ipa, Vm& to, Ipa there)
{
    Pa page{0};
    {
        auto const guard = stage2_.lock();
        auto const mapping = stage2_.look_up_locked(ipa);
        if (!is_own_ram(mapping))
            return false;
        auto* const frame = machine_.memory().frame(mapping->page.raw);
        if (frame->pins.load() != 0)
            return false;
        stage2_.replace_locked(ipa, std::nullopt);
        frame->owner = to.index();
        page = mapping->page;
    }
    to.stage2_.map(there, {MappingKind::ram, page});
    return true;
}

void Vm::map_of(Vm& other, Ipa theirs, Ipa here, MappingKind kind)
{
    auto const mapping = other.stage2_.look_up(theirs);
    if (mapping)
        stage2_.map(here, {kind, mapping->page});
}

void Vm::map_mmio(Ipa ipa)
{
    stage2_.map(ipa, {MappingKind::mmio, Pa{0x900'0000}});
}

void Vm::unmap(Ipa ipa)
{
    stage2_.unmap(ipa);
}

} // namespace sim
