// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// What a VM meets that may not have all: a TA that is kept from it, an end of buffers, an end of threads.

#include "client.hpp"
#include "teec.hpp"

#include <atomic>
#include <cinttypes>
#include <cstdio>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

namespace client {

namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t most_buffers = 400;
constexpr int waiters = 2; // OP-TEE has no memory for many TAs of one VM
constexpr std::uint32_t wait_ms = 5000;

} // namespace

int open(char const* ta)
{
    std::string_view const name{ta};
    if (name != "crypt" && name != "os_test") {
        std::fprintf(stderr, "client: no TA is called %s\n", ta);
        return 2;
    }
    Context context;
    Session const session{context, name == "crypt" ? crypt::uuid : os_test::uuid};
    std::printf("fact policy.open ta=%s result=%#" PRIx32 "\n", ta, session.result());
    return session.result() == TEEC_SUCCESS ? 0 : 1;
}

int buffers()
{
    Context context;
    std::vector<std::unique_ptr<Buffer>> shared;
    TEEC_Result result = TEEC_SUCCESS;
    while (shared.size() != most_buffers) {
        auto buffer = std::make_unique<Buffer>(context, page);
        result = buffer->result();
        if (result != TEEC_SUCCESS)
            break;
        shared.push_back(std::move(buffer));
    }
    std::printf("fact policy.buffers count=%zu result=%#" PRIx32 "\n", shared.size(), result);
    return 0;
}

int wait_together()
{
    Context context;
    std::vector<std::unique_ptr<Session>> sessions;
    for (int number = 0; number != waiters; ++number)
        sessions.push_back(std::make_unique<Session>(context, os_test::uuid));
    std::atomic<int> failed{0};
    std::vector<std::thread> threads;
    for (auto& session : sessions)
        threads.emplace_back([&failed, &session] {
            TEEC_Operation operation{};
            operation.paramTypes = TEEC_PARAM_TYPES(TEEC_VALUE_INPUT, TEEC_NONE, TEEC_NONE, TEEC_NONE);
            operation.params[0].value.a = wait_ms;
            failed += session->invoke(os_test::wait, operation) != TEEC_SUCCESS;
        });
    for (auto& thread : threads)
        thread.join();
    std::printf("fact policy.wait calls=%d failed=%d\n", waiters, failed.load());
    return failed == 0 ? 0 : 1;
}

} // namespace client
