// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "client.hpp"
#include "teec.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <functional>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

namespace client {

namespace {

constexpr std::size_t kib = 1024;
constexpr std::size_t big = 16 * 1024 * kib;
constexpr std::size_t work_bytes = 64 * kib;
constexpr std::uint32_t longer_than_any_vm = 3600 * 1000; // milliseconds

// More than OP-TEE has threads for one VM: the rest waits in the kernel's driver.
constexpr int callers = 6;

// OP-TEE asks the guest's kernel to sleep: the call is suspended in an RPC.
void wait(Context& context)
{
    Session ta{context, os_test::uuid};
    TEEC_Operation operation{};
    operation.paramTypes = TEEC_PARAM_TYPES(TEEC_VALUE_INPUT, TEEC_NONE, TEEC_NONE, TEEC_NONE);
    operation.params[0].value.a = longer_than_any_vm;
    ta.invoke(os_test::wait, operation);
}

// Opening a session asks the supplicant for the TA: an RPC that hangs when the supplicant has been stopped.
void load(Context& context)
{
    Session ta{context, crypt::uuid};
}

void encrypt(Context& context)
{
    Session ta{context, crypt::uuid};
    Buffer buffer{context, work_bytes};
    while (work_in_place(ta, crypt::aes256_ecb_encrypt, buffer, 0, work_bytes) == TEEC_SUCCESS) {
    }
}

// Several at once may want more than OP-TEE's heap has; then the next try may have luck.
[[noreturn]] void register_big(Context& context)
{
    for (;;)
        Buffer{context, big};
}

} // namespace

int once()
{
    Context context;
    Session ta{context, crypt::uuid};
    // As much as it can get: where 16 MiB are too much, a VM can still be served well or badly.
    auto buffer = std::make_unique<Buffer>(context, big);
    if (buffer->result() != TEEC_SUCCESS)
        buffer = std::make_unique<Buffer>(context, work_bytes);
    auto result = buffer->result();
    auto const bytes = buffer->bytes().size();
    bool back = false;
    if (result == TEEC_SUCCESS) {
        auto const last = buffer->bytes().last(work_bytes);
        std::fill(last.begin(), last.end(), std::byte{0x5a});
        result = work_in_place(ta, crypt::aes256_ecb_encrypt, *buffer, bytes - work_bytes, work_bytes);
        bool const there = last.back() != std::byte{0x5a};
        if (result == TEEC_SUCCESS)
            result = work_in_place(ta, crypt::aes256_ecb_decrypt, *buffer, bytes - work_bytes, work_bytes);
        back = there && std::all_of(last.begin(), last.end(), [](std::byte byte) { return byte == std::byte{0x5a}; });
    }
    bool const ok = result == TEEC_SUCCESS && back;
    std::printf("fact once ok=%d result=%#" PRIx32 " bytes=%zu\n", ok, result, bytes);
    return ok ? 0 : 1;
}

int work(char const* way)
{
    std::string_view const name{way};
    std::function<void(Context&)> const does = name == "wait"       ? wait
                                               : name == "load"     ? load
                                               : name == "encrypt"  ? encrypt
                                               : name == "register" ? register_big
                                                                    : std::function<void(Context&)>{};
    if (!does) {
        std::fprintf(stderr, "client: no work is called %s\n", way);
        return 2;
    }
    std::vector<std::thread> threads;
    for (int number = 0; number != callers; ++number)
        threads.emplace_back([&] {
            Context context;
            does(context);
        });
    std::printf("fact work.begun way=%s\n", way);
    for (auto& thread : threads)
        thread.join();
    // A VM that works dies at its work; this line says that it did not.
    std::printf("fact work.ended way=%s\n", way);
    return 1;
}

} // namespace client
