// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <tee_client_api.h>
#include <vector>

namespace client {

/// A connection to OP-TEE; the program ends when there is none.
class Context {
public:
    Context();
    ~Context() { TEEC_FinalizeContext(&context_); }
    Context(Context const&) = delete;
    Context& operator=(Context const&) = delete;

    TEEC_Context* get() { return &context_; }

private:
    TEEC_Context context_{};
};

/// Memory that OP-TEE is told of, for as long as this lives. Of our own memory, so that its pages are where the kernel
/// happened to put them, as those of a real program are.
class Buffer {
public:
    Buffer(Context& context, std::size_t bytes);
    ~Buffer();
    Buffer(Buffer const&) = delete;
    Buffer& operator=(Buffer const&) = delete;

    /// TEEC_SUCCESS when OP-TEE knows the buffer.
    TEEC_Result result() const { return result_; }
    TEEC_SharedMemory* get() { return &shared_; }
    std::span<std::byte> bytes() { return {static_cast<std::byte*>(shared_.buffer), shared_.size}; }

private:
    TEEC_SharedMemory shared_{};
    TEEC_Result result_ = TEEC_ERROR_GENERIC;
};

/// A session with one of the TAs of OP-TEE's test suite, or with a TA inside OP-TEE.
class Session {
public:
    Session(Context& context, TEEC_UUID const& ta);
    ~Session();
    Session(Session const&) = delete;
    Session& operator=(Session const&) = delete;

    TEEC_Result result() const { return result_; }
    TEEC_Result invoke(std::uint32_t command, TEEC_Operation& operation);

private:
    TEEC_Session session_{};
    TEEC_Result result_ = TEEC_ERROR_GENERIC;
};

/// Commands of the TAs that we use; the headers are in OP-TEE's test suite, which is no package for developers.
namespace crypt {
inline constexpr TEEC_UUID uuid{0xcb3e5ba0, 0xadf1, 0x11e0, {0x99, 0x8b, 0x00, 0x02, 0xa5, 0xd5, 0xc5, 0x1b}};
inline constexpr std::uint32_t aes256_ecb_encrypt = 3; // params: in, out
inline constexpr std::uint32_t aes256_ecb_decrypt = 4;
} // namespace crypt

namespace os_test {
inline constexpr TEEC_UUID uuid{0x5b9e0e40, 0x2636, 0x11e1, {0xad, 0x9e, 0x00, 0x02, 0xa5, 0xd5, 0xc5, 0x1b}};
inline constexpr std::uint32_t wait =
    9; // params: milliseconds in a; the guest's kernel sleeps meanwhile, asked by RPC
} // namespace os_test

namespace stats {
inline constexpr TEEC_UUID uuid{0xd96a5b40, 0xe2c7, 0xb1af, {0x87, 0x94, 0x10, 0x02, 0xa5, 0xd5, 0xc6, 0x1b}};
inline constexpr std::uint32_t allocators = 1; // params: pool in a, output
} // namespace stats

/// Lets the TA work upon a part of a buffer in place. The output is as long as the input.
TEEC_Result work_in_place(
    Session& session, std::uint32_t command, Buffer& buffer, std::size_t offset, std::size_t bytes);

double seconds_now();

} // namespace client
