// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "fast_call.hpp"
#include "tests/unit/vm_fixture.hpp"

namespace optee {
namespace {

class AFastCall : public VmTest {
protected:
    /// What OP-TEE says next to this function, in a0 to a3.
    void optee_says(std::uint32_t function, std::uint64_t a0, std::uint64_t a1, std::uint64_t a2, std::uint64_t a3)
    {
        machine_.optee().instead_of_next(function, [=](sim::tee::Smc& call) {
            call.frame.a[0] = a0;
            call.frame.a[1] = a1;
            call.frame.a[2] = a2;
            call.frame.a[3] = a3;
        });
    }
};

TEST_F(AFastCall, TellsWhatOpteeIsWithoutAskingIt)
{
    auto const uid = trap(smc::calls_uid);
    EXPECT_EQ(uid.a(0), 0x384fb3e0u);
    EXPECT_EQ(uid.a(1), 0xe7f811e3u);
    EXPECT_EQ(uid.a(2), 0xaf630002u);
    EXPECT_EQ(uid.a(3), 0xa5d5c51bu);
    auto const revision = trap(smc::calls_revision);
    EXPECT_EQ(revision.a(0), 2u);
    EXPECT_EQ(revision.a(1), 0u);
    auto const os = trap(smc::get_os_revision);
    EXPECT_EQ(os.a(0), 4u);
    EXPECT_EQ(os.a(1), 10u);
    EXPECT_EQ(trap(smc::get_os_uuid).a(0), sim::abi::os_uuid[0]);
    EXPECT_EQ(uid.work.smcs + revision.work.smcs + os.work.smcs, 0u);
}

TEST_F(AFastCall, TellsItAllWhateverTheRegistersHeldBefore)
{
    constexpr std::uint64_t held = 0x5555;
    auto const uuid = trap(smc::get_os_uuid, held, held, held);
    for (unsigned i = 0; i != 4; ++i)
        EXPECT_EQ(uuid.a(i), sim::abi::os_uuid[i]) << i;
    EXPECT_EQ(trap(smc::calls_revision, held, held, held).a(1), 0u);
    EXPECT_EQ(trap(smc::get_os_revision, held, held, held).a(2), 0x0051'6d00u);
}

TEST_F(AFastCall, LeavesTheRegistersThatItsAnswerDoesNotHave)
{
    for (auto const function : {smc::calls_uid,
                                smc::calls_revision,
                                smc::get_os_uuid,
                                smc::get_os_revision,
                                smc::get_shm_config,
                                smc::exchange_capabilities,
                                smc::get_thread_count,
                                smc::enable_shm_cache,
                                smc::disable_shm_cache}) {
        auto const answer = trap(function, 0, 0x1111, 0x2222);
        for (unsigned i = 4; i != 8; ++i)
            EXPECT_EQ(answer.registers.a[i], registers(function).a[i]) << function << " a" << i;
    }
    EXPECT_EQ(trap(smc::calls_revision, 1, 0x1111, 0x2222).registers.a[2], 0x1111u);
    EXPECT_EQ(trap(smc::get_thread_count, 1, 0x1111, 0x2222).registers.a[2], 0x1111u);
}

TEST_F(AFastCall, HasNoStaticSharedMemory)
{
    auto const answer = trap(smc::get_shm_config, 1, 2, 3);
    EXPECT_EQ(answer.a0(), ret::not_available);
    EXPECT_EQ(answer.a(1), 1u);
    EXPECT_EQ(answer.a(2), 2u);
    EXPECT_EQ(answer.a(3), 3u);
    EXPECT_EQ(answer.work.smcs, 0u);
}

TEST_F(AFastCall, GrantsWhatOpteeOffersAndTheMediatorCarriesAndThePolicyLeaves)
{
    constexpr std::uint32_t mediated = 0x56; // UNREGISTERED_SHM, DYNAMIC_SHM, MEMREF_NULL, RPC_ARG
    for (auto const offered : {0xffff'ffffU, 0x5cU, 0x04U, 0x0eU, 0x1cU}) {
        for (auto const allowed : {0xffff'ffffU, 0x04U, 0x14U, 0x44U, 0U}) {
            auto policy = machine_.default_policy();
            policy.capabilities = allowed;
            guest_.set_policy(policy);
            optee_says(smc::exchange_capabilities, 0, offered, 0x78'a000'0000, 4);
            auto const answer = trap(smc::exchange_capabilities, 0, 22, 33);
            EXPECT_EQ(answer.a0(), ret::ok);
            EXPECT_EQ(answer.a(1), offered & mediated & allowed);
            EXPECT_EQ(answer.a(2), 22u); // belongs to a capability that is not granted
            EXPECT_EQ(answer.a(3), (offered & allowed & 0x40) != 0 ? 4u : 33u);
        }
    }
}

TEST_F(AFastCall, OffersNoRoomForRpcsThatIsNotTheOneThatOpteeNeeds)
{
    for (auto const room : {0U, 1U, 3U, 5U, 0xffU, 0x0300U}) {
        optee_says(smc::exchange_capabilities, 0, 0x5c, 63, room);
        auto const answer = trap(smc::exchange_capabilities, 0, 22, 33);
        EXPECT_EQ(answer.a(1), 0x14u) << room;
        EXPECT_EQ(answer.a(3), 33u) << room;
    }
    optee_says(smc::exchange_capabilities, 0, 0x5c, 63, 0xff04); // reserved bits
    EXPECT_EQ(trap(smc::exchange_capabilities, 0, 22, 33).a(3), 4u);
}

TEST_F(AFastCall, AsksOpteeOnlyForCapabilitiesThatItKnows)
{
    std::uint64_t asked = 0;
    machine_.optee().instead_of_next(smc::exchange_capabilities, [&](sim::tee::Smc& call) {
        asked = call.frame.a[1];
        call.proceed();
    });
    EXPECT_EQ(trap(smc::exchange_capabilities, ~std::uint64_t{0}).a0(), ret::ok);
    EXPECT_EQ(asked, 1u);
}

TEST_F(AFastCall, HasNoCapabilitiesWhereOpteeGivesNone)
{
    optee_says(smc::exchange_capabilities, ret::not_available, ~0U, 2, 3);
    auto const refused = trap(smc::exchange_capabilities, 1, 22, 33);
    EXPECT_EQ(refused.a0(), ret::not_available);
    EXPECT_EQ(refused.a(1), 1u);
    optee_says(smc::exchange_capabilities, 0, 0x58, 2, 3); // without DYNAMIC_SHM
    EXPECT_EQ(trap(smc::exchange_capabilities, 1, 22, 33).a0(), ret::not_available);
    optee_says(smc::exchange_capabilities, 0x1234, ~0U, 2, 3);
    EXPECT_EQ(trap(smc::exchange_capabilities, 1, 22, 33).a0(), ret::not_available);
}

TEST_F(AFastCall, CountsTheThreadsThatTheVmMayUse)
{
    EXPECT_EQ(trap(smc::get_thread_count).a(1), 4u);
    auto policy = machine_.default_policy();
    policy.threads = 2;
    guest_.set_policy(policy);
    EXPECT_EQ(trap(smc::get_thread_count).a(1), 2u);
    policy.threads = 100;
    guest_.set_policy(policy);
    EXPECT_EQ(trap(smc::get_thread_count).a(1), 4u);
}

TEST_F(AFastCall, PassesOnWhatOpteeSaysOfItsCache)
{
    for (auto const function : {smc::enable_shm_cache, smc::disable_shm_cache}) {
        for (std::uint32_t code = 1; code <= 7; ++code) {
            optee_says(function, code, 0x78, 0xa000'0000, 3);
            auto const answer = trap(function, 11, 22, 33);
            EXPECT_EQ(answer.a0(), code);
            EXPECT_EQ(answer.a(1), 11u);
            EXPECT_EQ(answer.a(2), 22u);
        }
        for (auto const code : {8U, 0x1234U, 0x8000'0000U, 0xffff'ffffU, 0xffff'0004U}) {
            optee_says(function, code, 0x78, 0xa000'0000, 3);
            EXPECT_EQ(trap(function, 11, 22, 33).a0(), ret::not_available) << code;
        }
    }
    optee_says(smc::enable_shm_cache, 0, 1, 2, 3);
    EXPECT_EQ(trap(smc::enable_shm_cache, 11, 22, 33).a0(), ret::ok);
}

TEST_F(AFastCall, DropsACookieFromTheCacheThatIsNotTheVms)
{
    auto const anomalies = count("tee_anomalies");
    optee_says(smc::disable_shm_cache, 0, 0x1234, 0x5678, 0);
    auto const answer = trap(smc::disable_shm_cache, 11, 22, 33);
    EXPECT_EQ(answer.a0(), ret::not_available);
    EXPECT_EQ(answer.a(1), 11u);
    EXPECT_EQ(count("tee_anomalies"), anomalies + 1);
}

TEST_F(AFastCall, GivesCachedArgumentsBackOneAtATime)
{
    sim::LinuxGuest driver{guest_, {.uses_rpc_arguments = false, .enables_shm_cache = true}};
    ASSERT_TRUE(driver.probe()) << driver.probe_failure();
    ASSERT_TRUE(driver.open(sim::tee::App::loadable).ok());
    auto const arguments = count("arguments_live");
    ASSERT_GT(arguments, 0u);
    auto const pages = guest_.mediator_pages();
    auto const first = trap(smc::disable_shm_cache);
    ASSERT_EQ(first.a0(), ret::ok);
    EXPECT_NE(driver.memory().find(first.pair(1)), nullptr) << "not a name of the guest's";
    EXPECT_EQ(count("arguments_live"), arguments - 1);
    EXPECT_EQ(guest_.mediator_pages(), pages - 1);
    optee_says(smc::disable_shm_cache, 0, first.a(1), first.a(2), 0); // and once more
    EXPECT_EQ(trap(smc::disable_shm_cache).a0(), ret::not_available);
}

} // namespace
} // namespace optee
