// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/machine/stage2.hpp"

#include <utility>

namespace sim {

Stage2::Stage2(Ipa base, std::uint64_t pages) : base_{base}, ram_(to_index(pages), 0) {}

Stage2::Packed Stage2::pack(std::optional<Mapping> const& mapping)
{
    return mapping ? (mapping->page.raw & ~page_mask) | (static_cast<Packed>(mapping->kind) + 1) : 0;
}

std::optional<Mapping> Stage2::unpack(Packed packed)
{
    if (packed == 0)
        return std::nullopt;
    return Mapping{static_cast<MappingKind>((packed & page_mask) - 1), Pa{packed & ~page_mask}};
}

std::optional<Mapping> Stage2::look_up_locked(Ipa ipa) const
{
    auto const page = ipa.raw / page_bytes;
    auto const in_ram = page - base_.raw / page_bytes;
    if (in_ram < ram_.size())
        return unpack(ram_[to_index(in_ram)]);
    auto const found = elsewhere_.find(page);
    return found == elsewhere_.end() ? std::nullopt : unpack(found->second);
}

std::optional<Mapping> Stage2::replace_locked(Ipa ipa, std::optional<Mapping> mapping)
{
    auto const page = ipa.raw / page_bytes;
    auto const in_ram = page - base_.raw / page_bytes;
    auto& entry = in_ram < ram_.size() ? ram_[to_index(in_ram)] : elsewhere_[page];
    return unpack(std::exchange(entry, pack(mapping)));
}

std::optional<Mapping> Stage2::look_up(Ipa ipa) const
{
    auto const guard = lock();
    return look_up_locked(ipa);
}

std::optional<Mapping> Stage2::map(Ipa ipa, Mapping mapping)
{
    auto const guard = lock();
    return replace_locked(ipa, mapping);
}

std::optional<Mapping> Stage2::unmap(Ipa ipa)
{
    auto const guard = lock();
    return replace_locked(ipa, std::nullopt);
}

} // namespace sim
