// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "client.hpp"
#include "teec.hpp"

#include <cinttypes>
#include <cstdio>

namespace client {

namespace {

// pta_stats.h, struct pta_stats_alloc
struct Allocator {
    char description[32];
    std::uint64_t free_squares;
    std::uint32_t allocated;
    std::uint32_t most;
    std::uint32_t size;
    std::uint32_t failures;
    std::uint32_t biggest_failure;
    std::uint32_t allocated_then;
};
static_assert(sizeof(Allocator) == 64);

struct Pool {
    std::uint32_t number; // ALLOC_ID_*
    char const* name;
};

} // namespace

int memory(char const* when)
{
    Context context;
    Session session{context, stats::uuid};
    if (session.result() != TEEC_SUCCESS) {
        std::fprintf(stderr, "client: OP-TEE has no statistics: %#" PRIx32 "\n", session.result());
        return 1;
    }
    // The heap of this VM's partition, its memory for TAs, and the heap from which partitions are made.
    for (auto const& pool : {Pool{1, "heap"}, Pool{3, "ta_memory"}, Pool{4, "nexus"}}) {
        Allocator allocator{};
        TEEC_Operation operation{};
        operation.paramTypes = TEEC_PARAM_TYPES(TEEC_VALUE_INPUT, TEEC_MEMREF_TEMP_OUTPUT, TEEC_NONE, TEEC_NONE);
        operation.params[0].value.a = pool.number;
        operation.params[1].tmpref = {&allocator, sizeof(allocator)};
        auto const result = session.invoke(stats::allocators, operation);
        if (result != TEEC_SUCCESS) {
            std::fprintf(stderr, "client: no statistics of pool %s: %#" PRIx32 "\n", pool.name, result);
            return 1;
        }
        std::printf("fact optee.memory when=%s pool=%s allocated=%" PRIu32 " most=%" PRIu32 " size=%" PRIu32
                    " failures=%" PRIu32 "\n",
                    when,
                    pool.name,
                    allocator.allocated,
                    allocator.most,
                    allocator.size,
                    allocator.failures);
    }
    return 0;
}

} // namespace client
