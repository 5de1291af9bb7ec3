// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// One name space: a live cookie names exactly one object, of one kind, and only that can be used or released by it.

#include "tests/scenario/scenario.hpp"

namespace sim::scenario {
namespace {

/// One call, stopped at a moment at which the VM has an object of each kind.
struct Names {
    Machine machine = Machine::with_one_vm().vcpus(2).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    std::uint32_t storage = guest.open(App::storage).session;
    std::uint32_t memory = guest.open(App::memory).session;
    Shm registered = guest.register_memory(2 * page_bytes);
    Shm temporary = guest.memory().allocate_scattered(2 * page_bytes);
    Call holder = guest.begin_invoke(storage, command::storage_write, {temporary_in(temporary), value_in(7)});
    std::uint64_t rpc_data = 0;
    std::uint64_t rpc_argument = 0;

    Names()
    {
        if (!run_until_command(holder, abi::rpc_cmd::fs))
            return;
        rpc_argument = holder.last().pair(1);
        rpc_data = holder.rpc_message().param(1).c;
    }
    /// What is there is still there, and everything ends well.
    void expect_all_intact()
    {
        auto& vm = machine.vm(0);
        EXPECT_EQ(vm.counter("buffers_live"), 3u);
        EXPECT_EQ(vm.counter("arguments_live"), 1u);
        holder.run_on(0);
        ASSERT_TRUE(holder.done());
        EXPECT_TRUE(holder.result().ok());
        EXPECT_TRUE(guest.invoke(memory, command::memory_invert, {shared_inout(registered)}).ok());
        EXPECT_TRUE(guest.unregister_shm(registered).ok());
        EXPECT_EQ(vm.pins(), 0u);
        expect_clean_end(machine);
    }
};

struct Kind {
    char const* name;
    std::function<std::uint64_t(Names const&)> cookie;
};

void PrintTo(Kind const& kind, std::ostream* out)
{
    *out << kind.name;
}

class LiveCookie : public testing::TestWithParam<Kind> {};

TEST_P(LiveCookie, IsNotRegisteredAgain)
{
    Names names;
    auto const cookie = GetParam().cookie(names);
    ASSERT_NE(cookie, 0u);
    auto const other = names.guest.memory().allocate_scattered(page_bytes);
    auto const same_name = std::make_shared<SharedMemory>(*other);
    same_name->cookie = cookie;
    EXPECT_TRUE(is_refused(names.guest.register_shm(same_name), abi::result::bad_parameters));
    names.expect_all_intact();
}

TEST_P(LiveCookie, IsNotTakenForATemporaryReference)
{
    Names names;
    auto const other = names.guest.memory().allocate_scattered(page_bytes);
    auto const same_name = std::make_shared<SharedMemory>(*other);
    same_name->cookie = GetParam().cookie(names);
    EXPECT_TRUE(is_refused(names.guest.invoke(names.memory, command::memory_invert, {temporary_inout(same_name)}),
                           abi::result::bad_parameters));
    names.expect_all_intact();
}

TEST_P(LiveCookie, IsNotTakenForAnRpcArgument)
{
    Names names;
    auto const clock = names.guest.open(App::clock).session;
    auto call = names.guest.begin_invoke(clock, command::clock_get, {value_out()});
    ASSERT_TRUE(run_until_rpc(call, abi::rpc::alloc));
    auto answer = call.serve_rpc().value();
    answer.a[4] = abi::high(GetParam().cookie(names));
    answer.a[5] = abi::low(GetParam().cookie(names));
    call.resume_on(0, answer);
    EXPECT_TRUE(call.done()) << "OP-TEE has no name that it could free";
    EXPECT_EQ(call.result().ret, abi::result::out_of_memory);
    names.expect_all_intact();
}

TEST_P(LiveCookie, IsNotTakenForTheAnswerToShmAlloc)
{
    Names names;
    auto const allocator = names.guest.open(App::allocator).session;
    auto call = names.guest.begin_invoke(allocator, command::allocator_appl, {value_in(2 * page_bytes, 1)});
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::shm_alloc));
    auto const answer = call.serve_rpc().value();
    auto offer = call.rpc_message().param(0);
    offer.c = GetParam().cookie(names);
    call.rpc_message().set_param(0, offer);
    call.resume_on(0, answer);
    EXPECT_FALSE(call.asks_for(abi::rpc_cmd::shm_free)) << "the guest would free what is in use";
    call.run_on(0);
    ASSERT_TRUE(call.done());
    EXPECT_EQ(call.result().ret, abi::result::out_of_memory);
    names.expect_all_intact();
}

