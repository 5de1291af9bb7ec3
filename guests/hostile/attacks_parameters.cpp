// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// P: the parameters of a message.

#include "optee.hpp"
#include "tap.hpp"

namespace hostile {

namespace {

using abi::Attribute;

/// A page with a few bytes, registered for the time of a case.
struct Shared {
    Word cookie = new_cookie();
    Page& page = new_page();
    Shared() { expect(share(cookie, page), "a page is registered"); }
    ~Shared() { expect(unshare(cookie), "and unregistered"); }
    Shared(Shared const&) = delete;
};

/// A message with one reference to memory.
Message& with_memory(Word attributes, Word buffer, Word size, Word cookie)
{
    return invoke(tests_session(), tests_params, 1).memory(0, attributes, buffer, size, cookie);
}

Word list_of_one()
{
    return address_of(&page_list(address_of(&new_page()), 1));
}

void unknown_types()
{
    for (Word type = 4; type != 0x100; ++type) {
        auto const known = type <= 11 && type != 4 && type != 8;
        if (known)
            continue;
        auto& message = with_memory(type, list_of_one(), page_bytes, new_cookie());
        if (!is_refused(message, "a type that nobody knows")) {
            Line{}.text("#   type ").hex(type).end();
            return;
        }
    }
}

void reserved_bits()
{
    for (unsigned bit = 10; bit != 64; ++bit) {
        auto& message = invoke(tests_session(), tests_params, 1).value(0, ParamType::value_inout, 1, 2);
        message.params[0].attributes |= 1ULL << bit;
        auto const a0 = call(message);
        auto const is_masked = message.has_result(TeeResult::success) && message.param(0).value.a == 3;
        expect(a0 == ended_well && (is_masked || message.is_refused()),
               "a bit without meaning is refused or ignored");
    }
}

void meta_on_memory()
{
    Shared shared;
    is_refused(with_memory(list_in_and_out | Attribute::meta, list_of_one(), page_bytes, new_cookie()),
               "TMEM with META");
    is_refused(with_memory(raw(ParamType::rmem_inout) | Attribute::meta, 0, 16, shared.cookie), "RMEM with META");
}

void list_without_memory()
{
    Shared shared;
    for (auto const type : {raw(ParamType::value_input), raw(ParamType::value_inout), raw(ParamType::rmem_inout)})
        is_refused(with_memory(type | Attribute::noncontiguous, 0, 16, shared.cookie), "NONCONTIG without a list");
}

void contiguous_memory()
{
    for (auto const type : {ParamType::tmem_input, ParamType::tmem_output, ParamType::tmem_inout}) {
        is_refused(with_memory(raw(type), address_of(&new_page()), page_bytes, new_cookie()),
                   "an address of the guest");
        is_refused(with_memory(raw(type), 0x42000000, page_bytes, new_cookie()),
                   "a place where OP-TEE has shared memory");
    }
}

void null_memory_owns_nothing()
{
    Shared shared;
    for (Word const size : {0ULL, 1ULL, 0x100000ULL}) {
        auto& message = invoke(tests_session(), tests_null, 1);
        message.memory(0, raw(ParamType::tmem_inout), 0, size, shared.cookie);
        expect_equal(call(message), ended_well, "a0");
    }
    // The name is that of a buffer that is still registered: nobody may have taken the end of the call for its end.
    is_refused(register_message(shared.cookie, list_of_one(), page_bytes), "the name of a live buffer, once more");
}

void list_in_the_null_page()
{
    for (Word const place : {1ULL, 8ULL, 4095ULL})
        is_refused(with_memory(list_in_and_out, place, page_bytes, new_cookie()), "a list in the null page");
}

void no_bytes()
{
    is_refused(with_memory(list_in_and_out, list_of_one(), 0, new_cookie()), "a list of 0 bytes");
    is_refused(register_message(new_cookie(), list_of_one(), 0), "a registered buffer of 0 bytes");
}

void more_pages_than_allowed()
{
    for (Word const pages : {65537ULL, 1ULL << 24, 1ULL << 32, 1ULL << 40}) {
        auto& message = register_message(new_cookie(), list_of_one(), pages * page_bytes);
        is_refused(message, "more pages than a guest may share");
    }
    is_refused(register_message(new_cookie(), list_of_one(), ~0ULL), "2^64 - 1 bytes");
    is_refused(register_message(new_cookie(), list_of_one() + 4095, ~0ULL - 4000),
               "bytes that overflow with their offset");
}

void unknown_memory()
{
    for (Word const cookie : {0ULL, 0x77777777ULL, ~0ULL})
        is_refused(with_memory(raw(ParamType::rmem_inout), 0, 16, cookie), "a name that nobody knows");
}

void beyond_registered_memory()
{
    Shared shared;
    struct {
        Word offset;
        Word size;
    } const places[] = {
        {0, 4097}, {4096, 1}, {4095, 2}, {~0ULL, 2}, {1, ~0ULL}, {~0ULL - 15, 16}, {1ULL << 63, 1ULL << 63}};
    for (auto const& place : places)
        is_refused(with_memory(raw(ParamType::rmem_inout), place.offset, place.size, shared.cookie),
                   "beyond the buffer");
}

void one_buffer_twice()
{
    constexpr std::uint32_t origin_trusted_app = 4; // TEE_ORIGIN_TRUSTED_APP
    Shared shared;
    auto& message = invoke(tests_session(), tests_params, 2)
                        .memory(0, raw(ParamType::rmem_inout), 0, 16, shared.cookie)
                        .memory(1, raw(ParamType::rmem_inout), 8, 16, shared.cookie);
    expect_equal(call(message), ended_well, "a0");
    expect_equal(message.header.result_origin, origin_trusted_app, "the TA itself refuses two buffers");
    expect(sum(shared.cookie, 16), "the buffer is still there");
}

void temporary_memory_with_a_used_name()
{
    Shared shared;
    is_refused(with_memory(list_in_and_out, list_of_one(), page_bytes, shared.cookie),
               "the name of a registered buffer");
    expect(sum(shared.cookie, 16), "the buffer is still there");
    auto const cookie = new_cookie();
    auto& twice = invoke(tests_session(), tests_params, 2)
                      .memory(0, list_in_and_out, list_of_one(), page_bytes, cookie)
                      .memory(1, list_in_and_out, list_of_one(), page_bytes, cookie);
    is_refused(twice, "one name for two buffers of a call");
}

void register_something_else()
{
    Shared shared;
    auto const list = list_of_one();
    Word const attributes[] = {raw(ParamType::value_inout),
                               raw(ParamType::rmem_output),
                               raw(ParamType::tmem_output),
                               raw(ParamType::tmem_input) | Attribute::noncontiguous,
                               list_in_and_out,
                               list_of_pages | Attribute::meta};
    for (auto const attribute : attributes)
        is_refused(new_message(Command::register_shm, 1).memory(0, attribute, list, page_bytes, new_cookie()),
                   "REGISTER_SHM of something else");
    is_refused(register_message(new_cookie(), 0, page_bytes), "REGISTER_SHM of NULL");
    is_refused(new_message(Command::register_shm, 0), "REGISTER_SHM of nothing");
    is_refused(new_message(Command::register_shm, 2)
                   .memory(0, list_of_pages, list, page_bytes, new_cookie())
                   .memory(1, list_of_pages, list, page_bytes, new_cookie()),
               "REGISTER_SHM of two buffers");
}

void params_that_have_no_place()
{
    for (auto const command : {Command::close_session, Command::cancel}) {
        auto& message = new_message(command, 1).memory(0, list_in_and_out, list_of_one(), page_bytes, new_cookie());
        message.header.session = 0x7777;
        is_refused(message, "a command with a parameter that it does not have");
    }
}

void as_many_buffers_as_fit()
{
    auto& message = invoke(tests_session(), tests_params, 126);
    auto const list = address_of(&page_list(address_of(new_pages(129)), 129));
    for (unsigned i = 0; i != 126; ++i)
        message.memory(i, list_in_and_out, list, 129 * page_bytes, new_cookie());
    is_refused(message, "126 buffers of 129 pages");
}

void short_buffer()
{
    constexpr std::uint32_t short_buffer_result = 0xffff0010; // TEE_ERROR_SHORT_BUFFER
    auto& session = open_session(devices_pta);
    call(session);
    Shared shared;
    auto& message = invoke(session.header.session, 0, 1).memory(0, raw(ParamType::rmem_output), 0, 8, shared.cookie);
    expect_equal(call(message), ended_well, "a0");
    expect_equal(message.header.result, short_buffer_result, "the result");
    expect(message.param(0).rmem.size >= 16, "the size that is needed comes back");
    expect(message.param(0).rmem.offset == 0 && message.param(0).rmem.cookie == shared.cookie, "nothing else does");
    expect_equal(shared.page.word(2), 0, "what is behind the 8 bytes");
    auto& close = new_message(Command::close_session, 0);
    close.header.session = session.header.session;
    call(close);
}

void inputs_come_back_as_they_were()
{
    auto& message = open_session(nobody, 2);
    message.value(2, ParamType::value_input, 7, 8, 9);
    message.memory(3, list_in_and_out, list_of_one() + 8, 64, new_cookie());
    auto const buffer = message.params[3];
    expect_equal(call(message), ended_well, "a0");
    expect(message.param(2).value.a == 7 && message.param(2).value.b == 8 && message.param(2).value.c == 9,
           "a value");
    expect_equal(message.param(3).tmem.buffer, buffer.tmem.buffer, "the address of the list");
    expect_equal(message.param(3).tmem.cookie, buffer.tmem.cookie, "the name of the buffer");
}

void changed_during_the_call()
{
    auto& message = open_session(nobody, 1).value(2, ParamType::value_input, 7, 8, 9);
    Call it{message};
    it.serve_until(RpcReturn::command);
    message.params[2].attributes = raw(ParamType::value_inout);
    message.params[2].value = {1, 2, 3};
    message.header.param_count = abi::max_params;
    message.header.command = raw(Command::register_shm);
    it.finish();
    expect_equal(it.a0(), ended_well, "a0");
    expect(message.param(2).value.a == 1 && message.param(2).value.b == 2 && message.param(2).value.c == 3,
           "what was an input when the call began is not written");
}

constexpr Case attacks[] = {
    {"P01", "types of parameters that nobody knows", unknown_types},
    {"P02", "reserved bits of attributes", reserved_bits},
    {"P03", "META on memory", meta_on_memory},
    {"P04", "NONCONTIG on what has no list", list_without_memory},
    {"P05", "contiguous memory by its address", contiguous_memory},
    {"P06", "a NULL reference under the name of a buffer", null_memory_owns_nothing},
    {"P07", "a list in the null page", list_in_the_null_page},
    {"P08", "a list of 0 bytes", no_bytes},
    {"P09", "more pages than allowed, and sizes that overflow", more_pages_than_allowed},
    {"P10", "registered memory that nobody knows", unknown_memory},
    {"P12", "beyond the end of registered memory", beyond_registered_memory},
    {"P13", "one registered buffer in two parameters", one_buffer_twice},
    {"P15", "temporary memory under a name in use", temporary_memory_with_a_used_name},
    {"P16", "REGISTER_SHM of anything but a list", register_something_else},
    {"P17", "parameters of CLOSE_SESSION and CANCEL", params_that_have_no_place},
    {"P18", "as many buffers as a message holds", as_many_buffers_as_fit},
    {"P19", "a buffer that is too short", short_buffer},
    {"P20", "inputs and addresses come back as they were", inputs_come_back_as_they_were},
    {"P21", "attributes change during the call", changed_during_the_call},
};

} // namespace

std::span<Case const> attacks_on_parameters()
{
    return attacks;
}

} // namespace hostile
