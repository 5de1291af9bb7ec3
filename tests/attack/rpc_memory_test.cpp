// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group R: the page in which OP-TEE asks, and memory that a guest hands over for OP-TEE to keep for a while.

#include "tests/attack/rpc_words.hpp"

#include <optional>

namespace sim::attack {
namespace {

/// A call of the clock that waits for the answer to RPC ALLOC.
struct Allocation {
    explicit Allocation(LinuxGuest& guest)
        : session{guest.open(App::clock).session}, call{
                                                       guest.begin_invoke(session, command::clock_get, {value_out()})}
    {
        if (run_until_rpc(call, abi::rpc::alloc))
            answer = call.serve_rpc().value();
    }
    bool is_asked_for() const { return call.waits_for_rpc() && call.rpc() == abi::rpc::alloc; }
    Ipa page() const { return Ipa{abi::joined(answer.a[1], answer.a[2])}; }
    std::uint64_t cookie() const { return abi::joined(answer.a[4], answer.a[5]); }
    void set_page(std::uint64_t to)
    {
        answer.a[1] = abi::high(to);
        answer.a[2] = abi::low(to);
    }
    void set_cookie(std::uint64_t to)
    {
        answer.a[4] = abi::high(to);
        answer.a[5] = abi::low(to);
    }

