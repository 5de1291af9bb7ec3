// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Fast calls: how a driver finds OP-TEE, and what it cannot reach.

#include "tests/scenario/scenario.hpp"

#include <atomic>

namespace sim::scenario {
namespace {

TEST(Driver, FindsOpteeThroughTheMediator)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0)};
    EXPECT_TRUE(guest.probe()) << guest.probe_failure();
    EXPECT_TRUE(works(guest));
    guest.remove();
    expect_clean_end(machine);
}

TEST(Driver, WorksWithoutAskingForCapabilitiesFirst)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    EXPECT_TRUE(works(guest));
    expect_clean_end(machine);
}

TEST(Driver, SeesOpteesIdentity)
{
    auto machine = Machine::with_one_vm().boot();
    auto const uid = ask(machine.vm(0), abi::smc::calls_uid);
    auto const os_uuid = ask(machine.vm(0), abi::smc::get_os_uuid);
    for (unsigned n = 0; n < 4; ++n) {
        EXPECT_EQ(uid.a(n), abi::uid[n]);
        EXPECT_EQ(os_uuid.a(n), abi::os_uuid[n]);
    }
    EXPECT_EQ(ask(machine.vm(0), abi::smc::calls_revision).a0(), 2u);
    auto const revision = ask(machine.vm(0), abi::smc::get_os_revision);
    EXPECT_EQ(revision.a0(), 4u);
    EXPECT_EQ(revision.a(1), 10u);
    expect_clean_end(machine);
}

