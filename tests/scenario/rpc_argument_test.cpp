// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Calls with RPC argument: a guest leaves room for OP-TEE's requests behind its message, and nobody asks it for memory.

#include "tests/scenario/scenario.hpp"

#include <vector>

namespace sim::scenario {
namespace {

/// Linux from 5.19 on, where OP-TEE and the mediator let it.
inline constexpr LinuxGuest::Options modern_driver{};

class RpcArgument : public testing::Test {
protected:
    explicit RpcArgument(MachineOptions options = Machine::with_one_vm().vcpus(4))
        : machine_{std::move(options).boot()}
    {
    }
    ~RpcArgument() override { expect_clean_end(machine_); }

    std::uint64_t count(char const* name) { return machine_.vm(0).counter(name); }
    void expect_no_argument_was_asked_for()
    {
        EXPECT_EQ(count("rpc_alloc"), 0u);
        EXPECT_EQ(count("rpc_free"), 0u);
        EXPECT_EQ(count("arguments_live"), 0u);
    }
    /// A message by hand, in memory of the guest's, begun with these registers.
    Call clock_call(Ipa at, Registers const& first, std::uint32_t session, bool with_room)
    {
        GuestMessage message{machine_.vm(0), at};
        for (std::uint32_t offset = 0; offset != abi::header_bytes; offset += 4)
            message.set_field(offset, 0);
        message.set_field(abi::arg::cmd, abi::cmd::invoke_command);
        message.set_field(abi::arg::func, command::clock_get);
        message.set_field(abi::arg::session, session);
        message.set_field(abi::arg::num_params, 1);
        message.set_param(0, {abi::attr::value_output, 0, 0, 0});
        return Call{guest_, first, message, with_room};
    }
    static Registers in_page(std::uint32_t function, Ipa at)
    {
        return {{function, abi::high(at.raw), abi::low(at.raw), 0, 0, 0, 0, 0}};
    }
    static Registers in_buffer(Shm const& shm, std::uint64_t offset)
    {
        return {{abi::smc::call_with_regd_arg, abi::high(shm->cookie), abi::low(shm->cookie), offset, 0, 0, 0, 0}};
    }

