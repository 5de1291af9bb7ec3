// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/invariants/leak.hpp"
#include "tests/sim/scripted_mediator.hpp"

#include <gtest/gtest.h>
#include <set>

namespace sim {
namespace {

class MachineTest : public testing::Test {
protected:
    std::uint32_t pin(Ipa ipa, std::uint32_t pages = 1)
    {
        std::uint32_t pinned = 0;
        hand.traps([&](Entry& entry, optee_smc_frame&) {
            Pa pa{0};
            pinned = entry.pin_run(hand.vm(), ipa, pages, &pa);
            entry.unpin_run(hand.vm(), pa, pinned);
        });
        return pinned;
    }
    Ipa page(std::uint64_t n = 0) { return hand.vm().ram(20 + n); }
    void TearDown() override { EXPECT_TRUE(hand.machine.invariants_hold()) << hand.machine.violations(); }

    ByHand hand{Machine::with_vms(2)};
    Vm& vm = hand.vm();
};

TEST_F(MachineTest, OnlyReadWriteRamOfTheVmCanBePinned)
{
    EXPECT_EQ(pin(page()), 1u);
    vm.write_protect(page());
    EXPECT_EQ(pin(page()), 0u);
    vm.allow_writing(page());
    EXPECT_EQ(pin(page()), 1u);
    vm.balloon_out(page());
    EXPECT_EQ(pin(page()), 0u);
    vm.populate(page());
    EXPECT_EQ(pin(page()), 1u);
    vm.map_of(hand.vm(1), page(), page(1), MappingKind::grant);
    EXPECT_EQ(pin(page(1)), 0u);
    vm.map_of(hand.vm(1), page(), page(2), MappingKind::foreign);
    EXPECT_EQ(pin(page(2)), 0u);
    vm.map_mmio(page(3));
    EXPECT_EQ(pin(page(3)), 0u);
    EXPECT_EQ(pin(Ipa{0}), 0u);
    EXPECT_EQ(pin(Ipa{~page_mask}), 0u);
}

TEST_F(MachineTest, APinnedPageStaysWhenTheVmGivesItUp)
{
    auto const pa = vm.pa_of(page());
    vm.poke<std::uint32_t>(page(), 77);
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        auto const pinned = hand.pin(entry, page());
        EXPECT_FALSE(vm.give_away(page(), hand.vm(1), page()));
        EXPECT_TRUE(vm.balloon_out(page()));
        std::uint32_t word = 0;
        entry.read_guest(vm, pinned, 0, &word, 4);
        EXPECT_EQ(word, 77u);
        EXPECT_TRUE(hand.machine.memory().is_used(pa.raw));
        entry.unpin_run(vm, pinned, 1);
    });
    EXPECT_FALSE(hand.machine.memory().is_used(pa.raw));
    EXPECT_TRUE(vm.give_away(page(1), hand.vm(1), Ipa{0x3000'0000}));
}

TEST_F(MachineTest, AFreeFrameIsZeroForItsNextOwner)
{
    vm.poke<std::uint32_t>(page(), 77);
    vm.balloon_out(page());
    vm.populate(page());
    EXPECT_EQ(vm.peek<std::uint32_t>(page()), 0u);
}

TEST_F(MachineTest, AccessBeyondAPageGoesToTheNextOne)
{
    std::uint64_t const value = 0x0123'4567'89ab'cdef;
    vm.poke(Ipa{page().raw + page_bytes - 3}, value);
    EXPECT_EQ(vm.peek<std::uint64_t>(Ipa{page().raw + page_bytes - 3}), value);
    EXPECT_EQ(vm.peek<std::uint8_t>(page(1)), 0x89u);
    EXPECT_FALSE(vm.write(Ipa{0x1000}, &value, sizeof value));
}

TEST(MachineMemory, LiesAsTheMachineSays)
{
    auto scattered = Machine::with_one_vm().mediated_by([] { return std::make_unique<ScriptedMediator>(); }).boot();
    auto contiguous = Machine::with_one_vm()
                          .placement(Placement::contiguous)
                          .mediated_by([] { return std::make_unique<ScriptedMediator>(); })
                          .boot();
    auto const neighbours = [](Vm& vm) {
        std::uint64_t count = 0;
        for (std::uint64_t n = 1; n < vm.ram_pages(); ++n)
            count += vm.pa_of(vm.ram(n)).raw == vm.pa_of(vm.ram(n - 1)).raw + page_bytes ? 1u : 0u;
        return count;
    };
    EXPECT_LT(neighbours(scattered.vm(0)), 20u);
    EXPECT_EQ(neighbours(contiguous.vm(0)), contiguous.vm(0).ram_pages() - 1);
}

TEST(MachineMemory, HasAddressesThatNobodyElseUses)
{
    auto machine = Machine::with_one_vm().mediated_by([] { return std::make_unique<ScriptedMediator>(); }).boot();
    auto& vm = machine.vm(0);
    for (auto const n : {std::uint64_t{0}, vm.ram_pages() - 1}) {
        EXPECT_TRUE(PhysicalMemory::in_a_bank(vm.pa_of(vm.ram(n)).raw));
        EXPECT_FALSE(PhysicalMemory::in_a_bank(vm.ram(n).raw));
    }
    EXPECT_FALSE(PhysicalMemory::in_a_bank(0xffff'0000'1000'0000));
}

TEST_F(MachineTest, ObserversSeeAndSpoilWhatTheyAreToldTo)
{
    std::set<Point> seen;
    Watch watch{[&](Moment const& moment) { seen.insert(moment.point); }};
    Failure second_look_up{Point::look_up, 1};
    bool swapped = false;
    Once swap{Point::read_guest, 0, [&](Moment const&) { swapped = vm.swap(page(), page(1)); }};
    hand.machine.add(watch);
    hand.machine.add(second_look_up);
    hand.machine.add(swap);
    EXPECT_EQ(pin(page()), 1u);
    EXPECT_EQ(pin(page()), 0u);
    EXPECT_EQ(pin(page()), 1u);
    hand.traps([&](Entry& entry, optee_smc_frame&) {
        auto const pinned = hand.pin(entry, page());
        std::uint32_t word = 0;
        entry.read_guest(vm, pinned, 0, &word, 4);
        entry.unpin_run(vm, pinned, 1);
    });
    EXPECT_TRUE(swapped);
    EXPECT_EQ(second_look_up.attempts(), 4u);
    EXPECT_EQ(seen,
              (std::set{Point::entry_begins, Point::entry_ends, Point::look_up, Point::unpin, Point::read_guest}));
}

TEST(MachinePreemption, ComesWhenItIsTold)
{
    ByHand hand;
    auto const answers = [&](Preemption preemption) {
        std::vector<bool> all;
        hand.machine.preempt(preemption);
        hand.traps([&](Entry& entry, optee_smc_frame&) {
            for (unsigned n = 0; n < 4; ++n)
                all.push_back(entry.preemption_pending());
        });
        return all;
    };
    EXPECT_EQ(answers(Preemption::never()), (std::vector{false, false, false, false}));
    EXPECT_EQ(answers(Preemption::always()), (std::vector{true, true, true, true}));
    EXPECT_EQ(answers(Preemption::every(2)), (std::vector{false, true, false, true}));
    EXPECT_EQ(answers(Preemption::after(3)), (std::vector{false, false, false, true}));
}

} // namespace
} // namespace sim