TEST_P(LiveCookie, IsUsedAndReleasedOnlyAsWhatItNames)
{
    Names names;
    auto const cookie = GetParam().cookie(names);
    if (cookie != names.registered->cookie) {
        auto const taken_for_registered = std::make_shared<SharedMemory>(*names.registered);
        taken_for_registered->cookie = cookie;
        EXPECT_TRUE(is_refused(
            names.guest.invoke(names.memory, command::memory_invert, {shared_inout(taken_for_registered, 0, 1)}),
            abi::result::bad_parameters));
        auto unregister = names.guest.begin_unregister(taken_for_registered);
        EXPECT_EQ(unregister.start_on(0).work.smcs, 0u);
        EXPECT_TRUE(is_refused(unregister.result(), abi::result::bad_parameters));
    }
    names.expect_all_intact();
}

INSTANTIATE_TEST_SUITE_P(
    Of,
    LiveCookie,
    testing::Values(Kind{"RegisteredMemory", [](Names const& n) { return n.registered->cookie; }},
                    Kind{"ATemporaryReference", [](Names const& n) { return n.temporary->cookie; }},
                    Kind{"AnRpcArgument", [](Names const& n) { return n.rpc_argument; }},
                    Kind{"RpcData", [](Names const& n) { return n.rpc_data; }}),
    name_of_case<Kind>);

TEST(Cookie, ZeroNamesNothing)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::memory).session;
    auto const shm = std::make_shared<SharedMemory>(*guest.memory().allocate_scattered(page_bytes));
    shm->cookie = 0;
    EXPECT_TRUE(is_refused(guest.register_shm(shm), abi::result::bad_parameters));
    EXPECT_TRUE(is_refused(guest.unregister_shm(shm), abi::result::bad_parameters));
    EXPECT_TRUE(
        is_refused(guest.invoke(session, command::memory_invert, {shared_inout(shm)}), abi::result::bad_parameters));
    EXPECT_TRUE(guest.invoke(session, command::memory_invert, {temporary_inout(shm)}).ok())
        << "a temporary reference may do without a name";
    expect_clean_end(machine);
}

TEST(Cookie, OfNobodyIsRefusedWithoutAskingOptee)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const shm = guest.memory().allocate_scattered(page_bytes);
    auto call = guest.begin_unregister(shm);
    EXPECT_EQ(call.start_on(0).work.smcs, 0u);
    EXPECT_TRUE(is_refused(call.result(), abi::result::bad_parameters));
    expect_clean_end(machine);
}

TEST(Cookie, IsUnregisteredOnce)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const shm = guest.register_memory(page_bytes);
    EXPECT_TRUE(guest.unregister_shm(shm).ok());
    EXPECT_TRUE(is_refused(guest.unregister_shm(shm), abi::result::bad_parameters));
    EXPECT_TRUE(guest.register_shm(shm).ok()) << "the name is free again";
    guest.free_shm(shm);
    expect_clean_end(machine);
}

TEST(Cookie, IsUnregisteredByOneOfTwoVcpus)
{
    auto machine = Machine::with_one_vm().vcpus(2).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const shm = guest.register_memory(page_bytes);
    auto first = guest.begin_unregister(shm);
    auto second = guest.begin_unregister(shm);
    Once meanwhile{Point::smc, 0, [&](Moment const&) { second.start_on(1); }};
    machine.add(meanwhile);
    first.start_on(0);
    EXPECT_TRUE(first.result().ok());
    EXPECT_TRUE(is_refused(second.result(), abi::result::bad_parameters));
    EXPECT_EQ(machine.vm(0).pins(), 0u);
    expect_clean_end(machine);
}

TEST(Cookie, IsTakenFromTheMomentAtWhichItsRegistrationBegins)
{
    auto machine = Machine::with_one_vm().vcpus(2).preemption(Preemption::always()).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const memory = guest.open(App::memory).session;
    auto const shm = guest.memory().allocate_scattered(200 * page_bytes);
    auto first = guest.begin_register(shm);
    first.start_on(0);
    ASSERT_TRUE(first.waits_for_rpc()) << "in the middle of translation";
    EXPECT_TRUE(is_refused(guest.register_shm(shm, 1), abi::result::bad_parameters));
    EXPECT_TRUE(
        is_refused(guest.invoke(memory, command::memory_invert, {shared_inout(shm)}, 1), abi::result::bad_parameters))
        << "nor can it be used";
    EXPECT_TRUE(is_refused(guest.unregister_shm(shm, 1), abi::result::bad_parameters));
    first.run_on(0);
    EXPECT_TRUE(first.result().ok());
    EXPECT_TRUE(guest.unregister_shm(shm).ok());
    expect_clean_end(machine);
}

