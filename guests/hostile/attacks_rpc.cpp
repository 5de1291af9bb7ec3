// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// R: how a guest answers. All of them begin with a TA that nobody has: OP-TEE asks for a page for its requests (ALLOC), for
// memory (SHM_ALLOC), for a file, for the TA, and gives all of it back.

#include "optee.hpp"
#include "tap.hpp"

namespace hostile {

namespace {

constexpr Word resume_failed = raw(ReturnCode::resume_failed);

Registers resume(Word handle)
{
    return smc({{raw(SmcFunction::return_from_rpc), 0, 0, handle}});
}

void is_no_call(Word handle)
{
    if (!expect_equal(resume(handle).x[0], resume_failed, "a0"))
        Line{}.text("#   handle ").hex(handle).end();
}

/// The call ends, and its message says that it failed.
void fails(Call& it, Message& message)
{
    it.finish();
    expect_equal(it.a0(), ended_well, "a0");
    expect(message.header.result != 0, "the call fails");
}

void resume_without_a_call()
{
    for (Word handle = 0; handle != 16; ++handle)
        is_no_call(handle);
    for (Word const handle : {0xffffffffULL, 0x7fffffffULL, 0x80000000ULL, 0xffff0000ULL, ~0ULL})
        is_no_call(handle);
}

void resume_what_has_ended()
{
    Call it{open_session(nobody)};
    Word handles[3] = {it.handle()};
    it.serve();
    handles[1] = it.handle();
    it.serve();
    handles[2] = it.handle();
    it.finish();
    for (auto const handle : handles)
        is_no_call(handle);
}

void answer_with_another_name()
{
    auto& message = open_session(nobody);
    Call it{message};
    it.serve_until_command(Request::load_ta);
    it.request().header.result = 0xffff0008;
    auto const handle = it.handle();
    it.answer({{0, 0x1234, 0x5678}});
    expect(it.a0() != raw(SmcFunction::return_from_rpc), "a0 is an answer");
    if (it.a0() == raw(SmcFunction::return_from_rpc))
        it.answer_raw({{raw(SmcFunction::return_from_rpc), 0, 0, handle}});
    fails(it, message);
}

// How often the call was interrupted.
unsigned call_on_with_other_registers()
{
    auto& message = invoke(tests_session(), tests_mutex, 2)
                        .value(0, ParamType::value_input, 0, 2000000)
                        .value(1, ParamType::value_output);
    unsigned seen = 0;
    auto const at = address_of(&message);
    auto answer = smc({{raw(SmcFunction::call_with_arg), at >> 32, at & 0xffffffff, abi::shm_cached}});
    while (answer.x[0] == RpcReturn::foreign_interrupt) {
        ++seen;
        answer =
            smc({{raw(SmcFunction::return_from_rpc), 0x1111, 0x2222, answer.x[3], 0x4444, 0x5555, 0x6666, 0x7777}});
    }
    expect_equal(answer.x[0], ended_well, "a0");
    expect(message.has_result(TeeResult::success), "the call is what it was");
    return seen;
}

void interrupt_with_other_registers()
{
    // Only what somebody is waiting for comes out to a guest, and who shares the processor with it is not its choice.
    for (unsigned attempt = 0; attempt != 20; ++attempt)
        if (call_on_with_other_registers() != 0)
            return;
    skip("no interrupt came");
}

void another_command_in_the_request()
{
    auto& message = open_session(nobody);
    Call it{message};
    if (!expect(it.serve_until_command(Request::shm_alloc), "OP-TEE asks for memory"))
        return;
    auto& request = it.request();
    auto const asked = request.params[0].value.b;
    auto& data = new_page();
    request.memory(0, list_of_pages, address_of(&page_list(address_of(&data), 1)), page_bytes, new_cookie());
    request.header.param_count = 1;
    request.header.result = 0;
    request.header.command = 3; // OPTEE_RPC_CMD_GET_TIME: an answer that nobody translates
    expect(asked <= page_bytes, "a page is enough");
    it.answer({{0, it.registers().x[1], it.registers().x[2]}});
    expect(it.asks_command(Request::file_system), "the answer is that to the request as OP-TEE made it");
    expect(data.word(0) != 0, "what OP-TEE writes is in the guest's page");
    fails(it, message);
}

void request_becomes_an_allocation()
{
    auto& message = open_session(nobody);
    Call it{message};
    if (!expect(it.serve_until_command(Request::file_system), "OP-TEE asks for a file"))
        return;
    auto& request = it.request();
    request.header.command = Request::shm_alloc;
    request.header.param_count = 1;
    request.header.result = 0xffff0008;
    request.memory(0, list_of_pages, address_of(&page_list(address_of(&new_page()), 1)), page_bytes, new_cookie());
    it.answer({{0, it.registers().x[1], it.registers().x[2]}});
    fails(it, message);
}

void other_numbers_of_params()
{
    for (std::uint32_t const count : {0U, 2U, 5U, 127U, 128U, 0x8000000U, 0xffffffffU}) {
        auto& message = open_session(nobody);
        Call it{message};
        if (!expect(it.serve_until_command(Request::shm_alloc), "OP-TEE asks for memory"))
            return;
        auto& request = it.request();
        request.memory(
            0, list_of_pages, address_of(&page_list(address_of(&new_page()), 1)), page_bytes, new_cookie());
        request.header.param_count = count;
        request.header.result = 0;
        it.answer({{0, it.registers().x[1], it.registers().x[2]}});
        expect(!it.asks_command(Request::file_system), "an answer of another form is none");
        fails(it, message);
    }
}

void refusal_with_params()
{
    auto& message = open_session(nobody);
    Call it{message};
    if (!expect(it.serve_until_command(Request::shm_alloc), "OP-TEE asks for memory"))
        return;
    auto& request = it.request();
    request.memory(0, list_of_pages, address_of(&page_list(address_of(&new_page()), 1)), page_bytes, new_cookie());
    request.header.result = 0xffff000c;
    it.answer({{0, it.registers().x[1], it.registers().x[2]}});
    expect(!it.asks_command(Request::file_system), "what was refused is not used");
    fails(it, message);
}

void bad_page_for_requests()
{
    auto const good = address_of(&new_page());
    for (Word const place :
         {good + 8, address::nothing, address::interrupt_controller, address::behind_ram, Word{0}, Word{1} << 40}) {
        auto& message = open_session(nobody);
        Call it{message};
        if (!expect(it.serve_until(RpcReturn::alloc), "OP-TEE asks for a page"))
            return;
        it.answer({{0, place >> 32, place & 0xffffffff, 0, 0, new_cookie()}});
        if (!expect(!it.asks(RpcReturn::free), "a name that was not taken is not given back"))
            Line{}.text("#   address ").hex(place).end();
        fails(it, message);
    }
}

void page_for_requests_without_name()
{
    auto& message = open_session(nobody);
    Call it{message};
    it.serve_until(RpcReturn::alloc);
    auto const page = address_of(&new_page());
    it.answer({{0, page >> 32, page & 0xffffffff, 0, 0, 0}});
    expect(!it.asks(RpcReturn::command), "a page without a name is not used");
    fails(it, message);
}

// OP-TEE gives back, by the name that the guest said, what it was not given. The name is that of another call's page.
void free_of_another_calls_page()
{
    auto& message = open_session(nobody);
    Call owner{message};
    if (!expect(owner.serve_until(RpcReturn::command), "a call is in a request"))
        return;
    auto const name_high = owner.registers().x[1];
    auto const name_low = owner.registers().x[2];
    auto& attack = open_session(nobody);
    Call attacker{attack};
    expect(attacker.asks(RpcReturn::alloc), "another one waits for a page");
    attacker.answer({{0, 0, 8, 0, name_high, name_low}});
    expect(!attacker.asks(RpcReturn::free), "a name that was not taken is not given back");
    // The attacker may wait for a lock that the owner of the page holds.
    if (attacker.asks(RpcReturn::free))
        attacker.serve();
    fails(owner, message);
    fails(attacker, attack);
}

void page_for_requests_goes_away()
{
    auto& message = open_session(nobody);
    Call it{message};
    if (!expect(it.serve_until_command(Request::file_system), "OP-TEE asks for a file"))
        return;
    auto& page = reinterpret_cast<Page&>(it.request());
    if (!give_back(page))
        return skip("Xen does not take the page");
    for (unsigned i = 0; it.is_rpc() && i != 50; ++i) {
        if (it.asks(RpcReturn::alloc))
            it.serve();
        else
            it.answer({{0, it.registers().x[1], it.registers().x[2]}});
    }
    expect(!it.is_rpc(), "the call ends");
    expect(message.header.result != 0, "and fails");
    expect(take_again(page), "Xen gives a page again");
}

Call* on_another_vcpu;

void goes_on_elsewhere()
{
    auto& message = open_session(nobody);
    Call it{message};
    on_another_vcpu = &it;
    start_on_second_vcpu([] { on_another_vcpu->finish(); });
    join_second_vcpu();
    fails(it, message);
}

Message* long_message;
Word long_a0;

void resume_what_runs()
{
    long_message = &invoke(tests_session(), tests_mutex, 2)
                        .value(0, ParamType::value_input, 0, 1000000)
                        .value(1, ParamType::value_output);
    start_on_second_vcpu([] { long_a0 = call(*long_message); });
    unsigned others = 0;
    for (unsigned round = 0; round != 100; ++round)
        for (Word handle = 0; handle != 8; ++handle)
            others += resume(handle).x[0] != resume_failed;
    join_second_vcpu();
    // A handle may be that of the call when it waits after an interrupt; then it is resumed here, and ends here.
    expect(others <= 2, "no call is resumed that did not wait");
    expect(long_a0 == ended_well || others != 0, "the call ends");
}

void cancel_during_a_request()
{
    auto& message = open_session(nobody);
    Call it{message};
    it.serve_until(RpcReturn::command);
    for (std::uint32_t session = 0; session != 4; ++session) {
        auto& cancel = new_message(Command::cancel, 0);
        cancel.header.session = session;
        expect_equal(call(cancel), ended_well, "a0 of CANCEL");
    }
    fails(it, message);
}

constexpr Case attacks[] = {
    {"R01", "resume where no call is", resume_without_a_call},
    {"R03", "resume a call that has ended", resume_what_has_ended},
    {"R05", "answer a request under another name", answer_with_another_name},
    {"R06", "go on after an interrupt with other registers", interrupt_with_other_registers},
    {"R07", "the answer to SHM_ALLOC claims to be another one", another_command_in_the_request},
    {"R07", "another answer claims to be that to SHM_ALLOC", request_becomes_an_allocation},
    {"R08", "an answer with another number of parameters", other_numbers_of_params},
    {"R15", "a refusal with parameters", refusal_with_params},
    {"R18", "a page for requests that is none", bad_page_for_requests},
    {"R19", "a page for requests without a name", page_for_requests_without_name},
    {"R22", "OP-TEE is made to free another call's page", free_of_another_calls_page},
    {"R25", "the page for requests goes away", page_for_requests_goes_away},
    {"R30", "a call goes on on another vCPU", goes_on_elsewhere},
    {"R31", "resume a call that runs", resume_what_runs},
    {"R32", "CANCEL during a request", cancel_during_a_request},
};

} // namespace

std::span<Case const> attacks_on_rpc()
{
    return attacks;
}

} // namespace hostile
