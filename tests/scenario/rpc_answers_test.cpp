// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Answers of the guest that do not reach OP-TEE as they are: refused ones, and those that say more than was asked.

#include "tests/scenario/scenario.hpp"

namespace sim::scenario {
namespace {

constexpr std::uint64_t asked_bytes = 3 * page_bytes;

/// A call of the allocator that waits for the answer to SHM_ALLOC, which Linux's driver has put into the page already.
struct Allocation {
    Machine machine = Machine::with_vms(2).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    std::uint32_t session = guest.open(App::allocator).session;
    Shm registered = guest.register_memory(page_bytes);
    Call call = guest.begin_invoke(session, command::allocator_appl, {value_in(asked_bytes, 1)});
    Registers answer{};
    abi::Param offer{};

    Allocation()
    {
        if (run_until_command(call, abi::rpc_cmd::shm_alloc)) {
            answer = call.serve_rpc().value();
            offer = call.rpc_message().param(0);
        }
    }
    Ipa list() const { return Ipa{offer.a & ~page_mask}; }
    void change(abi::Param const& param) { call.rpc_message().set_param(0, param); }

    // A page that goes comes back: the guest's allocator does not know that it was away.
    void take_away(Ipa page)
    {
        away = page;
        machine.vm(0).swap(page, elsewhere);
    }
    void give_back()
    {
        if (away.raw == 0)
            return;
        machine.vm(0).unmap(away);
        machine.vm(0).swap(away, elsewhere);
    }
    Ipa away{0};
    Ipa elsewhere = machine.vm(0).ram(machine.vm(0).ram_pages() + 10);
};

struct Refusal {
    char const* name;
    std::function<void(Allocation&)> spoil;
    bool guest_named_it = true; ///< there is a cookie that the guest can be asked to free
};

class AnswerToShmAlloc : public testing::TestWithParam<Refusal> {};

TEST_P(AnswerToShmAlloc, IsRefusedAndTheGuestIsAskedToFreeWhatItOffered)
{
    Allocation a;
    auto& vm = a.machine.vm(0);
    ASSERT_TRUE(a.call.asks_for(abi::rpc_cmd::shm_alloc));
    EXPECT_EQ(a.call.rpc_message().param(0).attr & abi::attr::type_mask, abi::attr::tmem_output);
    auto const pins = vm.pins();
    GetParam().spoil(a);
    auto const cookie = a.call.rpc_message().param(0).c;
    a.call.resume_on(0, a.answer);
    if (GetParam().guest_named_it) {
        ASSERT_TRUE(a.call.asks_for(abi::rpc_cmd::shm_free)) << "the mediator's own request";
        EXPECT_EQ(a.call.rpc_message().num_params(), 1u);
        EXPECT_EQ(a.call.rpc_message().param(0).attr, abi::attr::value_input);
        EXPECT_EQ(a.call.rpc_message().param(0).b, cookie);
        EXPECT_EQ(vm.pins(), pins);
    }
    a.call.run_on(0);
    ASSERT_TRUE(a.call.done());
    EXPECT_EQ(a.call.result().ret, abi::result::out_of_memory) << "the trusted application gets no memory";
    EXPECT_EQ(a.machine.vm(0).counter("rpc_shm_free"), 0u) << "OP-TEE never knew of it";
    EXPECT_EQ(vm.pins(), pins);
    EXPECT_EQ(vm.counter("buffers_live"), 1u);
    EXPECT_EQ(vm.counter("answers_refused"), 1u);
    a.give_back();
    EXPECT_TRUE(a.guest.invoke(a.session, command::allocator_appl, {value_in(asked_bytes, 1)}).ok());
    expect_clean_end(a.machine);
}

Refusal with_param(char const* name, std::function<void(abi::Param&)> change, bool guest_named_it = true)
{
    return {name,
            [change](Allocation& a) {
                auto param = a.offer;
                change(param);
                a.change(param);
            },
            guest_named_it};
}

INSTANTIATE_TEST_SUITE_P(
    Because,
    AnswerToShmAlloc,
    testing::Values(
        with_param("SeveralPagesAreNotContiguous", [](abi::Param& p) { p.attr = abi::attr::tmem_output; }),
        with_param("ItIsAnInput", [](abi::Param& p) { p.attr = abi::attr::tmem_input | abi::attr::noncontig; }),
        with_param("ItIsInAndOut", [](abi::Param& p) { p.attr = abi::attr::tmem_inout | abi::attr::noncontig; }),
        with_param("ItIsRegistered", [](abi::Param& p) { p.attr = abi::attr::rmem_output; }),
        with_param(
            "ItIsAValue", [](abi::Param& p) { p.attr = abi::attr::value_output; }, false),
        with_param(
            "ItIsNothing", [](abi::Param& p) { p.attr = abi::attr::none; }, false),
        with_param("AReservedBitIsSet", [](abi::Param& p) { p.attr |= 1u << 12; }),
        with_param("TheMetaBitIsSet", [](abi::Param& p) { p.attr |= abi::attr::meta; }),
        with_param("ItIsSmallerThanAsked", [](abi::Param& p) { p.b = asked_bytes - 1; }),
        with_param("ItIsEmpty", [](abi::Param& p) { p.b = 0; }),
        with_param("ItIsLargerThanTheQuota", [](abi::Param& p) { p.b = 65536ull * page_bytes; }),
        with_param("ItIsLargerThanAnything", [](abi::Param& p) { p.b = 1ull << 44; }),
        with_param("ItsSizeWrapsAround", [](abi::Param& p) { p.b = ~std::uint64_t{0}; }),
        with_param("ItIsNowhere", [](abi::Param& p) { p.a = 0; }),
        with_param("ItIsInTheNullPage", [](abi::Param& p) { p.a = 8; }),
        with_param(
            "ItHasNoName", [](abi::Param& p) { p.c = 0; }, false),
        Refusal{"ThereIsNoParameter",
                [](Allocation& a) {
                    a.call.rpc_message().set_field(abi::arg::num_params, 0);
                    a.change({});
                },
                false},
        Refusal{"ThereAreTwoParameters",
                [](Allocation& a) {
                    a.call.rpc_message().set_field(abi::arg::num_params, 2);
                    a.change({});
                },
                false},
        Refusal{"ItsListHasGone", [](Allocation& a) { a.take_away(a.list()); }},
        Refusal{"ItsListIsReadOnly", [](Allocation& a) { a.machine.vm(0).write_protect(a.list()); }},
        Refusal{"ItsFirstPageHasGone",
                [](Allocation& a) { a.take_away(a.guest.memory().find(a.offer.c)->pages.front()); }},
        Refusal{"ItsLastPageIsForeign",
                [](Allocation& a) {
                    auto const last = a.guest.memory().find(a.offer.c)->pages.back();
                    a.take_away(last);
                    a.machine.vm(0).map_of(a.machine.vm(1), a.machine.vm(1).ram(5), last, MappingKind::foreign);
                }},
        Refusal{"ItsLastPageIsNull",
                [](Allocation& a) { a.machine.vm(0).poke(Ipa{a.list().raw + 16}, std::uint64_t{0}); }}),
    name_of_case<Refusal>);

// The guest gave one name to two things. It is not asked to free the one that it has registered.
TEST(AnswerToShmAllocWithAnothersName, IsRefusedAndTheOtherOneStays)
{
    Allocation a;
    auto& vm = a.machine.vm(0);
    auto const memory = a.guest.open(App::memory).session;
    auto const offered = a.offer.c;
    auto param = a.offer;
    param.c = a.registered->cookie;
    a.change(param);
    a.call.resume_on(0, a.answer);
    EXPECT_FALSE(a.call.asks_for(abi::rpc_cmd::shm_free));
    a.call.run_on(0);
    EXPECT_EQ(a.call.result().ret, abi::result::out_of_memory);
    EXPECT_EQ(vm.pins(), 1u);
    EXPECT_TRUE(a.guest.invoke(memory, command::memory_invert, {shared_inout(a.registered)}).ok());
    a.guest.memory().free(a.guest.memory().find(offered));
    expect_clean_end(a.machine);
}

TEST(AnswerToShmAlloc, OfOnePageMayDoWithoutAList)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::allocator).session;
    auto call = guest.begin_invoke(session, command::allocator_kernel, {value_in(100, 1)});
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::shm_alloc));
    auto const answer = call.serve_rpc().value();
    EXPECT_EQ(call.rpc_message().param(0).attr, abi::attr::tmem_output);
    call.resume_on(0, answer);
    call.run_on(0);
    EXPECT_TRUE(call.result().ok());
    expect_clean_end(machine);
}

