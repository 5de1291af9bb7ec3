// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group X: what one VM does to another one.

#include "tests/attack/rpc_words.hpp"

#include <functional>
#include <optional>

namespace sim::attack {
namespace {

/// A guest's day: calls of every kind, one SMC at a time, and all that the guest gets to see of them.
class Day {
public:
    explicit Day(LinuxGuest& guest) : guest_{guest} { shm_ = guest.memory().allocate_scattered(9 * page_bytes); }

    /// One SMC more; false when the day is over.
    bool step()
    {
        if (!call_ && !begin_next())
            return false;
        if (call_->state() == Call::State::fresh)
            call_->start_on(0);
        else
            call_->answer_on(0);
        note();
        if (call_->done())
            end_call();
        return true;
    }
    void live()
    {
        while (step()) {
        }
    }
    std::vector<std::uint64_t> const& trace() const { return trace_; }

private:
    bool begin_next()
    {
        auto& g = guest_;
        switch (next_++) {
        case 0:  call_.emplace(g.begin_open(App::memory)); break;
        case 1:  call_.emplace(g.begin_open(App::clock)); break;
        case 2:  call_.emplace(g.begin_register(shm_)); break;
        case 3:  call_.emplace(g.begin_invoke(1, command::memory_invert, {shared_inout(shm_)})); break;
        case 4:  call_.emplace(g.begin_invoke(2, command::clock_get, {value_out(), value_in(3)})); break;
        case 5:  call_.emplace(g.begin_open(App::loadable)); break;
        case 6:  call_.emplace(g.begin_invoke(1, command::memory_sum, {shared_in(shm_), value_out()})); break;
        case 7:  call_.emplace(g.begin_register(shm_)); break;
        case 8:  call_.emplace(g.begin_unregister(shm_)); break;
        case 9:  call_.emplace(g.begin_unregister(shm_)); break;
        case 10: call_.emplace(g.begin_invoke(1, command::memory_invert, {temporary_inout(shm_)})); break;
        case 11: call_.emplace(g.begin_invoke(77, 0, {value_in(1)})); break;
        case 12: call_.emplace(g.begin_cancel(2)); break;
        case 13: call_.emplace(g.begin_close(1)); break;
        default: return false;
        }
        return true;
    }
    void note()
    {
        auto const& answer = call_->last();
        for (auto const value : answer.registers.a)
            trace_.push_back(value);
        trace_.push_back(answer.work.smcs);
        trace_.push_back(answer.work.pins);
        for (auto const& write : answer.writes) {
            trace_.push_back(write.offset);
            for (auto const octet : write.bytes)
                trace_.push_back(octet);
        }
    }
    void end_call()
    {
        auto const result = call_->result();
        trace_.insert(trace_.end(), {result.a0, result.ret, result.origin, result.session});
        for (auto const& param : result.params)
            trace_.insert(trace_.end(), {param.attr, param.a, param.b, param.c});
        call_.reset();
    }

