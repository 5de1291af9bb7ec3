// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group R: who may go on with a call that waits, and with what in the registers. What is in the answer: rpc_answers_test.cpp.

#include "tests/attack/rpc_words.hpp"

namespace sim::attack {
namespace {

void expect_no_call_under(Vm& vm, std::uint32_t handle, std::uint32_t vcpu = 0)
{
    Registers const sent{{abi::smc::return_from_rpc, 11, 12, handle, 14, 15, 16, 17}};
    auto const answer = vm.smc(vcpu, sent);
    EXPECT_EQ(answer.a0(), abi::ret::resume_failed) << "handle " << handle;
    EXPECT_EQ(answer.work.smcs, 0u) << "handle " << handle;
    for (unsigned n = 1; n < 8; ++n)
        EXPECT_EQ(answer.registers.a[n], sent.a[n]) << "handle " << handle;
}

constexpr std::uint32_t odd_handles[] = {
    0, 1, 2, 3, 4, 5, 15, 16, 255, 256, 257, 0x7fff'ffff, 0x8000'0000, 0xffff'ffff};

ATTACK(R01, "comes back from an RPC though no call waits", "ERESUME; OP-TEE hears nothing", Schedules::all)
{
    boot();
    for (auto const handle : odd_handles)
        expect_no_call_under(vm(), handle);
    EXPECT_TRUE(works(guest()));
}

/// Two vCPUs come back with one answer: the second one's SMC is at some moment of the first one's.
class DoubleAnswer {
public:
    void begin(LinuxGuest& guest, Call& call, Registers const& answer)
    {
        guest_ = &guest;
        call_ = &call;
        answer_ = answer;
    }
    void second()
    {
        if (guest_ == nullptr)
            return; // the race is over
        second_ = ask_on(1, guest_->vm(), answer_);
        came_ = true;
    }
    /// Plays the first one's, and says that one of the two won; the call goes on from there.
    void first_and_judge()
    {
        auto const first = ask_on(0, guest_->vm(), answer_);
        auto const first_lost = first.a0() == abi::ret::resume_failed;
        if (came_) {
            EXPECT_NE(first_lost, second_.a0() == abi::ret::resume_failed) << "one enters, the other does not";
            EXPECT_EQ((first_lost ? first : second_).work.smcs, 0u) << "the loser";
        }
        call_->take(first_lost && came_ ? second_ : first);
        guest_ = nullptr;
    }
    bool came() const { return came_; }

private:
    LinuxGuest* guest_ = nullptr;
    Call* call_ = nullptr;
    Registers answer_{};
    Answer second_;
    bool came_ = false;
};

ATTACK(R02,
       "answers one RPC from two vCPUs at once",
       "one enters OP-TEE, the other gets ERESUME",
       Schedules::straight)
{
    unsigned races = 0;
    for (auto const point : {Point::entry_begins,
                             Point::lock,
                             Point::look_up,
                             Point::read_guest,
                             Point::smc,
                             Point::smc_returns,
                             Point::unlock,
                             Point::write_guest}) {
        DoubleAnswer both;
        in_race(
            point,
            [&] { both.second(); },
            [&] {
                boot();
                Question question{guest(), 2};
                ASSERT_TRUE(question.is_asked());
                both = {};
                both.begin(guest(), question.call, question.answer);
                race_begins();
                both.first_and_judge();
                races += both.came();
                question.call.run_on(1);
                EXPECT_TRUE(question.call.result().ok());
                EXPECT_EQ(vm().pins(), 0u);
            });
    }
    EXPECT_GE(races, 8u);
}

ATTACK(R03,
       "comes back to a call that has ended, with every handle it had",
       "ERESUME; OP-TEE hears nothing",
       Schedules::all)
{
    boot();
    auto const session = guest().open(App::clock).session;
    auto call = guest().begin_invoke(session, command::clock_get, {value_out(), value_in(3)});
    std::vector<std::uint32_t> handles;
    for (call.start_on(0); call.waits_for_rpc(); call.answer_on(0))
        handles.push_back(call.handle());
    ASSERT_TRUE(call.result().ok());
    ASSERT_GE(handles.size(), 5u);
    for (auto const handle : handles)
        expect_no_call_under(vm(), handle);
    EXPECT_TRUE(guest().invoke(session, command::clock_get, {value_out()}).ok());
}

ATTACK(R04,
       "comes back to another VM's call, by the handle that it has there",
       "ERESUME; the call is untouched",
       Schedules::usual)
{
    boot();
    Question theirs{guest(1)};
    ASSERT_TRUE(theirs.is_asked());
    Smcs const sent{vm(1)};
    expect_no_call_under(vm(), theirs.call.handle());
    expect_no_call_under(vm(), theirs.call.handle(), 1);
    // With a call of its own, of perhaps the same handle: it goes on with its own and with nothing else.
    Question own{guest()};
    ASSERT_TRUE(own.is_asked());
    resume(own.call, own.answer);
    EXPECT_EQ(sent.seen(), 0u);
    EXPECT_TRUE(theirs.is_asked());
    own.call.run_on(0);
    EXPECT_TRUE(own.call.result().ok());
    resume(theirs.call, theirs.answer);
    theirs.call.run_on(0);
    EXPECT_TRUE(theirs.call.result().ok());
}

ATTACK(R05,
       "answers a request with a cookie that is not that of its argument",
       "the saved cookie counts; the call goes on",
       Schedules::all)
{
    boot();
    auto const registered = guest().register_memory(page_bytes);
    auto const pins = vm().pins();
    for (auto const cookie : {std::uint64_t{0}, std::uint64_t{0x1234}, registered->cookie, ~std::uint64_t{0}}) {
        SCOPED_TRACE(cookie);
        Question question{guest()};
        ASSERT_TRUE(question.is_asked());
        question.call.rpc_message().set_param(0, {abi::attr::value_output, 77, 0, 0});
        auto answer = question.answer;
        answer.a[1] = answer.a[4] = abi::high(cookie);
        answer.a[2] = answer.a[5] = abi::low(cookie);
        resume(question.call, answer);
        question.call.run_on(0);
        EXPECT_TRUE(question.call.result().ok());
        EXPECT_EQ(question.call.result().params.at(0).a, 77u);
        EXPECT_EQ(vm().pins(), pins);
    }
    guest().free_shm(registered);
    EXPECT_EQ(vm().pins(), 0u);
}

ATTACK(R06,
       "comes back from an interrupt with other registers",
       "OP-TEE gets those that it left with",
       Schedules::usual)
{
    boot();
    auto const session = guest().open(App::memory).session;
    auto const shm = guest().register_memory(2 * page_bytes);
    machine().preempt(Preemption::always());
    machine().optee().interrupt_every(1);
    Rpcs rpcs{machine(), vm()};
    rpcs.change_leaving = [](optee_smc_frame& frame) {
        if (frame.a[0] == abi::rpc::foreign_interrupt) {
            frame.a[1] = 0x1111; // as if OP-TEE had resume information of its own there
            frame.a[2] = 0x2222;
        }
    };
    auto call = guest().begin_invoke(session, command::memory_invert, {shared_inout(shm)});
    machine().optee().interrupt_without_end();
    call.start_on(0);
    for (unsigned n = 0; n < 5; ++n) {
        ASSERT_EQ(call.rpc(), abi::rpc::foreign_interrupt);
        auto answer = return_from_rpc(call.handle());
        for (auto const a : {1u, 2u, 4u, 5u, 6u, 7u})
            answer.a[a] = 0xffff'ffff'5a5a'0000 + a;
        call.resume_on(n % 2, answer);
        auto const& seen = rpcs.last(abi::rpc::foreign_interrupt).frame;
        EXPECT_EQ(seen.a[1], 0x1111u);
        EXPECT_EQ(seen.a[2], 0x2222u);
        for (auto const a : {4u, 5u, 6u})
            EXPECT_EQ(seen.a[a], 0u) << "a" << a;
        EXPECT_EQ(seen.a[7], vm().client());
    }
    machine().optee().interrupt_without_end(false);
    machine().optee().interrupt_every(0);
    call.run_on(0);
    EXPECT_TRUE(call.result().ok());
    EXPECT_EQ(vm().pins(), 2u);
}

ATTACK(R23,
       "never comes back from the request to free what OP-TEE gave back",
       "it is free already; the call waits; the VM goes on",
       Schedules::usual)
{
    boot();
    Offer offer{guest()};
    ASSERT_TRUE(offer.is_asked_for());
    auto const pins = vm().pins();
    resume(offer.call, offer.answer);
    ASSERT_TRUE(run_until_command(offer.call, abi::rpc_cmd::shm_free));
    EXPECT_EQ(offer.call.rpc_message().param(0).b, offer.shm->cookie);
    EXPECT_EQ(vm().pins(), pins) << "pages and name are the guest's again";
    EXPECT_TRUE(guest().register_shm(offer.shm).ok());

    Question question{guest()};
    ASSERT_TRUE(question.is_asked());
    auto const cookie = question.call.last().pair(1);
    ASSERT_TRUE(run_until_rpc(question.call, abi::rpc::free));
    EXPECT_EQ(question.call.last().pair(1), cookie);
    auto const again = guest().memory().allocate_contiguous(page_bytes);
    auto named = *again;
    named.cookie = cookie;
    EXPECT_TRUE(guest().register_shm(std::make_shared<SharedMemory>(named)).ok()) << "the argument's name is free";
    EXPECT_EQ(vm().pins(), pins + 4);
    EXPECT_TRUE(works(guest())) << "two calls wait for ever, others go on";
}

ATTACK(R24,
       "never answers, with as many calls as there are threads",
       "ETHREAD_LIMIT for one more; others notice nothing",
       Schedules::all)
{
    boot();
    std::vector<Question> hoard;
    for (std::uint32_t n = 0; n < limits().threads; ++n) {
        hoard.emplace_back(guest());
        if (n + 1 < limits().threads) {
            ASSERT_TRUE(hoard.back().is_asked()) << n;
        }
    }
    Smcs const sent{vm()};
    auto one_more = guest().begin_open(App::echo);
    for (unsigned n = 0; n < 3; ++n)
        EXPECT_EQ(one_more.start_on(1).a0(), abi::ret::thread_limit);
    EXPECT_EQ(one_more.last().registers.a[1], one_more.registers().a[1]);
    EXPECT_EQ(one_more.last().registers.a[2], one_more.registers().a[2]);
    EXPECT_EQ(sent.seen(), 0u);
    EXPECT_TRUE(works(guest(1)));
    EXPECT_EQ(vm().destroy(), OPTEE_MEDIATOR_OK);
}

ATTACK(R28,
       "never answers the mediator's own request to free a refused buffer",
       "the call waits, counted as one; the VM goes on",
       Schedules::usual)
{
    boot();
    std::vector<Offer> refused;
    for (std::uint32_t n = 0; n + 1 < limits().threads; ++n) {
        refused.emplace_back(guest());
        auto& offer = refused.back();
        ASSERT_TRUE(offer.is_asked_for());
        auto small = offer.param;
        small.b = 1;
        offer.change(small);
        auto const pins = vm().pins();
        resume(offer.call, offer.answer);
        ASSERT_TRUE(offer.call.asks_for(abi::rpc_cmd::shm_free));
        EXPECT_EQ(vm().pins(), pins);
        EXPECT_TRUE(works(guest()));
    }
    Question last{guest()};
    ASSERT_TRUE(last.is_asked());
    EXPECT_EQ(guest().begin_open(App::echo).start_on(0).a0(), abi::ret::thread_limit);
}

ATTACK(R29,
       "answers WAIT at once, again and again, though nobody has sent",
       "bounded work each time; nothing grows",
       Schedules::usual)
{
    boot();
    auto const session = guest().open(App::sleeper).session;
    auto sleeper = guest().begin_invoke(session, command::sleeper_wait);
    ASSERT_TRUE(run_until_command(sleeper, abi::rpc_cmd::notification));
    auto const pages = vm().mediator_pages();
    auto const pins = vm().pins();
    Work most;
    for (unsigned n = 0; n < 2000; ++n) {
        auto answer = sleeper.registers();
        answer.a[0] = abi::smc::return_from_rpc;
        sleeper.rpc_message().set_ret(abi::result::success);
        resume(sleeper, answer, n % 3);
        ASSERT_TRUE(sleeper.asks_for(abi::rpc_cmd::notification)) << n;
        most.keep_larger(sleeper.last().work);
    }
    EXPECT_LE(most.smcs, 8u);
    EXPECT_LE(most.look_ups, 8u);
    EXPECT_EQ(most.allocations, 0u);
    EXPECT_EQ(vm().mediator_pages(), pages);
    EXPECT_EQ(vm().pins(), pins);
    EXPECT_TRUE(works(guest()));
    EXPECT_TRUE(guest().invoke(session, command::sleeper_wake, {}, 1).ok());
    sleeper.run_on(0);
    EXPECT_TRUE(sleeper.result().ok());
}

ATTACK(R30, "answers each RPC on another vCPU than the one that got it", "the call goes on", Schedules::all)
{
    boot();
    auto const shm = guest().register_memory(5 * page_bytes);
    guest().fill(shm, counting(5 * page_bytes));
    auto const storage = guest().open(App::storage).session;
    for (auto const function : {command::storage_write, command::storage_read}) {
        auto call = guest().begin_invoke(
            storage,
            function,
            {shared(function == command::storage_read ? abi::attr::rmem_output : abi::attr::rmem_input, shm),
             value_in(7)});
        call.start_on(0);
        for (std::uint32_t n = 1; call.waits_for_rpc(); ++n)
            call.answer_on(n % 3);
        EXPECT_TRUE(call.result().ok());
    }
    EXPECT_EQ(guest().contents(shm), counting(5 * page_bytes));
    auto call = guest().begin_open(App::loadable);
    call.start_on(2);
    for (std::uint32_t n = 0; call.waits_for_rpc(); ++n)
        call.answer_on(n % 3);
    EXPECT_TRUE(call.result().ok());
    EXPECT_EQ(vm().pins(), 5u);
}

ATTACK(R31, "comes back to a call while another vCPU is in OP-TEE with it", "ERESUME", Schedules::straight)
{
    for (auto const point : {Point::smc, Point::smc_returns}) {
        std::vector<std::uint32_t> known;
        unsigned tries = 0;
        in_race(
            point,
            [&] {
                ++tries;
                for (auto const handle : odd_handles)
                    expect_no_call_under(vm(), handle, 1);
                for (auto const handle : known)
                    expect_no_call_under(vm(), handle, 1);
            },
            [&] {
                boot();
                known.clear();
                auto const session = guest().open(App::clock).session;
                race_begins();
                auto call = guest().begin_invoke(session, command::clock_get, {value_out(), value_in(2)});
                for (call.start_on(0); call.waits_for_rpc(); call.answer_on(0))
                    known.push_back(call.handle());
                EXPECT_TRUE(call.result().ok());
            });
        EXPECT_GE(tries, 3u);
    }
}

ATTACK(R32,
       "cancels calls that wait for an RPC, with and without a thread to spare",
       "both end; none is lost",
       Schedules::all)
{
    boot();
    auto const sleepy = guest().open(App::sleeper).session;
    auto sleeper = guest().begin_invoke(sleepy, command::sleeper_wait);
    sleeper.run_on(0);
    ASSERT_TRUE(sleeper.is_blocked());
    EXPECT_TRUE(guest().cancel(sleepy, 1).ok());
    sleeper.run_on(0);
    EXPECT_EQ(sleeper.result().ret, abi::result::cancel);

    Question question{guest()};
    ASSERT_TRUE(question.is_asked());
    EXPECT_TRUE(guest().cancel(question.session, 1).ok());
    question.call.run_on(0);
    EXPECT_TRUE(question.call.result().ok());

    std::vector<Call> sleepers;
    for (std::uint32_t n = 0; n < limits().threads; ++n) {
        sleepers.push_back(guest().begin_invoke(sleepy, command::sleeper_wait));
        sleepers.back().run_on(0);
    }
    auto cancel = guest().begin_cancel(sleepy);
    EXPECT_EQ(cancel.start_on(1).a0(), abi::ret::thread_limit) << "it needs a thread, as every call does";
    auto answer = sleepers.front().registers();
    answer.a[0] = abi::smc::return_from_rpc;
    EXPECT_TRUE(sleepers.front().waits_for_rpc());
    resume(sleepers.front(), answer);
    EXPECT_EQ(cancel.start_on(1).a0(), abi::ret::thread_limit);
}

} // namespace
} // namespace sim::attack
