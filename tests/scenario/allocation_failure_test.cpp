// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// The hypervisor has no page for us: at each place where one is asked for, once and from then on.

#include "tests/scenario/scenario.hpp"

namespace sim::scenario {
namespace {

class OutOfPages : public testing::TestWithParam<Failure::Extent> {
protected:
    /// Runs the story with the first, the second, ... allocation failing, until it gets by without coming so far.
    /// The story returns true when it came to its good end.
    static void sweep(std::function<bool(Machine&, LinuxGuest&)> const& story)
    {
        std::uint32_t nth = 0;
        for (bool good_end = false; !good_end; ++nth) {
            ASSERT_LT(nth, 100u);
            auto machine = Machine::with_one_vm().ram_pages(4096).boot();
            auto& vm = machine.vm(0);
            LinuxGuest guest{vm, plain_driver};
            auto const before = vm.mediator_pages();
            Failure failure{Point::allocate_page, nth, GetParam()};
            machine.add(failure);
            good_end = story(machine, guest);
            EXPECT_EQ(good_end, failure.attempts() <= nth) << "the allocation that fails is " << nth;
            machine.remove(failure);
            EXPECT_EQ(vm.counter("calls_live"), 0u);
            if (!good_end) {
                EXPECT_EQ(vm.pins(), 0u);
                EXPECT_EQ(vm.counter("buffers_live"), 0u);
                EXPECT_EQ(vm.counter("pages_live"), 0u);
                EXPECT_EQ(vm.counter("arguments_live"), 0u);
                EXPECT_LE(vm.mediator_pages(), before + 1) << "the registry may keep one page for later";
            }
            EXPECT_TRUE(good_end || story(machine, guest)) << "with memory it works";
            EXPECT_TRUE(works(guest));
            expect_clean_end(machine);
        }
        EXPECT_GE(nth, 3u) << "there were places to fail at";
    }
};

TEST_P(OutOfPages, ARegistrationFailsWithTheRightErrorAndLeavesNothing)
{
    sweep([](Machine&, LinuxGuest& guest) {
        auto const shm = guest.memory().allocate_scattered(1200 * page_bytes);
        auto const result = guest.register_shm(shm);
        if (result.ok()) {
            guest.free_shm(shm);
            return true;
        }
        EXPECT_TRUE(is_refused(result, abi::result::out_of_memory));
        guest.memory().free(shm);
        return false;
    });
}

TEST_P(OutOfPages, ALoadedApplicationFailsWithTheRightErrorAndLeavesNothing)
{
    sweep([](Machine&, LinuxGuest& guest) {
        auto const free_before = guest.memory().free_pages();
        auto const result = guest.open(App::loadable);
        EXPECT_EQ(result.a0, abi::ret::ok);
        EXPECT_TRUE(result.ok() || result.ret == abi::result::out_of_memory) << std::hex << result.ret;
        EXPECT_LE(free_before - guest.memory().free_pages(), result.ok() ? 0u : 1u)
            << "only an argument that was refused stays with the guest, which is not told";
        return result.ok();
    });
}

TEST_P(OutOfPages, ACallWithManyReferencesFailsWithTheRightErrorAndLeavesNothing)
{
    sweep([](Machine&, LinuxGuest& guest) {
        auto const session = guest.open(App::memory).session;
        Arguments arguments;
        for (unsigned n = 0; n < 4; ++n)
            arguments.push_back(temporary_in(guest.memory().allocate_scattered((520 + n) * page_bytes)));
        auto const result = guest.invoke(session, command::memory_sum, arguments);
        EXPECT_TRUE(result.ok() || is_refused(result, abi::result::out_of_memory));
        for (auto const& argument : arguments)
            guest.memory().free(argument.temporary);
        return result.ok();
    });
}

TEST_P(OutOfPages, AVmIsNotCreatedAndLeavesNothing)
{
    std::uint32_t nth = 0;
    for (auto status = OPTEE_MEDIATOR_NO_MEMORY; status != OPTEE_MEDIATOR_OK; ++nth) {
        ASSERT_LT(nth, 100u);
        auto machine = Machine::with_one_vm().optee_threads(6).power_on();
        ASSERT_EQ(machine.probe(), OPTEE_MEDIATOR_OK);
        auto const client = machine.fresh_client();
        Failure failure{Point::allocate_page, nth, GetParam()};
        machine.add(failure);
        status = machine.vm(0).create(client, machine.default_policy());
        machine.remove(failure);
        if (status != OPTEE_MEDIATOR_OK) {
            EXPECT_EQ(status, OPTEE_MEDIATOR_NO_MEMORY);
            EXPECT_TRUE(holds_nothing(machine.vm(0)));
            EXPECT_FALSE(machine.optee().has_partition(client));
            EXPECT_EQ(machine.vm(0).create(client, machine.default_policy()), OPTEE_MEDIATOR_OK);
        }
        LinuxGuest guest{machine.vm(0), plain_driver};
        EXPECT_TRUE(works(guest));
        expect_clean_end(machine);
    }
    EXPECT_EQ(nth, 7u) << "one page for each thread of OP-TEE";
}

INSTANTIATE_TEST_SUITE_P(Fails,
                         OutOfPages,
                         testing::Values(Failure::Extent::once, Failure::Extent::from_then_on),
                         [](auto const& which) {
                             return which.param == Failure::Extent::once ? "Once" : "FromThenOn";
                         });

} // namespace
} // namespace sim::scenario
