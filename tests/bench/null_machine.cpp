// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/bench/null_machine.hpp"

#include "sim/optee/abi.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>
#include <sys/mman.h>
#include <thread>
#include <valgrind/callgrind.h>

namespace bench {

namespace {

namespace abi = sim::abi;

constexpr std::uint64_t most_clients = 80;
NullMachine* the_machine = nullptr;
thread_local bool is_inside = false;

void toggle()
{
    CALLGRIND_TOGGLE_COLLECT;
}

template <typename T>
T& in(NullMachine const& machine, std::uint64_t pa, std::uint64_t offset)
{
    return *reinterpret_cast<T*>(static_cast<unsigned char*>(machine.address(pa)) + offset);
}

} // namespace

thread_local Work work;

Outside::Outside()
{
    if (is_inside)
        toggle();
}
Outside::~Outside()
{
    if (is_inside)
        toggle();
}
Inside::Inside()
{
    is_inside = true;
    toggle();
}
Inside::~Inside()
{
    toggle();
    is_inside = false;
}

NullVm::NullVm(NullMachine& machine, std::uint16_t client, std::uint64_t pages, Layout layout)
    : machine_{&machine}, client_{client}, stage2_(pages)
{
    auto const first = machine.take_run(pages);
    // Scattered: no two neighbours of the VM are neighbours in the machine.
    for (std::uint64_t n = 0; n < pages; ++n)
        stage2_[n] = first + (layout == Layout::contiguous ? n : pages - 1 - n) * page_bytes;
}

void* NullVm::address(std::uint64_t ipa) const
{
    auto const offset = ipa % page_bytes;
    return static_cast<unsigned char*>(machine_->address(look_up(ipa - offset))) + offset;
}

NullMachine::NullMachine(std::uint64_t pages, std::uint64_t threads)
    : pages_{pages}, threads_{threads}, memory_{nullptr}, pins_{new std::atomic<std::uint32_t>[pages]()}
{
    // Most of it is never touched: registered memory is looked up, not read.
    auto* const memory =
        mmap(nullptr, pages * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        throw std::bad_alloc{};
    memory_ = static_cast<unsigned char*>(memory);
    for (std::uint64_t client = 0; client < most_clients; ++client)
        clients_.push_back(std::make_unique<Threads>());
    the_machine = this;
}

NullMachine::~NullMachine()
{
    munmap(memory_, pages_ * page_bytes);
    the_machine = nullptr;
}

NullMachine& NullMachine::current()
{
    return *the_machine;
}

std::uint64_t NullMachine::take_run(std::uint64_t pages)
{
    auto const first = next_page_.fetch_add(pages);
    if (first + pages > pages_)
        throw std::runtime_error{"the machine has no memory left"};
    return memory_begin + first * page_bytes;
}

std::uint64_t NullMachine::take_page()
{
    ++work.pages_allocated;
    held_.bytes += page_bytes;
    while (pages_lock_.test_and_set(std::memory_order_acquire))
        std::this_thread::yield();
    std::uint64_t page = 0;
    if (!free_pages_.empty()) {
        page = free_pages_.back();
        free_pages_.pop_back();
    }
    pages_lock_.clear(std::memory_order_release);
    return page != 0 ? page : take_run(1);
}

void NullMachine::give_page(std::uint64_t pa)
{
    held_.bytes -= page_bytes;
    while (pages_lock_.test_and_set(std::memory_order_acquire))
        std::this_thread::yield();
    free_pages_.push_back(pa);
    pages_lock_.clear(std::memory_order_release);
}

void NullMachine::smc(std::uint64_t* a)
{
    ++work.smcs;
    switch (static_cast<std::uint32_t>(a[0])) {
    case abi::smc::calls_uid: std::copy(std::begin(abi::uid), std::end(abi::uid), a); return;
    case abi::smc::exchange_capabilities:
        a[0] = abi::ret::ok;
        a[1] = abi::cap::dynamic_shm | abi::cap::virtualization | abi::cap::memref_null | abi::cap::rpc_arg;
        a[2] = 0;
        a[3] = abi::max_rpc_params;
        return;
    case abi::smc::get_thread_count:
        a[0] = abi::ret::ok;
        a[1] = threads_;
        return;
    case abi::smc::call_with_arg:
    case abi::smc::call_with_rpc_arg: begin(a); return;
    case abi::smc::return_from_rpc:   go_on(a); return;
    default:                          a[0] = abi::ret::ok;
    }
}

void NullMachine::begin(std::uint64_t* a)
{
    auto const message = abi::joined(a[1], a[2]);
    auto const wish = in<std::uint32_t>(*this, message, abi::arg::func);
    if (in<std::uint32_t>(*this, message, abi::arg::cmd) != abi::cmd::invoke_command ||
        Wish{wish & 0xff} == Wish::nothing) {
        end(a, message);
        return;
    }
    auto& all = *clients_.at(a[7]);
    std::uint64_t number = 0;
    for (auto expected = false; !all.at(number).is_used.compare_exchange_strong(expected, true); expected = false)
        ++number;
    auto& thread = all.at(number);
    thread.wish = Wish{wish & 0xff};
    thread.left = wish >> 8;
    thread.argument = 0;
    thread.message = message;
    if (thread.wish == Wish::foreign_interrupts) {
        next(a, thread, number);
        return;
    }
    a[0] = abi::rpc::alloc;
    a[1] = abi::arg::bytes(abi::max_rpc_params);
    a[3] = number;
}

void NullMachine::go_on(std::uint64_t* a)
{
    auto& thread = clients_.at(a[7])->at(a[3]);
    if (thread.wish == Wish::requests && thread.argument == 0) {
        thread.argument = abi::joined(a[1], a[2]);
        thread.cookie = abi::joined(a[4], a[5]);
    }
    next(a, thread, a[3]);
}

void NullMachine::next(std::uint64_t* a, Thread& thread, std::uint64_t number)
{
    a[3] = number;
    if (thread.left == 0 && thread.cookie != 0) {
        a[0] = abi::rpc::free;
        a[1] = abi::high(thread.cookie);
        a[2] = abi::low(thread.cookie);
        thread.cookie = 0;
        return;
    }
    if (thread.left == 0) {
        end(a, thread.message);
        thread.is_used = false;
        return;
    }
    --thread.left;
    if (thread.wish == Wish::foreign_interrupts) {
        a[0] = abi::rpc::foreign_interrupt;
        return;
    }
    in<std::uint32_t>(*this, thread.argument, abi::arg::cmd) = abi::rpc_cmd::get_time;
    in<std::uint32_t>(*this, thread.argument, abi::arg::ret) = abi::result::generic;
    in<std::uint32_t>(*this, thread.argument, abi::arg::num_params) = 1;
    in<abi::Param>(*this, thread.argument, abi::header_bytes) = {.attr = abi::attr::value_output};
    a[0] = abi::rpc::command;
    a[1] = abi::high(thread.cookie);
    a[2] = abi::low(thread.cookie);
}

void NullMachine::end(std::uint64_t* a, std::uint64_t message) const
{
    in<std::uint32_t>(*this, message, abi::arg::ret) = abi::result::success;
    in<std::uint32_t>(*this, message, abi::arg::ret_origin) = abi::origin::trusted_app;
    a[0] = abi::ret::ok;
}

} // namespace bench
