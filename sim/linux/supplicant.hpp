// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// tee-supplicant: the process that keeps OP-TEE's files and trusted applications for it.

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

namespace sim {

class Supplicant {
public:
    using Octets = std::vector<std::uint8_t>;

    std::optional<std::uint64_t> open(std::uint64_t name);
    std::uint64_t create(std::uint64_t name);
    void close(std::uint64_t descriptor);
    Octets read(std::uint64_t descriptor, std::uint64_t offset, std::uint64_t bytes);
    void write(std::uint64_t descriptor, std::uint64_t offset, Octets const&);
    static Octets const& trusted_app(); ///< one file serves for all

    std::size_t open_files() const;

private:
    mutable std::mutex mutex_;
    std::map<std::uint64_t, Octets> files_;
    std::map<std::uint64_t, std::uint64_t> descriptors_;
    std::uint64_t next_descriptor_ = 1;
};

} // namespace sim
