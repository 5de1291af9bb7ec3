// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// AX: calls that bring the room for their RPCs with them, behind the message: in a page of the guest's
// (CALL_WITH_RPC_ARG), or in memory that is registered (CALL_WITH_REGD_ARG).

#include "optee.hpp"
#include "tap.hpp"

namespace hostile {

namespace {

constexpr char const* not_offered = "this mediator does not offer them";
constexpr Word bad_address = raw(ReturnCode::bad_address);

bool is_offered()
{
    auto const answer = smc({{raw(SmcFunction::exchange_capabilities)}});
    return (answer.x[1] & abi::SecureCapability::rpc_arg) != 0;
}

/// A page of this guest's that OP-TEE knows under a name, for messages.
struct SharedPage {
    SharedPage() : page{new_page()}, cookie{new_cookie()} { expect(share(cookie, page), "a page can be registered"); }
    /// `message` as it is, at the beginning of this page.
    Message& holding(Message& message)
    {
        for (std::size_t i = 0; i != page_bytes / sizeof(Word); ++i)
            page.word(i) = reinterpret_cast<Page&>(message).word(i);
        return reinterpret_cast<Message&>(page);
    }
    void gives_back() { expect(unshare(cookie), "the page can be given back"); }

    Page& page;
    Word cookie;
};

bool is_held_back(Message const& message, Word a0, TeeResult result)
{
    return a0 == ended_well && message.is_refused() && message.has_result(result);
}

void message_under_a_wrong_name()
{
    if (!is_offered())
        return skip(not_offered);
    SharedPage memory;
    memory.holding(open_session(nobody));
    for (Word const cookie : {Word{0}, memory.cookie + 0x10000, memory.cookie | Word{1} << 32, ~Word{0}}) {
        Call it{cookie, 0, reinterpret_cast<Message&>(memory.page)};
        if (!expect_equal(it.a0(), bad_address, "a0"))
            Line{}.text("#   cookie ").hex(cookie).end();
        it.finish();
    }
    memory.gives_back();
}

void message_at_a_wrong_offset()
{
    if (!is_offered())
        return skip(not_offered);
    SharedPage memory;
    auto& message = memory.holding(open_session(nobody));
    for (Word const offset : {Word{1},
                              Word{4},
                              Word{12},
                              Word{4072},
                              Word{4096},
                              Word{4104},
                              Word{0x80000000},
                              Word{0xfffffff8},
                              ~Word{0}}) {
        Call it{memory.cookie, offset, message};
        if (!expect_equal(it.a0(), bad_address, "a0"))
            Line{}.text("#   offset ").hex(offset).end();
        it.finish();
    }
    memory.gives_back();
}

void message_without_room_behind_it()
{
    if (!is_offered())
        return skip(not_offered);
    SharedPage memory;
    for (std::uint32_t const params : {123U, 126U, 127U, 128U, 0x8000000U, 0x10000000U, 0xffffffffU}) {
        auto& message = invoke(tests_session(), tests_params, 0);
        message.header.param_count = params;
        auto& shared = memory.holding(message);
        Call in_page{room_behind, message};
        in_page.finish();
        expect(is_held_back(message, in_page.a0(), TeeResult::bad_parameters), "a message in a page is refused");
        Call in_memory{memory.cookie, 0, shared};
        in_memory.finish();
        if (!expect(is_held_back(shared, in_memory.a0(), TeeResult::bad_parameters),
                    "one in shared memory is refused"))
            Line{}.text("#   parameters ").number(params).end();
    }
    memory.gives_back();
}

// At each request: the memory must not go, nor its name stand for something else.
void memory_of_the_message_goes()
{
    if (!is_offered())
        return skip(not_offered);
    SharedPage memory;
    auto& message = memory.holding(open_session(nobody));
    auto& other = new_page();
    unsigned requests = 0;
    for (Call it{memory.cookie, 0, message}; it.is_rpc(); it.serve(), ++requests) {
        auto& leaves = unregister_message(memory.cookie);
        expect(is_held_back(leaves, call(leaves), TeeResult::busy), "memory in which a message is stays registered");
        auto& comes = register_message(memory.cookie, address_of(&page_list(address_of(&other), 1)), page_bytes);
        is_refused(comes, "a name that is in use is not given twice");
    }
    expect(requests != 0, "OP-TEE asks for something");
    expect(message.header.result != 0, "nobody's TA is not found");
    memory.gives_back();
}

// One message, two calls: the second begins when the first one is in a request, whose room is the same memory.
void two_calls_with_one_message()
{
    if (!is_offered())
        return skip(not_offered);
    SharedPage memory;
    auto& message = memory.holding(open_session(nobody));
    Call first{memory.cookie, 0, message};
    expect(first.is_rpc(), "OP-TEE asks for something");
    Call second{memory.cookie, 0, message};
    if (second.is_rpc())
        expect(second.handle() != first.handle(), "each call has a handle of its own");
    for (unsigned turn = 0; (first.is_rpc() || second.is_rpc()) && turn != 400; ++turn) {
        // Neither can be served fairly: what stands in the room is the last request of either.
        if (second.is_rpc())
            second.answer({{0, second.registers().x[1], second.registers().x[2]}});
        if (first.is_rpc())
            first.answer({{0, first.registers().x[1], first.registers().x[2]}});
    }
    expect(!first.is_rpc() && !second.is_rpc(), "both end");
    memory.gives_back();
}

// The room is where it was when the message was read, and nothing else of the page is written.
void room_is_said_to_be_elsewhere()
{
    if (!is_offered())
        return skip(not_offered);
    for (std::uint32_t const params : {0U, 1U, 60U, 122U, 0xffffffffU}) {
        SharedPage memory;
        auto& message = memory.holding(open_session(nobody));
        Call it{memory.cookie, 0, message};
        if (!expect(it.serve_until_command(Request::file_system), "OP-TEE asks for a file"))
            return;
        auto const room_ends = bytes_of_message(abi::max_meta_params) + bytes_of_message(abi::max_rpc_params);
        for (std::size_t i = room_ends / sizeof(Word); i != page_bytes / sizeof(Word); ++i)
            memory.page.word(i) = 0x5a5a5a5a5a5a5a5a;
        message.header.param_count = params;
        it.finish();
        for (std::size_t i = room_ends / sizeof(Word); i != page_bytes / sizeof(Word); ++i)
            if (!expect_equal(memory.page.word(i), 0x5a5a5a5a5a5a5a5a, "a word behind the room"))
                break;
        memory.gives_back();
    }
}

void another_request_in_the_room()
{
    if (!is_offered())
        return skip(not_offered);
    for (std::uint32_t const params : {1U, 5U, 0x8000000U}) {
        auto& message = open_session(nobody);
        Call it{room_behind, message};
        if (!expect(it.serve_until_command(Request::file_system), "OP-TEE asks for a file"))
            return;
        auto& request = it.request();
        request.header.command = Request::shm_alloc;
        request.header.param_count = params;
        request.header.result = 0xffff0008; // TEE_ERROR_ITEM_NOT_FOUND
        request.memory(
            0, list_of_pages, address_of(&page_list(address_of(&new_page()), 1)), page_bytes, new_cookie());
        it.answer({{0, it.registers().x[1], it.registers().x[2]}});
        it.finish();
        expect_equal(it.a0(), ended_well, "a0");
        expect(message.header.result != 0, "nobody's TA is not found");
    }
}

void message_asks_for_the_end_of_its_memory()
{
    if (!is_offered())
        return skip(not_offered);
    SharedPage memory;
    auto& message = memory.holding(unregister_message(memory.cookie));
    Call it{memory.cookie, 0, message};
    it.finish();
    expect(is_held_back(message, it.a0(), TeeResult::busy), "memory in which a message is stays registered");
    memory.gives_back();
}

constexpr Case attacks[] = {
    {"AX01", "a message under a name that is none", message_under_a_wrong_name},
    {"AX02", "a message at an offset that is none", message_at_a_wrong_offset},
    {"AX03", "messages that leave no room for requests", message_without_room_behind_it},
    {"AX04", "the memory of a message is taken away at each request", memory_of_the_message_goes},
    {"AX06", "two calls with one message", two_calls_with_one_message},
    {"AX07", "num_params changes while the room is in use", room_is_said_to_be_elsewhere},
    {"AX08", "another request stands in the room", another_request_in_the_room},
    {"AX11", "a message asks for the end of its own memory", message_asks_for_the_end_of_its_memory},
};

} // namespace

std::span<Case const> attacks_on_rpc_arguments()
{
    return attacks;
}

} // namespace hostile
