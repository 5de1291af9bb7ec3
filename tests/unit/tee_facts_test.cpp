// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/optee/optee.hpp"
#include "tee_facts.hpp"
#include "tests/unit/core_fixture.hpp"

namespace optee {
namespace {

namespace smc = sim::abi::smc;

class AProbe : public CoreTest {
protected:
    void answer(std::uint32_t function, std::uint64_t a0, std::uint64_t a1)
    {
        machine_.optee().instead_of_every(function, [=](sim::tee::Smc& call) {
            call.frame.a[0] = a0;
            call.frame.a[1] = a1;
        });
    }
    TeeFacts facts_{};
};

TEST_F(AProbe, LearnsWhatOpteeIs)
{
    ASSERT_EQ(probe(facts_), OPTEE_MEDIATOR_OK);
    EXPECT_EQ(facts_.threads, 4u);
    EXPECT_EQ(facts_.calls_uid.a0, 0x384fb3e0u);
    EXPECT_EQ(facts_.calls_revision.a0, 2u);
    EXPECT_EQ(facts_.os_revision.a0, 4u);
    EXPECT_EQ(facts_.os_revision.a1, 10u);
    EXPECT_NE(facts_.os_uuid.a0, 0u);
}

TEST_F(AProbe, AsksWithEmptyRegisters)
{
    // In a1 of EXCHANGE_CAPABILITIES a 1 would say that the machine has one CPU.
    unsigned asked = 0;
    for (auto const function : {smc::calls_uid,
                                smc::calls_revision,
                                smc::get_os_uuid,
                                smc::get_os_revision,
                                smc::exchange_capabilities,
                                smc::get_thread_count})
        machine_.optee().instead_of_every(function, [&asked](sim::tee::Smc& call) {
            ++asked;
            for (unsigned i = 1; i != 8; ++i)
                EXPECT_EQ(call.frame.a[i], 0u) << i;
            call.proceed();
        });
    ASSERT_EQ(probe(facts_), OPTEE_MEDIATOR_OK);
    EXPECT_EQ(asked, 6u);
}

TEST_F(AProbe, FindsNothingWhereSomebodyElseAnswers)
{
    for (unsigned word = 0; word != 4; ++word) {
        machine_.optee().instead_of_next(smc::calls_uid, [word](sim::tee::Smc& call) {
            call.proceed();
            call.frame.a[word] ^= 1;
        });
        EXPECT_EQ(probe(facts_), OPTEE_MEDIATOR_NOT_OPTEE) << word;
        EXPECT_EQ(facts_.threads, 0u);
    }
    answer(smc::calls_uid, 0xffff'ffff, 0);
    EXPECT_EQ(probe(facts_), OPTEE_MEDIATOR_NOT_OPTEE);
}

TEST_F(AProbe, NeedsVirtualizationAndDynamicSharedMemory)
{
    struct Row {
        std::uint32_t a0;
        std::uint32_t capabilities;
        optee_mediator_status status;
    };
    for (auto const& row : {Row{0, 0x0c, OPTEE_MEDIATOR_OK},
                            Row{0, 0xffff'ffff, OPTEE_MEDIATOR_OK},
                            Row{0, 0xffff'fff7, OPTEE_MEDIATOR_NO_VIRTUALIZATION},
                            Row{0, 0x00, OPTEE_MEDIATOR_NO_VIRTUALIZATION},
                            Row{0, 0x08, OPTEE_MEDIATOR_NO_DYNAMIC_SHM},
                            Row{7, 0x0c, OPTEE_MEDIATOR_NO_VIRTUALIZATION},
                            Row{0xffff'ffff, 0x0c, OPTEE_MEDIATOR_NO_VIRTUALIZATION}}) {
        machine_.optee().behave();
        answer(smc::exchange_capabilities, row.a0, row.capabilities);
        EXPECT_EQ(probe(facts_), row.status) << row.a0 << " " << row.capabilities;
        EXPECT_EQ(facts_.threads != 0, row.status == OPTEE_MEDIATOR_OK);
    }
}

TEST_F(AProbe, ForgetsWhatItFoundBefore)
{
    ASSERT_EQ(probe(facts_), OPTEE_MEDIATOR_OK);
    answer(smc::calls_uid, 0, 0);
    ASSERT_EQ(probe(facts_), OPTEE_MEDIATOR_NOT_OPTEE);
    EXPECT_EQ(facts_.threads, 0u);
    EXPECT_EQ(facts_.os_revision.a0, 0u);
}

TEST_F(AProbe, CountsThreadsFromOneToWhatAHandleCanName)
{
    struct Row {
        std::uint64_t a0;
        std::uint64_t a1;
        std::uint32_t threads;
    };
    for (auto const& row : {Row{0, 1, 1},
                            Row{0, 2, 2},
                            Row{0, 256, 256},
                            Row{0, 257, 256},
                            Row{0, 0xffff'ffff, 256},
                            Row{0, 0, 1},
                            Row{0, 0xdead'0000'0003, 3}, // SMC32: only the low half is an answer
                            Row{0xffff'ffff, 9, 1},      // an OP-TEE that does not tell
                            Row{7, 9, 1}}) {
        machine_.optee().behave();
        answer(smc::get_thread_count, row.a0, row.a1);
        ASSERT_EQ(probe(facts_), OPTEE_MEDIATOR_OK);
        EXPECT_EQ(facts_.threads, row.threads) << row.a0 << " " << row.a1;
    }
}

} // namespace
} // namespace optee
