// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// The model of OP-TEE against what OP-TEE 4.10's sources say, without any mediator between.

#include "sim/optee/trusted_apps.hpp"
#include "tests/sim/scripted_mediator.hpp"

#include <gtest/gtest.h>

namespace sim {
namespace {

constexpr std::uint64_t cookie = 0xffff'0000'1234'0000;

class OpteeModel : public testing::Test {
protected:
    tee::Optee& optee() { return hand.machine.optee(); }
    std::shared_ptr<tee::Partition> partition() { return optee().partition(hand.vm()); }
    optee_smc_frame fast(Entry& entry, std::uint32_t function, std::uint64_t a1 = 0)
    {
        optee_smc_frame frame{{function, a1, 0, 0, 0, 0, 0, hand.vm().client()}};
        entry.smc(frame);
        return frame;
    }
    void TearDown() override { EXPECT_TRUE(hand.machine.invariants_hold()) << hand.machine.violations(); }

    ByHand hand{Machine::with_one_vm().optee_threads(2)};
};

TEST_F(OpteeModel, AnswersFastCalls)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        EXPECT_EQ(fast(entry, abi::smc::calls_uid).a[3], 0xa5d5'c51bu);
        EXPECT_EQ(fast(entry, abi::smc::calls_revision).a[0], 2u);
        EXPECT_EQ(fast(entry, abi::smc::get_thread_count).a[1], 2u);
        EXPECT_EQ(fast(entry, abi::smc::get_shm_config).a[0], abi::ret::unknown_function);
        auto const caps = fast(entry, abi::smc::exchange_capabilities);
        EXPECT_EQ(caps.a[1] & abi::cap::virtualization, abi::cap::virtualization);
        EXPECT_EQ(caps.a[3], abi::max_rpc_params);
        EXPECT_EQ(fast(entry, abi::smc::exchange_capabilities, 2).a[0], abi::ret::not_available);
    });
}

TEST_F(OpteeModel, HasAThreadForEachOfSoManyCalls)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        auto const session = hand.open(entry, tee::App::clock);
        auto const shadow =
            hand.message(entry, abi::cmd::invoke_command, 0, session, {{abi::attr::value_output, 0, 0, 0}});
        auto const other = hand.message(entry, abi::cmd::close_session, 0, 99, {});
        optee().interrupt_every(1);
        optee().interrupt_without_end();
        auto const first = hand.call(entry, shadow);
        auto const second = hand.call(entry, other);
        EXPECT_EQ(first.a[0], abi::rpc::foreign_interrupt);
        EXPECT_NE(first.a[3], second.a[3]);
        EXPECT_EQ(hand.call(entry, other).a[0], abi::ret::thread_limit);
        optee().behave();
        EXPECT_EQ(hand.resume(entry, second.a[3]).a[0], abi::ret::ok);
        EXPECT_EQ(hand.ret(other), abi::result::item_not_found);
        EXPECT_EQ(partition()->suspended_threads(), 1u);
        EXPECT_EQ(hand.resume(entry, first.a[3]).a[0], abi::rpc::alloc);
        EXPECT_EQ(hand.resume(entry, first.a[3]).a[0], abi::ret::ok);
        EXPECT_EQ(hand.ret(shadow), abi::result::out_of_memory);
        hand.scrub_and_free(entry, shadow);
        hand.scrub_and_free(entry, other);
    });
    EXPECT_EQ(partition()->busy_threads(), 0u);
}

