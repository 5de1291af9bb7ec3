// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "teec.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>

namespace client {

Context::Context()
{
    if (TEEC_InitializeContext(nullptr, &context_) != TEEC_SUCCESS) {
        std::fprintf(stderr, "client: no OP-TEE here: is there a /dev/tee0?\n");
        std::exit(2);
    }
}

Buffer::Buffer(Context& context, std::size_t bytes)
{
    void* const memory =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) {
        result_ = TEEC_ERROR_OUT_OF_MEMORY;
        return;
    }
    shared_.buffer = memory;
    shared_.size = bytes;
    shared_.flags = TEEC_MEM_INPUT | TEEC_MEM_OUTPUT;
    result_ = TEEC_RegisterSharedMemory(context.get(), &shared_);
    if (result_ == TEEC_SUCCESS && shared_.imp.shadow_buffer) {
        // The library would copy behind our back: not what is to be shown.
        TEEC_ReleaseSharedMemory(&shared_);
        result_ = TEEC_ERROR_NOT_SUPPORTED;
    }
    if (result_ != TEEC_SUCCESS) {
        munmap(memory, bytes);
        shared_ = {};
    }
}

Buffer::~Buffer()
{
    if (result_ != TEEC_SUCCESS)
        return;
    void* const memory = shared_.buffer;
    auto const bytes = shared_.size;
    TEEC_ReleaseSharedMemory(&shared_);
    munmap(memory, bytes);
}

Session::Session(Context& context, TEEC_UUID const& ta)
{
    std::uint32_t origin = 0;
    result_ = TEEC_OpenSession(context.get(), &session_, &ta, TEEC_LOGIN_PUBLIC, nullptr, nullptr, &origin);
}

Session::~Session()
{
    if (result_ == TEEC_SUCCESS)
        TEEC_CloseSession(&session_);
}

TEEC_Result Session::invoke(std::uint32_t command, TEEC_Operation& operation)
{
    std::uint32_t origin = 0;
    return result_ == TEEC_SUCCESS ? TEEC_InvokeCommand(&session_, command, &operation, &origin) : result_;
}

TEEC_Result work_in_place(
    Session& session, std::uint32_t command, Buffer& buffer, std::size_t offset, std::size_t bytes)
{
    TEEC_Operation operation{};
    operation.paramTypes =
        TEEC_PARAM_TYPES(TEEC_MEMREF_PARTIAL_INPUT, TEEC_MEMREF_PARTIAL_OUTPUT, TEEC_NONE, TEEC_NONE);
    operation.params[0].memref = {buffer.get(), bytes, offset};
    operation.params[1].memref = {buffer.get(), bytes, offset};
    return session.invoke(command, operation);
}

double seconds_now()
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

} // namespace client
