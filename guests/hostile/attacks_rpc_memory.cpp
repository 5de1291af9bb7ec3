// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// R: the memory that a guest offers when OP-TEE asks for some.

#include "optee.hpp"
#include "tap.hpp"

namespace hostile {

namespace {

constexpr auto contiguous = raw(ParamType::tmem_output);

/// A call that waits for memory, and the message that it began with.
struct WaitingForMemory {
    Message& message = open_session(nobody);
    Call call{message};
    bool waits = expect(call.serve_until_command(Request::shm_alloc), "OP-TEE asks for memory");

    void offer(Word attributes, Word buffer, Word size, Word cookie)
    {
        call.request().memory(0, attributes, buffer, size, cookie);
        call.request().header.param_count = 1;
        call.request().header.result = 0;
        call.answer({{0, call.registers().x[1], call.registers().x[2]}});
    }
    void ends()
    {
        call.finish();
        expect_equal(call.a0(), ended_well, "a0");
        expect(message.header.result != 0, "the call fails");
    }
};

/// Nothing of the offer is used: OP-TEE goes on without memory, and gets no further than that.
void is_not_taken(Word attributes, Word buffer, Word size, Word cookie, char const* what)
{
    WaitingForMemory it;
    if (!it.waits)
        return;
    it.offer(attributes, buffer, size, cookie);
    if (!expect(!it.call.asks_command(Request::file_system), what))
        Line{}.text("#   attributes ").hex(attributes).text(", buffer ").hex(buffer).text(", size ").hex(size).end();
    it.ends();
}

Word list_of_one()
{
    return address_of(&page_list(address_of(&new_page()), 1));
}

// The address is at once one in this guest's RAM and, as a physical one, that of OP-TEE's own shared memory, which belongs to
// no guest. What OP-TEE writes must come to the guest's page, or the offer be refused.
void physical_address()
{
    auto& page = *reinterpret_cast<Page*>(0x42000000 + 17 * page_bytes);
    page = Page{};
    WaitingForMemory it;
    if (!it.waits)
        return;
    it.offer(contiguous, address_of(&page), page_bytes, new_cookie());
    if (it.call.asks_command(Request::file_system))
        expect(page.word(0) != 0, "what OP-TEE writes is in the guest's page, not elsewhere");
    it.ends();
    is_not_taken(contiguous, address::behind_ram, page_bytes, new_cookie(), "memory that is not the guest's");
    is_not_taken(contiguous, address::nothing, page_bytes, new_cookie(), "memory that is not there");
}

// Wherever another guest may lie: the machine's RAM from 2 GiB on, without dom0's part, step by step. None of it is an address of
// this guest.
void all_physical_memory()
{
    constexpr Word step = 64ULL << 20;
    unsigned taken = 0;
    for (Word place = 0x80000000; place != 0x100000000; place += step) {
        if (place >= 0xe0000000 && place < 0xf0000000)
            continue;
        WaitingForMemory it;
        if (!it.waits)
            return;
        it.offer(contiguous, place, page_bytes, new_cookie());
        taken += it.call.asks_command(Request::file_system);
        it.ends();
    }
    expect_equal(taken, 0, "pages of others that OP-TEE has written to");
}

void other_kinds_of_memory()
{
    auto const list = list_of_one();
    auto const noncontiguous = abi::Attribute::noncontiguous;
    for (auto const type :
         {ParamType::tmem_input, ParamType::tmem_inout, ParamType::rmem_output, ParamType::value_output}) {
        is_not_taken(raw(type) | noncontiguous, list, page_bytes, new_cookie(), "memory of another kind");
        is_not_taken(raw(type), list, page_bytes, new_cookie(), "memory of another kind");
    }
    is_not_taken(
        list_of_pages | 1ULL << 40, list, page_bytes, new_cookie(), "attributes with a bit that means nothing");
}

void other_sizes()
{
    for (Word const size : {0ULL, 1ULL, 100ULL, 1ULL << 32, 1ULL << 44, ~0ULL})
        is_not_taken(
            list_of_pages, list_of_one(), size, new_cookie(), "less than was asked for, or more than there is");
}

void names_in_use()
{
    auto const registered = new_cookie();
    expect(share(registered, new_page()), "a page is registered");
    is_not_taken(list_of_pages, list_of_one(), page_bytes, registered, "the name of a registered buffer");
    is_not_taken(list_of_pages, list_of_one(), page_bytes, 0, "no name");
    {
        WaitingForMemory it;
        auto const argument = it.call.registers().x[1] << 32 | it.call.registers().x[2];
        it.offer(list_of_pages, list_of_one(), page_bytes, argument);
        expect(!it.call.asks_command(Request::file_system), "the name of the page for requests");
        it.ends();
    }
    expect(sum(registered, 8), "the registered buffer is still there");
    expect(unshare(registered), "and can be unregistered");
}

void list_with_foreign_memory()
{
    for (auto const entry : {address::nothing, address::interrupt_controller, address::behind_ram, Word{0}}) {
        auto& list = page_list(address_of(&new_page()), 1);
        list.word(0) = entry;
        is_not_taken(
            list_of_pages, address_of(&list), page_bytes, new_cookie(), "a list with memory that is not the guest's");
        is_not_taken(list_of_pages, entry, page_bytes, new_cookie(), "a list where no RAM is");
    }
}

// Registered buffers, memory of RPCs and their pages have one name space: OP-TEE looks them up in one list.
void names_of_rpc_memory()
{
    WaitingForMemory it;
    if (!it.waits)
        return;
    auto const argument = it.call.registers().x[1] << 32 | it.call.registers().x[2];
    auto const data = new_cookie();
    if (!is_refused(register_message(argument, list_of_one(), page_bytes),
                    "register under the name of a page for requests"))
        unshare(argument);
    is_refused(unregister_message(argument), "unregister the page for requests");
    it.offer(list_of_pages, list_of_one(), page_bytes, data);
    expect(it.call.asks_command(Request::file_system), "OP-TEE goes on");
    if (!is_refused(register_message(data, list_of_one(), page_bytes), "register under the name of memory of an RPC"))
        unshare(data);
    is_refused(unregister_message(data), "unregister memory of an RPC");
    it.ends();
}

// The mediator asks for memory to be freed that it did not take. The guest answers with an error.
void free_is_refused()
{
    WaitingForMemory it;
    if (!it.waits)
        return;
    auto const cookie = new_cookie();
    it.offer(list_of_pages, address::nothing, page_bytes, cookie);
    if (!expect(it.call.asks_command(Request::shm_free), "the guest may have its memory back"))
        return it.ends();
    expect_equal(it.call.request().params[0].value.b, cookie, "the name of the memory");
    it.call.request().header.result = 0xffff0000;
    it.call.request().header.param_count = 0xffffffff;
    it.call.answer({{0, it.call.registers().x[1], it.call.registers().x[2]}});
    it.ends();
}

// After the end of its call memory has no name any more, whatever OP-TEE remembers of it.
void memory_of_an_ended_call()
{
    auto const cookie = new_cookie();
    auto& page = new_page();
    page.bytes[0] = 1;
    page.bytes[1] = 2;
    auto& message = invoke(tests_session(), tests_params, 1)
                        .memory(0, list_in_and_out, address_of(&page_list(address_of(&page), 1)), 2, cookie);
    expect_equal(call(message), ended_well, "a0");
    expect(message.has_result(TeeResult::success) && page.bytes[0] == 3, "OP-TEE uses temporary memory");
    expect_equal(message.param(0).tmem.buffer & 0xfff, 0, "the offset of the list");
    is_refused(unregister_message(cookie), "it cannot be unregistered");
    is_refused(invoke(tests_session(), tests_params, 1).memory(0, raw(ParamType::rmem_inout), 0, 2, cookie),
               "it cannot be used as registered memory");
    // The page goes back to Xen, which may give it to anybody. A sum would be written into it.
    if (!give_back(page))
        return;
    expect(!sum(cookie, 2), "OP-TEE does not write into a page that is not this guest's any more");
    expect(take_again(page), "Xen gives a page again");
}

constexpr Case attacks[] = {
    {"R10", "memory by its physical address", physical_address},
    {"HX01", "memory by all physical addresses", all_physical_memory},
    {"R11", "memory of another kind", other_kinds_of_memory},
    {"R12", "memory of another size", other_sizes},
    {"R13", "memory under a name in use", names_in_use},
    {"R14", "a list with memory that is not the guest's", list_with_foreign_memory},
    {"S09", "names of requests and of their memory", names_of_rpc_memory},
    {"R27", "memory that was not taken is not freed either", free_is_refused},
    {"T15", "memory of a call that has ended", memory_of_an_ended_call},
};

} // namespace

std::span<Case const> attacks_on_rpc_memory()
{
    return attacks;
}

} // namespace hostile