TEST(AnswerToShmAlloc, ThatIsAnErrorReachesOpteeAsThatErrorAndNothingElse)
{
    Allocation a;
    a.call.rpc_message().set_ret(abi::result::out_of_memory);
    auto const offered = a.guest.memory().find(a.offer.c);
    a.call.resume_on(0, a.answer);
    EXPECT_FALSE(a.call.asks_for(abi::rpc_cmd::shm_free));
    a.call.run_on(0);
    EXPECT_EQ(a.call.result().ret, abi::result::out_of_memory);
    EXPECT_EQ(a.machine.vm(0).pins(), 1u);
    a.guest.memory().free(offered);
    expect_clean_end(a.machine);
}

TEST(AnswerToRefusal, MayBeAnything)
{
    Allocation a;
    auto param = a.offer;
    param.b = 1;
    a.change(param);
    a.call.resume_on(0, a.answer);
    ASSERT_TRUE(a.call.asks_for(abi::rpc_cmd::shm_free));
    auto message = a.call.rpc_message();
    for (std::uint32_t at = 0; at < abi::arg::bytes(1); at += 4)
        message.set_field(at, 0xffff'ffff);
    a.call.resume_on(0, return_from_rpc(a.call.handle()));
    a.call.run_on(0);
    EXPECT_EQ(a.call.result().ret, abi::result::out_of_memory);
    expect_clean_end(a.machine);
}

/// A list of 700 pages of which the last is none, offered while the mediator is preempted at every turn.
struct LongOffer {
    Machine machine = Machine::with_one_vm().ram_pages(4096).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    Call call = guest.begin_invoke(
        guest.open(App::allocator).session, command::allocator_appl, {value_in(700 * page_bytes, 1)});
    Ipa argument{0};

    void make()
    {
        auto& vm = machine.vm(0);
        ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::shm_alloc));
        argument = call.rpc_message().ipa();
        auto const answer = call.serve_rpc().value();
        auto const list = call.rpc_message().param(0).a & ~page_mask;
        auto const second = vm.peek<std::uint64_t>(Ipa{list + abi::entries_per_list * 8});
        vm.poke(Ipa{second + (700 - abi::entries_per_list - 1) * 8}, vm.ram(vm.ram_pages() + 1).raw);
        machine.preempt(Preemption::always());
        call.resume_on(0, answer);
        ASSERT_EQ(call.rpc(), abi::rpc::foreign_interrupt);
    }
};