    LinuxGuest& guest_;
    Shm shm_;
    std::optional<Call> call_;
    unsigned next_ = 0;
    std::vector<std::uint64_t> trace_;
};

ATTACK(X01,
       "uses the names, addresses and threads that another VM uses, at the same moments",
       "each sees what it sees alone",
       Schedules::straight)
{
    boot();
    std::vector<std::uint64_t> alone;
    {
        Day day{guest()};
        day.live();
        alone = day.trace();
    }
    EXPECT_GT(alone.size(), 500u);
    for (auto const point : {Point::smc,
                             Point::smc_returns,
                             Point::look_up,
                             Point::entry_begins,
                             Point::entry_ends,
                             Point::write_guest}) {
        for (unsigned const ahead : {0u, 7u, 23u}) {
            SCOPED_TRACE(testing::Message() << static_cast<int>(point) << ", " << ahead << " steps ahead");
            boot();
            Day mine{guest()};
            Day theirs{guest(1)};
            for (unsigned n = 0; n < ahead; ++n)
                theirs.step();
            auto is_busy = false;
            Watch watch{[&](Moment const& moment) {
                if (moment.point != point || moment.vm != &vm() || std::exchange(is_busy, true))
                    return;
                Entry::meanwhile([&] { theirs.step(); });
                is_busy = false;
            }};
            machine().add(watch);
            mine.live();
            machine().remove(watch);
            theirs.live();
            EXPECT_EQ(mine.trace(), alone);
            EXPECT_EQ(theirs.trace(), alone);
        }
    }
}

ATTACK(X02,
       "uses a page that another VM granted to it, in every role",
       "refused: it is not its own",
       Schedules::usual)
{
    boot();
    auto const shm = guest().memory().allocate_scattered(3 * page_bytes);
    auto const page = guest().memory().allocate(1);
    auto const before = contents_of(vm(1), vm(1).ram(6));
    for (auto const how : {SpoiltPage::How::granted, SpoiltPage::How::foreign}) {
        for (auto const place : shm->pages) {
            SpoiltPage const theirs{vm(), vm(1), place, how};
            EXPECT_TRUE(is_refused(guest().register_shm(shm), abi::result::bad_parameters));
            auto const memory = guest().open(App::memory).session;
            EXPECT_TRUE(is_refused(guest().invoke(memory, command::memory_invert, {temporary_inout(shm)}),
                                   abi::result::bad_parameters));
            EXPECT_EQ(vm().pins(), 0u);
        }
        {
            SpoiltPage const theirs{vm(), vm(1), page, how};
            EXPECT_EQ(ask(vm(), abi::smc::call_with_arg, abi::high(page.raw), abi::low(page.raw)).a0(),
                      abi::ret::bad_address);
        }
        Offer offer{guest()};
        ASSERT_TRUE(offer.is_asked_for());
        {
            SpoiltPage const theirs{vm(), vm(1), offer.shm->pages.back(), how};
            resume(offer.call, offer.answer);
        }
        offer.call.run_on(0);
        EXPECT_EQ(offer.call.result().ret, abi::result::out_of_memory);
    }
    EXPECT_TRUE(changes(before, contents_of(vm(1), vm(1).ram(6))).empty());
    EXPECT_EQ(vm(1).pins(), 0u);
}

ATTACK(X03,
       "lets another VM write a page while OP-TEE works on it",
       "the guests' own affair: the call ends, nothing else changes",
       Schedules::straight)
{
    Shm shm;
    in_race(
        {Point::smc, Point::optee_touches_page, Point::smc_returns},
        [&] {
            auto const here = vm(1).ram(5000);
            vm(1).map_of(vm(), shm->pages.at(1), here, MappingKind::grant);
            vm(1).poke(here, std::uint64_t{0x1122'3344'5566'7788});
            vm(1).unmap(here);
        },
        [&] {
            boot();
            auto const memory = guest().open(App::memory).session;
            shm = guest().register_memory(3 * page_bytes);
            race_begins();
            EXPECT_TRUE(guest().invoke(memory, command::memory_invert, {shared_inout(shm)}).ok());
            EXPECT_EQ(vm().pins(), 3u);
            EXPECT_TRUE(guest().unregister_shm(shm).ok());
            EXPECT_EQ(vm().pins(), 0u);
        });
}

ATTACK(X04,
       "gives up a shared page, so that the next VM gets it",
       "no VM gets it before OP-TEE has let go",
       Schedules::usual)
{
    boot();
    auto const memory = guest().open(App::memory).session;
    auto const shm = guest().register_memory(4 * page_bytes);
    std::vector<std::uint64_t> shared;
    for (auto const page : shm->pages) {
        shared.push_back(vm().pa_of(page).raw);
        ASSERT_TRUE(vm().balloon_out(page));
    }
    auto const expect_others = [&] {
        for (std::uint64_t n = 0; n < 40; ++n) {
            auto const place = vm(1).ram(6000 + n);
            ASSERT_TRUE(vm(1).populate(place));
            for (auto const frame : shared)
                EXPECT_NE(vm(1).pa_of(place).raw, frame);
            ASSERT_TRUE(vm(1).balloon_out(place));
        }
    };
    expect_others();
    EXPECT_TRUE(guest().invoke(memory, command::memory_invert, {shared_inout(shm)}).ok()) << "OP-TEE has them still";
    expect_others();
    for (auto const frame : shared)
        EXPECT_EQ(machine().memory().frame(frame)->use.load(), FrameUse::guest_ram);
    EXPECT_EQ(vm().destroy(), OPTEE_MEDIATOR_OK);
    for (auto const frame : shared)
        EXPECT_EQ(machine().memory().frame(frame)->use.load(), FrameUse::free);
}

ATTACK(X05,
       "dies step by step while another VM's call is in OP-TEE on that CPU",
       "the other call ends as if nothing had been",
       Schedules::straight)
{
    boot();
    machine().preempt(Preemption::always());
    Household household{guest()};
    ASSERT_TRUE(household.is_ready);
    auto is_busy = false;
    unsigned steps = 0;
    Watch watch{[&](Moment const& moment) {
        if (moment.point != Point::smc || moment.vm != &vm(1) || !vm().exists() || std::exchange(is_busy, true))
            return;
        Entry::meanwhile([&] { vm().destroy_step(); });
        ++steps;
        is_busy = false;
    }};
    machine().add(watch);
    Question question{guest(1), 30};
    ASSERT_TRUE(question.is_asked());
    question.call.run_on(0);
    EXPECT_TRUE(question.call.result().ok());
    machine().remove(watch);
    EXPECT_FALSE(vm().exists());
    EXPECT_GE(steps, 3u);
    machine().preempt(Preemption::never());
}

ATTACK(X06,
       "uses up the hypervisor's pages",
       "another VM gets errors without loss, and all of it when there are pages again",
       Schedules::usual)
{
    boot();
    auto const memory = guest(1).open(App::memory).session;
    auto const kept = guest(1).register_memory(2 * page_bytes);
    Household household{guest()};
    ASSERT_TRUE(household.is_ready);
    auto const before = Possessions::of(vm(1));
    Failure failure{Point::allocate_page, 0, Failure::Extent::from_then_on};
    machine().add(failure);
    for (unsigned n = 0; n < 30; ++n) {
        auto const shm = guest(1).memory().allocate_scattered(3 * page_bytes);
        auto const result = guest(1).register_shm(shm);
        EXPECT_TRUE(result.a0 == abi::ret::no_memory || is_refused(result, abi::result::out_of_memory));
        auto const opened = guest(1).open(App::loadable);
        EXPECT_TRUE(opened.a0 == abi::ret::no_memory || opened.ret == abi::result::out_of_memory);
        auto const used = guest(1).invoke(memory, command::memory_invert, {shared_inout(kept)});
        EXPECT_TRUE(used.ok() || (!is_core() && used.a0 == abi::ret::no_memory)) << "ours needs no page for that";
        EXPECT_EQ(Possessions::of(vm(1)), before);
        guest(1).memory().free(shm);
    }
    machine().remove(failure);
    EXPECT_TRUE(guest(1).open(App::loadable).ok());
    EXPECT_NE(guest(1).register_memory(3 * page_bytes), nullptr);
    household.expect_intact();
}

} // namespace
} // namespace sim::attack
