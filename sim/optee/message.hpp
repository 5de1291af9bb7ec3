// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// struct optee_msg_arg in memory shared with normal world, read and written field by field as OP-TEE does.

#include "sim/optee/shared_buffer.hpp"

#include <cstdint>
#include <utility>

namespace sim::tee {

class Message {
public:
    Message() = default;
    Message(Buffer buffer, std::uint64_t offset) : buffer_{std::move(buffer)}, offset_{offset} {}

    explicit operator bool() const { return buffer_ != nullptr; }
    Buffer const& buffer() const { return buffer_; }
    std::uint64_t offset() const { return offset_; }

    std::uint32_t field(std::uint32_t at) const
    {
        std::uint32_t value = 0;
        buffer_->read(offset_ + at, &value, sizeof value);
        return value;
    }
    void set_field(std::uint32_t at, std::uint32_t value) { buffer_->write(offset_ + at, &value, sizeof value); }

    abi::Param param(std::uint32_t n) const
    {
        abi::Param value;
        buffer_->read(offset_ + abi::arg::bytes(n), &value, sizeof value);
        return value;
    }
    void set_param(std::uint32_t n, abi::Param const& value)
    {
        buffer_->write(offset_ + abi::arg::bytes(n), &value, sizeof value);
    }
    /// One of the parameter's four words: 0 attr, 1 a, 2 b, 3 c.
    void set_param_word(std::uint32_t n, std::uint32_t word, std::uint64_t value)
    {
        buffer_->write(offset_ + abi::arg::bytes(n) + word * 8, &value, sizeof value);
    }

private:
    Buffer buffer_;
    std::uint64_t offset_ = 0;
};

} // namespace sim::tee
