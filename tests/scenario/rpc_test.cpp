// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// A yielding call comes back before it is complete: every kind of RPC that OP-TEE makes, answered as Linux does.

#include "tests/scenario/scenario.hpp"

namespace sim::scenario {
namespace {

// xen-devel, 2019, point 1: complete is what is not an RPC return, and the context is kept over any number of them.
TEST(Rpc, LetsACallReturnManyTimesBeforeItIsComplete)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::clock).session;
    auto call = guest.begin_invoke(session, command::clock_get, {value_out(), value_in(20)});
    std::vector<std::uint32_t> asked;
    call.start_on(0);
    while (call.waits_for_rpc()) {
        asked.push_back(call.rpc());
        EXPECT_EQ(call.message().ret(), abi::result::success)
            << "the message is untouched until the call is complete";
        EXPECT_EQ(machine.vm(0).counter("calls_live"), 1u);
        call.answer_on(0);
    }
    ASSERT_EQ(asked.size(), 22u);
    EXPECT_EQ(asked.front(), abi::rpc::alloc);
    EXPECT_EQ(asked.at(1), abi::rpc::command);
    EXPECT_EQ(asked.back(), abi::rpc::free);
    EXPECT_TRUE(call.result().ok());
    EXPECT_EQ(machine.vm(0).counter("calls_live"), 0u);
    expect_clean_end(machine);
}

TEST(Rpc, AllocGivesTheArgumentASize)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::clock).session;
    auto call = guest.begin_invoke(session, command::clock_get, {value_out()});
    call.start_on(0);
    ASSERT_EQ(call.rpc(), abi::rpc::alloc);
    EXPECT_GE(call.last().a(1), abi::arg::bytes(abi::max_rpc_params));
    EXPECT_LE(call.last().a(1), page_bytes);
    call.run_on(0);
    EXPECT_TRUE(call.result().ok());
    expect_clean_end(machine);
}

TEST(Rpc, FreesItsArgumentWithTheCall)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::clock).session;
    for (unsigned n = 0; n < 100; ++n)
        ASSERT_TRUE(guest.invoke(session, command::clock_get, {value_out()}).ok());
    EXPECT_EQ(machine.vm(0).counter("arguments_live"), 0u);
    EXPECT_EQ(machine.vm(0).counter("rpc_alloc"), 100u);
    EXPECT_EQ(machine.vm(0).counter("rpc_free"), 100u);
    EXPECT_EQ(machine.vm(0).pins(), 0u);
    expect_clean_end(machine);
}

TEST(Rpc, CarriesTheTimeToATrustedApplication)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), caching_driver};
    ASSERT_TRUE(guest.probe());
    auto const session = guest.open(App::clock).session;
    auto call = guest.begin_invoke(session, command::clock_get, {value_out()});
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
    auto const answer = call.serve_rpc();
    call.rpc_message().set_param(0, {abi::attr::value_output, 1'234'567'890, 99, 0});
    call.resume_on(0, answer.value());
    ASSERT_TRUE(call.done());
    EXPECT_EQ(call.result().params.at(0).a, 1'234'567'890u);
    EXPECT_EQ(call.result().params.at(0).b, 99u);
    guest.remove();
    expect_clean_end(machine);
}

TEST(Rpc, StoresAndReadsFiles)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::storage).session;
    auto const bytes = 5 * page_bytes + 123;
    auto const shm = guest.register_memory(bytes, 40);
    guest.fill(shm, counting(bytes));
    EXPECT_TRUE(guest.invoke(session, command::storage_write, {shared_in(shm), value_in(7)}).ok());
    guest.fill(shm, std::vector<std::uint8_t>(bytes));
    EXPECT_TRUE(guest.invoke(session, command::storage_read, {shared_out(shm), value_in(7)}).ok());
    EXPECT_EQ(guest.contents(shm), counting(bytes));
    EXPECT_EQ(guest.invoke(session, command::storage_read, {shared_out(shm), value_in(8)}).ret,
              abi::result::item_not_found);
    EXPECT_EQ(guest.supplicant().open_files(), 0u);
    guest.free_shm(shm);
    expect_clean_end(machine);
}

TEST(Rpc, LoadsATrustedApplicationIntoMemoryOfTheGuestAndGivesItBack)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const free_before = guest.memory().free_pages();
    EXPECT_TRUE(guest.open(App::loadable).ok());
    EXPECT_EQ(machine.vm(0).counter("rpc_shm_alloc"), 1u);
    EXPECT_EQ(machine.vm(0).counter("rpc_shm_free"), 1u);
    EXPECT_EQ(machine.vm(0).pins(), 0u);
    EXPECT_EQ(guest.memory().free_pages(), free_before);
    expect_clean_end(machine);
}

TEST(Rpc, TakesMemoryOfEitherKindAndAnyLength)
{
    auto machine = Machine::with_one_vm().ram_pages(4096).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::allocator).session;
    for (auto const function : {command::allocator_appl, command::allocator_kernel}) {
        for (auto const bytes :
             {1u, page_bytes, page_bytes + 1, 511 * page_bytes, 512 * page_bytes, 1023 * page_bytes})
            EXPECT_TRUE(guest.invoke(session, function, {value_in(bytes, 2)}).ok()) << bytes;
    }
    EXPECT_EQ(machine.vm(0).counter("buffers_live"), 0u);
    EXPECT_EQ(machine.vm(0).pins(), 0u);
    expect_clean_end(machine);
}