TEST_F(OpteeModel, CachesRpcArgumentsUntilTheyAreFetched)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        EXPECT_EQ(fast(entry, abi::smc::enable_shm_cache).a[0], abi::ret::ok);
        auto const session = hand.open(entry, tee::App::clock);
        auto const shadow =
            hand.message(entry, abi::cmd::invoke_command, 0, session, {{abi::attr::value_output, 0, 0, 0}});
        auto const argument = hand.page(entry);
        auto asked = hand.call(entry, shadow);
        EXPECT_EQ(asked.a[0], abi::rpc::alloc);
        EXPECT_EQ(asked.a[1], abi::arg::bytes(4));
        EXPECT_EQ(fast(entry, abi::smc::disable_shm_cache).a[0], abi::ret::busy);
        asked = hand.resume(entry, asked.a[3], argument, cookie);
        EXPECT_EQ(asked.a[0], abi::rpc::command);
        EXPECT_EQ(abi::joined(asked.a[1], asked.a[2]), cookie);
        EXPECT_EQ(hand.field(argument, abi::arg::cmd), abi::rpc_cmd::get_time);
        EXPECT_EQ(hand.ret(argument), abi::result::generic);
        EXPECT_EQ(hand.resume(entry, asked.a[3]).a[0], abi::ret::ok);
        EXPECT_TRUE(partition()->knows(cookie));

        auto const fetched = fast(entry, abi::smc::disable_shm_cache);
        EXPECT_EQ(fetched.a[0], abi::ret::ok);
        EXPECT_EQ(abi::joined(fetched.a[1], fetched.a[2]), cookie);
        EXPECT_EQ(fast(entry, abi::smc::disable_shm_cache).a[0], abi::ret::not_available);
        EXPECT_FALSE(partition()->knows(cookie));
        hand.scrub_and_free(entry, shadow);
        hand.scrub_and_free(entry, argument);
    });
}

TEST_F(OpteeModel, FreesTheRpcArgumentAtTheEndOfACallWithoutTheCache)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        auto const session = hand.open(entry, tee::App::clock);
        auto const shadow =
            hand.message(entry, abi::cmd::invoke_command, 0, session, {{abi::attr::value_output, 0, 0, 0}});
        auto const argument = hand.page(entry);
        auto asked = hand.call(entry, shadow);
        asked = hand.resume(entry, asked.a[3], argument, cookie);
        asked = hand.resume(entry, asked.a[3]);
        EXPECT_EQ(asked.a[0], abi::rpc::free);
        EXPECT_EQ(abi::joined(asked.a[1], asked.a[2]), cookie);
        hand.scrub_and_free(entry, argument); // OP-TEE does not use it any more
        EXPECT_EQ(hand.resume(entry, asked.a[3]).a[0], abi::ret::ok);
        hand.scrub_and_free(entry, shadow);
    });
}

TEST_F(OpteeModel, KeepsABufferUntilTheLastCallThatUsesItHasEnded)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        auto const pinned = hand.pin(entry, hand.vm().ram(20));
        EXPECT_EQ(hand.register_page(entry, pinned, cookie), abi::result::success);
        auto const session = hand.open(entry, tee::App::memory);
        auto const shadow = hand.message(entry,
                                         abi::cmd::invoke_command,
                                         tee::command::memory_invert,
                                         session,
                                         {{abi::attr::rmem_inout, 0, page_bytes, cookie}});
        optee().interrupt_every(2); // the first point is before the parameters are read
        auto const user = hand.call(entry, shadow);
        EXPECT_EQ(user.a[0], abi::rpc::foreign_interrupt);
        optee().behave();

        auto const leave =
            hand.message(entry, abi::cmd::unregister_shm, 0, 0, {{abi::attr::rmem_input, 0, 0, cookie}});
        auto const argument = hand.page(entry);
        auto waiter = hand.call(entry, leave);
        EXPECT_EQ(waiter.a[0], abi::rpc::alloc);
        waiter = hand.resume(entry, waiter.a[3], argument, cookie + 0x80);
        EXPECT_EQ(waiter.a[0], abi::rpc::command);
        EXPECT_EQ(hand.field(argument, abi::arg::cmd), abi::rpc_cmd::notification);
        EXPECT_TRUE(partition()->knows(cookie));

        auto woken = hand.resume(entry, user.a[3]); // wants an argument to send the notification with
        EXPECT_EQ(woken.a[0], abi::rpc::alloc);
        EXPECT_EQ(hand.resume(entry, woken.a[3]).a[0], abi::ret::ok);
        waiter = hand.resume(entry, waiter.a[3]);
        EXPECT_EQ(waiter.a[0], abi::rpc::free);
        EXPECT_EQ(hand.resume(entry, waiter.a[3]).a[0], abi::ret::ok);
        EXPECT_EQ(hand.ret(leave), abi::result::success);
        entry.unpin_run(hand.vm(), pinned, 1);
        for (auto const page : {shadow, leave, argument})
            hand.scrub_and_free(entry, page);
    });
    EXPECT_FALSE(partition()->knows(cookie));
}