TEST(Cookie, IsNotUsedOnceItsUnregistrationHasBegun)
{
    auto machine = Machine::with_one_vm().vcpus(2).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const memory = guest.open(App::memory).session;
    auto const shm = guest.register_memory(3 * page_bytes);
    machine.preempt(Preemption::always());
    machine.optee().interrupt_without_end();
    auto leaving = guest.begin_unregister(shm);
    leaving.start_on(0);
    ASSERT_EQ(leaving.rpc(), abi::rpc::foreign_interrupt);
    machine.optee().interrupt_without_end(false);
    EXPECT_TRUE(is_refused(guest.invoke(memory, command::memory_invert, {shared_inout(shm)}, 1),
                           abi::result::bad_parameters));
    EXPECT_EQ(machine.vm(0).pins(), 3u) << "OP-TEE has not let go";
    leaving.run_on(0);
    EXPECT_TRUE(leaving.result().ok());
    EXPECT_EQ(machine.vm(0).pins(), 0u);
    expect_clean_end(machine);
}

TEST(Cookie, OfMemoryThatACallUsesIsNotUnregistered)
{
    auto machine = Machine::with_one_vm().vcpus(2).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const storage = guest.open(App::storage).session;
    auto const shm = guest.register_memory(page_bytes);
    auto user = guest.begin_invoke(storage, command::storage_write, {shared_in(shm), value_in(7)});
    ASSERT_TRUE(run_until_command(user, abi::rpc_cmd::fs));
    EXPECT_TRUE(is_refused(guest.unregister_shm(shm, 1), abi::result::busy));
    EXPECT_EQ(machine.vm(0).pins_of(shm->pages[0]), 1u);
    user.run_on(0);
    EXPECT_TRUE(user.result().ok());
    EXPECT_TRUE(guest.unregister_shm(shm).ok());
    expect_clean_end(machine);
}

TEST(Cookie, ComesAndGoesWithoutLeavingAnythingBehind)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    guest.free_shm(guest.register_memory(page_bytes));
    auto const pages = machine.vm(0).mediator_pages();
    for (unsigned n = 0; n < 500; ++n) {
        auto const shm = guest.register_memory(page_bytes);
        ASSERT_NE(shm, nullptr);
        guest.free_shm(shm);
    }
    EXPECT_EQ(machine.vm(0).mediator_pages(), pages);
    expect_clean_end(machine);
}

struct ParameterOfRegister {
    char const* name;
    abi::Param param;
};

class RegisterShm : public testing::TestWithParam<ParameterOfRegister> {};

TEST_P(RegisterShm, TakesExactlyTheParameterThatTheAbiGivesIt)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    for (auto const cmd : {abi::cmd::register_shm, abi::cmd::unregister_shm}) {
        auto call = guest.begin(cmd, 0, 0, {{GetParam().param, nullptr}});
        EXPECT_EQ(call.start_on(0).work.smcs, 0u);
        EXPECT_TRUE(is_refused(call.result(), abi::result::bad_parameters));
    }
    expect_clean_end(machine);
}

INSTANTIATE_TEST_SUITE_P(
    AndNot,
    RegisterShm,
    testing::Values(
        ParameterOfRegister{"Null", {abi::attr::tmem_output | abi::attr::noncontig, 0, page_bytes, 7}},
        ParameterOfRegister{"AContiguousBuffer", {abi::attr::tmem_output, 0x4000'3000, page_bytes, 7}},
        ParameterOfRegister{"AnEmptyList", {abi::attr::tmem_output | abi::attr::noncontig, 0x4000'3000, 0, 7}},
        ParameterOfRegister{"AnInput", {abi::attr::tmem_input | abi::attr::noncontig, 0x4000'3000, page_bytes, 7}},
        ParameterOfRegister{"InAndOutput",
                            {abi::attr::tmem_inout | abi::attr::noncontig, 0x4000'3000, page_bytes, 7}},
        ParameterOfRegister{"AValue", {abi::attr::value_input, 0x4000'3000, page_bytes, 7}},
        ParameterOfRegister{"RegisteredOutput", {abi::attr::rmem_output, 0, page_bytes, 7}},
        ParameterOfRegister{"Nothing", {abi::attr::none, 0, 0, 0}}),
    name_of_case<ParameterOfRegister>);

} // namespace
} // namespace sim::scenario
