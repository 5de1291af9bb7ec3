// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/unit/vm_fixture.hpp"

#include <vector>

namespace optee {
namespace {

sim::MachineOptions without_cached_arguments()
{
    sim::tee::Options options;
    options.caches_rpc_arguments = false;
    return sim::Machine::with_one_vm().optee(options);
}

class AYieldingCall : public VmTest {
protected:
    AYieldingCall() : VmTest{without_cached_arguments()} { EXPECT_TRUE(driver_.probe()); }

    /// A call that OP-TEE has asked to free its argument page.
    sim::Call call_in_rpc_free()
    {
        auto call = driver_.begin_open(sim::tee::App::loadable);
        call.start_on(0);
        while (call.waits_for_rpc() && call.rpc() != rpc::free)
            call.answer_on(0);
        EXPECT_TRUE(call.waits_for_rpc());
        return call;
    }
    sim::Call waiting_call()
    {
        auto call = driver_.begin_open(sim::tee::App::loadable);
        call.start_on(0);
        EXPECT_TRUE(call.waits_for_rpc());
        return call;
    }

    sim::LinuxGuest driver_{guest_, {.uses_rpc_arguments = false, .enables_shm_cache = false}};
};

TEST_F(AYieldingCall, KeepsTheArgumentThatOpteeGivesBackUntilOpteeRanAgain)
{
    auto call = call_in_rpc_free();
    auto const pages = guest_.mediator_pages();
    EXPECT_EQ(count("arguments_live"), 0u); // its name is gone, and OP-TEE may ask for the next one
    call.answer_on(0);
    EXPECT_LT(guest_.mediator_pages(), pages); // our page went when OP-TEE had run
    EXPECT_TRUE(call.done());
}

TEST_F(AYieldingCall, KeepsTheArgumentThatOpteeGivesBackWhenOpteeDidNotRun)
{
    for (auto const code : {ret::unknown_function, ret::resume_failed}) {
        auto call = call_in_rpc_free();
        auto const pages = guest_.mediator_pages();
        machine_.optee().answer_next(smc::return_from_rpc, code);
        EXPECT_EQ(call.answer_on(0).a0(), code);
        EXPECT_EQ(guest_.mediator_pages(), pages);
    }
    EXPECT_EQ(guest_.destroy(), OPTEE_MEDIATOR_OK);
    EXPECT_EQ(guest_.mediator_pages(), 0u);
}

TEST_F(AYieldingCall, IsOverOnlyWithACodeThatAThreadEndsWith)
{
    struct Row {
        std::uint32_t code;
        bool ends;
    };
    for (auto const& row : {Row{ret::bad_address, true},
                            Row{ret::bad_command, true},
                            Row{ret::no_memory, true},
                            Row{ret::thread_limit, false},
                            Row{ret::busy, false},
                            Row{ret::resume_failed, false},
                            Row{ret::not_available, false},
                            Row{ret::unknown_function, false},
                            Row{8, false},
                            Row{0x1234, false},
                            Row{0x8000'0000, false}}) {
        auto machine = without_cached_arguments().boot();
        auto& guest = machine.vm(0);
        sim::LinuxGuest driver{guest, {.uses_rpc_arguments = false, .enables_shm_cache = false}};
        ASSERT_TRUE(driver.probe());
        auto call = driver.begin_open(sim::tee::App::loadable);
        call.start_on(0);
        ASSERT_TRUE(call.waits_for_rpc());
        machine.optee().answer_next(smc::return_from_rpc, row.code);
        call.answer_on(0);
        EXPECT_EQ(guest.counter("calls_quarantined"), row.ends ? 0u : 1u) << row.code;
        EXPECT_EQ(guest.counter("calls_live"), row.ends ? 0u : 1u) << row.code;
        EXPECT_EQ(guest.destroy(), OPTEE_MEDIATOR_OK);
        EXPECT_TRUE(machine.invariants_hold()) << row.code << machine.violations();
    }
}

TEST_F(AYieldingCall, GoesOnWithNothingWhenOpteeAsksForWhatTheAbiDoesNotHave)
{
    for (auto const odd : {0xffff'0001U, 0xffff'0003U, 0xffff'0006U, 0xffff'fffeU}) {
        auto const anomalies = count("tee_anomalies");
        machine_.optee().instead_of_next(smc::return_from_rpc, [odd](sim::tee::Smc& call) { call.frame.a[0] = odd; });
        auto call = waiting_call();
        call.answer_on(0);
        EXPECT_EQ(count("tee_anomalies"), anomalies + 1) << odd;
        while (call.waits_for_rpc())
            call.answer_on(0);
        EXPECT_TRUE(call.done());
    }
    EXPECT_EQ(count("calls_quarantined"), 0u);
}

TEST_F(AYieldingCall, ThatOpteeNeverBeganIsOverWithAnyCodeOfTheAbi)
{
    for (auto const code :
         {ret::thread_limit, ret::busy, ret::bad_address, ret::bad_command, ret::no_memory, ret::not_available}) {
        machine_.optee().answer_next(smc::call_with_arg, code);
        auto call = driver_.begin_open(sim::tee::App::loadable);
        EXPECT_EQ(call.start_on(0).a0(), code);
        EXPECT_EQ(count("calls_live"), 0u) << code;
        EXPECT_EQ(guest_.pins(), 0u) << code;
    }
    EXPECT_EQ(count("calls_quarantined"), 0u);
}

TEST_F(AYieldingCall, HasNoMessageInTheNullPageAlsoWhereTheVmHasRamThere)
{
    ASSERT_TRUE(guest_.populate(sim::Ipa{0}));
    guest_.poke(sim::Ipa{0}, std::uint32_t{3}); // cancel
    EXPECT_EQ(trap(smc::call_with_arg, 0, 0).a0(), ret::bad_address);
}

TEST_F(AYieldingCall, IsNotTakenForSuccessWhenOpteeForgetsItsResult)
{
    machine_.optee().instead_of_next(smc::call_with_arg, [](sim::tee::Smc& call) { call.frame.a[0] = ret::ok; });
    auto call = driver_.begin_close(1);
    EXPECT_EQ(call.start_on(0).a0(), ret::ok);
    EXPECT_EQ(call.result().ret, 0xffff'0000u);
    EXPECT_EQ(call.result().origin, 2u);
}

TEST_F(AYieldingCall, IsQuarantinedWhenOpteeComesBackOnAnotherThread)
{
    auto first = waiting_call();
    auto const handle = first.handle();
    machine_.optee().instead_of_next(smc::return_from_rpc, [](sim::tee::Smc& call) {
        call.proceed();
        call.frame.a[3] += 1;
    });
    EXPECT_EQ(first.answer_on(0).a0(), ret::bad_command);
    EXPECT_EQ(count("calls_quarantined"), 1u);
    EXPECT_EQ(trap(smc::return_from_rpc, 0, 0, handle).a0(), ret::resume_failed);
}

TEST_F(AYieldingCall, IsQuarantinedWhenItComesBackOnTheThreadOfAnotherCall)
{
    auto first = waiting_call();
    machine_.optee().instead_of_next(smc::call_with_arg, [](sim::tee::Smc& call) {
        call.proceed();
        call.frame.a[3] = 0;
    });
    auto second = driver_.begin_open(sim::tee::App::loadable);
    EXPECT_EQ(second.start_on(0).a0(), ret::bad_command);
    EXPECT_EQ(count("calls_quarantined"), 1u);
    while (first.waits_for_rpc())
        first.answer_on(0);
    EXPECT_TRUE(first.result().ok());
}

TEST_F(AYieldingCall, IsQuarantinedWhenItsRequestsCannotBeDeliveredWithoutEnd)
{
    auto call = driver_.begin_open(sim::tee::App::loadable);
    call.start_on(0);
    call.answer_on(0);
    ASSERT_EQ(call.rpc(), rpc::command);
    auto const page = call.rpc_message().ipa();
    auto const name = call.last().pair(1);
    ASSERT_TRUE(guest_.write_protect(page));
    machine_.optee().instead_of_every(smc::return_from_rpc, [name](sim::tee::Smc& smc) {
        smc.frame = {{rpc::command, name >> 32, name & 0xffff'ffff, 0, 0, 0, 0, 0}};
    });
    std::uint32_t entries = 0;
    for (; call.waits_for_rpc(); ++entries) {
        ASSERT_LT(entries, 1000U);
        call.resume_on(0, registers(smc::return_from_rpc, 0, 0, call.handle()));
    }
    EXPECT_EQ(call.last().a0(), ret::bad_address);
    EXPECT_GT(entries, 30U) << "each does a bounded number of them";
    EXPECT_EQ(count("calls_quarantined"), 1u);
    EXPECT_EQ(count("requests_failed"), 257u);
    machine_.optee().behave();
}

TEST_F(AYieldingCall, GivesOpteeNoArgumentThatIsLargerThanAPage)
{
    machine_.optee().instead_of_next(smc::call_with_arg, [](sim::tee::Smc& call) {
        call.proceed();
        EXPECT_EQ(call.frame.a[0], rpc::alloc);
        call.frame.a[1] = 4097;
    });
    auto call = driver_.begin_open(sim::tee::App::loadable);
    call.start_on(0);
    EXPECT_TRUE(call.done());
    EXPECT_FALSE(call.result().ok());
    EXPECT_EQ(count("tee_anomalies"), 1u);
    EXPECT_EQ(count("rpc_alloc"), 0u);
}

TEST_F(AYieldingCall, GoesOnAfterEachInterruptOfOpteeAndEachPreemptionOfOurs)
{
    machine_.optee().interrupt_every(2);
    machine_.preempt(sim::Preemption::always());
    auto const opened = driver_.open(sim::tee::App::memory);
    ASSERT_TRUE(opened.ok());
    auto const shm = driver_.memory().allocate_scattered(200 * 4096);
    EXPECT_TRUE(driver_.invoke(opened.session, sim::tee::command::memory_invert, {sim::temporary_inout(shm)}).ok());
    EXPECT_GT(count("preemptions"), 6u);
    EXPECT_GT(count("foreign_interrupts"), 0u);
    EXPECT_EQ(guest_.pins(), 0u);
    EXPECT_EQ(count("calls_live"), 0u);
}

TEST_F(AYieldingCall, TellsTheGuestNothingOfOpteesResumeInformation)
{
    machine_.optee().interrupt_every(1);
    machine_.preempt(sim::Preemption::always());
    auto call = waiting_call();
    ASSERT_EQ(call.rpc(), rpc::foreign_interrupt);
    EXPECT_EQ(call.last().a(1), 0u);
    EXPECT_EQ(call.last().a(2), 0u);
    EXPECT_NE(call.handle(), 0u);
}

} // namespace
} // namespace optee