TEST(ALongAnswerToShmAlloc, IsGivenBackInStepsWhenItsLastPageIsBad)
{
    LongOffer offer;
    ASSERT_NO_FATAL_FAILURE(offer.make());
    auto& vm = offer.machine.vm(0);
    bool shrank = false;
    for (auto pins = vm.pins(); offer.call.rpc() == abi::rpc::foreign_interrupt; pins = vm.pins()) {
        offer.call.answer_on(0);
        shrank = shrank || (vm.pins() < pins && vm.pins() != 0);
    }
    EXPECT_TRUE(shrank) << "in more than one entry";
    EXPECT_TRUE(offer.call.asks_for(abi::rpc_cmd::shm_free));
    EXPECT_EQ(vm.pins(), 0u);
    offer.machine.preempt(Preemption::never());
    offer.call.run_on(0);
    EXPECT_EQ(offer.call.result().ret, abi::result::out_of_memory);
    expect_clean_end(offer.machine);
}

TEST(ALongAnswerToShmAlloc, IsGivenBackEvenWhenTheGuestCannotBeAskedToFreeIt)
{
    LongOffer offer;
    ASSERT_NO_FATAL_FAILURE(offer.make());
    auto& vm = offer.machine.vm(0);
    vm.write_protect(offer.argument);
    while (offer.call.rpc() == abi::rpc::foreign_interrupt)
        offer.call.answer_on(0);
    EXPECT_EQ(offer.call.rpc(), abi::rpc::free) << "the guest hears nothing before its argument goes";
    EXPECT_EQ(vm.pins(), 0u);
    vm.allow_writing(offer.argument);
    offer.machine.preempt(Preemption::never());
    offer.call.run_on(0);
    EXPECT_EQ(offer.call.result().ret, abi::result::out_of_memory);
    expect_clean_end(offer.machine);
}

struct NoArgument {
    char const* name;
    std::function<void(Machine&, Registers&)> spoil;
};

class AnswerToRpcAlloc : public testing::TestWithParam<NoArgument> {};

Ipa page_in(Registers const& answer)
{
    return Ipa{abi::joined(answer.a[1], answer.a[2])};
}

TEST_P(AnswerToRpcAlloc, IsRefusedAndOpteeGetsNeitherPageNorName)
{
    auto machine = Machine::with_vms(2).boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const session = guest.open(App::clock).session;
    auto call = guest.begin_invoke(session, command::clock_get, {value_out()});
    call.start_on(0);
    ASSERT_EQ(call.rpc(), abi::rpc::alloc);
    auto answer = call.serve_rpc().value();
    GetParam().spoil(machine, answer);
    optee_smc_frame seen{};
    machine.optee().instead_of_next(abi::smc::return_from_rpc, [&](tee::Smc& smc) {
        seen = smc.frame;
        smc.proceed();
    });
    call.resume_on(0, answer);
    for (auto const n : {1u, 2u, 4u, 5u})
        EXPECT_EQ(seen.a[n], 0u) << "a" << n;
    EXPECT_TRUE(call.done()) << "OP-TEE asks for nothing to be freed";
    EXPECT_EQ(call.result().ret, abi::result::out_of_memory);
    EXPECT_EQ(vm.counter("arguments_live"), 0u);
    EXPECT_EQ(vm.pins(), 0u);
    EXPECT_TRUE(guest.invoke(session, command::clock_get, {value_out()}).ok());
    expect_clean_end(machine);
}

