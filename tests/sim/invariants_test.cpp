// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// A check that nothing trips is not known to work: here a mediator breaks each rule once.

#include "sim/optee/trusted_apps.hpp"
#include "tests/sim/scripted_mediator.hpp"

#include <gtest/gtest.h>

namespace sim {
namespace {

constexpr std::uint64_t cookie = 0xffff'0000'1234'0000;

class Invariants : public testing::Test {
protected:
    testing::AssertionResult only(Invariant invariant)
    {
        auto const all = hand.machine.log().all();
        for (auto const& violation : all)
            if (violation.invariant != invariant)
                return testing::AssertionFailure() << hand.machine.violations();
        hand.machine.log().clear();
        return all.empty() ? testing::AssertionFailure() << "nothing was found" : testing::AssertionSuccess();
    }
    Ipa some_page() { return hand.vm().ram(20); }

    ByHand hand{Machine::with_vms(2).optee_threads(1)};
    Machine& machine = hand.machine;
};

TEST_F(Invariants, HoldWhileNothingIsWrong)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        auto const pinned = hand.pin(entry, some_page());
        EXPECT_EQ(hand.register_page(entry, pinned, cookie), abi::result::success);
        EXPECT_EQ(hand.unregister(entry, cookie), abi::result::success);
        entry.unpin_run(hand.vm(), pinned, 1);
    });
    EXPECT_TRUE(machine.invariants_hold()) << machine.violations();
}

TEST_F(Invariants, I1FindsAPhysicalAddressInGuestMemory)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        auto const pinned = hand.pin(entry, some_page());
        entry.write_guest(hand.vm(), pinned, 8, &pinned.raw, 8);
        EXPECT_TRUE(only(Invariant::i1));
        auto const page_number = pinned.raw / page_bytes;
        entry.write_guest(hand.vm(), pinned, 16, &page_number, 8);
        EXPECT_TRUE(only(Invariant::i1));
        auto const address_of_guest = some_page().raw;
        entry.write_guest(hand.vm(), pinned, 16, &address_of_guest, 8);
        EXPECT_TRUE(machine.invariants_hold());
        entry.unpin_run(hand.vm(), pinned, 1);
    });
}

TEST_F(Invariants, I1FindsAPhysicalAddressInRegisters)
{
    hand.traps({{abi::smc::call_with_arg, 0, 0, 0, 0, 0, 0, 0}}, [&](Entry&, optee_smc_frame& frame) {
        auto const pa = hand.vm().pa_of(some_page()).raw;
        frame.a[0] = abi::rpc::command;
        frame.a[1] = abi::high(pa);
        frame.a[2] = abi::low(pa);
    });
    EXPECT_TRUE(only(Invariant::i1));
}

TEST_F(Invariants, I2FindsPagesThatOpteeMustNotGet)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        hand.register_page(entry, hand.vm().pa_of(some_page()), cookie); // not pinned
        EXPECT_TRUE(only(Invariant::i2));
        hand.register_page(entry, hand.vm(1).pa_of(some_page()), cookie + 1); // another VM's
        EXPECT_TRUE(only(Invariant::i2));
        hand.register_page(entry, Pa{some_page().raw}, cookie + 2); // not translated
        EXPECT_TRUE(only(Invariant::i2));
    });
}

TEST_F(Invariants, I3FindsAnUnpinWhileOpteeHoldsThePage)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        auto const pinned = hand.pin(entry, some_page());
        hand.register_page(entry, pinned, cookie);
        entry.unpin_run(hand.vm(), pinned, 1);
    });
    EXPECT_TRUE(only(Invariant::i3));
}

TEST_F(Invariants, I3FindsAnAccessToAPageThatWentAway)
{
    std::uint32_t session = 0;
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        session = hand.open(entry, tee::App::memory);
        auto const pinned = hand.pin(entry, some_page());
        hand.register_page(entry, pinned, cookie);
        entry.unpin_run(hand.vm(), pinned, 1);
        EXPECT_TRUE(only(Invariant::i3));
        auto const shadow = hand.message(entry,
                                         abi::cmd::invoke_command,
                                         tee::command::memory_sum,
                                         session,
                                         {{abi::attr::rmem_input, 0, 100, cookie}});
        hand.call(entry, shadow);
        hand.scrub_and_free(entry, shadow);
    });
    EXPECT_TRUE(only(Invariant::i3));
}

TEST_F(Invariants, I4FindsAnUnpinTooManyAndPinsThatAreLeft)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        auto const pinned = hand.pin(entry, some_page());
        entry.unpin_run(hand.vm(), pinned, 1);
        entry.unpin_run(hand.vm(), pinned, 1);
    });
    EXPECT_TRUE(only(Invariant::i4));
    hand.traps([&](Entry& entry, optee_smc_frame&) { hand.pin(entry, some_page()); });
    EXPECT_TRUE(machine.invariants_hold());
    hand.vm().destroy();
    EXPECT_TRUE(only(Invariant::i4));
}

