// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// N: page lists. S: the registry of shared buffers.

#include "optee.hpp"
#include "tap.hpp"

namespace hostile {

namespace {

constexpr Word entries = abi::PageListPage::entries;

/// The list may be taken or refused; either way the call ends, and what was taken can be given back.
void is_taken_or_refused(Page& list, std::size_t pages)
{
    auto const cookie = new_cookie();
    auto& message = register_message(cookie, address_of(&list), pages * page_bytes);
    expect_equal(call(message), ended_well, "a0");
    if (message.has_result(TeeResult::success))
        expect(unshare(cookie), "what was taken is given back");
}

void is_refused_list(Page& list, std::size_t pages, char const* what)
{
    is_refused(register_message(new_cookie(), address_of(&list), pages * page_bytes), what);
}

Page& good_list(std::size_t pages)
{
    return page_list(address_of(new_pages(pages)), pages);
}

void list_that_points_to_itself()
{
    auto& list = good_list(entries);
    list.word(entries) = address_of(&list);
    is_taken_or_refused(list, 600);
}

void two_lists_in_a_circle()
{
    auto& list = good_list(2 * entries);
    auto& second = (&list)[1];
    second.word(entries) = address_of(&list);
    is_taken_or_refused(list, 1200);
}

void list_elsewhere()
{
    for (auto const place : {address::nothing, address::interrupt_controller, address::behind_ram, ~Word{0} - 4095}) {
        auto& list = good_list(600);
        list.word(entries) = place;
        is_refused_list(list, 600, "a second page of the list where no RAM is");
        is_refused(register_message(new_cookie(), place, page_bytes), "a list where no RAM is");
    }
    auto& list = good_list(600);
    list.word(entries) += 8;
    is_refused_list(list, 600, "a second page of the list that is not aligned");
    list.word(entries) = 0;
    is_refused_list(list, 600, "a second page of the list at address 0");
}

void entry_without_memory()
{
    for (Word const entry : {0ULL, 1ULL << 36, 1ULL << 40, 1ULL << 52, ~0ULL - 4095}) {
        auto& list = good_list(4);
        list.word(2) = entry;
        is_refused_list(list, 4, "an entry that is no address of this guest");
    }
}

void entry_of_another_kind()
{
    for (auto const entry : {address::nothing, address::interrupt_controller, address::behind_ram}) {
        auto& list = good_list(4);
        list.word(3) = entry;
        is_refused_list(list, 4, "an entry where no RAM is");
    }
    for (auto const read_only : {false, true}) {
        auto const at = address::grant_window + (read_only ? 3 : 2) * page_bytes;
        if (!map_own_grant(new_page(), at, read_only))
            return skip("Xen does not map the grant");
        auto& list = good_list(4);
        list.word(1) = at;
        is_refused_list(list, 4, "an entry that is mapped from a grant");
    }
}

void one_page_many_times()
{
    auto& page = new_page();
    auto& list = good_list(129);
    for (std::size_t i = 0; i != 129; ++i)
        list.word(i) = address_of(&page);
    auto const cookie = new_cookie();
    auto& message = register_message(cookie, address_of(&list), 129 * page_bytes);
    expect_equal(call(message), ended_well, "a0");
    expect(message.has_result(TeeResult::success), "a guest may say a page twice");
    page.bytes[0] = 5;
    expect(sum(cookie, 2 * page_bytes) && page.bytes[0] == 10, "OP-TEE sees it twice");
    expect(unshare(cookie), "and lets go of it");
}

void list_shares_itself()
{
    auto& list = good_list(4);
    for (std::size_t i = 0; i != 4; ++i)
        list.word(i) = address_of(&list);
    auto const cookie = new_cookie();
    auto& message = register_message(cookie, address_of(&list), 4 * page_bytes);
    expect_equal(call(message), ended_well, "a0");
    expect(message.has_result(TeeResult::success), "the list is a page like others");
    expect(sum(cookie, 8), "OP-TEE writes into it");
    expect(unshare(cookie), "and lets go of it");
}

void one_bad_entry()
{
    for (unsigned round = 0; round != 10; ++round) {
        for (std::size_t const bad : {0, 50, 99}) {
            auto& list = good_list(100);
            list.word(bad) = address::nothing;
            is_refused_list(list, 100, "a list with one bad entry");
        }
    }
    auto const cookie = new_cookie();
    expect(share(cookie, new_page()), "afterwards a good list is taken");
    unshare(cookie);
}

void offset_needs_one_more_page()
{
    auto& list = good_list(1);
    list.word(1) = address::nothing;
    is_refused(register_message(new_cookie(), address_of(&list) + 1, page_bytes),
               "a page and an offset are two pages");
    list.word(1) = address_of(&new_page());
    auto const cookie = new_cookie();
    auto& message = register_message(cookie, address_of(&list) + 1, page_bytes);
    expect(call(message) == ended_well && message.has_result(TeeResult::success), "with a second page it is good");
    expect(unshare(cookie), "and can be given back");
}

constexpr Case page_lists[] = {
    {"N01", "a list that points to itself", list_that_points_to_itself},
    {"N02", "two lists in a circle", two_lists_in_a_circle},
    {"N03", "a list that goes on elsewhere", list_elsewhere},
    {"N04", "an entry without memory", entry_without_memory},
    {"N05", "entries of devices and of grants", entry_of_another_kind},
    {"N06", "one page 129 times", one_page_many_times},
    {"N07", "a list that shares itself", list_shares_itself},
    {"N09", "a bad entry first, in the middle, and last", one_bad_entry},
    {"N11", "an offset that needs one more page", offset_needs_one_more_page},
};

// --- S

void register_twice()
{
    auto const cookie = new_cookie();
    auto& page = new_page();
    page.bytes[0] = 2;
    page.bytes[1] = 3;
    expect(share(cookie, page), "a page is registered");
    is_refused(register_message(cookie, address_of(&good_list(1)), page_bytes), "the same name once more");
    expect(sum(cookie, 2) && page.bytes[0] == 5, "the first is as it was");
    expect(unshare(cookie), "and can be given back");
}

void name_zero()
{
    auto& message = register_message(0, address_of(&good_list(1)), page_bytes);
    if (!is_refused(message, "0 is no name"))
        unshare(0);
}

void unregister_unknown()
{
    for (Word const cookie : {0ULL, 0x77777777ULL, ~0ULL})
        is_refused(unregister_message(cookie), "a name that nobody knows");
}

void unregister_twice()
{
    auto const cookie = new_cookie();
    expect(share(cookie, new_page()), "a page is registered");
    expect(unshare(cookie), "and unregistered");
    is_refused(unregister_message(cookie), "and no second time");
}

// OP-TEE may wait until the buffer is free, or the mediator says that it is busy. At the end it is gone.
void unregister_what_is_in_use()
{
    auto const cookie = new_cookie();
    auto& page = new_page();
    expect(share(cookie, page), "a page is registered");
    Call user{open_session(nobody, 1).memory(2, raw(ParamType::rmem_inout), 0, 16, cookie)};
    user.serve_until(RpcReturn::command);
    expect(user.is_rpc(), "a call uses it");
    auto& message = unregister_message(cookie);
    Call unregister{message};
    auto const is_waiting = unregister.is_rpc();
    expect(is_waiting || message.has_result(TeeResult::busy), "it is busy, or one waits");
    user.finish();
    if (is_waiting) {
        unregister.finish();
        expect(message.has_result(TeeResult::success), "then it is unregistered");
    } else {
        expect(unshare(cookie), "then it can be unregistered");
    }
    is_refused(unregister_message(cookie), "once");
}

void one_page_under_two_names()
{
    auto const first = new_cookie();
    auto const second = new_cookie();
    auto& page = new_page();
    expect(share(first, page) && share(second, page), "a page has two names");
    expect(unshare(first), "one goes");
    page.bytes[0] = 1;
    page.bytes[1] = 1;
    expect(sum(second, 2) && page.bytes[0] == 2, "the other is still good");
    is_refused(unregister_message(first), "the first is gone");
    expect(unshare(second), "the second goes");
}

void over_and_over()
{
    auto& page = new_page();
    auto& list = page_list(address_of(&page), 1);
    auto& enter = register_message(0, address_of(&list), page_bytes);
    auto& leave = unregister_message(0);
    for (unsigned i = 0; i != 300; ++i) {
        auto const cookie = new_cookie();
        enter.params[0].tmem.cookie = cookie;
        leave.params[0].rmem.cookie = cookie;
        if (call(enter) != ended_well || !enter.has_result(TeeResult::success) || call(leave) != ended_well ||
            !leave.has_result(TeeResult::success)) {
            expect(false, "each registers and unregisters");
            Line{}.text("#   at the ").number(i).text(". time").end();
            return;
        }
    }
}

constexpr Case registry[] = {
    {"S01", "one name twice", register_twice},
    {"S02", "0 as a name", name_zero},
    {"S05", "unregister what nobody knows", unregister_unknown},
    {"S06", "unregister twice", unregister_twice},
    {"S07", "unregister what a call uses", unregister_what_is_in_use},
    {"S11", "one page under two names", one_page_under_two_names},
    {"S13", "register and unregister over and over", over_and_over},
};

} // namespace

std::span<Case const> attacks_on_page_lists()
{
    return page_lists;
}

std::span<Case const> attacks_on_the_registry()
{
    return registry;
}

} // namespace hostile