    Machine machine_;
    LinuxGuest guest_{machine_.vm(0), modern_driver};
};

TEST_F(RpcArgument, IsOfferedToADriverWhichThenNeedsNoOther)
{
    ASSERT_TRUE(guest_.probe()) << guest_.probe_failure();
    EXPECT_NE(guest_.capabilities() & abi::cap::rpc_arg, 0u);
    EXPECT_TRUE(works(guest_));
    EXPECT_GE(count("with_regd_arg"), 3u); // open, invoke, close
    EXPECT_EQ(count("with_rpc_arg"), 1u);  // the registration of the memory in which they are
    expect_no_argument_was_asked_for();
    guest_.remove();
}

TEST_F(RpcArgument, CarriesEveryKindOfRequest)
{
    ASSERT_TRUE(guest_.probe());
    auto const clock = guest_.open(App::clock).session;
    auto const time = guest_.invoke(clock, command::clock_get, {value_out(), value_in(20)});
    EXPECT_TRUE(time.ok());
    EXPECT_EQ(time.params.at(0).a, 1'700'000'000u);

    auto const storage = guest_.open(App::storage).session;
    auto const bytes = 5 * page_bytes + 123;
    auto const file = guest_.register_memory(bytes, 40);
    guest_.fill(file, counting(bytes));
    EXPECT_TRUE(guest_.invoke(storage, command::storage_write, {shared_in(file), value_in(7)}).ok());
    guest_.fill(file, std::vector<std::uint8_t>(bytes));
    EXPECT_TRUE(guest_.invoke(storage, command::storage_read, {shared_out(file), value_in(7)}).ok());
    EXPECT_EQ(guest_.contents(file), counting(bytes));

    EXPECT_TRUE(guest_.open(App::loadable).ok()); // SHM_ALLOC, LOAD_TA, SHM_FREE
    auto const allocator = guest_.open(App::allocator).session;
    for (auto const function : {command::allocator_appl, command::allocator_kernel})
        for (auto const size : {1u, page_bytes, 100 * page_bytes})
            EXPECT_TRUE(guest_.invoke(allocator, function, {value_in(size, 2)}).ok()) << size;

    expect_no_argument_was_asked_for();
    EXPECT_GT(count("rpc_command"), 20u);
    EXPECT_EQ(count("rpc_shm_alloc"), count("rpc_shm_free"));
    guest_.free_shm(file);
    guest_.remove();
    EXPECT_EQ(machine_.vm(0).pins(), 0u);
}

TEST_F(RpcArgument, WaitsForAnotherCallAndIsWokenByIt)
{
    ASSERT_TRUE(guest_.probe());
    auto const session = guest_.open(App::sleeper).session;
    auto waiting = guest_.begin_invoke(session, command::sleeper_wait, {});
    waiting.run_on(0);
    ASSERT_TRUE(waiting.is_blocked());
    EXPECT_TRUE(guest_.invoke(session, command::sleeper_wake, {}, 1).ok());
    waiting.run_on(2); // on another vCPU than the one that began it
    EXPECT_TRUE(waiting.result().ok());
    expect_no_argument_was_asked_for();
    guest_.remove();
}

TEST_F(RpcArgument, OfSeveralCallsAtOnceIsEachCallsOwn)
{
    ASSERT_TRUE(guest_.probe());
    std::vector<Call> calls;
    for (std::uint32_t n = 0; n != 4; ++n) {
        auto const session = guest_.open(App::clock).session;
        calls.push_back(guest_.begin_invoke(session, command::clock_get, {value_out(), value_in(3)}));
    }
    for (std::uint32_t n = 0; n != 4; ++n)
        calls.at(n).start_on(n);
    for (std::uint32_t round = 0; round != 3; ++round) {
        for (std::uint32_t n = 0; n != 4; ++n) {
            auto& call = calls.at(n);
            ASSERT_TRUE(call.asks_for(abi::rpc_cmd::get_time));
            auto const answer = call.serve_rpc();
            call.rpc_message().set_param(0, {abi::attr::value_output, 1000 * (n + 1), 0, 0});
            call.resume_on(3 - n, answer.value());
        }
    }
    for (std::uint32_t n = 0; n != 4; ++n)
        EXPECT_EQ(calls.at(n).result().params.at(0).a, 1000 * (n + 1));
    calls.clear();
    expect_no_argument_was_asked_for();
    guest_.remove();
}

TEST_F(RpcArgument, IsNotNamedToTheGuest)
{
    ASSERT_TRUE(guest_.probe());
    auto call = guest_.begin_invoke(guest_.open(App::clock).session, command::clock_get, {value_out()});
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
    EXPECT_EQ(call.last().a(1), 0u);
    EXPECT_EQ(call.last().a(2), 0u);
    EXPECT_EQ(call.rpc_message().num_params(), 1u);
    EXPECT_EQ(call.rpc_message().ret(), abi::result::generic);
    call.run_on(0);
    EXPECT_TRUE(call.result().ok());
    call.forget();
    guest_.remove();
}

TEST_F(RpcArgument, NeedsNoLookUpAtAllInRegisteredMemory)
{
    ASSERT_TRUE(guest_.probe());
    auto call = guest_.begin_invoke(guest_.open(App::clock).session, command::clock_get, {value_out()});
    EXPECT_EQ(call.start_on(0).work.look_ups, 0u);
    while (call.waits_for_rpc())
        EXPECT_EQ(call.answer_on(0).work.look_ups, 0u);
    EXPECT_TRUE(call.result().ok());
    call.forget();
    guest_.remove();
}

// A kernel with pages of 16 or 64 KiB fills them with messages, one behind the other: some lie across 4 KiB.
TEST_F(RpcArgument, MayLieAcrossPagesOfRegisteredMemory)
{
    ASSERT_TRUE(guest_.probe());
    auto const session = guest_.open(App::clock).session;
    auto const shm = guest_.allocate_shm(4 * page_bytes);
    for (std::uint64_t const offset : {page_bytes - 16,
                                       page_bytes - 40,
                                       page_bytes - 64,
                                       page_bytes - 88,
                                       page_bytes - 96,
                                       2 * page_bytes - 160,
                                       3 * page_bytes - 24}) {
        auto call = clock_call(shm->at(offset), in_buffer(shm, offset), session, true);
        call.run_on(0);
        EXPECT_TRUE(call.result().ok()) << offset;
        EXPECT_EQ(call.result().params.at(0).a, 1'700'000'000u) << offset;
    }
    expect_no_argument_was_asked_for();
    guest_.free_shm(shm);
    guest_.remove();
}

TEST_F(RpcArgument, AndPagesThatOpteeAsksForGoSideBySide)
{
    ASSERT_TRUE(guest_.probe());
    ASSERT_EQ(ask(machine_.vm(0), abi::smc::enable_shm_cache).a0(), abi::ret::ok);
    auto const session = guest_.open(App::clock).session;
    auto const page = guest_.memory().allocate(1);
    auto old_fashioned = clock_call(page, in_page(abi::smc::call_with_arg, page), session, false);
    old_fashioned.run_on(0);
    EXPECT_TRUE(old_fashioned.result().ok());
    EXPECT_EQ(count("rpc_alloc"), 1u);
    EXPECT_EQ(count("arguments_live"), 1u); // in OP-TEE's cache

    // OP-TEE gives the cached page back before it uses the room that came with the call, on the same thread.
    EXPECT_TRUE(guest_.invoke(session, command::clock_get, {value_out()}).ok());
    EXPECT_EQ(count("rpc_free"), 1u);
    EXPECT_EQ(count("arguments_live"), 0u);

    auto first = clock_call(page, in_page(abi::smc::call_with_arg, page), session, false);
    auto second = guest_.begin_invoke(guest_.open(App::clock).session, command::clock_get, {value_out()});
    ASSERT_TRUE(run_until_command(first, abi::rpc_cmd::get_time));
    ASSERT_TRUE(run_until_command(second, abi::rpc_cmd::get_time));
    second.run_on(1);
    first.run_on(1);
    EXPECT_TRUE(first.result().ok());
    EXPECT_TRUE(second.result().ok());
    second.forget();
    guest_.remove();
    guest_.memory().free(page, 1);
}

TEST_F(RpcArgument, KeepsItsMemoryRegisteredUntilTheCallIsOver)
{
    ASSERT_TRUE(guest_.probe());
    auto const session = guest_.open(App::clock).session;
    auto const shm = guest_.allocate_shm(page_bytes);
    auto call = clock_call(shm->at(0), in_buffer(shm, 0), session, true);
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
    EXPECT_TRUE(is_refused(guest_.unregister_shm(shm, 1), abi::result::busy));
    call.run_on(0);
    EXPECT_TRUE(call.result().ok());
    EXPECT_TRUE(guest_.unregister_shm(shm, 1).ok());
    guest_.remove();
    EXPECT_EQ(machine_.vm(0).pins(), 0u);
}

TEST_F(RpcArgument, OfAPageThatGoesAwayIsAnsweredWithAFailure)
{
    ASSERT_TRUE(guest_.probe());
    auto const session = guest_.open(App::clock).session;
    auto const page = guest_.memory().allocate(1);
    auto call = clock_call(page, in_page(abi::smc::call_with_rpc_arg, page), session, true);
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
    auto const answer = call.serve_rpc();
    machine_.vm(0).write_protect(page);
    call.resume_on(0, answer.value());
    EXPECT_EQ(call.last().a0(), abi::ret::bad_address);
    EXPECT_EQ(count("requests_failed"), 1u);
    machine_.vm(0).allow_writing(page);
    guest_.memory().free(page, 1);
    EXPECT_TRUE(works(guest_));
    guest_.remove();
}

TEST_F(RpcArgument, IsWrittenWhereItIsPinnedThoughTheGuestGaveThePageUp)
{
    ASSERT_TRUE(guest_.probe());
    auto const session = guest_.open(App::clock).session;
    auto const shm = guest_.allocate_shm(page_bytes);
    auto call = clock_call(shm->at(0), in_buffer(shm, 0), session, true);
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
    ASSERT_TRUE(machine_.vm(0).balloon_out(shm->at(0)));
    ASSERT_TRUE(machine_.vm(0).populate(shm->at(0)));
    call.resume_on(0, return_from_rpc(call.handle()));
    EXPECT_EQ(call.last().a0(), abi::ret::ok);
    EXPECT_EQ(call.message().ret(), abi::result::success) << "the fresh page is as it was: zero";
    EXPECT_EQ(call.message().field(abi::arg::num_params), 0u);
    EXPECT_TRUE(guest_.unregister_shm(shm).ok());
    guest_.remove();
    EXPECT_EQ(machine_.vm(0).pins(), 0u);
}

TEST_F(RpcArgument, GoesWithTheVmWhateverItWaitsFor)
{
    ASSERT_TRUE(guest_.probe());
    std::vector<Call> calls;
    calls.push_back(guest_.begin_invoke(guest_.open(App::clock).session, command::clock_get, {value_out()}));
    ASSERT_TRUE(run_until_command(calls.back(), abi::rpc_cmd::get_time));
    calls.push_back(guest_.begin_open(App::loadable));
    ASSERT_TRUE(run_until_command(calls.back(), abi::rpc_cmd::load_ta));
    auto const allocator = guest_.open(App::allocator).session;
    calls.push_back(guest_.begin_invoke(allocator, command::allocator_appl, {value_in(700 * page_bytes, 1)}));
    ASSERT_TRUE(run_until_command(calls.back(), abi::rpc_cmd::shm_alloc));
    EXPECT_EQ(machine_.vm(0).destroy(), OPTEE_MEDIATOR_OK);
    EXPECT_TRUE(holds_nothing(machine_.vm(0)));
}

// --- who goes without

struct Without {
    char const* name;
    std::uint32_t offered; ///< by OP-TEE
    std::uint32_t allowed; ///< by the policy
    bool is_an_old_kernel;
};

class WithoutRpcArgument : public testing::TestWithParam<Without> {};

TEST_P(WithoutRpcArgument, AGuestGoesOnAsBefore)
{
    tee::Options optee;
    optee.capabilities = GetParam().offered;
    auto policy = optee_mediator_default_policy();
    policy.capabilities = GetParam().allowed;
    auto machine = Machine::with_one_vm().optee(optee).policy(policy).boot();
    LinuxGuest guest{machine.vm(0), GetParam().is_an_old_kernel ? caching_driver : modern_driver};
    ASSERT_TRUE(guest.probe());
    auto const session = guest.open(App::clock).session;
    EXPECT_TRUE(guest.invoke(session, command::clock_get, {value_out()}).ok());
    EXPECT_EQ(machine.vm(0).counter("rpc_alloc"), 1u);
    EXPECT_EQ(machine.vm(0).counter("with_rpc_arg") + machine.vm(0).counter("with_regd_arg"), 0u);
    if (!GetParam().is_an_old_kernel) {
        EXPECT_EQ(guest.capabilities() & abi::cap::rpc_arg, 0u);
        for (auto const function : {abi::smc::call_with_rpc_arg, abi::smc::call_with_regd_arg})
            EXPECT_EQ(ask(machine.vm(0), function).a0(), abi::ret::unknown_function);
    }
    guest.remove();
    expect_clean_end(machine);
}

INSTANTIATE_TEST_SUITE_P(Guests,
                         WithoutRpcArgument,
                         testing::Values(Without{"OpteeDoesNotHaveIt", 0x1c, ~0u, false},
                                         Without{"PolicyMasksIt", 0x5c, ~abi::cap::rpc_arg, false},
                                         Without{"KernelIsOld", 0x5c, ~0u, true}),
                         name_of_case<Without>);

} // namespace
} // namespace sim::scenario
