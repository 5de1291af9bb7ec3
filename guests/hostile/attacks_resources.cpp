// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Q: resources. L: lifetime.

#include "optee.hpp"
#include "tap.hpp"

namespace hostile {

namespace {

constexpr unsigned threads = 4; // CFG_NUM_THREADS in stack/build_optee.py

void all_threads()
{
    Message* messages[threads];
    Registers calls[threads];
    for (unsigned i = 0; i != threads; ++i) {
        messages[i] = &open_session(nobody);
        auto const at = address_of(messages[i]);
        calls[i] = smc({{raw(SmcFunction::call_with_arg), at >> 32, at & 0xffffffff, abi::shm_cached}});
        while (calls[i].x[0] == RpcReturn::foreign_interrupt) {
            calls[i].x[0] = raw(SmcFunction::return_from_rpc);
            calls[i] = smc(calls[i]);
        }
        expect_equal(calls[i].x[0], RpcReturn::alloc, "a0 of a call that waits");
    }
    auto const at = address_of(&open_session(nobody));
    auto const one_more = smc({{raw(SmcFunction::call_with_arg), at >> 32, at & 0xffffffff, abi::shm_cached}});
    expect_equal(one_more.x[0], raw(ReturnCode::thread_limit), "a0 of one call more");
    expect(one_more.x[1] == at >> 32 && one_more.x[2] == (at & 0xffffffff) && one_more.x[3] == abi::shm_cached,
           "its a1 to a3 are as they were");
    // Each is told that there is no page: they end, in whatever order OP-TEE's locks let them.
    unsigned ended = 0;
    for (unsigned round = 0; round != 100 && ended != threads; ++round) {
        for (auto& registers : calls) {
            if ((registers.x[0] & RpcReturn::prefix_mask) != RpcReturn::prefix)
                continue;
            registers = smc({{raw(SmcFunction::return_from_rpc), 0, 0, registers.x[3]}});
            ended += (registers.x[0] & RpcReturn::prefix_mask) != RpcReturn::prefix;
        }
    }
    expect_equal(ended, threads, "calls that end");
}

void many_buffers()
{
    constexpr unsigned most = 1100;
    static Word cookies[most];
    auto const list = address_of(&page_list(address_of(&new_page()), 1));
    unsigned count = 0;
    auto& message = register_message(0, list, page_bytes);
    for (; count != most; ++count) {
        cookies[count] = message.params[0].tmem.cookie = new_cookie();
        expect_equal(call(message), ended_well, "a0");
        if (!message.has_result(TeeResult::success))
            break;
    }
    expect(count >= 16, "a guest may have some buffers");
    expect(count != most, "but not any number");
    Line{}.text("# buffers: ").number(count).text(", then ").hex(message.header.result).end();
    auto& leave = unregister_message(0);
    for (unsigned i = 0; i != count; ++i) {
        leave.params[0].rmem.cookie = cookies[i];
        if (!expect(call(leave) == ended_well && leave.has_result(TeeResult::success), "each can be unregistered"))
            return;
    }
}

void storm_of_cancels()
{
    auto& message = new_message(Command::cancel, 0);
    for (unsigned i = 0; i != 1000; ++i) {
        message.header.session = i;
        message.header.cancel_id = i;
        if (!expect_equal(call(message), ended_well, "a0"))
            return;
    }
}

// More failures than a guest may have buffers: what a failure left behind would show.
void storm_of_failures()
{
    auto& list = page_list(address_of(&new_page()), 4);
    list.word(3) = address::nothing;
    auto& message = register_message(0, address_of(&list), 4 * page_bytes);
    auto& twice = invoke(tests_session(), tests_params, 2);
    auto const good = address_of(&page_list(address_of(&new_page()), 1));
    for (unsigned i = 0; i != 1100; ++i) {
        message.params[0].tmem.cookie = new_cookie();
        twice.memory(0, list_in_and_out, good, page_bytes, new_cookie());
        twice.memory(1, list_in_and_out, address_of(&list), 4 * page_bytes, new_cookie());
        if (!is_refused(message, "a list with a bad entry") || !is_refused(twice, "a good list and a bad one"))
            return;
    }
    auto const cookie = new_cookie();
    expect(share(cookie, new_page()) && unshare(cookie), "afterwards a good list is taken");
}

void many_requests()
{
    for (unsigned i = 0; i != 20; ++i) {
        auto& message = open_session(nobody);
        if (!expect_equal(call(message), ended_well, "a0"))
            return;
        free_pages();
    }
}

constexpr Case attacks[] = {
    {"R24", "all threads wait for the guest", all_threads},
    {"Q02", "as many buffers as there may be", many_buffers},
    {"Q07", "a storm of CANCELs", storm_of_cancels},
    {"Q08", "a storm of failures", storm_of_failures},
    {"R21", "a page for requests over and over", many_requests},
};

// --- the last words of this guest: what it leaves behind is for whoever destroys it. dom0 sees the guest go, and whether
// the other guests notice.

void leaves_buffers_behind()
{
    for (unsigned i = 0; i != 8; ++i)
        expect(share(new_cookie(), *new_pages(16), 16), "pages stay registered");
}

void leaves_a_call_behind()
{
    Call it{open_session(nobody, 1).memory(
        2, list_in_and_out, address_of(&page_list(address_of(new_pages(8)), 8)), 8 * page_bytes, new_cookie())};
    it.serve_until_command(Request::file_system);
    expect(it.is_rpc(), "a call stays in its request");
}

constexpr Case lifetime[] = {
    {"S10", "buffers stay registered when the guest ends", leaves_buffers_behind},
    {"L01", "a call stays in its request when the guest ends", leaves_a_call_behind, Then::is_over},
};

} // namespace

std::span<Case const> attacks_on_resources()
{
    return attacks;
}

std::span<Case const> attacks_on_lifetime()
{
    return lifetime;
}

} // namespace hostile