TEST_F(Invariants, I4FindsASumOfPinsThatObjectsDoNotExplain)
{
    hand.vm().expected_pins = [] { return 0u; };
    hand.traps([&](Entry& entry, optee_smc_frame&) { hand.pin(entry, some_page()); });
    EXPECT_TRUE(only(Invariant::i4));
}

TEST_F(Invariants, I5FindsPagesThatAreHeldForTheDead)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) { hand.page(entry); });
    hand.vm().destroy();
    EXPECT_TRUE(only(Invariant::i5));
}

TEST_F(Invariants, I6FindsASecondResume)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        auto const session = hand.open(entry, tee::App::clock);
        auto const shadow =
            hand.message(entry, abi::cmd::invoke_command, 0, session, {{abi::attr::value_output, 0, 0, 0}});
        auto const asked = hand.call(entry, shadow);
        EXPECT_EQ(asked.a[0], abi::rpc::alloc);
        EXPECT_EQ(hand.resume(entry, asked.a[3]).a[0], abi::ret::ok); // no memory: the call ends
        EXPECT_TRUE(machine.invariants_hold()) << machine.violations();
        EXPECT_EQ(hand.resume(entry, asked.a[3]).a[0], abi::ret::resume_failed);
        hand.scrub_and_free(entry, shadow);
    });
    EXPECT_TRUE(only(Invariant::i6));
}

TEST_F(Invariants, I6FindsAnAnswerThatNobodyAskedFor)
{
    Registers const call{{abi::smc::call_with_arg, 0, 0, 0, 0, 0, 0, 0}};
    Registers const answer{{abi::smc::return_from_rpc, 0, 0, 9, 0, 0, 0, 0}};
    auto const takes_it = [](Entry&, optee_smc_frame& frame) { frame.a[0] = abi::ret::ok; };
    hand.traps(answer, [](Entry&, optee_smc_frame& frame) { frame.a[0] = abi::ret::resume_failed; });
    hand.traps(call, [](Entry&, optee_smc_frame& frame) { frame = {{abi::rpc::command, 0, 0, 9, 0, 0, 0, 0}}; });
    hand.traps(answer, takes_it);
    EXPECT_TRUE(machine.invariants_hold()) << machine.violations();
    hand.traps(answer, takes_it);
    EXPECT_TRUE(only(Invariant::i6)) << "the second time";
}

TEST_F(Invariants, I7FindsRegistersThatTheAbiKeeps)
{
    Registers const call{{abi::smc::call_with_arg, 1, 2, 3, 4, 5, 6, 7}};
    hand.traps(call, [](Entry&, optee_smc_frame& frame) { frame.a[0] = 0x1234; });
    EXPECT_TRUE(only(Invariant::i7));
    hand.traps(call, [](Entry&, optee_smc_frame& frame) { frame = {{abi::ret::ok, 0, 2, 3, 4, 5, 6, 7}}; });
    EXPECT_TRUE(only(Invariant::i7));
    hand.traps(call, [](Entry&, optee_smc_frame& frame) { frame = {{abi::rpc::command, 9, 9, 9, 4, 5, 6, 0}}; });
    EXPECT_TRUE(only(Invariant::i7));
    hand.traps(call, [](Entry&, optee_smc_frame& frame) { frame = {{abi::rpc::command, 9, 9, 9, 4, 5, 6, 7}}; });
    EXPECT_TRUE(machine.invariants_hold());
    Registers const query{{abi::smc::get_thread_count, 1, 2, 3, 4, 5, 6, 7}};
    hand.traps(query, [](Entry&, optee_smc_frame& frame) {
        frame = {{abi::ret::not_available, 9, 2, 3, 4, 5, 6, 7}};
    });
    EXPECT_TRUE(only(Invariant::i7));
}

TEST_F(Invariants, I8FindsAccessToAPageThatIsNotPinned)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        std::uint32_t word = 0;
        entry.write_guest(hand.vm(), hand.vm().pa_of(some_page()), 0, &word, 4);
        EXPECT_TRUE(only(Invariant::i8));
        entry.read_guest(hand.vm(), hand.vm().pa_of(some_page()), 0, &word, 4);
        EXPECT_TRUE(only(Invariant::i8));
    });
}

