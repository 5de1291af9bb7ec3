// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/optee/optee.hpp"
#include "tee.hpp"
#include "tests/unit/core_fixture.hpp"

#include <array>

namespace optee {
namespace {

TEST(AnAnswerOfOptee, IsAnRpcWhenItHasThePrefix)
{
    EXPECT_TRUE((TeeAnswer{0xffff'0000, 0, 0, 0}.is_rpc()));
    EXPECT_TRUE((TeeAnswer{0xffff'0005, 0, 0, 0}.is_rpc()));
    EXPECT_TRUE((TeeAnswer{0xffff'fffe, 0, 0, 0}.is_rpc()));
    EXPECT_FALSE((TeeAnswer{0xffff'ffff, 0, 0, 0}.is_rpc())); // unknown function
    EXPECT_FALSE((TeeAnswer{0xfffe'ffff, 0, 0, 0}.is_rpc()));
    EXPECT_FALSE((TeeAnswer{0, 0, 0, 0}.is_rpc()));
}

TEST(AnAnswerOfOptee, IsKnownWhenTheAbiListsIt)
{
    for (std::uint32_t a0 = 0; a0 != 0x2'0000; ++a0)
        EXPECT_EQ((TeeAnswer{a0, 0, 0, 0}.is_known_code()), a0 <= 7) << a0;
    EXPECT_FALSE((TeeAnswer{0xffff'ffff, 0, 0, 0}.is_known_code()));
    EXPECT_FALSE((TeeAnswer{0x8000'0000, 0, 0, 0}.is_known_code()));
}

TEST(AnEntryOfAVm, CarriesItsClientIdAndNothingThatWasNotGiven)
{
    auto machine = sim::Machine::with_one_vm().boot();
    auto& guest = machine.vm(0);
    VmContext vm{&guest, ClientId{static_cast<std::uint16_t>(guest.client())}, 4};
    std::array<std::uint64_t, 8> seen{};
    machine.optee().instead_of_next([&](sim::tee::Smc& call) {
        std::copy(std::begin(call.frame.a), std::end(call.frame.a), seen.begin());
        call.frame.a[0] = 0xdead'0000'0000'0005;
        call.frame.a[1] = 0xdead'0000'0000'0001;
        call.frame.a[2] = 0xffff'ffff'0000'0002;
        call.frame.a[3] = 0x1'0000'0003;
    });
    sim::Entry entry{machine, &guest, 0, sim::Entry::Kind::smc};
    auto const answer = enter_tee(
        vm, {.function = abi::SmcFunction::return_from_rpc, .a1 = 11, .a2 = 12, .a3 = 13, .a4 = 14, .a5 = 15});
    entry.finish();
    EXPECT_EQ(seen, (std::array<std::uint64_t, 8>{0x3200'0003, 11, 12, 13, 14, 15, 0, guest.client()}));
    EXPECT_EQ(answer.a0, 5u); // SMC32: the low halves
    EXPECT_EQ(answer.a1, 1u);
    EXPECT_EQ(answer.a2, 2u);
    EXPECT_EQ(answer.a3, 3u);
    EXPECT_EQ(vm.statistics.value(Counter::smcs), 1u);
    EXPECT_GE(vm.statistics.value(Counter::secure_world_ticks), 1u);
    EXPECT_TRUE(machine.invariants_hold()) << machine.violations();
}

class AnEntryOfTheHypervisor : public CoreTest {};

TEST_F(AnEntryOfTheHypervisor, CarriesClientZero)
{
    std::array<std::uint64_t, 8> seen{};
    machine_.optee().instead_of_next([&](sim::tee::Smc& call) {
        std::copy(std::begin(call.frame.a), std::end(call.frame.a), seen.begin());
        call.frame.a[0] = 0;
    });
    EXPECT_TRUE(enter_tee_as_hypervisor(abi::SmcFunction::get_thread_count, 3).is(abi::ReturnCode::ok));
    EXPECT_EQ(seen, (std::array<std::uint64_t, 8>{0xb200'000f, 3, 0, 0, 0, 0, 0, 0}));
}

} // namespace
} // namespace optee
