// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group T: an OP-TEE that asks for what it should not, or gives back what it does not have.

#include "tests/attack/rpc_words.hpp"

#include <array>

namespace sim::attack {
namespace {

constexpr std::uint32_t most_entries = 1000;
constexpr std::uint32_t most_smcs_of_entry = 16;

/// Goes on as long as the mediator hands out interrupts; each entry must be bounded, and so their number.
void expect_bounded(Call& call)
{
    for (std::uint32_t n = 0; call.waits_for_rpc(); ++n) {
        ASSERT_LT(n, most_entries) << "without end";
        ASSERT_EQ(call.rpc(), abi::rpc::foreign_interrupt) << "the only thing that the guest sees of it";
        EXPECT_LE(call.last().work.smcs, most_smcs_of_entry);
        call.answer_on(0);
    }
    EXPECT_LE(call.last().work.smcs, most_smcs_of_entry);
}

ATTACK(T05,
       "asks under a cookie that is no argument",
       "the request fails at OP-TEE; the guest sees nothing of it",
       Schedules::usual)
{
    boot();
    auto const registered = guest().register_memory(page_bytes);
    Question other{guest()};
    ASSERT_TRUE(other.is_asked());
    for (auto const cookie :
         {std::uint64_t{0xdead'beef}, ~std::uint64_t{0}, registered->cookie, other.call.last().pair(1)}) {
        SCOPED_TRACE(cookie);
        auto const session = guest().open(App::clock).session;
        machine().optee().ask_for_cookie(cookie);
        auto call = guest().begin_invoke(session, command::clock_get, {value_out()});
        ASSERT_TRUE(run_until_rpc(call, abi::rpc::alloc));
        resume(call, call.serve_rpc().value());
        EXPECT_NE(call.last().a0(), abi::rpc::command) << "not delivered";
        call.run_on(0);
        EXPECT_EQ(call.result().a0, abi::ret::ok);
        EXPECT_EQ(call.result().ret, abi::result::generic);
        machine().optee().ask_for_cookie(0);
    }
    EXPECT_EQ(vm().pins(), 1u);
    other.call.run_on(0);
    EXPECT_TRUE(other.call.result().ok());
}

ATTACK(T06,
       "puts an address into a request",
       "the guest does not see it; the request fails at OP-TEE",
       Schedules::usual)
{
    boot();
    auto const secret = vm().pa_of(vm().ram(20)).raw;
    Rpcs rpcs{machine(), vm()};
    auto const session = guest().open(App::clock).session;
    for (auto const attr : {abi::attr::tmem_input,
                            abi::attr::tmem_output,
                            abi::attr::tmem_inout,
                            abi::attr::tmem_output | abi::attr::noncontig,
                            std::uint64_t{4},
                            std::uint64_t{0xc}}) {
        for (std::uint32_t place = 0; place < 4; ++place) {
            SCOPED_TRACE(testing::Message() << attr << " at " << place);
            rpcs.change_request = [=](SeenArgument& request) {
                request.set_field(abi::arg::num_params, place + 1);
                for (std::uint32_t n = 0; n < place; ++n)
                    request.set_param(n, {abi::attr::value_output, 0, 0, 0});
                request.set_param(place, {attr, secret, page_bytes, 7});
            };
            auto call = guest().begin_invoke(session, command::clock_get, {value_out()});
            ASSERT_TRUE(run_until_rpc(call, abi::rpc::alloc));
            auto const answer = call.serve_rpc().value();
            auto const page = Ipa{abi::joined(answer.a[1], answer.a[2])};
            fill_page(vm(), page, 0);
            resume(call, answer);
            EXPECT_NE(call.last().a0(), abi::rpc::command) << "not delivered";
            EXPECT_TRUE(changes(contents_of(vm(), page), PageContents{}).empty());
            EXPECT_TRUE(rpcs.last(abi::rpc::command).is_failure());
            call.run_on(0);
            EXPECT_EQ(call.result().ret, abi::result::generic);
            EXPECT_EQ(vm().pins(), 0u);
        }
    }
}

ATTACK(T07,
       "gives back memory that it did not get for it",
       "ignored: nothing is unpinned, the guest is not asked",
       Schedules::usual)
{
    boot();
    Household household{guest()};
    ASSERT_TRUE(household.is_ready);
    auto cookies = household.cookies();
    cookies.emplace_back("unknown", 0x1234);
    cookies.emplace_back("none", 0);
    Rpcs rpcs{machine(), vm()};
    auto const clock = guest().open(App::clock).session;
    for (auto const& [name, cookie] : cookies) {
        SCOPED_TRACE(name);
        rpcs.change_request = [wrong = cookie](SeenArgument& request) {
            request.set_field(abi::arg::cmd, abi::rpc_cmd::shm_free);
            request.set_field(abi::arg::num_params, 1);
            request.set_param(0, {abi::attr::value_input, abi::rpc_cmd::shm_appl, wrong, 0});
        };
        auto call = guest().begin_invoke(clock, command::clock_get, {value_out()});
        ASSERT_TRUE(run_until_rpc(call, abi::rpc::alloc));
        resume(call, call.serve_rpc().value());
        EXPECT_NE(call.last().a0(), abi::rpc::command) << "the guest is not asked";
        call.run_on(0);
        EXPECT_EQ(call.result().a0, abi::ret::ok);
        EXPECT_EQ(vm().pins(), household.pins);
    }
    rpcs.change_request = nullptr;
    household.expect_intact();
}

ATTACK(T08,
       "gives back the argument of a thread that is at work",
       "it stays until its own call ends",
       Schedules::usual)
{
    for (std::size_t which = 0; which < 4; ++which) {
        SCOPED_TRACE(which);
        boot();
        Question victim{guest()};
        ASSERT_TRUE(victim.is_asked());
        auto const registered = guest().register_memory(page_bytes);
        auto const cookie =
            std::array<std::uint64_t, 4>{victim.call.last().pair(1), registered->cookie, 0x1234, 0}.at(which);
        Rpcs rpcs{machine(), vm()};
        rpcs.change_leaving = [&](optee_smc_frame& frame) {
            if (frame.a[0] == abi::rpc::free) {
                frame.a[1] = abi::high(cookie);
                frame.a[2] = abi::low(cookie);
            }
        };
        auto call = guest().begin_invoke(guest().open(App::clock).session, command::clock_get, {value_out()});
        ASSERT_TRUE(run_until_command(call, abi::rpc_cmd::get_time));
        resume(call, call.serve_rpc().value());
        EXPECT_NE(call.last().a0(), abi::rpc::free) << "the guest is not asked";
        call.run_on(0);
        EXPECT_TRUE(call.result().ok());
        EXPECT_EQ(vm().pins(), 1u);
        rpcs.change_leaving = nullptr;
        resume(victim.call, victim.answer);
        victim.call.run_on(0);
        EXPECT_TRUE(victim.call.result().ok());
        EXPECT_TRUE(guest().unregister_shm(registered).ok());
        EXPECT_EQ(vm().pins(), 0u);
    }
}

ATTACK(T10,
       "asks again and again for what the mediator must refuse itself",
       "few SMCs in one entry, then an interrupt; in the end it is given up",
       Schedules::usual)
{
    struct Request {
        char const* name;
        std::uint32_t a0, a1, a2;
    };
    for (auto const& request : {Request{"a command under no cookie", abi::rpc::command, 0, 0},
                                Request{"an unknown cookie to free", abi::rpc::free, 0, 0x1234},
                                Request{"a page of two pages", abi::rpc::alloc, 8192, 0},
                                Request{"what does not exist", 0xffff'0001, 0, 0},
                                Request{"what does not exist either", 0xffff'0003, 1, 2},
                                Request{"nor this", 0xffff'fffe, 1, 2}}) {
        SCOPED_TRACE(request.name);
        boot();
        auto const odd = [&](tee::Smc& smc) {
            if (smc.vm != &vm()) {
                smc.proceed();
                return;
            }
            smc.frame.a[0] = request.a0;
            smc.frame.a[1] = request.a1;
            smc.frame.a[2] = request.a2;
            smc.frame.a[3] = 0;
        };
        machine().optee().instead_of_every(abi::smc::call_with_arg, odd);
        machine().optee().instead_of_every(abi::smc::return_from_rpc, odd);
        auto call = guest().begin_open(App::echo);
        call.start_on(0);
        expect_bounded(call);
        EXPECT_TRUE(call.done());
        EXPECT_NE(call.last().a0(), abi::ret::ok);
        EXPECT_TRUE(works(guest(1)));
        machine().optee().behave();
        EXPECT_EQ(vm().pins(), 0u);
    }
}

ATTACK(T12,
       "hands a cached argument back twice, or what never was one",
       "ENOTAVAIL; nothing changes",
       Schedules::usual)
{
    boot({.driver = caching_driver});
    auto const registered = guest().register_memory(page_bytes);
    ASSERT_TRUE(guest().invoke(guest().open(App::clock).session, command::clock_get, {value_out()}).ok());
    auto const first = ask(vm(), abi::smc::disable_shm_cache);
    ASSERT_EQ(first.a0(), abi::ret::ok);
    Loading loading{guest()};
    ASSERT_TRUE(loading.waits());
    auto const before = Possessions::of(vm());
    for (auto const cookie : {first.pair(1),
                              registered->cookie,
                              loading.cookie(),
                              std::uint64_t{0x1234},
                              ~std::uint64_t{0},
                              std::uint64_t{0}}) {
        SCOPED_TRACE(cookie);
        hand_back_next(machine(), cookie);
        Registers const sent{{abi::smc::disable_shm_cache, 1, 2, 3, 4, 5, 6, 7}};
        EXPECT_TRUE(is_only(abi::ret::not_available, sent, ask_on(0, vm(), sent)));
        EXPECT_EQ(Possessions::of(vm()), before);
    }
    loading.call.run_on(0);
    EXPECT_TRUE(loading.call.result().ok());
}

ATTACK(TX02,
       "hands back the cached argument in which it is asking at this moment",
       "ENOTAVAIL; the request goes on",
       Schedules::usual)
{
    boot({.driver = caching_driver});
    Question question{guest()};
    ASSERT_TRUE(question.is_asked());
    auto const cookie = question.call.last().pair(1);
    for (unsigned n = 0; n < 3; ++n) {
        hand_back_next(machine(), cookie);
        EXPECT_EQ(ask_on(1, vm(), {{abi::smc::disable_shm_cache, 0, 0, 0, 0, 0, 0, 0}}).a0(),
                  abi::ret::not_available);
    }
    resume(question.call, question.answer);
    question.call.run_on(0);
    EXPECT_TRUE(question.call.result().ok());
    EXPECT_TRUE(guest().invoke(question.session, command::clock_get, {value_out()}).ok()) << "in the same argument";
}

} // namespace
} // namespace sim::attack