TEST_F(Invariants, I9FindsASecondFetch)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        auto const pinned = hand.pin(entry, some_page());
        std::uint32_t words[2] = {};
        entry.read_guest(hand.vm(), pinned, 0, words, 8);
        entry.read_guest(hand.vm(), pinned, 8, words, 8);
        EXPECT_TRUE(machine.invariants_hold());
        entry.read_guest(hand.vm(), pinned, 4, words, 4);
        entry.unpin_run(hand.vm(), pinned, 1);
    });
    EXPECT_TRUE(only(Invariant::i9));
}

TEST_F(Invariants, I10FindsWhatTheMediatorDidNotJudge)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        auto const session = hand.open(entry, tee::App::echo);
        auto const sends = [&](abi::Param const& param) {
            auto const shadow = hand.message(entry, abi::cmd::invoke_command, 0, session, {param});
            hand.call(entry, shadow);
            hand.scrub_and_free(entry, shadow);
        };
        sends({abi::attr::rmem_input, 0, 4, cookie}); // never registered
        EXPECT_TRUE(only(Invariant::i10));
        sends({0x40, 0, 0, 0}); // no such type
        EXPECT_TRUE(only(Invariant::i10));
        sends({abi::attr::tmem_input, some_page().raw, 4, cookie}); // no page list
        EXPECT_TRUE(only(Invariant::i10));
        auto const pinned = hand.pin(entry, some_page());
        hand.call(entry, pinned); // the guest's own page as the message
        EXPECT_TRUE(machine.violates(Invariant::i10));
        entry.unpin_run(hand.vm(), pinned, 1);
    });
}

TEST_F(Invariants, I11FindsANameUsedTwice)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        hand.register_page(entry, hand.pin(entry, some_page()), cookie);
        hand.register_page(entry, hand.pin(entry, hand.vm().ram(21)), cookie);
    });
    EXPECT_TRUE(only(Invariant::i11));
}

TEST_F(Invariants, I12FindsAnEntryThatTouchesAnotherVm)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        Pa pa{0};
        entry.pin_run(hand.vm(1), some_page(), 1, &pa);
        EXPECT_TRUE(only(Invariant::i12));
        optee_smc_frame frame{{abi::smc::get_thread_count, 0, 0, 0, 0, 0, 0, hand.vm(1).client()}};
        entry.smc(frame);
        EXPECT_TRUE(only(Invariant::i12));
    });
}

TEST_F(Invariants, I13FindsLocksOutOfOrderAndOverAnSmc)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        entry.lock_taken(1);
        optee_smc_frame frame{{abi::smc::get_thread_count, 0, 0, 0, 0, 0, 0, hand.vm().client()}};
        entry.smc(frame);
        EXPECT_TRUE(only(Invariant::i13));
        entry.lock_taken(0);
        EXPECT_TRUE(only(Invariant::i13));
        entry.lock_released(0);
    });
    EXPECT_TRUE(only(Invariant::i13)); // rank 1 is held at the end
}

TEST_F(Invariants, I13FindsAnEntryThatDoesAsMuchAsAGuestAsksFor)
{
    auto const asks = [&](unsigned times) {
        hand.traps([&](Entry& entry, optee_smc_frame&) {
            for (unsigned n = 0; n < times; ++n) {
                optee_smc_frame frame{{abi::smc::get_thread_count, 0, 0, 0, 0, 0, 0, hand.vm().client()}};
                entry.smc(frame);
            }
        });
    };
    asks(256);
    EXPECT_TRUE(machine.invariants_hold()) << machine.violations();
    asks(257);
    EXPECT_TRUE(only(Invariant::i13));
}

TEST_F(Invariants, I14FindsPagesThatGoBackBeforeOpteeLetTheVmGo)
{
    Pa pinned{0};
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        pinned = hand.pin(entry, some_page());
        hand.register_page(entry, pinned, cookie);
    });
    machine.optee().answer_next(abi::smc::vm_destroyed, abi::ret::not_available);
    hand.mediator->before_death_ends = [&](Entry& entry) { entry.unpin_run(hand.vm(), pinned, 1); };
    hand.vm().destroy();
    // The machine buries the VM once more at its end, after this function's variables.
    hand.mediator->before_death_ends = [](Entry&) {};
    EXPECT_TRUE(only(Invariant::i14));
}

TEST_F(Invariants, I14FindsTheEndOfAVmThatDoesNotExist)
{
    optee_smc_frame const end_of_client_0{{abi::smc::vm_destroyed, 0, 0, 0, 0, 0, 0, 0}};
    auto machine_without_vms = Machine::with_one_vm().power_on();
    auto frame = end_of_client_0;
    machine_without_vms.optee().smc(nullptr, frame);
    EXPECT_EQ(frame.a[0], abi::ret::ok);
    EXPECT_TRUE(machine_without_vms.invariants_hold()) << "a question: does OP-TEE know the function?";

    frame = end_of_client_0;
    machine.optee().smc(nullptr, frame);
    EXPECT_TRUE(only(Invariant::i14));
}

