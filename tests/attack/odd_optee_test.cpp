// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group T: an OP-TEE that answers what it should not. To calls: here; to requests and in fast calls: odd_requests_test.cpp.

#include "tests/attack/rpc_words.hpp"

namespace sim::attack {
namespace {

/// A call with memory of its own, in a session that reads and inverts.
struct Loan {
    explicit Loan(LinuxGuest& guest)
        : session{guest.open(App::memory).session}, shm{guest.memory().allocate_scattered(3 * page_bytes)},
          call{guest.begin_invoke(session, command::memory_invert, {temporary_inout(shm)})}
    {
    }
    std::uint32_t session;
    Shm shm;
    Call call;
};

/// The same, that waits for the time meanwhile.
struct WaitingLoan {
    explicit WaitingLoan(LinuxGuest& guest)
        : session{guest.open(App::clock).session}, shm{guest.memory().allocate_scattered(3 * page_bytes)},
          call{guest.begin_invoke(session, command::clock_get, {value_out(), value_in(1), temporary_in(shm)})}
    {
        if (run_until_command(call, abi::rpc_cmd::get_time))
            answer = call.serve_rpc().value();
    }
    bool waits() const { return call.asks_for(abi::rpc_cmd::get_time); }

    std::uint32_t session;
    Shm shm;
    Call call;
    Registers answer{};
};

ATTACK(T01,
       "has no thread, though the VM has",
       "ETHREAD_LIMIT passes; the call holds nothing; it may be tried again",
       Schedules::usual)
{
    boot();
    Loan loan{guest()};
    for (unsigned n = 0; n < 3 * limits().threads; ++n) {
        machine().optee().answer_next(abi::smc::call_with_arg, abi::ret::thread_limit);
        loan.call.start_on(0);
        pass_interrupts(loan.call);
        ASSERT_TRUE(loan.call.waits_for_thread()) << n;
        EXPECT_EQ(vm().pins(), 0u);
    }
    loan.call.run_on(0);
    EXPECT_TRUE(loan.call.result().ok());
    EXPECT_TRUE(works(guest()));
}

ATTACK(T02,
       "ends a call and writes no result",
       "the result is an error, whatever the guest had there",
       Schedules::usual)
{
    boot();
    Loan loan{guest()};
    machine().optee().drop_results();
    for (auto const preset : {0u, 1u, abi::result::busy}) {
        auto call = guest().begin_invoke(loan.session, command::memory_invert, {temporary_inout(loan.shm)});
        call.message().set_ret(preset, 0);
        call.run_on(0);
        EXPECT_EQ(call.result().a0, abi::ret::ok);
        EXPECT_EQ(call.result().ret, abi::result::generic);
        EXPECT_EQ(call.result().origin, abi::origin::comms);
        EXPECT_EQ(vm().pins(), 0u);
    }
    machine().optee().behave();
    // And does nothing at all: a buffer is not taken for registered.
    auto const shm = guest().memory().allocate_scattered(2 * page_bytes);
    auto call = guest().begin_register(shm);
    call.message().set_ret(0, 0);
    machine().optee().answer_next(abi::smc::call_with_arg, abi::ret::ok);
    call.run_on(0);
    EXPECT_EQ(call.result().ret, abi::result::generic);
    EXPECT_EQ(vm().pins(), 0u);
}

constexpr std::uint32_t unknown_answers[] = {8, 0x1234, 0x8000'0000, 0xfffe'ffff, 0x0001'0000};

ATTACK(T03,
       "ends a call with a code that does not exist",
       "EBADCMD; what it may still use stays pinned",
       Schedules::usual)
{
    for (auto const code : unknown_answers) {
        SCOPED_TRACE(code);
        boot();
        Loan loan{guest()};
        machine().optee().answer_next(abi::smc::call_with_arg, code);
        loan.call.run_on(0);
        EXPECT_EQ(loan.call.last().a0(), abi::ret::bad_command);
        EXPECT_EQ(vm().pins(), 3u);
        WaitingLoan waiting{guest()};
        ASSERT_TRUE(waiting.waits());
        machine().optee().answer_next(abi::smc::return_from_rpc, code);
        resume(waiting.call, waiting.answer);
        EXPECT_EQ(waiting.call.last().a0(), abi::ret::bad_command);
        EXPECT_EQ(vm().pins(), 6u);
        EXPECT_FALSE(vm().give_away(loan.shm->pages.front(), vm(1), vm(1).ram(5000)));
        EXPECT_TRUE(works(guest())) << "other calls go on";
    }
}

ATTACK(T04,
       "does not know the function id of a call",
       "UNKNOWN; what it may still use stays pinned",
       Schedules::usual)
{
    boot();
    Loan loan{guest()};
    WaitingLoan waiting{guest()};
    ASSERT_TRUE(waiting.waits());
    machine().optee().answer_next(abi::smc::call_with_arg, abi::ret::unknown_function);
    loan.call.run_on(0);
    EXPECT_EQ(loan.call.last().a0(), abi::ret::unknown_function);
    machine().optee().answer_next(abi::smc::return_from_rpc, abi::ret::unknown_function);
    resume(waiting.call, waiting.answer);
    EXPECT_EQ(waiting.call.last().a0(), abi::ret::unknown_function);
    EXPECT_EQ(vm().pins(), 6u);
    EXPECT_EQ(ask_on(1, vm(), waiting.answer).a0(), abi::ret::resume_failed) << "nobody waits any more";
    EXPECT_TRUE(works(guest()));
}

ATTACK(T09,
       "agrees to share a buffer but forgets it, and agrees to forget it again",
       "pinned from the one to the other",
       Schedules::usual)
{
    boot();
    auto const agree = [&] {
        machine().optee().instead_of_next(abi::smc::call_with_arg, [&](tee::Smc& smc) {
            std::uint32_t const success[2] = {abi::result::success, abi::origin::tee};
            auto const message = abi::joined(smc.frame.a[1], smc.frame.a[2]);
            machine().memory().write(Pa{message + abi::arg::ret}, success, sizeof success);
            smc.frame.a[0] = abi::ret::ok;
        });
    };
    for (unsigned n = 0; n < 3 * limits().buffers; ++n) {
        auto const shm = guest().memory().allocate_scattered(3 * page_bytes);
        agree();
        ASSERT_TRUE(guest().register_shm(shm).ok());
        EXPECT_EQ(vm().pins(), 3u);
        EXPECT_TRUE(is_refused(guest().register_shm(shm), abi::result::bad_parameters)) << "its name is taken";
        agree();
        ASSERT_TRUE(guest().unregister_shm(shm).ok());
        EXPECT_EQ(vm().pins(), 0u);
        guest().memory().free(shm);
    }
}

ATTACK(T11,
       "ends a call with the results of another one",
       "each guest gets its own fields, in its own message; nothing else",
       Schedules::usual)
{
    boot();
    auto const echo = guest().open(App::echo).session;
    machine().optee().interrupt_every(0); // the call ends with the SMC with which it begins
    std::uint64_t const foreign[4] = {abi::attr::rmem_inout, 0x1111, 0x2222, 0x3333};
    machine().optee().instead_of_next(abi::smc::call_with_arg, [&](tee::Smc& smc) {
        auto const message = abi::joined(smc.frame.a[1], smc.frame.a[2]);
        smc.proceed();
        for (std::uint32_t n = 0; n < 3; ++n)
            machine().memory().write(Pa{message + abi::arg::bytes(n)}, foreign, sizeof foreign);
    });
    auto const result = guest().invoke(echo, command::echo_add_one, {value_in(1, 2, 3), value_out(), value_inout(4)});
    EXPECT_EQ(result.params.at(0), (abi::Param{abi::attr::value_input, 1, 2, 3})) << "an input is not written";
    EXPECT_EQ(result.params.at(1), (abi::Param{abi::attr::value_output, 0x1111, 0x2222, 0x3333}));
    EXPECT_EQ(result.params.at(2), (abi::Param{abi::attr::value_inout, 0x1111, 0x2222, 0x3333}));
    EXPECT_EQ(vm().pins(), 0u);
    machine().optee().behave();
}

ATTACK(T13, "offers no memory sharing, or fails to say what it offers", "ENOTAVAIL", Schedules::all)
{
    boot();
    auto const expect_not_available = [&] {
        Registers const sent{{abi::smc::exchange_capabilities, 0, 2, 3, 4, 5, 6, 7}};
        EXPECT_TRUE(is_only(abi::ret::not_available, sent, ask_on(0, vm(), sent)));
    };
    for (auto const code : {1u, 2u, 4u, 5u, 7u, 8u, 0x1234u, 0xffff'ffffu}) {
        machine().optee().answer_every(abi::smc::exchange_capabilities, code);
        expect_not_available();
        machine().optee().behave();
    }
    for (auto const capabilities : {0u, ~abi::cap::dynamic_shm}) {
        machine().optee().instead_of_every(abi::smc::exchange_capabilities, [=](tee::Smc& smc) {
            smc.proceed();
            smc.frame.a[1] = capabilities;
        });
        expect_not_available();
        machine().optee().behave();
    }
    Registers const sent{{abi::smc::exchange_capabilities, 0, 2, 3, 4, 5, 6, 7}};
    EXPECT_EQ(ask_on(0, vm(), sent).a0(), abi::ret::ok);
}

ATTACK(T14, "was built without virtualization, or is none", "it is not found; no VM gets it", Schedules::usual)
{
    tee::Options without;
    without.capabilities &= ~abi::cap::virtualization;
    tee::Options other;
    other.answers_as_optee = false;
    for (auto const& optee : {without, other}) {
        boot({.optee = optee, .probes = false, .boots = false});
        EXPECT_NE(machine().probe(), OPTEE_MEDIATOR_OK);
        EXPECT_NE(vm().create(machine().fresh_client(), machine().default_policy()), OPTEE_MEDIATOR_OK);
        EXPECT_EQ(vm().mediator_pages(), 0u);
        EXPECT_FALSE(vm().exists());
    }
    // What comes after is tried on a machine that has one.
    boot({.probes = false, .boots = false});
    EXPECT_EQ(machine().probe(), OPTEE_MEDIATOR_OK);
}

ATTACK(T15,
       "keeps the names of temporary references when their call is over",
       "no guest can refer to them; the name is free for the guest",
       Schedules::usual)
{
    for (auto const kept :
         {tee::TemporaryReferences::stay_in_the_list, tee::TemporaryReferences::end_with_the_call}) {
        tee::Options optee;
        optee.temporary_references = kept;
        boot({.optee = optee});
        Loan loan{guest()};
        loan.call.run_on(0);
        ASSERT_TRUE(loan.call.result().ok());
        EXPECT_EQ(vm().pins(), 0u);
        Smcs const smcs{vm()};
        for (auto const attr : {abi::attr::rmem_input, abi::attr::rmem_output, abi::attr::rmem_inout})
            EXPECT_TRUE(is_refused(guest().invoke(loan.session, command::memory_invert, {shared(attr, loan.shm)}),
                                   abi::result::bad_parameters));
        EXPECT_TRUE(is_refused(guest().unregister_shm(loan.shm), abi::result::bad_parameters));
        EXPECT_EQ(smcs.seen(), 0u);
        EXPECT_TRUE(guest().invoke(loan.session, command::memory_invert, {temporary_inout(loan.shm)}).ok());
        EXPECT_EQ(vm().pins(), 0u);
    }
}

ATTACK(T16,
       "does not know a thread that it suspended",
       "ERESUME; what it may still use stays pinned",
       Schedules::usual)
{
    boot();
    WaitingLoan waiting{guest()};
    ASSERT_TRUE(waiting.waits());
    machine().optee().answer_next(abi::smc::return_from_rpc, abi::ret::resume_failed);
    resume(waiting.call, waiting.answer);
    EXPECT_EQ(waiting.call.last().a0(), abi::ret::resume_failed);
    EXPECT_EQ(vm().pins(), 3u);
    Smcs const smcs{vm()};
    for (std::uint32_t n = 0; n < 3; ++n)
        EXPECT_EQ(ask_on(n, vm(), waiting.answer).a0(), abi::ret::resume_failed);
    EXPECT_EQ(smcs.seen(), 0u) << "its thread is not entered any more";
    EXPECT_TRUE(works(guest()));
}

ATTACK(TX01,
       "answers on one thread with the request of another",
       "the call goes no further; the other one is what it was",
       Schedules::usual)
{
    boot();
    WaitingLoan victim{guest()};
    ASSERT_TRUE(victim.waits());
    WaitingLoan waiting{guest()};
    ASSERT_TRUE(waiting.waits());
    machine().optee().instead_of_next(abi::smc::return_from_rpc, [&](tee::Smc& smc) {
        smc.frame.a[0] = abi::rpc::command;
        smc.frame.a[1] = victim.call.last().registers.a[1];
        smc.frame.a[2] = victim.call.last().registers.a[2];
        smc.frame.a[3] = smc.frame.a[3] == 0 ? 1 : 0;
    });
    resume(waiting.call, waiting.answer);
    EXPECT_TRUE(waiting.call.done());
    EXPECT_NE(waiting.call.last().a0(), abi::ret::ok);
    EXPECT_EQ(vm().pins(), 6u);
    resume(victim.call, victim.answer);
    victim.call.run_on(0);
    EXPECT_TRUE(victim.call.result().ok());
    EXPECT_EQ(vm().pins(), 3u) << "those of the call that OP-TEE lost";
    EXPECT_TRUE(works(guest()));
}

} // namespace
} // namespace sim::attack
