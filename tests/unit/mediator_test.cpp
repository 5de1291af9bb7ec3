// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/unit/vm_fixture.hpp"

#include <optee_mediator/mediator.h>

#include <array>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace optee {
namespace {

/// A machine that is switched on, where nobody has looked for OP-TEE yet.
class TheBoundary : public testing::Test {
protected:
    TheBoundary()
    {
        // Another machine of this process may have been probed before: without OP-TEE that is forgotten.
        auto other = sim::Machine::with_one_vm().optee({.answers_as_optee = false}).power_on();
        EXPECT_EQ(other.probe(), OPTEE_MEDIATOR_NOT_OPTEE);
    }
    ~TheBoundary() override { EXPECT_TRUE(machine_.invariants_hold()) << machine_.violations(); }

    optee_mediator_status create(std::uint32_t vm, std::uint32_t client)
    {
        return machine_.vm(vm).create(client, optee_mediator_default_policy());
    }

    sim::Machine machine_{sim::Machine::with_vms(3).ram_pages(64).power_on()};
};

TEST_F(TheBoundary, MakesNoVmBeforeOpteeWasFound)
{
    auto const policy = optee_mediator_default_policy();
    EXPECT_EQ(optee_mediator_threads(), 0u);
    EXPECT_EQ(optee_mediator_vm_bytes(&policy), 0u);
    EXPECT_EQ(create(0, 1), OPTEE_MEDIATOR_NOT_PROBED);
    ASSERT_EQ(machine_.probe(), OPTEE_MEDIATOR_OK);
    EXPECT_EQ(optee_mediator_threads(), 4u);
    EXPECT_EQ(create(0, 1), OPTEE_MEDIATOR_OK);
}

TEST_F(TheBoundary, TakesClientIdsThatOpteeCanTellApart)
{
    ASSERT_EQ(machine_.probe(), OPTEE_MEDIATOR_OK);
    for (auto const bad : {0U, 65536U, 65537U, 0x8000'0001U, ~0U})
        EXPECT_EQ(create(0, bad), OPTEE_MEDIATOR_BAD_CLIENT) << bad;
    EXPECT_EQ(create(0, 65535), OPTEE_MEDIATOR_OK);
    EXPECT_EQ(create(1, 1), OPTEE_MEDIATOR_OK);
}

TEST_F(TheBoundary, TakesEachClientIdOnceAtATime)
{
    ASSERT_EQ(machine_.probe(), OPTEE_MEDIATOR_OK);
    ASSERT_EQ(create(0, 7), OPTEE_MEDIATOR_OK);
    auto const policy = optee_mediator_default_policy();
    auto const bytes = static_cast<std::size_t>(optee_mediator_vm_bytes(&policy));
    std::vector<std::uint64_t> memory(bytes / 8 + 16);
    void* aligned = memory.data();
    auto room = memory.size() * 8;
    ASSERT_NE(std::align(64, bytes, aligned, room), nullptr);
    {
        // Not by the simulator's create(), for which this would be OP-TEE's fault.
        sim::Entry entry{machine_, &machine_.vm(1), 0, sim::Entry::Kind::create};
        EXPECT_EQ(optee_mediator_vm_create(static_cast<optee_mediator_vm*>(aligned), &machine_.vm(1), 7, &policy),
                  OPTEE_MEDIATOR_BAD_CLIENT);
        entry.finish();
        EXPECT_EQ(entry.work().smcs, 0u); // OP-TEE itself would not refuse
    }
    EXPECT_EQ(machine_.vm(1).mediator_pages(), 0u);
    EXPECT_EQ(machine_.vm(0).destroy(), OPTEE_MEDIATOR_OK);
    EXPECT_EQ(create(1, 7), OPTEE_MEDIATOR_OK);
}

TEST_F(TheBoundary, LeavesNothingBehindWhenMemoryEndsAtAnyPageOfAVm)
{
    ASSERT_EQ(machine_.probe(), OPTEE_MEDIATOR_OK);
    for (std::uint32_t nth = 0; nth != 4; ++nth) {
        sim::Failure failure{sim::Point::allocate_page, nth};
        machine_.add(failure);
        EXPECT_EQ(create(0, 7), OPTEE_MEDIATOR_NO_MEMORY) << nth;
        machine_.remove(failure);
        EXPECT_EQ(machine_.vm(0).mediator_pages(), 0u) << nth;
        EXPECT_FALSE(machine_.optee().has_partition(7)) << nth;
    }
    EXPECT_EQ(create(0, 7), OPTEE_MEDIATOR_OK) << "the client id is free again";
    EXPECT_EQ(machine_.vm(0).mediator_pages(), 4u);
}

TEST_F(TheBoundary, LeavesNothingBehindWhenOpteeHasNoRoom)
{
    ASSERT_EQ(machine_.probe(), OPTEE_MEDIATOR_OK);
    machine_.optee().answer_next(smc::vm_created, ret::not_available);
    EXPECT_EQ(create(0, 7), OPTEE_MEDIATOR_REFUSED);
    EXPECT_EQ(machine_.vm(0).mediator_pages(), 0u);
    EXPECT_EQ(create(1, 7), OPTEE_MEDIATOR_OK);
}

TEST_F(TheBoundary, NeedsMemoryForAsManyCallsAsThePolicyAllows)
{
    ASSERT_EQ(machine_.probe(), OPTEE_MEDIATOR_OK);
    auto policy = optee_mediator_default_policy();
    auto const bytes = [&](std::uint32_t threads) {
        policy.threads = threads;
        return static_cast<std::uint64_t>(optee_mediator_vm_bytes(&policy));
    };
    EXPECT_EQ(bytes(0), bytes(1));
    EXPECT_LT(bytes(1), bytes(2));
    EXPECT_EQ(bytes(4), bytes(~0U));
    EXPECT_EQ(bytes(3) - bytes(2), bytes(2) - bytes(1));
}

TEST_F(TheBoundary, HasNamesForCountersAndEvents)
{
    std::set<std::string> names;
    for (std::uint32_t i = 0; i != optee_mediator_counters(); ++i)
        names.insert(optee_mediator_counter_name(i));
    EXPECT_EQ(names.size(), optee_mediator_counters());
    EXPECT_EQ(optee_mediator_counter_name(optee_mediator_counters()), nullptr);
    EXPECT_EQ(optee_mediator_counter_name(~0U), nullptr);
    EXPECT_STREQ(optee_mediator_event_name(0), "call_begins");
    EXPECT_EQ(optee_mediator_event_name(~0U), nullptr);
    EXPECT_EQ(optee_mediator_event_name(14), nullptr);
}

/// A VM in memory of the test's own, so that all functions of the boundary can be called.
class AVmsHandle : public testing::Test {
protected:
    AVmsHandle()
    {
        EXPECT_EQ(machine_.probe(), OPTEE_MEDIATOR_OK);
        auto const policy = optee_mediator_default_policy();
        memory_.resize(static_cast<std::size_t>(optee_mediator_vm_bytes(&policy)) / sizeof(Line) + 1);
        vm_ = reinterpret_cast<optee_mediator_vm*>(memory_.data());
        machine_.optee().expect_client(0, machine_.vm(0));
        machine_.optee().instead_of_next(smc::vm_created, [](sim::tee::Smc& call) { call.frame.a[0] = ret::ok; });
        machine_.log().tolerate(sim::Invariant::i12); // the simulator did not create this VM and knows no id for it
        sim::Entry entry{machine_, &machine_.vm(0), 0, sim::Entry::Kind::create};
        EXPECT_EQ(optee_mediator_vm_create(vm_, &machine_.vm(0), 5, &policy), OPTEE_MEDIATOR_OK);
        entry.finish();
    }
    ~AVmsHandle() override
    {
        machine_.optee().instead_of_next(smc::vm_destroyed, [](sim::tee::Smc& call) { call.frame.a[0] = ret::ok; });
        sim::Entry entry{machine_, &machine_.vm(0), 0, sim::Entry::Kind::destroy};
        EXPECT_EQ(optee_mediator_vm_destroy(vm_), OPTEE_MEDIATOR_OK);
        EXPECT_EQ(optee_mediator_vm_destroy(vm_), OPTEE_MEDIATOR_OK) << "once more";
        entry.finish();
        EXPECT_EQ(machine_.vm(0).mediator_pages(), 0u);
        EXPECT_TRUE(machine_.invariants_hold()) << machine_.violations();
    }
    void trap(std::uint32_t function)
    {
        sim::Entry entry{machine_, &machine_.vm(0), 0, sim::Entry::Kind::smc};
        optee_smc_frame frame{{function, 1, 2, 3, 4, 5, 6, 7}};
        EXPECT_TRUE(optee_mediator_handle_smc(vm_, &frame));
        entry.finish();
    }

    struct alignas(64) Line {
        std::array<std::byte, 64> bytes;
    };
    sim::Machine machine_{sim::Machine::with_one_vm().ram_pages(64).power_on()};
    std::vector<Line> memory_;
    optee_mediator_vm* vm_ = nullptr;
};

TEST_F(AVmsHandle, TellsThePolicyInForce)
{
    optee_mediator_policy const policy{.threads = 2, .buffers = 0, .pages = 5, .capabilities = 4};
    optee_mediator_vm_set_policy(vm_, &policy);
    auto const in_force = optee_mediator_vm_policy(vm_);
    EXPECT_EQ(in_force.threads, 2u);
    EXPECT_EQ(in_force.buffers, 1u); // at least one
    EXPECT_EQ(in_force.pages, 5u);
    EXPECT_EQ(in_force.capabilities, 4u);
}

TEST_F(AVmsHandle, TellsTheAllowListInForce)
{
    sim::Entry entry{machine_, &machine_.vm(0), 0, sim::Entry::Kind::control};
    optee_mediator_ta_list told{.in_force = true, .count = 9, .ta = {}};
    optee_mediator_vm_tas(vm_, &told);
    EXPECT_FALSE(told.in_force);
    optee_mediator_ta_list list{.in_force = true, .count = 1, .ta = {}};
    list.ta[0].octets[15] = 7;
    ASSERT_TRUE(optee_mediator_vm_set_tas(vm_, &list));
    optee_mediator_vm_tas(vm_, &told);
    EXPECT_TRUE(told.in_force);
    EXPECT_EQ(told.count, 1u);
    EXPECT_EQ(told.ta[0].octets[15], 7u);
    entry.finish();
}

TEST_F(AVmsHandle, CountsAndTraces)
{
    auto const value = [&](char const* name) {
        for (std::uint32_t i = 0; i != optee_mediator_counters(); ++i)
            if (std::strcmp(optee_mediator_counter_name(i), name) == 0)
                return optee_mediator_vm_counter(vm_, i);
        return ~std::uint64_t{0};
    };
    trap(smc::get_thread_count);
    trap(smc::get_shm_config);
    EXPECT_EQ(value("fast_calls"), 2u);
    EXPECT_EQ(value("mediator_pages"), 4u);
    EXPECT_EQ(optee_mediator_vm_counter(vm_, optee_mediator_counters()), 0u);
    EXPECT_EQ(optee_mediator_vm_counter(vm_, ~0U), 0u);
    std::array<optee_mediator_event, 8> events{};
    ASSERT_EQ(optee_mediator_vm_trace(vm_, events.data(), 8), 3u);
    EXPECT_STREQ(optee_mediator_event_name(events[0].what), "vm_created");
    EXPECT_EQ(events[0].detail, 5u);
    EXPECT_STREQ(optee_mediator_event_name(events[2].what), "fast_call");
    EXPECT_EQ(events[2].detail, smc::get_shm_config);
    EXPECT_EQ(optee_mediator_vm_trace(vm_, events.data(), 1), 1u);
    EXPECT_EQ(events[0].detail, smc::get_shm_config);
}

} // namespace
} // namespace optee
