// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "dispatch.hpp"
#include "tests/unit/vm_fixture.hpp"

#include <set>

namespace optee {
namespace {

class Dispatch : public VmTest {
protected:
    Dispatch() : VmTest{sim::Machine::with_one_vm().ram_pages(64)} {}

    // All that a guest can reach: ATTACKS.md, F03.
    static inline std::set<std::uint32_t> const answered{
        smc::calls_uid,
        smc::calls_revision,
        smc::get_os_uuid,
        smc::get_os_revision,
        smc::get_shm_config,
        smc::exchange_capabilities,
        smc::disable_shm_cache,
        smc::enable_shm_cache,
        smc::get_thread_count,
        smc::return_from_rpc,
        smc::call_with_arg,
        smc::call_with_rpc_arg,
        smc::call_with_regd_arg,
    };
    void expect_answered_only_when_listed(std::uint32_t id)
    {
        if (answered.count(id) != 0) {
            EXPECT_NE(trap(id).a0(), ret::unknown_function) << std::hex << id;
            return;
        }
        auto const before = registers(id, 1, 2, 3);
        auto const answer = guest_.smc(0, before);
        ASSERT_TRUE(answer.handled) << std::hex << id;
        ASSERT_EQ(answer.registers.a[0], ret::unknown_function) << std::hex << id;
        ASSERT_EQ(answer.work.smcs, 0u) << std::hex << id;
    }
    static constexpr std::uint32_t fast = 1U << 31;
    static constexpr std::uint32_t smc64 = 1U << 30;
};

TEST_F(Dispatch, AnswersWhatIsOnTheListAndNothingElseOfTheTrustedOs)
{
    for (auto const kind : {0U, smc64, fast, fast | smc64})
        for (std::uint32_t number = 0; number <= 0xffff; ++number)
            expect_answered_only_when_listed(kind | (50U << 24) | number);
}

TEST_F(Dispatch, AnswersWhatIsOnTheListAndNothingElseOfTheServiceQueries)
{
    for (auto const kind : {0U, smc64, fast, fast | smc64})
        for (std::uint32_t number = 0xff00; number <= 0xffff; ++number)
            expect_answered_only_when_listed(kind | (63U << 24) | number);
}

TEST_F(Dispatch, DoesNotMindTheReservedBitsOfAnId)
{
    for (auto const id : answered)
        for (unsigned bit = 16; bit != 24; ++bit)
            expect_answered_only_when_listed(id ^ (1U << bit));
}

TEST_F(Dispatch, LeavesIdsOfOtherOwnersToTheHypervisor)
{
    for (std::uint32_t owner = 0; owner != 64; ++owner) {
        for (auto const kind : {0U, smc64, fast, fast | smc64}) {
            for (auto const number : {0U, 3U, 4U, 0xff01U}) {
                auto const id = kind | (owner << 24) | number;
                auto const before = registers(id, 1, 2, 3);
                auto const answer = guest_.smc(0, before);
                EXPECT_EQ(answer.handled, owner >= 50) << std::hex << id;
                if (!answer.handled) {
                    EXPECT_EQ(answer.registers.a[0], id);
                }
            }
        }
    }
}

TEST_F(Dispatch, LooksAtTheLowHalfOfTheId)
{
    auto const dirty = trap(0xdead'0000'0000'0000 | smc::get_thread_count);
    EXPECT_EQ(dirty.registers.a[0], ret::ok);
    EXPECT_EQ(dirty.a(1), 4u);
    EXPECT_FALSE(trap(0x3200'0004'0000'0000).handled);
}

TEST_F(Dispatch, LooksAtTheLowHalvesOfAnAddress)
{
    EXPECT_EQ(trap(smc::call_with_arg, 0xdead'0000'0000'0000, 0xbeef'0000'0000'0000).a0(), ret::bad_address);
    sim::Ipa const message = guest_.ram(1);
    guest_.poke(message, std::uint32_t{3}); // cancel, of no session
    auto const answer = trap(smc::call_with_arg, 0xdead'0000'0000'0000, 0xbeef'0000'0000'0000 | message.raw);
    EXPECT_EQ(answer.a0(), ret::ok);
}

TEST_F(Dispatch, KeepsTheHypervisorsOwnCallsFromGuests)
{
    for (auto const id : {smc::vm_created, smc::vm_destroyed}) {
        auto const answer = trap(id, guest_.client());
        EXPECT_EQ(answer.a0(), ret::unknown_function);
        EXPECT_EQ(answer.work.smcs, 0u);
    }
    EXPECT_TRUE(machine_.optee().has_partition(guest_.client()));
}

TEST_F(Dispatch, KeepsCallsWithRoomForRpcsFromWhoIsNotOfferedThem)
{
    auto policy = machine_.default_policy();
    policy.capabilities &= ~sim::abi::cap::rpc_arg;
    guest_.set_policy(policy);
    auto const before = count("unknown_calls");
    for (auto const id : {smc::call_with_rpc_arg, smc::call_with_regd_arg}) {
        auto const answer = trap(id, 1, 2, 3);
        EXPECT_EQ(answer.a0(), ret::unknown_function);
        EXPECT_EQ(answer.work.smcs + answer.work.look_ups, 0u);
    }
    EXPECT_EQ(count("unknown_calls"), before + 2);
    guest_.set_policy(machine_.default_policy());
    EXPECT_EQ(trap(smc::call_with_rpc_arg, 1, 2, 3).a0(), ret::bad_address);
    EXPECT_EQ(trap(smc::call_with_regd_arg, 1, 2, 3).a0(), ret::bad_address);
}

TEST_F(Dispatch, CountsEachCallAsWhatItIs)
{
    auto const fast_before = count("fast_calls");
    auto const unknown_before = count("unknown_calls");
    trap(smc::get_thread_count);
    trap(smc::get_shm_config);
    trap(smc::boot_secondary);
    EXPECT_EQ(count("fast_calls"), fast_before + 2);
    EXPECT_EQ(count("unknown_calls"), unknown_before + 1);
}

} // namespace
} // namespace optee