TEST_F(OpteeModel, UsesAndForgetsTemporaryMemory)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        auto const session = hand.open(entry, tee::App::memory);
        std::vector<Pa> pages;
        for (std::uint64_t n = 0; n < 2; ++n)
            pages.push_back(hand.pin(entry, hand.vm().ram(20 + n)));
        auto const list = hand.list(entry, pages);
        auto const shadow =
            hand.message(entry,
                         abi::cmd::invoke_command,
                         tee::command::memory_invert,
                         session,
                         {{abi::attr::tmem_inout | abi::attr::noncontig, list.raw | 0x10, page_bytes, cookie}});
        EXPECT_EQ(hand.call(entry, shadow).a[0], abi::ret::ok);
        EXPECT_EQ(hand.ret(shadow), abi::result::success);
        for (auto const page : pages)
            entry.unpin_run(hand.vm(), page, 1);
        hand.scrub_and_free(entry, shadow);
        hand.scrub_and_free(entry, list);
    });
    EXPECT_EQ(hand.vm().peek<std::uint32_t>(Ipa{hand.vm().ram(20).raw + 0xc}), 0u);
    EXPECT_EQ(hand.vm().peek<std::uint32_t>(Ipa{hand.vm().ram(20).raw + 0x10}), 0xffff'ffffu);
    EXPECT_EQ(hand.vm().peek<std::uint32_t>(Ipa{hand.vm().ram(21).raw + 0xc}), 0xffff'ffffu);
    EXPECT_EQ(hand.vm().peek<std::uint32_t>(Ipa{hand.vm().ram(21).raw + 0x10}), 0u);
}

TEST_F(OpteeModel, RefusesWhatEntryStdRefuses)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        hand.machine.log().tolerate(Invariant::i10);
        auto const unknown = hand.message(entry, 77, 0, 0, {});
        EXPECT_EQ(hand.call(entry, unknown).a[0], abi::ret::bad_command);
        EXPECT_EQ(hand.call(entry, Pa{unknown.raw + 8}).a[0], abi::ret::bad_address);
        auto const wrong_type =
            hand.message(entry, abi::cmd::register_shm, 0, 0, {{abi::attr::value_input, 0, 0, 0}});
        hand.call(entry, wrong_type);
        EXPECT_EQ(hand.ret(wrong_type), abi::result::bad_parameters);
        auto const no_session = hand.message(entry, abi::cmd::invoke_command, 0, 12, {});
        hand.call(entry, no_session);
        EXPECT_EQ(hand.ret(no_session), abi::result::bad_parameters);
        for (auto const page : {unknown, wrong_type, no_session})
            hand.scrub_and_free(entry, page);
    });
}

TEST_F(OpteeModel, GivesANewSessionTheNumberAfterTheLastOne)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        auto const close = [&](std::uint32_t session) {
            auto const shadow = hand.message(entry, abi::cmd::close_session, 0, session, {});
            hand.call(entry, shadow);
            EXPECT_EQ(hand.ret(shadow), abi::result::success);
            hand.scrub_and_free(entry, shadow);
        };
        EXPECT_EQ(hand.open(entry, tee::App::echo), 1u);
        EXPECT_EQ(hand.open(entry, tee::App::echo), 2u);
        close(1);
        EXPECT_EQ(hand.open(entry, tee::App::echo), 3u) << "what is free before the last one is not used";
        close(3);
        EXPECT_EQ(hand.open(entry, tee::App::echo), 3u);
        close(2);
        close(3);
        EXPECT_EQ(hand.open(entry, tee::App::echo), 1u);
    });
}

