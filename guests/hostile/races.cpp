// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Two vCPUs: one calls, the other changes what is being read, or answers first. A bounded number of rounds each; what must hold
// in every one is the same as without the other vCPU.

#include "optee.hpp"
#include "tap.hpp"

namespace hostile {

namespace {

constexpr unsigned rounds = 100;

bool volatile stop;
std::uint64_t volatile* flipped;
std::uint64_t flip_between[2];

/// Lets the second vCPU change a word back and forth while a function runs.
template <typename Work>
void while_flipping(std::uint64_t& word, std::uint64_t one, std::uint64_t other, Work work)
{
    flipped = &word;
    flip_between[0] = one;
    flip_between[1] = other;
    stop = false;
    start_on_second_vcpu([] {
        while (!stop) {
            *flipped = flip_between[0];
            *flipped = flip_between[1];
        }
    });
    work();
    stop = true;
    join_second_vcpu();
}

void number_of_params()
{
    auto& message = invoke(tests_session(), tests_params, 1);
    // param_count is the upper half of the word that ret_origin begins.
    auto& word = reinterpret_cast<Page&>(message).word(3);
    while_flipping(word, 1ULL << 32, 0xffffffffULL << 32, [&] {
        for (unsigned i = 0; i != rounds; ++i) {
            message.value(0, ParamType::value_inout, 1, 2);
            if (!expect_equal(call(message), ended_well, "a0"))
                return;
        }
    });
}

void attributes()
{
    auto& message = invoke(tests_session(), tests_params, 1);
    auto const physical = 0x42000000ULL;
    message.value(0, ParamType::value_inout); // before the other vCPU has begun
    while_flipping(message.params[0].attributes, raw(ParamType::value_inout), raw(ParamType::tmem_inout), [&] {
        for (unsigned i = 0; i != rounds; ++i) {
            message.params[0].value = {physical, 16, 0};
            message.header.result = 0;
            if (!expect_equal(call(message), ended_well, "a0"))
                return;
            // As memory it is refused; as a value the sum is made. Nothing else there is.
            auto const sum = message.param(0).value.a;
            auto const is_sum = message.has_result(TeeResult::success) && sum == physical + 16;
            if (!expect(is_sum || (message.is_refused() && sum == physical), "one of the two"))
                return;
        }
    });
}

void list_entries()
{
    auto& page = new_page();
    auto& list = page_list(address_of(&page), 1);
    auto& enter = register_message(0, address_of(&list), page_bytes);
    auto& leave = unregister_message(0);
    unsigned taken = 0;
    while_flipping(list.word(0), address_of(&page), 0x42000000ULL + (64ULL << 20), [&] {
        for (unsigned i = 0; i != rounds; ++i) {
            auto const cookie = new_cookie();
            enter.params[0].tmem.cookie = leave.params[0].rmem.cookie = cookie;
            enter.header.result = 0;
            if (!expect_equal(call(enter), ended_well, "a0"))
                return;
            if (!enter.has_result(TeeResult::success)) {
                if (!expect(enter.is_refused(), "a bad entry is refused by the mediator"))
                    return;
                continue;
            }
            ++taken;
            page.bytes[0] = 1;
            page.bytes[1] = 1;
            if (!expect(sum(cookie, 2) && page.bytes[0] == 2, "what was taken is the guest's page"))
                return;
            if (!expect(call(leave) == ended_well && leave.has_result(TeeResult::success), "and can be given back"))
                return;
        }
    });
    Line{}.text("# taken ").number(taken).text(" of ").number(rounds).end();
}

void (*step_of_second)();
unsigned volatile go;   // steps that the second vCPU shall have made
unsigned volatile gone; // those that it has made

void order_memory()
{
    asm volatile("dmb ish" ::: "memory");
}

/// The second vCPU waits, and makes this step once for each let_second_step(), until `stop`.
void second_vcpu_follows(void (*step)())
{
    step_of_second = step;
    go = 0;
    gone = 0;
    stop = false;
    start_on_second_vcpu([] {
        while (!stop) {
            if (go == gone) {
                let_others_run();
                continue;
            }
            order_memory();
            step_of_second();
            order_memory();
            gone = gone + 1;
        }
    });
}

void let_second_step()
{
    order_memory();
    go = go + 1;
}

void wait_for_second()
{
    while (gone != go)
        let_others_run();
    order_memory();
}

Word raced_handle;
Registers second_answer;

// Each round has one call; both vCPUs answer its request at once.
void two_answers()
{
    unsigned both = 0;
    second_vcpu_follows([] { second_answer = smc({{raw(SmcFunction::return_from_rpc), 0, 0, raced_handle}}); });
    for (unsigned i = 0; i != 10; ++i) {
        auto& message = open_session(nobody);
        Call it{message};
        if (!expect(it.asks(RpcReturn::alloc), "OP-TEE asks for a page"))
            break;
        raced_handle = it.handle();
        let_second_step();
        it.answer({{}});
        wait_for_second();
        auto const first_failed = it.a0() == raw(ReturnCode::resume_failed);
        auto const second_failed = (second_answer.x[0] & 0xffffffff) == raw(ReturnCode::resume_failed);
        both += first_failed == second_failed;
        if (!first_failed)
            it.finish();
        else
            while ((second_answer.x[0] & RpcReturn::prefix_mask) == RpcReturn::prefix &&
                   second_answer.x[0] != raw(ReturnCode::unknown_function))
                second_answer = smc({{raw(SmcFunction::return_from_rpc), 0, 0, second_answer.x[3]}});
        free_pages();
    }
    stop = true;
    join_second_vcpu();
    expect_equal(both, 0, "calls that both or none of the vCPUs resumed");
}

Message* second_message;

void two_unregister()
{
    unsigned wrong = 0;
    auto& page = new_page();
    auto& mine = unregister_message(0);
    second_message = &unregister_message(0);
    second_vcpu_follows([] { call(*second_message); });
    auto& list = page_list(address_of(&page), 1);
    auto& enter = register_message(0, address_of(&list), page_bytes);
    for (unsigned i = 0; i != 40; ++i) {
        auto const cookie = new_cookie();
        enter.params[0].tmem.cookie = cookie;
        if (!expect(call(enter) == ended_well && enter.has_result(TeeResult::success), "a page is registered"))
            break;
        mine.params[0].rmem.cookie = second_message->params[0].rmem.cookie = cookie;
        mine.header.result = second_message->header.result = 0x5eed;
        let_second_step();
        call(mine);
        wait_for_second();
        wrong += mine.has_result(TeeResult::success) == second_message->has_result(TeeResult::success);
    }
    stop = true;
    join_second_vcpu();
    expect_equal(wrong, 0, "buffers that both or none of the vCPUs unregistered");
}

Message* calls_of_second;
unsigned volatile bad_sums;

// Both vCPUs only do what is allowed, as fast as they can.
void both_work()
{
    calls_of_second = &invoke(tests_session(), tests_params, 1);
    bad_sums = 0;
    start_on_second_vcpu([] {
        for (unsigned i = 0; i != rounds; ++i) {
            calls_of_second->value(0, ParamType::value_inout, i, 1);
            if (call(*calls_of_second) != ended_well || calls_of_second->param(0).value.a != i + 1)
                bad_sums = bad_sums + 1;
        }
    });
    auto& message = invoke(tests_session(), tests_params, 1);
    for (unsigned i = 0; i != rounds; ++i) {
        message.value(0, ParamType::value_inout, i, 2);
        if (call(message) != ended_well || message.param(0).value.a != i + 2)
            bad_sums = bad_sums + 1;
    }
    join_second_vcpu();
    expect_equal(bad_sums, 0, "sums that are wrong");
}

constexpr Case attacks[] = {
    {"B08", "the number of parameters changes while it is read", number_of_params},
    {"B08", "an attribute changes while it is read", attributes},
    {"N08", "entries of a list change while they are read", list_entries},
    {"R02", "two vCPUs answer one request", two_answers},
    {"S06", "two vCPUs unregister one buffer", two_unregister},
    {"X07", "two vCPUs work at once", both_work},
};

} // namespace

std::span<Case const> races()
{
    return attacks;
}

} // namespace hostile
