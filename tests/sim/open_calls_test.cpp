// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// I16 and I17: that a mediator that holds a fair guest up, or keeps what it should give back, is found out.

#include "sim/invariants/open_calls.hpp"
#include "sim/invariants/unchanged.hpp"
#include "tests/sim/scripted_mediator.hpp"

#include <gtest/gtest.h>

namespace sim {
namespace {

constexpr std::uint32_t handle = 0x77;

Registers call()
{
    return {{abi::smc::call_with_arg, 0, 0, 0, 0, 0, 0, 0}};
}

Registers resume()
{
    return {{abi::smc::return_from_rpc, 0, 0, handle, 0, 0, 0, 0}};
}

ScriptedMediator::Handler answers(std::uint32_t a0)
{
    return [a0](Entry&, optee_smc_frame& frame) { frame.a[0] = a0; };
}

void asks(Entry&, optee_smc_frame& frame)
{
    frame.a[0] = abi::rpc::foreign_interrupt;
    frame.a[3] = handle;
}

class CallsOfAGuest : public testing::Test {
protected:
    bool is_broken() { return world.machine.violates(Invariant::i17); }
    ByHand world{Machine::with_one_vm().optee_threads(1)};
};

TEST_F(CallsOfAGuest, ThreadLimitWhileAThreadIsFreeIsFoundOut)
{
    world.traps(call(), answers(abi::ret::thread_limit));
    EXPECT_TRUE(is_broken());
}

TEST_F(CallsOfAGuest, ThreadLimitWhileAllThreadsAreBusyIsRight)
{
    world.traps(call(), asks);
    world.traps(call(), answers(abi::ret::thread_limit));
    EXPECT_FALSE(is_broken());
    world.traps(resume(), answers(abi::ret::ok));
    world.traps(call(), answers(abi::ret::thread_limit));
    EXPECT_TRUE(is_broken()) << "the call has ended";
}

TEST_F(CallsOfAGuest, ThreadLimitBesideACallThatIsInsideIsRight)
{
    world.traps(call(), [this](Entry& entry, optee_smc_frame& frame) {
        frame.a[0] = entry.vcpu() == 1 ? abi::ret::thread_limit : abi::ret::ok;
        if (entry.vcpu() == 0)
            world.vm().smc(1, call());
    });
    EXPECT_FALSE(is_broken());
}

TEST_F(CallsOfAGuest, AHandleThatIsRefusedIsFoundOut)
{
    world.traps(call(), asks);
    world.traps(resume(), answers(abi::ret::resume_failed));
    EXPECT_TRUE(is_broken());
}

TEST_F(CallsOfAGuest, AHandleThatWasNeverGivenOutMayBeRefused)
{
    world.traps(resume(), answers(abi::ret::resume_failed));
    EXPECT_FALSE(is_broken());
    world.traps(call(), asks);
    world.traps(resume(), answers(abi::ret::ok));
    world.traps(resume(), answers(abi::ret::resume_failed));
    EXPECT_FALSE(is_broken()) << "it was good for one answer";
}

TEST_F(CallsOfAGuest, OneOfTwoThatComeWithTheSameHandleMayBeRefused)
{
    world.traps(call(), asks);
    world.traps(resume(), [this](Entry& entry, optee_smc_frame& frame) {
        frame.a[0] = entry.vcpu() == 1 ? abi::ret::resume_failed : abi::ret::ok;
        if (entry.vcpu() == 0)
            world.vm().smc(1, resume());
    });
    EXPECT_FALSE(is_broken());
}

TEST_F(CallsOfAGuest, TwoThatAreBothTakenUnderOneHandleAreFoundOut)
{
    world.traps(call(), asks);
    world.traps(resume(), [this](Entry& entry, optee_smc_frame& frame) {
        frame.a[0] = abi::ret::ok;
        if (entry.vcpu() == 0)
            world.vm().smc(1, resume());
    });
    EXPECT_TRUE(world.machine.violates(Invariant::i6));
}

TEST_F(CallsOfAGuest, OneThatIsTakenBeforeItsHandleIsGivenOutIsOnlyQuick)
{
    world.traps(call(), [this](Entry& entry, optee_smc_frame& frame) {
        if (entry.vcpu() == 0) {
            asks(entry, frame);
            world.vm().smc(1, resume());
        } else {
            frame.a[0] = abi::ret::ok;
        }
    });
    EXPECT_TRUE(world.machine.invariants_hold()) << world.machine.violations();
}

TEST_F(CallsOfAGuest, ACallThatNobodyEndsIsFoundOut)
{
    check_all_complete(world.vm());
    EXPECT_FALSE(is_broken());
    world.traps(call(), asks);
    check_all_complete(world.vm());
    EXPECT_TRUE(is_broken());
}

TEST(Unchanged, IsNotAVmThatHasAPinMore)
{
    ByHand world;
    auto const before = Possessions::of(world.vm());
    check_unchanged(world.vm(), before, "nothing");
    EXPECT_FALSE(world.machine.violates(Invariant::i16));
    world.traps([&](Entry& entry, optee_smc_frame&) { world.pin(entry, world.vm().ram(3)); });
    check_unchanged(world.vm(), before, "a trap");
    EXPECT_TRUE(world.machine.violates(Invariant::i16));
    EXPECT_NE(world.machine.violations().find("a trap changed pins from 0 to 1"), std::string::npos);
}

TEST(Unchanged, IsNotAVmForWhichTwoPagesMoreAreKept)
{
    ByHand world;
    auto const before = Possessions::of(world.vm());
    world.traps([&](Entry& entry, optee_smc_frame&) { world.page(entry); });
    check_unchanged(world.vm(), before, "a trap");
    EXPECT_FALSE(world.machine.violates(Invariant::i16)) << "one page of records may be kept";
    world.traps([&](Entry& entry, optee_smc_frame&) { world.page(entry); });
    check_unchanged(world.vm(), before, "a trap");
    EXPECT_TRUE(world.machine.violates(Invariant::i16));
}

} // namespace
} // namespace sim