    std::uint32_t session;
    Call call;
    Registers answer{};
};

/// OP-TEE heard of neither page nor name, and asks for nothing to be freed.
void expect_refused(Allocation& allocation, Rpcs const& rpcs)
{
    EXPECT_TRUE(rpcs.last(abi::rpc::alloc).has_nothing());
    EXPECT_TRUE(allocation.call.done());
    EXPECT_EQ(allocation.call.result().a0, abi::ret::ok);
    EXPECT_EQ(allocation.call.result().ret, abi::result::out_of_memory);
}

ATTACK(R18,
       "answers RPC ALLOC with an address that is no page of its own RAM",
       "OP-TEE gets neither page nor name",
       Schedules::usual)
{
    boot();
    Rpcs const rpcs{machine(), vm()};
    auto const beyond = vm().ram(vm().ram_pages()).raw;
    for (auto const place : {std::uint64_t{0},
                             std::uint64_t{8},
                             vm().ram(20).raw + 8,
                             vm().ram(20).raw + 4095,
                             beyond,
                             ~page_mask,
                             ~std::uint64_t{0},
                             vm().pa_of(vm().ram(20)).raw,
                             vm(1).pa_of(vm(1).ram(20)).raw}) {
        SCOPED_TRACE(testing::Message() << std::hex << place);
        Allocation allocation{guest()};
        ASSERT_TRUE(allocation.is_asked_for());
        allocation.set_page(place);
        resume(allocation.call, allocation.answer);
        expect_refused(allocation, rpcs);
        EXPECT_EQ(vm().pins(), 0u);
    }
    for (auto const how : SpoiltPage::every) {
        SCOPED_TRACE(name_of(how));
        Allocation allocation{guest()};
        ASSERT_TRUE(allocation.is_asked_for());
        SpoiltPage const spoilt{vm(), vm(1), allocation.page(), how};
        resume(allocation.call, allocation.answer);
        expect_refused(allocation, rpcs);
        EXPECT_EQ(vm().pins(), 0u);
    }
    Question question{guest()};
    question.call.run_on(0);
    EXPECT_TRUE(question.call.result().ok());
}

ATTACK(R19, "answers RPC ALLOC with a page that has no name", "OP-TEE gets neither page nor name", Schedules::usual)
{
    boot();
    Rpcs const rpcs{machine(), vm()};
    for (unsigned n = 0; n < 5; ++n) {
        Allocation allocation{guest()};
        ASSERT_TRUE(allocation.is_asked_for());
        allocation.set_cookie(0);
        resume(allocation.call, allocation.answer);
        expect_refused(allocation, rpcs);
        EXPECT_EQ(vm().pins(), 0u);
    }
    EXPECT_TRUE(works(guest()));
}

ATTACK(R20,
       "gives an argument page that OP-TEE then does not take",
       "OP-TEE frees it: page and name are the guest's again",
       Schedules::usual)
{
    boot();
    auto const pages = vm().mediator_pages();
    Rpcs rpcs{machine(), vm()};
    rpcs.change_entering = [](optee_smc_frame& frame) {
        if (PhysicalMemory::in_a_bank(abi::joined(frame.a[1], frame.a[2])) &&
            static_cast<std::uint32_t>(frame.a[0]) == abi::smc::return_from_rpc)
            frame.a[1] = frame.a[2] = 0; // as if OP-TEE did not like the address
    };
    for (unsigned n = 0; n < 20; ++n) {
        Allocation allocation{guest()};
        ASSERT_TRUE(allocation.is_asked_for());
        resume(allocation.call, allocation.answer);
        ASSERT_EQ(allocation.call.rpc(), abi::rpc::free);
        EXPECT_EQ(allocation.call.last().pair(1), allocation.cookie());
        EXPECT_EQ(vm().pins(), 0u);
        auto const shm = guest().memory().find(allocation.cookie());
        ASSERT_NE(shm, nullptr);
        EXPECT_TRUE(guest().register_shm(shm).ok()) << "page and name may be used again at once";
        EXPECT_TRUE(guest().unregister_shm(shm).ok());
        allocation.call.run_on(0);
        EXPECT_EQ(allocation.call.result().ret, abi::result::out_of_memory);
    }
    EXPECT_LE(vm().mediator_pages(), pages + 2);
}

/// OP-TEE asks for so many arguments on one thread and keeps them all, before it goes on with the last answer.
void ask_again_and_again(Machine& machine, Vm const& vm, std::uint32_t& left, std::uint32_t& accepted)
{
    machine.optee().instead_of_every(abi::smc::return_from_rpc, [&vm, &left, &accepted](tee::Smc& smc) {
        if (smc.vm != &vm) {
            smc.proceed();
            return;
        }
        auto const is_page = PhysicalMemory::in_a_bank(abi::joined(smc.frame.a[1], smc.frame.a[2]));
        accepted += is_page;
        if (left == 0) {
            smc.proceed();
            return;
        }
        --left;
        smc.frame.a[0] = abi::rpc::alloc;
        smc.frame.a[1] = abi::arg::bytes(abi::max_rpc_params);
        smc.frame.a[2] = 0; // a3: the thread, as it came in
    });
}

ATTACK(R21,
       "lets OP-TEE ask for an argument in call after call, 2000 times, and many times in one",
       "never more argument pages than threads; constant memory",
       Schedules::usual)
{
    boot();
    auto const session = guest().open(App::clock).session;
    ASSERT_TRUE(guest().invoke(session, command::clock_get, {value_out()}).ok());
    auto const pages = vm().mediator_pages();
    for (unsigned n = 0; n < 2000; ++n) {
        ASSERT_TRUE(guest().invoke(session, command::clock_get, {value_out()}).ok());
        ASSERT_LE(vm().mediator_pages(), pages);
    }
    EXPECT_EQ(vm().pins(), 0u);

    Allocation allocation{guest()};
    ASSERT_TRUE(allocation.is_asked_for());
    std::uint32_t accepted = 0;
    std::uint32_t left = 10 * limits().threads;
    ask_again_and_again(machine(), vm(), left, accepted);
    for (auto answer = allocation.answer; allocation.call.waits_for_rpc();
         answer = allocation.call.serve_rpc().value())
        allocation.call.resume_on(0, answer);
    machine().optee().behave();
    EXPECT_LE(accepted, limits().threads);
    EXPECT_LE(vm().mediator_pages(), pages + limits().threads + 1);
    EXPECT_LE(vm().pins(), limits().threads);
    EXPECT_TRUE(works(guest()));
}

ATTACK(R22,
       "refuses OP-TEE's request under the name of something else, so that OP-TEE frees that",
       "OP-TEE never learns the name; all objects stay",
       Schedules::usual)
{
    boot();
    Rpcs const rpcs{machine(), vm()};
    Household household{guest()};
    ASSERT_TRUE(household.is_ready);
    for (auto const& [name, cookie] : household.cookies()) {
        SCOPED_TRACE(name);
        for (auto const place : {std::uint64_t{0}, vm().ram(20).raw + 8, ~page_mask, vm().ram(20).raw}) {
            Allocation allocation{guest()};
            ASSERT_TRUE(allocation.is_asked_for());
            allocation.set_page(place);
            allocation.set_cookie(cookie);
            resume(allocation.call, allocation.answer);
            expect_refused(allocation, rpcs);
            EXPECT_EQ(vm().pins(), household.pins);
        }
        for (auto const& wrong :
             {abi::Param{abi::attr::tmem_output | abi::attr::noncontig, 0, page_bytes, cookie},
              abi::Param{abi::attr::tmem_output | abi::attr::noncontig, 0, 4 * page_bytes, cookie},
              abi::Param{abi::attr::tmem_output, 0, 4 * page_bytes, cookie},
              abi::Param{abi::attr::tmem_output | abi::attr::noncontig, ~page_mask, 1u << 20, cookie},
              abi::Param{abi::attr::tmem_output | abi::attr::noncontig, vm().ram(3).raw, 1, cookie},
              abi::Param{abi::attr::rmem_output, 0, 4 * page_bytes, cookie}}) {
            Offer offer{guest()};
            ASSERT_TRUE(offer.is_asked_for());
            offer.change(wrong);
            resume(offer.call, offer.answer);
            while (offer.call.asks_for(abi::rpc_cmd::shm_free))
                resume(offer.call, back_from_rpc(offer.call.last()));
            ASSERT_TRUE(rpcs.last(abi::rpc::command).is_failure());
            EXPECT_FALSE(rpcs.last(abi::rpc::command).argument.holds(cookie));
            offer.call.run_on(0);
            EXPECT_EQ(offer.call.result().ret, abi::result::out_of_memory);
            EXPECT_EQ(vm().pins(), household.pins);
            guest().memory().free(offer.shm);
        }
    }
    household.expect_intact();
}

ATTACK(R25,
       "takes the argument page away while OP-TEE asks in it",
       "OP-TEE's request fails; the call ends; a bounded number of times",
       Schedules::usual)
{
    boot();
    Rpcs const rpcs{machine(), vm()};
    for (auto const how : SpoiltPage::every) {
        SCOPED_TRACE(name_of(how));
        // When OP-TEE asks, and when the guest answers.
        for (auto const when : {0, 1}) {
            Question question{guest(), 3};
            ASSERT_TRUE(question.is_asked());
            if (when == 0)
                resume(question.call, question.answer);
            ASSERT_TRUE(question.is_asked());
            auto const answer = question.call.serve_rpc().value();
            {
                SpoiltPage const spoilt{vm(), vm(1), question.call.rpc_message().ipa(), how};
                resume(question.call, answer);
                EXPECT_TRUE(rpcs.last(abi::rpc::command).is_failure());
                question.call.run_on(0);
            }
            ASSERT_TRUE(question.call.done());
            EXPECT_EQ(question.call.result().a0, abi::ret::ok);
            EXPECT_EQ(question.call.result().ret, abi::result::generic);
            EXPECT_EQ(vm().pins(), 0u);
        }
        EXPECT_TRUE(works(guest()));
    }

    // An OP-TEE that does not take the failure for an answer.
    Question question{guest()};
    ASSERT_TRUE(question.is_asked());
    SpoiltPage const spoilt{vm(), vm(1), question.call.rpc_message().ipa(), SpoiltPage::How::absent};
    machine().optee().behave();
    std::uint32_t asked = 0;
    machine().optee().instead_of_every(abi::smc::return_from_rpc, [&](tee::Smc& smc) {
        if (smc.vm != &vm()) {
            smc.proceed();
            return;
        }
        ++asked;
        smc.frame.a[0] = abi::rpc::command;
        smc.frame.a[1] = question.call.last().registers.a[1];
        smc.frame.a[2] = question.call.last().registers.a[2];
    });
    auto last = ask_on(0, vm(), question.answer);
    for (unsigned n = 0; last.a0() == abi::rpc::foreign_interrupt; ++n) {
        ASSERT_LT(n, 1000u);
        EXPECT_LE(last.work.smcs, 16u);
        last = ask_on(0, vm(), return_from_rpc(last.a(3)));
    }
    EXPECT_FALSE(abi::is_rpc(last.registers.a[0]));
    EXPECT_LT(asked, 1000u) << "given up after a bounded number";
    machine().optee().behave();
    EXPECT_TRUE(works(guest()));
}

ATTACK(RX01,
       "takes the argument page away at each moment of a call with several requests",
       "the call ends, one way or the other; nothing is left",
       Schedules::straight)
{
    for (auto const point : {Point::look_up, Point::smc, Point::lock}) {
        std::optional<Ipa> page;
        std::optional<SpoiltPage> spoilt;
        in_race(
            point,
            [&] {
                if (page && !spoilt)
                    spoilt.emplace(vm(), vm(1), *page, SpoiltPage::How::foreign);
            },
            [&] {
                boot();
                Question question{guest(), 3};
                ASSERT_TRUE(question.is_asked());
                page = question.call.rpc_message().ipa();
                race_begins();
                question.call.run_on(0);
                page.reset();
                spoilt.reset();
                ASSERT_TRUE(question.call.done());
                auto const result = question.call.result();
                EXPECT_EQ(result.a0, abi::ret::ok);
                EXPECT_TRUE(result.ok() || result.ret == abi::result::generic) << result.ret;
                EXPECT_EQ(vm().pins(), 0u);
                EXPECT_TRUE(works(guest()));
            });
    }
}

} // namespace
} // namespace sim::attack