TEST_F(OpteeModel, TakesASessionsNumberAtOnceAndGivesItBackWhenNothingIsOpened)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        auto const uuid = tee::uuid_of(tee::App::loadable);
        constexpr auto meta = abi::attr::meta | abi::attr::value_input;
        auto const shadow =
            hand.message(entry, abi::cmd::open_session, 0, 0, {{meta, uuid.a, uuid.b, 0}, {meta, 0, 0, 0}});
        auto const asked = hand.call(entry, shadow); // for an argument, to ask for the TA's file
        EXPECT_EQ(asked.a[0], abi::rpc::alloc);
        EXPECT_EQ(hand.open(entry, tee::App::echo), 2u);
        EXPECT_EQ(partition()->open_sessions(), 1u);
        EXPECT_EQ(hand.resume(entry, asked.a[3]).a[0], abi::ret::ok);
        EXPECT_EQ(hand.ret(shadow), abi::result::out_of_memory);
        EXPECT_EQ(partition()->sessions.size(), 1u);
        hand.scrub_and_free(entry, shadow);
    });
}

TEST_F(OpteeModel, LeavesTheOriginOfARegistrationAsTheCallerWroteIt)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        constexpr std::uint32_t callers = 77;
        auto const pinned = hand.pin(entry, hand.vm().ram(20));
        auto const pages = hand.list(entry, {pinned});
        auto const noncontig = abi::attr::tmem_output | abi::attr::noncontig;
        auto const enter =
            hand.message(entry, abi::cmd::register_shm, 0, 0, {{noncontig, pages.raw, page_bytes, cookie}});
        auto const leave =
            hand.message(entry, abi::cmd::unregister_shm, 0, 0, {{abi::attr::rmem_input, 0, 0, cookie}});
        for (auto const shadow : {enter, leave}) {
            hand.machine.memory().write(Pa{shadow.raw + abi::arg::ret_origin}, &callers, sizeof callers);
            hand.call(entry, shadow);
            EXPECT_EQ(hand.ret(shadow), abi::result::success);
            EXPECT_EQ(hand.field(shadow, abi::arg::ret_origin), callers);
        }
        entry.unpin_run(hand.vm(), pinned, 1);
        for (auto const page : {enter, leave, pages})
            hand.scrub_and_free(entry, page);
    });
}

TEST_F(OpteeModel, IsAsOddAsAScriptSays)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        optee().answer_next(abi::smc::get_thread_count, 0x1234);
        EXPECT_EQ(fast(entry, abi::smc::get_thread_count).a[0], 0x1234u);
        EXPECT_EQ(fast(entry, abi::smc::get_thread_count).a[0], abi::ret::ok);
        optee().instead_of_next([](tee::Smc& smc) {
            smc.proceed();
            smc.frame.a[1] += 1;
        });
        EXPECT_EQ(fast(entry, abi::smc::get_thread_count).a[1], 3u);
        optee().drop_results();
        auto const shadow = hand.message(entry, abi::cmd::close_session, 0, 1, {});
        EXPECT_EQ(hand.call(entry, shadow).a[0], abi::ret::ok);
        EXPECT_EQ(hand.ret(shadow), 0xffff'0000u);
        hand.scrub_and_free(entry, shadow);
        optee().behave();
        optee().return_result(abi::cmd::register_shm, abi::result::out_of_memory);
        auto const pinned = hand.pin(entry, hand.vm().ram(20));
        EXPECT_EQ(hand.register_page(entry, pinned, cookie), abi::result::out_of_memory);
        EXPECT_FALSE(partition()->knows(cookie));
        entry.unpin_run(hand.vm(), pinned, 1);
    });
}

TEST(OpteePartitions, AreLimited)
{
    tee::Options options;
    options.partitions = 1;
    EXPECT_THROW(ByHand{Machine::with_vms(2).optee(options)}, std::runtime_error);
}

} // namespace
} // namespace sim
