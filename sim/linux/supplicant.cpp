// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/linux/supplicant.hpp"

#include <algorithm>

namespace sim {

Supplicant::Octets const& Supplicant::trusted_app()
{
    constexpr std::size_t bytes = 2 * 4096 + 17;
    static auto const file = [] {
        Octets octets(bytes);
        for (std::size_t i = 0; i < octets.size(); ++i)
            octets[i] = static_cast<std::uint8_t>(i * 7 + 1);
        return octets;
    }();
    return file;
}

std::optional<std::uint64_t> Supplicant::open(std::uint64_t name)
{
    std::lock_guard const guard{mutex_};
    if (files_.count(name) == 0)
        return std::nullopt;
    descriptors_[next_descriptor_] = name;
    return next_descriptor_++;
}

std::uint64_t Supplicant::create(std::uint64_t name)
{
    std::lock_guard const guard{mutex_};
    files_[name].clear();
    descriptors_[next_descriptor_] = name;
    return next_descriptor_++;
}

void Supplicant::close(std::uint64_t descriptor)
{
    std::lock_guard const guard{mutex_};
    descriptors_.erase(descriptor);
}

Supplicant::Octets Supplicant::read(std::uint64_t descriptor, std::uint64_t offset, std::uint64_t bytes)
{
    std::lock_guard const guard{mutex_};
    auto const& file = files_[descriptors_[descriptor]];
    auto const from = std::min<std::uint64_t>(offset, file.size());
    auto const count = std::min<std::uint64_t>(bytes, file.size() - from);
    auto const begin = file.begin() + static_cast<std::ptrdiff_t>(from);
    return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

void Supplicant::write(std::uint64_t descriptor, std::uint64_t offset, Octets const& octets)
{
    std::lock_guard const guard{mutex_};
    auto& file = files_[descriptors_[descriptor]];
    if (file.size() < offset + octets.size())
        file.resize(static_cast<std::size_t>(offset) + octets.size());
    std::copy(octets.begin(), octets.end(), file.begin() + static_cast<std::ptrdiff_t>(offset));
}

std::size_t Supplicant::open_files() const
{
    std::lock_guard const guard{mutex_};
    return descriptors_.size();
}

} // namespace sim