TEST_F(Invariants, AreToleratedInOnlyTheWordsThatWereNamed)
{
    machine.log().tolerate(Invariant::i9, "a known habit");
    machine.broken(Invariant::i9, "a known habit");
    EXPECT_TRUE(machine.invariants_hold());
    machine.broken(Invariant::i10, "a known habit");
    EXPECT_TRUE(only(Invariant::i10));
    machine.broken(Invariant::i9, "something else");
    EXPECT_TRUE(only(Invariant::i9));
}

TEST_F(Invariants, I8LetsReadOnlyRamBePinnedOnlyByThoseWhoAskForIt)
{
    ASSERT_TRUE(hand.vm().write_protect(some_page()));
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        Pa page{0};
        EXPECT_EQ(entry.pin_run(hand.vm(), some_page(), 1, &page), 0u);
        auto const found = entry.pin_own_ram(hand.vm(), some_page());
        ASSERT_TRUE(found);
        EXPECT_EQ(found->kind, MappingKind::read_only);
        entry.unpin_run(hand.vm(), found->page, 1);
        hand.vm().map_mmio(some_page());
        EXPECT_FALSE(entry.pin_own_ram(hand.vm(), some_page()));
    });
    EXPECT_TRUE(machine.invariants_hold()) << machine.violations();
}

TEST_F(Invariants, I14FindsAVmThatIsCreatedTwice)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        optee_smc_frame frame{{abi::smc::vm_created, hand.vm().client(), 0, 0, 0, 0, 0, 0}};
        entry.smc(frame);
    });
    EXPECT_TRUE(only(Invariant::i14));
}

TEST_F(Invariants, I15FindsResidue)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        auto const shadow = hand.message(entry, abi::cmd::close_session, 0, 1, {});
        std::uint32_t const residue = 1;
        machine.memory().write(Pa{shadow.raw + 4000}, &residue, 4);
        hand.call(entry, shadow);
        EXPECT_TRUE(only(Invariant::i15));
        entry.free_page(hand.vm(), shadow);
        EXPECT_TRUE(only(Invariant::i15));
    });
}

TEST_F(Invariants, I16FindsARefusalThatLeavesSomethingBehind)
{
    Registers const call{{abi::smc::call_with_arg, 0, 0, 0, 0, 0, 0, 0}};
    hand.traps(call, [](Entry&, optee_smc_frame& frame) { frame.a[0] = abi::ret::bad_address; });
    EXPECT_TRUE(machine.invariants_hold()) << machine.violations();
    hand.traps(call, [&](Entry& entry, optee_smc_frame& frame) {
        hand.pin(entry, some_page());
        frame.a[0] = abi::ret::bad_address;
    });
    EXPECT_TRUE(only(Invariant::i16));
}

TEST_F(Invariants, I17FindsAVmThatIsTurnedAwayWhileItHasThreads)
{
    Registers const call{{abi::smc::call_with_arg, 0, 0, 0, 0, 0, 0, 0}};
    auto const is_full = [](Entry&, optee_smc_frame& frame) { frame.a[0] = abi::ret::thread_limit; };
    hand.traps(call, is_full);
    EXPECT_TRUE(only(Invariant::i17));
    hand.traps(call, [](Entry&, optee_smc_frame& frame) { frame = {{abi::rpc::command, 0, 0, 9, 0, 0, 0, 0}}; });
    hand.traps(call, is_full);
    EXPECT_TRUE(machine.invariants_hold()) << machine.violations();
}

TEST_F(Invariants, TheContractOfThePortIsChecked)
{
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        std::vector<void*> mapped;
        auto const pages =
            std::vector<Pa>{hand.page(entry), hand.page(entry), hand.page(entry), hand.page(entry), hand.page(entry)};
        for (auto const page : pages)
            mapped.push_back(entry.map_page(page));
        EXPECT_TRUE(only(Invariant::port)); // the fifth
        entry.free_page(hand.vm(), pages[0]);
        EXPECT_TRUE(only(Invariant::port)); // it is mapped
        for (std::size_t n = 1; n < mapped.size(); ++n)
            entry.unmap_page(mapped[n]);
        entry.free_page(hand.vm(), Pa{hand.vm().pa_of(some_page()).raw});
        EXPECT_TRUE(only(Invariant::port));
        for (std::size_t n = 1; n < pages.size(); ++n)
            hand.scrub_and_free(entry, pages[n]);
    });
    EXPECT_TRUE(only(Invariant::port)); // one page is still mapped
}

} // namespace
} // namespace sim