// The guest may use pages and name again as soon as it hears of SHM_FREE.
TEST(Rpc, LetsMemoryGoBeforeTheGuestHearsOfShmFree)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::allocator).session;
    auto call = guest.begin_invoke(session, command::allocator_appl, {value_in(3 * page_bytes, 1)});
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::shm_free));
    auto const shm = guest.memory().find(call.rpc_message().param(0).b);
    ASSERT_NE(shm, nullptr);
    for (auto const page : shm->pages)
        EXPECT_EQ(machine.vm(0).pins_of(page), 0u);
    EXPECT_TRUE(guest.register_shm(shm).ok()) << "the name is free, and the pages are";
    EXPECT_TRUE(guest.unregister_shm(shm).ok());
    call.run_on(0);
    EXPECT_TRUE(call.result().ok());
    expect_clean_end(machine);
}

TEST(Rpc, NotificationOfOneCallWakesAnother)
{
    auto machine = Machine::with_one_vm().vcpus(2).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::sleeper).session;
    auto sleeper = guest.begin_invoke(session, command::sleeper_wait);
    sleeper.run_on(0);
    ASSERT_TRUE(sleeper.asks_for(abi::rpc_cmd::notification));
    EXPECT_EQ(sleeper.rpc_message().param(0).a, abi::rpc_cmd::notification_wait);

    auto waker = guest.begin_invoke(session, command::sleeper_wake);
    ASSERT_TRUE(run_until_command(waker, abi::rpc_cmd::notification));
    EXPECT_EQ(waker.rpc_message().param(0).a, abi::rpc_cmd::notification_send);
    EXPECT_EQ(waker.rpc_message().param(0).b, sleeper.rpc_message().param(0).b) << "the same thing is waited for";
    waker.run_on(1);
    EXPECT_TRUE(waker.result().ok());
    sleeper.run_on(1);
    EXPECT_TRUE(sleeper.done());
    EXPECT_TRUE(sleeper.result().ok());
    expect_clean_end(machine);
}

TEST(CachedArguments, AreAskedForOnceAndHandedBackOneAtATime)
{
    auto machine = Machine::with_one_vm().vcpus(3).boot();
    LinuxGuest guest{machine.vm(0), caching_driver};
    ASSERT_TRUE(guest.probe());
    auto const session = guest.open(App::sleeper).session;
    // Two calls at once, so that two threads of OP-TEE come to have an argument.
    auto sleeper = guest.begin_invoke(session, command::sleeper_wait);
    sleeper.run_on(0);
    ASSERT_TRUE(sleeper.is_blocked());
    EXPECT_EQ(ask(machine.vm(0), abi::smc::disable_shm_cache).a0(), abi::ret::busy);
    EXPECT_TRUE(guest.invoke(session, command::sleeper_wake, {}, 1).ok());
    sleeper.run_on(0);
    ASSERT_TRUE(sleeper.done());
    auto const clock = guest.open(App::clock).session;
    for (unsigned n = 0; n < 10; ++n)
        EXPECT_TRUE(guest.invoke(clock, command::clock_get, {value_out()}).ok());
    EXPECT_EQ(machine.vm(0).counter("rpc_alloc"), 2u);
    EXPECT_EQ(machine.vm(0).counter("rpc_free"), 0u);
    EXPECT_EQ(machine.vm(0).counter("arguments_live"), 2u);

    for (std::uint64_t left = 2; left-- != 0;) {
        auto const answer = ask(machine.vm(0), abi::smc::disable_shm_cache);
        ASSERT_EQ(answer.a0(), abi::ret::ok);
        EXPECT_NE(guest.memory().find(answer.pair(1)), nullptr) << "a cookie that the guest gave";
        EXPECT_EQ(machine.vm(0).counter("arguments_live"), left);
    }
    EXPECT_EQ(ask(machine.vm(0), abi::smc::disable_shm_cache).a0(), abi::ret::not_available);
    EXPECT_TRUE(guest.invoke(clock, command::clock_get, {value_out()}).ok());
    EXPECT_EQ(machine.vm(0).counter("arguments_live"), 0u) << "without a cache, each call gives its argument back";
    expect_clean_end(machine);
}

TEST(CachedArguments, StopAllocOfTheNextCall)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), caching_driver};
    ASSERT_TRUE(guest.probe());
    auto const session = guest.open(App::clock).session;
    ASSERT_TRUE(guest.invoke(session, command::clock_get, {value_out()}).ok());
    auto call = guest.begin_invoke(session, command::clock_get, {value_out()});
    call.start_on(0);
    EXPECT_TRUE(call.asks_for(abi::rpc_cmd::get_time)) << "the first thing that OP-TEE asks for";
    call.answer_on(0);
    EXPECT_TRUE(call.done());
    guest.remove();
    EXPECT_EQ(machine.vm(0).counter("arguments_live"), 0u);
    expect_clean_end(machine);
}

// Temporary references of a call that is over cannot be named, though OP-TEE before 4.11 keeps them in its list.
TEST(TemporaryReference, CannotBeNamedAfterItsCall)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::memory).session;
    auto const shm = guest.memory().allocate_scattered(2 * page_bytes);
    ASSERT_TRUE(guest.invoke(session, command::memory_invert, {temporary_inout(shm)}).ok());
    EXPECT_TRUE(
        is_refused(guest.invoke(session, command::memory_invert, {shared_inout(shm)}), abi::result::bad_parameters));
    expect_clean_end(machine);
}

} // namespace
} // namespace sim::scenario