INSTANTIATE_TEST_SUITE_P(
    Because,
    AnswerToRpcAlloc,
    testing::Values(NoArgument{"ItIsNowhere", [](Machine&, Registers& r) { r.a[1] = r.a[2] = 0; }},
                    NoArgument{"ItIsInTheNullPage",
                               [](Machine&, Registers& r) {
                                   r.a[1] = 0;
                                   r.a[2] = 8;
                               }},
                    NoArgument{"ItDoesNotBeginWithAPage", [](Machine&, Registers& r) { r.a[2] += 8; }},
                    NoArgument{"ItIsBeyondTheRam", [](Machine&, Registers& r) { r.a[1] = 0xffff; }},
                    NoArgument{"ItHasNoName", [](Machine&, Registers& r) { r.a[4] = r.a[5] = 0; }},
                    NoArgument{"ThePageHasGone", [](Machine& m, Registers& r) { m.vm(0).unmap(page_in(r)); }},
                    NoArgument{"ThePageIsReadOnly",
                               [](Machine& m, Registers& r) { m.vm(0).write_protect(page_in(r)); }},
                    NoArgument{"ThePageIsForeign",
                               [](Machine& m, Registers& r) {
                                   m.vm(0).map_of(m.vm(1), m.vm(1).ram(5), page_in(r), MappingKind::foreign);
                               }},
                    NoArgument{"ThePageIsADevice", [](Machine& m, Registers& r) { m.vm(0).map_mmio(page_in(r)); }}),
    name_of_case<NoArgument>);

TEST(AnswerToACommand, GivesOnlyWhatWasAskedFor)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::clock).session;
    auto call = guest.begin_invoke(session, command::clock_get, {value_out()});
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
    auto const answer = call.serve_rpc().value();
    auto message = call.rpc_message();
    message.set_field(abi::arg::cmd, abi::rpc_cmd::shm_alloc);
    message.set_field(abi::arg::num_params, 0xffff'ffff);
    message.set_param(0, {abi::attr::tmem_output | abi::attr::noncontig, 77, page_bytes, 0x1234});
    message.set_param(1, {abi::attr::rmem_inout, 1, 2, 3});
    call.resume_on(0, answer);
    call.run_on(0);
    EXPECT_TRUE(call.result().ok()) << "it is the answer to GET_TIME, whatever it calls itself";
    EXPECT_EQ(call.result().params.at(0).a, 77u);
    EXPECT_EQ(machine.vm(0).counter("rpc_shm_alloc"), 0u);
    expect_clean_end(machine);
}

TEST(AnswerToACommand, ComesFromTheArgumentThatWasAskedWithWhateverTheRegistersSay)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::clock).session;
    auto call = guest.begin_invoke(session, command::clock_get, {value_out()});
    ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
    auto answer = call.serve_rpc().value();
    answer.a[1] = answer.a[2] = answer.a[4] = answer.a[5] = 0xabcd;
    call.resume_on(0, answer);
    call.run_on(0);
    EXPECT_TRUE(call.result().ok());
    expect_clean_end(machine);
}

TEST(AnswerToAFileRequest, ThatNamesOtherMemoryChangesNothingButTheSize)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::storage).session;
    auto const shm = guest.register_memory(page_bytes);
    guest.fill(shm, counting(page_bytes));
    ASSERT_TRUE(guest.invoke(session, command::storage_write, {shared_in(shm), value_in(7)}).ok());
    auto call = guest.begin_invoke(session, command::storage_read, {shared_out(shm), value_in(7)});
    ASSERT_TRUE(run_until(call, [](Call const& c) {
        return c.asks_for(abi::rpc_cmd::fs) && c.rpc_message().param(0).a == abi::rpc_cmd::fs_read;
    }));
    auto const answer = call.serve_rpc().value();
    call.rpc_message().set_param(1, {abi::attr::tmem_output, 0x4000'0000, ~std::uint64_t{0}, shm->cookie});
    call.resume_on(0, answer);
    call.run_on(0);
    EXPECT_TRUE(call.result().ok());
    EXPECT_EQ(guest.contents(shm), counting(page_bytes));
    guest.free_shm(shm);
    expect_clean_end(machine);
}

} // namespace
} // namespace sim::scenario
