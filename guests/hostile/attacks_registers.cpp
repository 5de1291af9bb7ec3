// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// F: registers and function ids.

#include "optee.hpp"
#include "tap.hpp"

namespace hostile {

namespace {

constexpr Word unknown = raw(ReturnCode::unknown_function);
constexpr Word dirty = 0xdeadbeef00000000;
constexpr Word smc64 = 1ULL << 30;
constexpr Word fast = 1ULL << 31;

Word low(Word value)
{
    return value & 0xffffffff;
}

Registers fast_call(Word function, Word a1 = 0)
{
    return smc({{function, a1, 0x1111, 0x2222, 0x3333, 0x4444, 0x5555, 0x6666}});
}

void is_unknown(Word function)
{
    expect_equal(low(fast_call(function, 1).x[0]), unknown, "a0 of a call that is not for guests");
}

// Before the capabilities were exchanged: this must come first.
void call_before_capabilities()
{
    for (unsigned i = 0; i != 2; ++i) {
        auto& message = open_session(tests_pta);
        expect_equal(call(message), ended_well, "a0 of a first call");
        expect_equal(message.header.result, 0, "its result");
    }
}

void create_and_destroy_guests()
{
    for (Word client = 0; client != 8; ++client) {
        expect_equal(low(smc({{raw(SmcFunction::vm_created), client}}).x[0]), unknown, "a0 of VM_CREATED");
        expect_equal(low(smc({{raw(SmcFunction::vm_destroyed), client}}).x[0]), unknown, "a0 of VM_DESTROYED");
    }
}

void forged_client()
{
    auto& message = invoke(tests_session(), tests_params, 1).value(0, ParamType::value_inout, 1, 2);
    for (Word const client : {0, 1, 2, 0xffff}) {
        message.params[0].value.a = 1;
        Call forged{raw(SmcFunction::call_with_arg),
                    {{0, 0, address_of(&message), abi::shm_cached, 0, 0, 0, client}}};
        forged.finish();
        expect_equal(forged.a0(), ended_well, "a0 with a forged client id");
        expect(message.has_result(TeeResult::success) && message.param(0).value.a == 3,
               "the call is made for this guest, in its session");
    }
}

void unknown_fast_calls()
{
    for (Word const id : {0x2, 0x3, 0x8, 0xc, 0x10, 0x14, 0x15, 0x20, 0x7f, 0xff, 0xfffe})
        is_unknown(fast | 0x32000000 | id);
    is_unknown(0xb200ffff);
    is_unknown(0xbf00ff7f);
}

void calls_with_rpc_argument()
{
    auto& message = invoke(tests_session(), tests_params, 1).value(0, ParamType::value_inout, 1, 2);
    if ((fast_call(raw(SmcFunction::exchange_capabilities)).x[1] & abi::SecureCapability::rpc_arg) != 0)
        return skip("this mediator offers them");
    for (Word const function : {0x32000012, 0x32000013})
        expect_equal(low(smc({{function, 0, address_of(&message), 0}}).x[0]), unknown, "a0");
}

void asynchronous_notifications()
{
    is_unknown(0xb2000010); // OPTEE_SMC_ENABLE_ASYNC_NOTIF
    is_unknown(0xb2000011); // OPTEE_SMC_GET_ASYNC_NOTIF_VALUE
}

void static_shared_memory()
{
    auto const answer = fast_call(raw(SmcFunction::get_shm_config), 0x7777);
    expect_equal(low(answer.x[0]), raw(ReturnCode::not_available), "a0");
    expect(answer.x[1] == 0x7777 && answer.x[2] == 0x1111 && answer.x[3] == 0x2222, "a1 to a3 stay as they were");
}

void dirty_function_register()
{
    auto const clean = fast_call(raw(SmcFunction::calls_uid));
    auto const same = fast_call(dirty | raw(SmcFunction::calls_uid));
    for (unsigned i = 0; i != 4; ++i)
        expect_equal(same.x[i], clean.x[i], "a word of the UID");
}

void dirty_argument_registers()
{
    auto& message = invoke(tests_session(), tests_params, 1).value(0, ParamType::value_inout, 5, 6);
    Call it{dirty | raw(SmcFunction::call_with_arg),
            {{0, dirty, dirty | address_of(&message), dirty | abi::shm_cached, dirty, dirty}}};
    it.finish();
    expect_equal(it.a0(), ended_well, "a0");
    expect_equal(message.param(0).value.a, 11, "the sum");
}

void dirty_handle()
{
    Call it{open_session(nobody)};
    if (!expect(it.asks(RpcReturn::alloc), "OP-TEE asks for a page"))
        return;
    auto const handle = it.handle();
    // With nothing, so that the call ends; what counts is that it is found.
    it.answer_raw({{raw(SmcFunction::return_from_rpc), 0, 0, 1ULL << 32 | handle}});
    expect(it.a0() != raw(ReturnCode::resume_failed), "the upper half of a3 is not looked at");
    if (it.a0() == raw(ReturnCode::resume_failed))
        it.answer_raw({{raw(SmcFunction::return_from_rpc), 0, 0, handle}});
    it.finish();
}

void other_conventions()
{
    for (auto const function : {raw(SmcFunction::call_with_arg), raw(SmcFunction::return_from_rpc)}) {
        is_unknown(function | smc64);
        is_unknown(function | fast);
        is_unknown(function | fast | smc64);
    }
    for (auto const function : {raw(SmcFunction::calls_uid), raw(SmcFunction::exchange_capabilities)}) {
        is_unknown(function | smc64);
        is_unknown(function & ~fast);
    }
    expect_equal(low(hvc({{raw(SmcFunction::vm_destroyed), 1}}).x[0]), unknown, "a0 of VM_DESTROYED by HVC");
}

void all_capabilities()
{
    auto const answer = smc({{raw(SmcFunction::exchange_capabilities), ~0ULL, 0x1111, 0x2222}});
    expect_equal(low(answer.x[0]), raw(ReturnCode::ok), "a0");
    expect_equal(answer.x[1] & ~Word{abi::SecureCapability::mediated}, 0, "capabilities that nobody mediates");
    expect_equal(answer.x[2], 0x1111, "a2 belongs to no capability that is granted");
    auto const has_rpc_argument = (answer.x[1] & abi::SecureCapability::rpc_arg) != 0;
    expect_equal(answer.x[3],
                 has_rpc_argument ? Word{abi::max_rpc_params} : 0x2222,
                 "a3: parameters of an RPC argument if that is granted, else as it was");
}

void disable_cache_during_a_call()
{
    expect_equal(
        low(fast_call(raw(SmcFunction::enable_shm_cache)).x[0]), raw(ReturnCode::ok), "a0 of ENABLE_SHM_CACHE");
    Call it{open_session(nobody)};
    it.serve_until(RpcReturn::command);
    for (unsigned i = 0; i != 100; ++i)
        expect_equal(low(fast_call(raw(SmcFunction::disable_shm_cache)).x[0]), raw(ReturnCode::busy), "a0");
    it.finish();
    // Now OP-TEE gives its pages back, until there are none.
    unsigned given = 0;
    while (low(fast_call(raw(SmcFunction::disable_shm_cache)).x[0]) == raw(ReturnCode::ok) && given != 16)
        ++given;
    expect(given >= 1 && given < 16, "the cached pages come back, each once");
}

void hammering()
{
    auto const first = fast_call(raw(SmcFunction::calls_uid));
    for (unsigned i = 0; i != 5000; ++i) {
        auto const again = fast_call(raw(SmcFunction::calls_uid));
        if (again.x[0] != first.x[0] || again.x[3] != first.x[3]) {
            expect(false, "the answer stays the same");
            return;
        }
    }
    for (auto const function : {raw(SmcFunction::calls_revision), raw(SmcFunction::get_os_revision)}) {
        auto const answer = fast_call(function, 0x7777);
        expect_equal(answer.x[3], 0x2222, "a3 has no meaning in the answer and stays");
    }
}

void thread_count()
{
    auto const answer = fast_call(raw(SmcFunction::get_thread_count));
    auto const is_unknown_call = low(answer.x[0]) == unknown;
    expect(is_unknown_call || (low(answer.x[0]) == 0 && low(answer.x[1]) <= 4),
           "no more threads than this guest may use");
}

constexpr Case attacks[] = {
    {"F13", "a call before the capabilities were exchanged", call_before_capabilities},
    {"F01", "VM_CREATED and VM_DESTROYED by a guest", create_and_destroy_guests},
    {"F02", "a forged client id", forged_client},
    {"F03", "fast calls that nobody knows", unknown_fast_calls},
    {"F04", "calls with RPC argument that were not offered", calls_with_rpc_argument},
    {"F05", "asynchronous notifications that were not offered", asynchronous_notifications},
    {"F06", "the static shared memory", static_shared_memory},
    {"F07", "a dirty upper half of x0", dirty_function_register},
    {"F08", "dirty upper halves of x1 to x5", dirty_argument_registers},
    {"F09", "a dirty upper half of x3 in a resume", dirty_handle},
    {"F10", "SMC64, HVC, and the wrong kind of call", other_conventions},
    {"F12", "all capabilities at once", all_capabilities},
    {"F14", "DISABLE_SHM_CACHE while a call is in flight", disable_cache_during_a_call},
    {"F16", "identity calls without end", hammering},
    {"F17", "the number of threads", thread_count},
};

} // namespace

std::span<Case const> attacks_on_registers()
{
    return attacks;
}

} // namespace hostile
