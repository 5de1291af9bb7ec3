// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/bench/guest.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace bench {

namespace abi = sim::abi;

namespace {

constexpr std::uint32_t without_end = 0xff'ffff; ///< RPCs of a call

} // namespace

Guest::Guest(Subject const& subject, NullMachine& machine, std::uint16_t client, std::uint64_t shared, Layout layout)
    : vm_{std::make_unique<NullVm>(machine, client, pages_for(shared), layout)}, client_{subject.make(*vm_)},
      uses_rpc_arguments_{subject.offers_rpc_arguments}, shared_{shared}
{
    for (std::uint64_t call = 0; call < most_calls; ++call)
        write_message(message_of(call), abi::cmd::invoke_command, 0, nullptr);
    // The list of the largest buffer; a smaller one is its beginning. It stands behind the pages that it names.
    for (std::uint64_t n = 0; n < shared; ++n) {
        auto const list = page(data_begin + shared + n / abi::entries_per_list);
        auto const place = n % abi::entries_per_list;
        vm_->at<std::uint64_t>(list + place * sizeof(std::uint64_t)) = page(data_begin + n);
        if (place == 0)
            vm_->at<std::uint64_t>(list + abi::entries_per_list * sizeof(std::uint64_t)) = list + page_bytes;
    }
}

std::uint64_t Guest::take_entries()
{
    return entries_.exchange(0);
}

void Guest::write_message(std::uint64_t message, std::uint32_t command, std::uint32_t wish, abi::Param const* param)
{
    vm_->at<std::uint32_t>(message + abi::arg::cmd) = command;
    vm_->at<std::uint32_t>(message + abi::arg::func) = wish;
    vm_->at<std::uint32_t>(message + abi::arg::num_params) = param == nullptr ? 0 : 1;
    if (param != nullptr)
        vm_->at<abi::Param>(message + abi::header_bytes) = *param;
}

void Guest::enter(std::uint64_t* a)
{
    entries_.fetch_add(1, std::memory_order_relaxed);
    client_->handle_smc(a);
}

void Guest::call_to_the_end(std::uint64_t call)
{
    auto const message = message_of(call);
    std::uint64_t a[8] = {abi::smc::call_with_arg, abi::high(message), abi::low(message)};
    to_the_end(a, message);
}

void Guest::to_the_end(std::uint64_t* a, std::uint64_t message)
{
    enter(a);
    while (static_cast<std::uint32_t>(a[0]) == abi::rpc::foreign_interrupt) {
        a[0] = abi::smc::return_from_rpc;
        enter(a);
    }
    auto const result = vm_->at<std::uint32_t>(message + abi::arg::ret);
    if (a[0] != abi::ret::ok || result != abi::result::success)
        throw std::runtime_error{"a call failed: a0 " + std::to_string(a[0]) + ", result " + std::to_string(result)};
}

void Guest::invoke(std::uint64_t call)
{
    call_to_the_end(call);
}

void Guest::invoke_with(std::uint64_t call, std::uint64_t cookie)
{
    abi::Param const param{.attr = abi::attr::rmem_inout, .a = 0, .b = page_bytes, .c = cookie};
    write_message(message_of(call), abi::cmd::invoke_command, 0, &param);
    call_to_the_end(call);
}

void Guest::invoke_as_linux(std::uint64_t cookie)
{
    if (!uses_rpc_arguments_) {
        invoke(0);
        return;
    }
    auto const message = page(data_begin);
    write_message(message, abi::cmd::invoke_command, 0, nullptr);
    std::uint64_t a[8] = {abi::smc::call_with_regd_arg, abi::high(cookie), abi::low(cookie)};
    to_the_end(a, message);
}

void Guest::open_and_close()
{
    abi::Param const param{.attr = abi::attr::value_input | abi::attr::meta, .a = 1, .b = 2, .c = 0};
    write_message(message_of(0), abi::cmd::open_session, 0, &param);
    call_to_the_end(0);
    write_message(message_of(0), abi::cmd::close_session, 0, nullptr);
    call_to_the_end(0);
}

void Guest::register_memory(std::uint64_t cookie, std::uint64_t pages)
{
    abi::Param const param{.attr = abi::attr::tmem_output | abi::attr::noncontig,
                           .a = page(data_begin + shared_),
                           .b = pages * page_bytes,
                           .c = cookie};
    write_message(message_of(0), abi::cmd::register_shm, 0, &param);
    call_to_the_end(0);
}

void Guest::unregister_memory(std::uint64_t cookie)
{
    abi::Param const param{.attr = abi::attr::rmem_input, .a = 0, .b = 0, .c = cookie};
    write_message(message_of(0), abi::cmd::unregister_shm, 0, &param);
    call_to_the_end(0);
}

void Guest::ask_revision()
{
    std::uint64_t a[8] = {abi::smc::calls_revision};
    enter(a);
}

void Guest::start(std::uint64_t call, Wish wish)
{
    write_message(
        message_of(call), abi::cmd::invoke_command, static_cast<std::uint32_t>(wish) | without_end << 8, nullptr);
    auto& a = waiting_.at(call).a;
    std::fill(std::begin(a), std::end(a), 0);
    a[0] = abi::smc::call_with_arg;
    a[1] = abi::high(message_of(call));
    a[2] = abi::low(message_of(call));
    enter(a);
    if (static_cast<std::uint32_t>(a[0]) == abi::rpc::alloc)
        go_on(call);
    if (!abi::is_rpc(a[0]))
        throw std::runtime_error{"a call ended that should wait: a0 " + std::to_string(a[0])};
}

void Guest::answer(std::uint64_t call, std::uint64_t* a)
{
    auto const argument = page(arguments_begin + call);
    switch (static_cast<std::uint32_t>(a[0])) {
    case abi::rpc::alloc:
        a[1] = abi::high(argument);
        a[2] = abi::low(argument);
        a[4] = a[1]; // its name: Linux takes an address, too
        a[5] = a[2];
        break;
    case abi::rpc::command:
        vm_->at<std::uint32_t>(argument + abi::arg::ret) = abi::result::success;
        vm_->at<abi::Param>(argument + abi::header_bytes).a = 1;
        break;
    default: break;
    }
}

void Guest::go_on(std::uint64_t call)
{
    auto& a = waiting_.at(call).a;
    answer(call, a);
    a[0] = abi::smc::return_from_rpc;
    enter(a);
}

} // namespace bench
