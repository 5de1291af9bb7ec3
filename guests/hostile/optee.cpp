// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "optee.hpp"

#include "tap.hpp"

#include <atomic>

namespace hostile {

namespace {

constexpr unsigned most_rpcs = 400;                  // of one call; a call that asks for more never ends
constexpr std::uint32_t item_not_found = 0xffff0008; // TEE_ERROR_ITEM_NOT_FOUND

struct Argument {
    Word cookie;
    Message* page;
};
constexpr unsigned most_arguments = 64;
Argument arguments[most_arguments];
std::atomic<unsigned> arguments_made;

Word from_halves(Word high, Word low)
{
    return high << 32 | (low & 0xffffffff);
}

/// Behind the parameters that the message says it has, or nowhere if that is not in its page.
Message* room_of(Message& message)
{
    auto const begins = bytes_of_message(message.header.param_count);
    if (begins + bytes_of_message(abi::max_rpc_params) > page_bytes)
        return nullptr;
    return reinterpret_cast<Message*>(reinterpret_cast<Page&>(message).bytes + begins);
}

Message* argument_of(Word cookie)
{
    for (auto const& argument : arguments)
        if (argument.cookie == cookie && argument.page != nullptr)
            return argument.page;
    return nullptr;
}

} // namespace

// --- messages

Message& Message::value(unsigned index, ParamType type, Word a, Word b, Word c)
{
    params[index] = {.attributes = raw(type), .value = {a, b, c}};
    return *this;
}

Message& Message::memory(unsigned index, Word attributes, Word buffer, Word size, Word cookie)
{
    params[index] = {.attributes = attributes, .tmem = {.buffer = buffer, .size = size, .cookie = cookie}};
    return *this;
}

Message& new_message(Word command, unsigned params)
{
    auto& message = reinterpret_cast<Message&>(new_page());
    message.header.command = static_cast<std::uint32_t>(command);
    message.header.param_count = params;
    return message;
}

Message& new_message(Command command, unsigned params)
{
    return new_message(raw(command), params);
}

Word new_cookie()
{
    static std::atomic<Word> last = 0x1000;
    return ++last;
}

Page& page_list(Word first_page, std::size_t pages)
{
    constexpr std::size_t entries = abi::PageListPage::entries;
    auto* const list = new_pages((pages + entries - 1) / entries);
    for (std::size_t i = 0; i != pages; ++i) {
        list[i / entries].word(i % entries) = first_page + i * page_bytes;
        if (i % entries == 0 && i != 0)
            list[i / entries - 1].word(entries) = address_of(&list[i / entries]);
    }
    return *list;
}

// --- calls

Call::Call(Message& message)
{
    auto const at = address_of(&message);
    go({{raw(SmcFunction::call_with_arg), at >> 32, at & 0xffffffff, abi::shm_cached}});
}

Call::Call(RoomBehind, Message& message) : room_{room_of(message)}
{
    auto const at = address_of(&message);
    go({{raw(SmcFunction::call_with_rpc_arg), at >> 32, at & 0xffffffff}});
}

Call::Call(Word cookie, Word offset, Message& message) : room_{room_of(message)}
{
    go({{raw(SmcFunction::call_with_regd_arg), cookie >> 32, cookie & 0xffffffff, offset}});
}

Call::Call(Word function, Registers const& registers)
{
    auto all = registers;
    all.x[0] = function;
    go(all);
}

void Call::go(Registers const& registers)
{
    last_ = smc(registers);
    while (!keeps_interrupts_ && asks(RpcReturn::foreign_interrupt)) {
        last_.x[0] = raw(SmcFunction::return_from_rpc);
        last_ = smc(last_);
    }
}

bool Call::is_rpc() const
{
    return a0() != raw(ReturnCode::unknown_function) && (a0() & RpcReturn::prefix_mask) == RpcReturn::prefix;
}

Message& Call::request() const
{
    auto const cookie = from_halves(last_.x[1], last_.x[2]);
    auto* const page = cookie == 0 && room_ != nullptr ? room_ : argument_of(cookie);
    if (page == nullptr) {
        static Message nothing;
        expect(false, "the RPC names a page that this guest gave");
        return nothing;
    }
    return *page;
}

bool Call::asks_command(std::uint32_t command) const
{
    return asks(RpcReturn::command) && request().header.command == command;
}

void Call::answer_raw(Registers const& registers)
{
    go(registers);
}

void Call::answer(Registers registers)
{
    registers.x[0] = raw(SmcFunction::return_from_rpc);
    registers.x[3] = handle();
    go(registers);
}

void Call::serve()
{
    if (asks(RpcReturn::alloc)) {
        auto const cookie = new_cookie();
        auto& page = new_page();
        arguments[arguments_made++ % most_arguments] = {cookie, reinterpret_cast<Message*>(&page)};
        answer({{0, address_of(&page) >> 32, address_of(&page) & 0xffffffff, 0, cookie >> 32, cookie & 0xffffffff}});
        return;
    }
    if (asks(RpcReturn::command)) {
        auto& message = request();
        auto const command = message.header.command;
        auto result = TeeResult::success;
        if (command == Request::shm_alloc) {
            auto const bytes = message.params[0].value.b;
            auto const count = (bytes + page_bytes - 1) / page_bytes;
            auto const first = address_of(new_pages(count));
            message.memory(0, list_of_pages, address_of(&page_list(first, count)), count * page_bytes, new_cookie());
            message.header.param_count = 1;
        } else if (command == Request::load_ta || command == Request::file_system) {
            result = static_cast<TeeResult>(item_not_found);
        }
        message.header.result = static_cast<std::uint32_t>(result);
    }
    answer({{0, last_.x[1], last_.x[2]}});
}

bool Call::serve_until(std::uint32_t rpc)
{
    for (unsigned i = 0; is_rpc() && !asks(rpc) && i != most_rpcs; ++i)
        serve();
    return asks(rpc);
}

bool Call::serve_until_command(std::uint32_t command)
{
    for (unsigned i = 0; is_rpc() && !asks_command(command) && i != most_rpcs; ++i)
        serve();
    return asks_command(command);
}

bool Call::finish()
{
    for (unsigned i = 0; is_rpc() && i != most_rpcs; ++i)
        serve();
    return expect(!is_rpc(), "the call ends");
}

Word call(Message& message)
{
    Call it{message};
    it.finish();
    return it.a0();
}

bool is_refused(Message& message, char const* what)
{
    auto const a0 = call(message);
    auto const held = a0 == ended_well && message.is_refused();
    expect(held, what);
    if (!held) {
        Line{}
            .text("#   a0 ")
            .hex(a0)
            .text(", result ")
            .hex(message.header.result)
            .text(", origin ")
            .number(message.header.result_origin)
            .end();
    }
    return held;
}

// --- what OP-TEE has for everybody

Message& open_session(Uuid const& uuid, unsigned more_params)
{
    auto& message = new_message(Command::open_session, abi::max_meta_params + more_params);
    message.value(0, ParamType::value_input, uuid.a, uuid.b).value(1, ParamType::value_input);
    message.params[0].attributes |= abi::Attribute::meta;
    message.params[1].attributes |= abi::Attribute::meta;
    return message;
}

Message& invoke(std::uint32_t session, std::uint32_t function, unsigned params)
{
    auto& message = new_message(Command::invoke_command, params);
    message.header.session = session;
    message.header.function = function;
    return message;
}

std::uint32_t tests_session()
{
    static std::uint32_t session;
    if (session == 0) {
        auto& message = open_session(tests_pta);
        if (call(message) == ended_well && message.has_result(TeeResult::success))
            session = message.header.session;
    }
    return session;
}

Message& register_message(Word cookie, Word list, Word size)
{
    return new_message(Command::register_shm, 1).memory(0, list_of_pages, list, size, cookie);
}

Message& unregister_message(Word cookie)
{
    return new_message(Command::unregister_shm, 1).memory(0, raw(ParamType::rmem_input), 0, 0, cookie);
}

bool share(Word cookie, Page& first, std::size_t pages)
{
    auto& message = register_message(cookie, address_of(&page_list(address_of(&first), pages)), pages * page_bytes);
    return call(message) == ended_well && message.has_result(TeeResult::success);
}

bool unshare(Word cookie)
{
    auto& message = unregister_message(cookie);
    return call(message) == ended_well && message.has_result(TeeResult::success);
}

bool sum(Word cookie, std::size_t bytes)
{
    auto& message = invoke(tests_session(), tests_params, 1);
    message.memory(0, raw(ParamType::rmem_inout), 0, bytes, cookie);
    return call(message) == ended_well && message.has_result(TeeResult::success);
}

bool is_served()
{
    auto& message = invoke(tests_session(), tests_params, 1).value(0, ParamType::value_inout, 40, 2);
    if (call(message) != ended_well || !message.has_result(TeeResult::success) || message.param(0).value.a != 42)
        return false;
    auto const cookie = new_cookie();
    auto& page = new_page();
    page.bytes[0] = 3;
    page.bytes[1] = 4;
    if (!share(cookie, page) || !sum(cookie, 2) || !unshare(cookie) || page.bytes[0] != 7)
        return false;
    auto& unknown = open_session(nobody);
    return call(unknown) == ended_well && unknown.header.result == item_not_found;
}

} // namespace hostile
