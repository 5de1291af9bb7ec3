// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/unit/vm_fixture.hpp"

#include <vector>

namespace optee {
namespace {

class TheEndOfAVm : public VmTest {
protected:
    TheEndOfAVm() { EXPECT_TRUE(driver_.probe()); }

    /// Something of everything: registered memory, cached arguments, a call in each of several RPCs.
    void use_it()
    {
        registered_ = driver_.register_memory(300 * page_bytes_);
        driver_.register_memory(5000, 100);
        ASSERT_TRUE(driver_.open(sim::tee::App::loadable).ok());
        for (std::uint32_t steps = 0; steps != 3; ++steps) {
            calls_.push_back(driver_.begin_open(sim::tee::App::loadable));
            calls_.back().start_on(0);
            for (std::uint32_t i = 0; i != steps && calls_.back().waits_for_rpc(); ++i)
                calls_.back().answer_on(0);
        }
        EXPECT_GT(guest_.pins(), 300u);
    }
    std::uint32_t destroy_in_steps(std::uint32_t most = 100'000)
    {
        for (std::uint32_t steps = 1; steps != most; ++steps) {
            auto const status = guest_.destroy_step();
            if (status == OPTEE_MEDIATOR_AGAIN)
                continue;
            EXPECT_EQ(status, OPTEE_MEDIATOR_OK);
            return steps;
        }
        ADD_FAILURE() << "it does not end";
        return most;
    }

    static constexpr std::uint64_t page_bytes_ = 4096;
    sim::LinuxGuest driver_{guest_, {.uses_rpc_arguments = false, .enables_shm_cache = true}};
    std::vector<sim::Call> calls_;
    sim::Shm registered_;
};

TEST_F(TheEndOfAVm, LeavesNothingBehind)
{
    use_it();
    EXPECT_EQ(destroy_in_steps(), 1u);
    EXPECT_EQ(guest_.pins(), 0u);
    EXPECT_EQ(guest_.mediator_pages(), 0u);
}

TEST_F(TheEndOfAVm, ResumesAnInterruptedThreadWithWhatOpteeGaveForIt)
{
    auto call = driver_.begin_open(sim::tee::App::loadable);
    ASSERT_TRUE(call.start_on(0).a0() == rpc::alloc);
    auto const thread = 0U;
    machine_.optee().instead_of_next(smc::return_from_rpc, [](sim::tee::Smc& smc) {
        smc.frame = {{rpc::foreign_interrupt, 0x1111, 0x2222, thread, 0, 0, 0, 0}};
    });
    sim::Registers seen{};
    machine_.optee().instead_of_next(smc::return_from_rpc, [&](sim::tee::Smc& smc) {
        seen = smc.frame;
        smc.frame.a[1] = smc.frame.a[2] = 0;
        smc.proceed();
    });
    EXPECT_EQ(destroy_in_steps(), 1u);
    EXPECT_EQ(seen.a[1], 0x1111u);
    EXPECT_EQ(seen.a[2], 0x2222u);
}

TEST_F(TheEndOfAVm, DoesNotFollowACallToAnotherThread)
{
    auto call = driver_.begin_open(sim::tee::App::loadable);
    ASSERT_TRUE(call.start_on(0).a0() == rpc::alloc);
    call.answer_on(0);
    std::uint32_t resumed = 0;
    machine_.optee().instead_of_every(smc::return_from_rpc, [&](sim::tee::Smc& smc) {
        ++resumed;
        smc.proceed();
        smc.frame.a[0] = rpc::foreign_interrupt;
        smc.frame.a[3] = 1;
    });
    EXPECT_EQ(destroy_in_steps(), 1u);
    EXPECT_EQ(resumed, 1u);
}

TEST_F(TheEndOfAVm, GoesOnWhenOpteeAsksUnderANameThatNobodyHas)
{
    auto call = driver_.begin_open(sim::tee::App::loadable);
    ASSERT_TRUE(call.start_on(0).a0() == rpc::alloc);
    machine_.optee().instead_of_next(smc::return_from_rpc, [](sim::tee::Smc& smc) {
        smc.frame = {{rpc::command, 0, 0x1234, 0, 0, 0, 0, 0}};
    });
    EXPECT_EQ(destroy_in_steps(), 1u);
    EXPECT_EQ(guest_.mediator_pages(), 0u);
}

TEST_F(TheEndOfAVm, LeavesNothingBehindOfAVmThatDidNothing)
{
    EXPECT_EQ(destroy_in_steps(), 1u);
    EXPECT_EQ(guest_.mediator_pages(), 0u);
}

TEST_F(TheEndOfAVm, GoesOnWhereItWasInterruptedHoweverOftenThatIs)
{
    use_it();
    machine_.preempt(sim::Preemption::always());
    EXPECT_GT(destroy_in_steps(), 10u);
    EXPECT_EQ(guest_.pins(), 0u);
    EXPECT_EQ(guest_.mediator_pages(), 0u);
}

TEST_F(TheEndOfAVm, CanBeInterruptedAtAnyStep)
{
    for (std::uint32_t n = 1; n != 12; ++n) {
        auto machine = sim::Machine::with_one_vm().preemption(sim::Preemption::every(n)).boot();
        sim::LinuxGuest driver{machine.vm(0), {.uses_rpc_arguments = false, .enables_shm_cache = false}};
        ASSERT_TRUE(driver.probe());
        ASSERT_TRUE(driver.register_memory(200 * page_bytes_) != nullptr);
        auto call = driver.begin_open(sim::tee::App::loadable);
        call.start_on(0);
        for (std::uint32_t i = 0; i != n && call.waits_for_rpc(); ++i)
            call.answer_on(0);
        EXPECT_EQ(machine.vm(0).destroy(), OPTEE_MEDIATOR_OK);
        EXPECT_TRUE(machine.invariants_hold()) << n << ": " << machine.violations();
    }
}

TEST_F(TheEndOfAVm, UnpinsNothingBeforeOpteeHasForgottenTheVm)
{
    use_it();
    auto const pins = guest_.pins();
    std::uint64_t pins_when_told = 0;
    machine_.optee().instead_of_next(smc::vm_destroyed, [&](sim::tee::Smc& call) {
        pins_when_told = guest_.pins();
        call.proceed();
    });
    EXPECT_EQ(guest_.destroy(), OPTEE_MEDIATOR_OK);
    EXPECT_EQ(pins_when_told, pins);
}

TEST_F(TheEndOfAVm, IsQuarantineWhenOpteeDoesNotLetGo)
{
    use_it();
    auto const pins = guest_.pins();
    auto const pages = guest_.mediator_pages();
    machine_.optee().answer_next(smc::vm_destroyed, ret::busy);
    EXPECT_EQ(guest_.destroy(), OPTEE_MEDIATOR_QUARANTINED);
    EXPECT_EQ(guest_.pins(), pins);
    EXPECT_EQ(guest_.mediator_pages(), pages);
    auto const lines = machine_.log_lines();
    ASSERT_FALSE(lines.empty());
    EXPECT_TRUE(lines.back().is_error);
    EXPECT_EQ(lines.back().number, guest_.client());
}

TEST_F(TheEndOfAVm, ComesAlsoForACallThatNeverEnds)
{
    use_it();
    machine_.optee().interrupt_without_end();
    EXPECT_LE(destroy_in_steps(), 10u);
    EXPECT_EQ(guest_.pins(), 0u);
}

TEST_F(TheEndOfAVm, DrainsCallsWithFailingAnswersAndABound)
{
    use_it();
    std::uint32_t resumed = 0;
    machine_.optee().instead_of_every(smc::return_from_rpc, [&](sim::tee::Smc& call) {
        ++resumed;
        call.proceed();
    });
    EXPECT_EQ(guest_.destroy(), OPTEE_MEDIATOR_OK);
    EXPECT_GE(resumed, 3u);
    EXPECT_LE(resumed, 3u * 64);
}

TEST_F(TheEndOfAVm, IncludesCallsInQuarantine)
{
    use_it();
    machine_.optee().answer_next(smc::return_from_rpc, ret::unknown_function);
    calls_[0].answer_on(0);
    EXPECT_EQ(count("calls_quarantined"), 1u);
    EXPECT_EQ(guest_.destroy(), OPTEE_MEDIATOR_OK);
    EXPECT_EQ(guest_.pins(), 0u);
    EXPECT_EQ(guest_.mediator_pages(), 0u);
}

TEST_F(TheEndOfAVm, IsTheBeginningOfTheNextUnderTheSameId)
{
    use_it();
    auto const client = guest_.client();
    auto const handle = calls_[0].handle();
    ASSERT_EQ(guest_.destroy(), OPTEE_MEDIATOR_OK);
    ASSERT_EQ(guest_.create(client, machine_.default_policy()), OPTEE_MEDIATOR_OK);
    EXPECT_EQ(trap(smc::return_from_rpc, 0, 0, handle).a0(), ret::resume_failed);
    EXPECT_EQ(count("buffers_live"), 0u);
    EXPECT_EQ(count("calls_live"), 0u);
    sim::LinuxGuest again{guest_, {.uses_rpc_arguments = false, .enables_shm_cache = true}};
    EXPECT_TRUE(again.probe());
    EXPECT_TRUE(again.open(sim::tee::App::echo).ok());
}

} // namespace
} // namespace optee
