// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// The beginning of a VM: under an id of its own, with all that its calls need, or not at all.

#include "tests/scenario/scenario.hpp"

namespace sim::scenario {
namespace {

/// vm_create() below the simulator's own bookkeeping, which knows one VM for each id. Tells also how many SMCs it took.
struct Creation {
    optee_mediator_status status;
    std::uint32_t smcs;
};

Creation create_directly(Machine& machine, Vm& vm, std::uint32_t client)
{
    Entry entry{machine, &vm, 0, Entry::Kind::create};
    auto const status = machine.mediator().create(vm, client, machine.default_policy());
    entry.finish();
    return {status, entry.work().smcs};
}

TEST(VmCreate, RefusesIdsThatOpteeWouldTakeForOthers)
{
    auto machine = Machine::with_vms(2).power_on();
    ASSERT_EQ(machine.probe(), OPTEE_MEDIATOR_OK);
    for (auto const client : {0u, 0x1'0000u, 0x1'0001u, 0xffff'ffffu}) {
        auto const creation = create_directly(machine, machine.vm(0), client);
        EXPECT_EQ(creation.status, OPTEE_MEDIATOR_BAD_CLIENT) << client;
        EXPECT_EQ(creation.smcs, 0u);
    }
    expect_clean_end(machine);
}

TEST(VmCreate, RefusesAnIdThatIsInUseWithoutAskingOptee)
{
    auto machine = Machine::with_vms(2).power_on();
    ASSERT_EQ(machine.probe(), OPTEE_MEDIATOR_OK);
    auto const client = machine.fresh_client();
    ASSERT_EQ(machine.vm(0).create(client, machine.default_policy()), OPTEE_MEDIATOR_OK);
    auto const second = create_directly(machine, machine.vm(1), client);
    EXPECT_EQ(second.status, OPTEE_MEDIATOR_BAD_CLIENT);
    EXPECT_EQ(second.smcs, 0u);
    EXPECT_EQ(machine.vm(1).mediator_pages(), 0u);
    LinuxGuest guest{machine.vm(0), plain_driver};
    EXPECT_TRUE(works(guest)) << "the first one is as it was";
    ASSERT_EQ(machine.vm(0).destroy(), OPTEE_MEDIATOR_OK);
    EXPECT_EQ(machine.vm(1).create(client, machine.default_policy()), OPTEE_MEDIATOR_OK) << "now it is free";
    expect_clean_end(machine);
}

TEST(VmCreate, RefusesTheIdOfAVmInQuarantine)
{
    auto machine = Machine::with_vms(2).boot();
    machine.optee().answer_next(abi::smc::vm_destroyed, abi::ret::not_available);
    ASSERT_EQ(machine.vm(0).destroy(), OPTEE_MEDIATOR_QUARANTINED);
    ASSERT_EQ(machine.vm(1).destroy(), OPTEE_MEDIATOR_OK);
    auto const second = create_directly(machine, machine.vm(1), machine.vm(0).client());
    EXPECT_EQ(second.status, OPTEE_MEDIATOR_BAD_CLIENT);
    EXPECT_EQ(second.smcs, 0u);
    expect_clean_end(machine);
}

TEST(VmCreate, RefusedByOpteeLeavesNothingAndMayBeTriedAgain)
{
    tee::Options optee;
    optee.partitions = 1;
    auto machine = Machine::with_vms(2).optee(optee).power_on();
    ASSERT_EQ(machine.probe(), OPTEE_MEDIATOR_OK);
    ASSERT_EQ(machine.vm(0).create(machine.fresh_client(), machine.default_policy()), OPTEE_MEDIATOR_OK);
    auto const client = machine.fresh_client();
    EXPECT_EQ(machine.vm(1).create(client, machine.default_policy()), OPTEE_MEDIATOR_REFUSED);
    EXPECT_TRUE(holds_nothing(machine.vm(1)));
    ASSERT_EQ(machine.vm(0).destroy(), OPTEE_MEDIATOR_OK);
    EXPECT_EQ(machine.vm(1).create(client, machine.default_policy()), OPTEE_MEDIATOR_OK);
    LinuxGuest guest{machine.vm(1), plain_driver};
    EXPECT_TRUE(works(guest));
    expect_clean_end(machine);
}

TEST(VmCreate, HoldsOneShadowForEachThreadAndNoMore)
{
    auto policy = optee_mediator_default_policy();
    policy.threads = 2;
    auto machine = Machine::with_vms(2).optee_threads(6).power_on();
    ASSERT_EQ(machine.probe(), OPTEE_MEDIATOR_OK);
    ASSERT_EQ(machine.vm(0).create(machine.fresh_client(), policy), OPTEE_MEDIATOR_OK);
    ASSERT_EQ(machine.vm(1).create(machine.fresh_client(), machine.default_policy()), OPTEE_MEDIATOR_OK);
    EXPECT_EQ(machine.vm(0).mediator_pages(), 2u);
    EXPECT_EQ(machine.vm(1).mediator_pages(), 6u);
    // The way that every call takes allocates nothing.
    LinuxGuest guest{machine.vm(1), plain_driver};
    auto call = guest.begin_open(App::echo);
    EXPECT_EQ(call.start_on(0).work.allocations, 0u);
    expect_clean_end(machine);
}

TEST(VmCreate, AsksForMemoryAsThePolicySays)
{
    auto machine = Machine::with_one_vm().optee_threads(8).boot();
    auto policy = optee_mediator_default_policy();
    auto const all = optee_mediator_vm_bytes(&policy);
    policy.threads = 1;
    auto const one = optee_mediator_vm_bytes(&policy);
    EXPECT_GT(one, 0u);
    EXPECT_GT(all, one);
    policy.threads = 0; // limits are at least 1
    EXPECT_EQ(optee_mediator_vm_bytes(&policy), one);
    expect_clean_end(machine);
}

} // namespace
} // namespace sim::scenario
