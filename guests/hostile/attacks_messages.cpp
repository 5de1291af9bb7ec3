// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// B: the command buffer.

#include "optee.hpp"
#include "tap.hpp"

namespace hostile {

namespace {

Word call_at(Word place)
{
    Call it{raw(SmcFunction::call_with_arg), {{0, place >> 32, place & 0xffffffff, abi::shm_cached}}};
    it.finish();
    return it.a0();
}

void is_bad_address(Word place)
{
    if (!expect_equal(call_at(place), raw(ReturnCode::bad_address), "a0"))
        Line{}.text("#   address ").hex(place).end();
}

void unaligned()
{
    auto const message = address_of(&open_session(tests_pta));
    for (Word const offset : {1, 4, 8, 2048, 4095})
        is_bad_address(message + offset);
}

void no_ram()
{
    for (auto const place :
         {address::nothing, address::interrupt_controller, address::behind_ram, address::grant_window})
        is_bad_address(place);
}

void beyond_everything()
{
    for (Word const place : {1ULL << 36, 1ULL << 40, 1ULL << 44, 1ULL << 48, 1ULL << 52, 1ULL << 63, ~0ULL - 4095})
        is_bad_address(place);
}

void granted_page()
{
    auto& message = open_session(tests_pta);
    auto& page = reinterpret_cast<Page&>(message);
    if (!map_own_grant(page, address::grant_window, false))
        return skip("Xen does not map the grant");
    is_bad_address(address::grant_window);
    expect_equal(message.header.session, 0, "the session in the message");
}

void read_only_page()
{
    if (!map_own_grant(reinterpret_cast<Page&>(open_session(tests_pta)), address::grant_window + page_bytes, true))
        return skip("Xen does not map the grant");
    is_bad_address(address::grant_window + page_bytes);
}

void address_zero()
{
    is_bad_address(0);
}

void too_many_params()
{
    auto& most = invoke(tests_session(), tests_params, abi::max_params);
    expect_equal(call(most), ended_well, "a0 with 127 parameters");
    expect(most.header.result != 0 && !most.is_refused(), "127 fit into the page: OP-TEE itself refuses them");
    for (unsigned const count : {abi::max_params + 1, 129U, 0x8000000U, 0x7ffffffU, 0xffffffffU}) {
        auto& message = invoke(tests_session(), tests_params, count);
        is_refused(message, "more parameters than the page has");
    }
}

void page_goes_away()
{
    auto& message = open_session(nobody);
    auto& page = reinterpret_cast<Page&>(message);
    Call it{message};
    it.serve_until(RpcReturn::command);
    if (!give_back(page))
        return skip("Xen does not take the page");
    it.finish();
    expect_equal(it.a0(), raw(ReturnCode::bad_address), "a0 of a call whose message is gone");
    expect(take_again(page), "Xen gives a page again");
}

void page_is_replaced()
{
    auto& message = open_session(nobody, 1).value(2, ParamType::value_inout, 1, 2, 3);
    auto& page = reinterpret_cast<Page&>(message);
    Call it{message};
    it.serve_until(RpcReturn::command);
    if (!give_back(page))
        return skip("Xen does not take the page");
    expect(take_again(page), "Xen gives a page again");
    page = Page{};
    page.word(300) = 0x1234;
    it.finish();
    expect_equal(it.a0(), ended_well, "a0");
    expect(message.header.result != 0, "the result is where the message was");
    expect_equal(message.header.command, 0, "the command in the new page");
    expect_equal(message.header.param_count, 0, "the number of parameters in the new page");
    expect_equal(page.word(300), 0x1234, "what is behind the message");
}

void one_message_for_two_calls()
{
    auto& message = open_session(nobody);
    Call first{message};
    Call second{message};
    expect(first.is_rpc() && second.is_rpc(), "both calls begin");
    first.finish();
    second.finish();
    expect_equal(first.a0(), ended_well, "a0 of the first");
    expect_equal(second.a0(), ended_well, "a0 of the second");
}

void message_is_everything()
{
    auto& message = new_message(Command::register_shm, 1);
    auto const cookie = new_cookie();
    auto& page = reinterpret_cast<Page&>(message);
    // One page is the message, the list of pages and the shared page: its first word is the command and no address, so
    // the list begins at the place of the parameters in a second page.
    auto& list = new_page();
    list.word(0) = address_of(&page);
    list.word(1) = address_of(&list);
    message.memory(0, list_of_pages, address_of(&list), 2 * page_bytes, cookie);
    expect_equal(call(message), ended_well, "a0");
    expect(message.has_result(TeeResult::success), "message and list are pages like others");
    expect(unshare(cookie), "unregistered again");
}

void unknown_commands()
{
    for (Word const command : {6ULL, 7ULL, 8ULL, 9ULL, 10ULL, 11ULL, 100ULL, 0x7fffffffULL, 0xffffffffULL}) {
        auto& message = new_message(command, 2)
                            .value(0, ParamType::value_input, 1)
                            .memory(1, raw(ParamType::tmem_input), 0x42000000, page_bytes, new_cookie());
        if (!expect_equal(call(message), raw(ReturnCode::bad_command), "a0"))
            Line{}.text("#   command ").number(command).end();
    }
}

void foreign_sessions()
{
    for (std::uint32_t const session : {0U, 0x7777U, 0xffffffffU}) {
        auto& message = invoke(session, tests_params, 1).value(0, ParamType::value_inout, 1, 2);
        expect_equal(call(message), ended_well, "a0 of INVOKE_COMMAND");
        expect(message.header.result != 0 && message.param(0).value.a == 1, "no session, no answer");
        auto& close = new_message(Command::close_session, 0);
        close.header.session = session;
        expect_equal(call(close), ended_well, "a0 of CLOSE_SESSION");
        expect(close.header.result != 0, "nothing to close");
    }
}

// new_message() leaves 0, success, in ret; so does every other case.
void result_set_by_the_guest()
{
    auto& message = register_message(new_cookie(), address::nothing, page_bytes);
    message.header.result_origin = 4;
    expect_equal(call(message), ended_well, "a0");
    expect(message.header.result != 0 && message.header.result_origin == abi::origin_comms,
           "ret and its origin are written");
    auto& failing = invoke(0x7777, tests_params, 0);
    call(failing);
    expect(failing.header.result != 0, "ret of a call that OP-TEE refuses");
}

void cache_attributes()
{
    for (Word const attribute : {0ULL, 2ULL, 0xffffffffULL}) {
        auto& message = invoke(tests_session(), tests_params, 1).value(0, ParamType::value_inout, 1, 2);
        Call it{raw(SmcFunction::call_with_arg), {{0, 0, address_of(&message), attribute}}};
        it.finish();
        expect_equal(it.a0(), ended_well, "a0");
        expect_equal(message.param(0).value.a, 3, "the sum");
    }
}

void what_is_behind_the_message()
{
    auto& message = invoke(tests_session(), tests_params, 1).value(0, ParamType::value_inout, 1, 2);
    auto& page = reinterpret_cast<Page&>(message);
    for (std::size_t i = 8; i != 512; ++i)
        page.word(i) = 0x5a5a5a5a5a5a5a5a;
    call(message);
    for (std::size_t i = 8; i != 512; ++i) {
        if (page.word(i) != 0x5a5a5a5a5a5a5a5a) {
            expect_equal(page.word(i), 0x5a5a5a5a5a5a5a5a, "a word behind the message");
            return;
        }
    }
}

constexpr Case attacks[] = {
    {"B01", "a message that begins within a page", unaligned},
    {"B02", "a message where no RAM is", no_ram},
    {"B03", "a message beyond all addresses", beyond_everything},
    {"B04", "a message in a page that is mapped read-only", read_only_page},
    {"B05", "a message in a page that is mapped from a grant", granted_page},
    {"B06", "a message at address 0", address_zero},
    {"B07", "more parameters than the page has", too_many_params},
    {"B10", "the message's page goes away during the call", page_goes_away},
    {"B11", "the message's page is replaced during the call", page_is_replaced},
    {"B12", "two calls with one message", one_message_for_two_calls},
    {"B13", "message, list and buffer are the same pages", message_is_everything},
    {"B14", "commands that are not for guests, or unknown", unknown_commands},
    {"B16", "sessions that are not there", foreign_sessions},
    {"B17", "ret says success before the call", result_set_by_the_guest},
    {"B18", "cache attributes of every kind", cache_attributes},
    {"D02", "what is behind the message stays", what_is_behind_the_message},
};

} // namespace

std::span<Case const> attacks_on_messages()
{
    return attacks;
}

} // namespace hostile