TEST(Driver, GetsOnlyCapabilitiesThatOpteeOffersTheMediatorCarriesAndThePolicyAllows)
{
    tee::Options optee;
    optee.capabilities = 0xffff'ffff;
    auto policy = optee_mediator_default_policy();
    policy.capabilities = abi::cap::dynamic_shm;
    auto machine = Machine::with_vms(2).optee(optee).power_on();
    ASSERT_EQ(machine.probe(), OPTEE_MEDIATOR_OK);
    ASSERT_EQ(machine.vm(0).create(machine.fresh_client(), machine.default_policy()), OPTEE_MEDIATOR_OK);
    ASSERT_EQ(machine.vm(1).create(machine.fresh_client(), policy), OPTEE_MEDIATOR_OK);

    auto const free = ask(machine.vm(0), abi::smc::exchange_capabilities, 0xffff'ffff);
    EXPECT_EQ(free.a0(), abi::ret::ok);
    EXPECT_EQ(free.a(1) & (abi::cap::dynamic_shm | abi::cap::memref_null),
              abi::cap::dynamic_shm | abi::cap::memref_null);
    EXPECT_EQ(free.a(1) & (abi::cap::reserved_shm | abi::cap::virtualization | abi::cap::async_notif), 0u);
    EXPECT_EQ(free.a(1) & 0xffff'ff80, 0u) << "capabilities that nobody knows yet";
    EXPECT_EQ(ask(machine.vm(1), abi::smc::exchange_capabilities).a(1), abi::cap::dynamic_shm);
    expect_clean_end(machine);
}

TEST(Driver, IsToldNothingWhenOpteeDoesNotExchangeCapabilities)
{
    auto machine = Machine::with_one_vm().boot();
    machine.optee().answer_next(abi::smc::exchange_capabilities, abi::ret::not_available);
    EXPECT_EQ(ask(machine.vm(0), abi::smc::exchange_capabilities).a0(), abi::ret::not_available);
    machine.optee().instead_of_next(abi::smc::exchange_capabilities, [](tee::Smc& smc) {
        smc.proceed();
        smc.frame.a[1] &= ~std::uint64_t{abi::cap::dynamic_shm};
    });
    EXPECT_EQ(ask(machine.vm(0), abi::smc::exchange_capabilities).a0(), abi::ret::not_available);
    expect_clean_end(machine);
}

TEST(Driver, GetsNoStaticSharedMemory)
{
    auto machine = Machine::with_one_vm().boot();
    auto const answer = ask(machine.vm(0), abi::smc::get_shm_config, 1, 2, 3);
    EXPECT_EQ(answer.a0(), abi::ret::not_available);
    EXPECT_EQ(answer.work.smcs, 0u);
    expect_clean_end(machine);
}

TEST(Driver, IsToldHowManyThreadsItMayUse)
{
    auto policy = optee_mediator_default_policy();
    policy.threads = 2;
    auto machine = Machine::with_one_vm().optee_threads(5).policy(policy).boot();
    auto const answer = ask(machine.vm(0), abi::smc::get_thread_count);
    EXPECT_EQ(answer.a0(), abi::ret::ok);
    EXPECT_EQ(answer.a(1), 2u);
    policy.threads = 1;
    machine.vm(0).set_policy(policy);
    EXPECT_EQ(ask(machine.vm(0), abi::smc::get_thread_count).a(1), 1u);
    expect_clean_end(machine);
}

TEST(Driver, ChoosesAFunctionWithTheLowHalfOfTheRegister)
{
    auto machine = Machine::with_one_vm().boot();
    constexpr std::uint64_t dirt = 0xdead'0000'0000'0000;
    EXPECT_EQ(ask(machine.vm(0), dirt | abi::smc::calls_uid).a0(), abi::uid[0]);
    EXPECT_EQ(ask(machine.vm(0), dirt | abi::smc::exchange_capabilities, dirt).a0(), abi::ret::ok);
    expect_clean_end(machine);
}

TEST(Driver, NamesItsMessageWithTheLowHalvesOfTwoRegisters)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto call = guest.begin_open(App::echo);
    auto dirty = call.registers();
    for (unsigned n = 1; n < 8; ++n)
        dirty.a[n] |= 0xdead'beef'0000'0000;
    dirty.a[3] |= 0xffff'ffff; // shared memory is cached, whatever the guest says
    dirty.a[7] |= 0xffff'ffff; // a client id of the guest's own choice
    call.resume_on(0, dirty);
    EXPECT_TRUE(call.done());
    EXPECT_TRUE(call.result().ok());
    expect_clean_end(machine);
}

TEST(Driver, CannotReachFunctionsThatNobodyListed)
{
    auto policy = optee_mediator_default_policy();
    policy.capabilities &= ~(abi::cap::rpc_arg | abi::cap::async_notif);
    auto machine = Machine::with_one_vm().policy(policy).boot();
    for (auto const function : {abi::smc::vm_created,
                                abi::smc::vm_destroyed,
                                abi::smc::l2cc_mutex,
                                abi::smc::boot_secondary,
                                abi::smc::call_with_rpc_arg,
                                abi::smc::call_with_regd_arg,
                                abi::smc::enable_async_notif,
                                abi::smc::get_async_notif_value,
                                abi::smc::calls_count,
                                0xb200'0014u,
                                0xb200'ff12u,
                                0xb200'ffffu,
                                0x3200'0000u,
                                0x3200'0005u,
                                0x3200'ffffu,
                                abi::smc::call_with_arg | 0x4000'0000u, // the 64-bit convention
                                abi::smc::call_with_arg | 0x8000'0000u, // a fast call of that number
                                abi::smc::exchange_capabilities | 0x4000'0000u,
                                abi::smc::exchange_capabilities & ~0x8000'0000u, // a yielding call of that number
                                0xb300'0000u,
                                0xbf00'0000u,
                                0xbf00'ff02u}) {
        auto const answer = ask(machine.vm(0), function, 1, 2, 3);
        EXPECT_TRUE(answer.handled) << std::hex << function;
        EXPECT_EQ(answer.a0(), abi::ret::unknown_function) << std::hex << function;
        EXPECT_EQ(answer.work.smcs, 0u) << std::hex << function;
    }
    expect_clean_end(machine);
}

TEST(Driver, LeavesFunctionsOfOthersToTheHypervisor)
{
    auto machine = Machine::with_one_vm().boot();
    for (auto const function : {0x8400'0000u, 0xc400'0003u, 0x8600'0000u, 0x8000'0000u, 0xb100'0000u, 0x0000'0000u}) {
        auto const answer = ask(machine.vm(0), function, 1, 2, 3);
        EXPECT_FALSE(answer.handled) << std::hex << function;
        EXPECT_EQ(answer.work.smcs, 0u);
    }
    expect_clean_end(machine);
}

TEST(Boot, RefusesATrustedOsThatIsNotOptee)
{
    tee::Options other;
    other.answers_as_optee = false;
    auto machine = Machine::with_one_vm().optee(other).power_on();
    EXPECT_EQ(machine.probe(), OPTEE_MEDIATOR_NOT_OPTEE);
    EXPECT_EQ(optee_mediator_threads(), 0u);
    EXPECT_EQ(machine.vm(0).create(machine.fresh_client(), machine.default_policy()), OPTEE_MEDIATOR_NOT_PROBED);
    expect_clean_end(machine);
}

TEST(Boot, RefusesAnOpteeThatServesOneVmOnly)
{
    tee::Options optee;
    optee.capabilities = abi::cap::dynamic_shm | abi::cap::memref_null;
    auto machine = Machine::with_one_vm().optee(optee).power_on();
    EXPECT_EQ(machine.probe(), OPTEE_MEDIATOR_NO_VIRTUALIZATION);
    expect_clean_end(machine);
}

TEST(Boot, RefusesAnOpteeThatCannotUseAVmsMemory)
{
    tee::Options optee;
    optee.capabilities = abi::cap::virtualization;
    auto machine = Machine::with_one_vm().optee(optee).power_on();
    EXPECT_EQ(machine.probe(), OPTEE_MEDIATOR_NO_DYNAMIC_SHM);
    expect_clean_end(machine);
}

// xen-devel, 2019, point 4: the number of calls at once is OP-TEE's number of threads, and OP-TEE is asked for it.
TEST(Boot, AsksOpteeHowManyThreadsItHas)
{
    for (auto const threads : {1u, 3u, 16u}) {
        auto machine = Machine::with_one_vm().optee_threads(threads).boot();
        EXPECT_EQ(optee_mediator_threads(), threads);
        EXPECT_EQ(ask(machine.vm(0), abi::smc::get_thread_count).a(1), threads);
        expect_clean_end(machine);
    }
}

TEST(Boot, TakesOneThreadForGrantedWhereOpteeDoesNotTell)
{
    auto machine = Machine::with_one_vm().power_on();
    machine.optee().answer_every(abi::smc::get_thread_count, abi::ret::unknown_function);
    ASSERT_EQ(machine.probe(), OPTEE_MEDIATOR_OK);
    EXPECT_EQ(optee_mediator_threads(), 1u);
    expect_clean_end(machine);
}

} // namespace
} // namespace sim::scenario
