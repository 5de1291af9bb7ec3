// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/schedule/scheduler.hpp"

#include "sim/machine/machine.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace sim::schedule {

namespace {

/// The vCPU that this thread of the host is; threads that are none are not scheduled.
struct Self {
    Scheduler* scheduler = nullptr;
    std::uint32_t number = nobody;
};
thread_local Self self;

/// Thrown through a vCPU's script when the run was given up.
struct GivenUp {};

} // namespace

std::uint32_t usual(Choice const& choice)
{
    return choice.running != nobody ? choice.running : choice.ready.front();
}

Scheduler::Scheduler(std::uint32_t vcpus, Grain grain) : grain_{grain}
{
    for (std::uint32_t number = 0; number < vcpus; ++number)
        vcpus_.push_back(std::make_unique<Vcpu>());
    for (std::uint32_t number = 0; number < vcpus; ++number)
        vcpus_[number]->thread = std::thread{[this, number] { work(number); }};
}

Scheduler::~Scheduler()
{
    {
        std::lock_guard const guard{mutex_};
        quit_ = true;
    }
    for (auto& vcpu : vcpus_)
        vcpu->turn.notify_one();
    for (auto& vcpu : vcpus_)
        vcpu->thread.join();
}

Outcome Scheduler::run(Machine& machine, Strategy& strategy, std::vector<Body> const& bodies, std::string last_words)
{
    if (bodies.empty() || bodies.size() > vcpus_.size())
        throw std::logic_error{"as many scripts as the scheduler has vCPUs, or fewer"};
    machine.add(*this);
    strategy_ = &strategy;
    bodies_ = &bodies;
    outcome_ = {};
    last_words_ = std::move(last_words);
    given_up_ = false;
    for (std::size_t number = 0; number < vcpus_.size(); ++number) {
        auto& vcpu = *vcpus_[number];
        vcpu.state = number < bodies.size() ? State::ready : State::finished;
        vcpu.vm = nullptr;
        vcpu.wanted = std::nullopt;
        vcpu.held.clear();
    }
    strategy.begin(static_cast<std::uint32_t>(bodies.size()));
    hand_to(choose(nobody));
    {
        std::unique_lock guard{mutex_};
        over_.wait(guard, [this] { return turn_ == nobody; });
    }
    machine.remove(*this);
    return std::move(outcome_);
}

// --- the baton

void Scheduler::hand_to(std::uint32_t next)
{
    {
        std::lock_guard const guard{mutex_};
        turn_ = next;
    }
    if (next == nobody)
        over_.notify_one();
    else
        vcpus_[next]->turn.notify_one();
}

void Scheduler::wait_for_turn(std::uint32_t number)
{
    std::unique_lock guard{mutex_};
    vcpus_[number]->turn.wait(guard, [&] { return turn_ == number || quit_; });
}

void Scheduler::work(std::uint32_t number)
{
    self = {this, number};
    while (true) {
        wait_for_turn(number);
        {
            std::lock_guard const guard{mutex_};
            if (quit_)
                return;
        }
        try {
            if (!given_up_)
                (*bodies_)[number]();
        } catch (GivenUp const&) { // NOLINT(bugprone-empty-catch): the outcome says it already
        } catch (std::exception const& error) {
            if (outcome_.failure.empty())
                outcome_.failure = name_of(number) + ": " + error.what();
        }
        finish();
    }
}

/// This vCPU is through; somebody else goes on, or the run is over.
void Scheduler::finish()
{
    vcpus_[self.number]->state = State::finished;
    find_ready();
    if (!ready_.empty()) {
        ++outcome_.switches;
        hand_to(choose(nobody));
        return;
    }
    auto const waiting =
        std::find_if(vcpus_.begin(), vcpus_.end(), [](auto const& vcpu) { return vcpu->state != State::finished; });
    if (waiting == vcpus_.end()) {
        hand_to(nobody);
        return;
    }
    if (!given_up_)
        give_up("deadlock: " + who_waits_for_what());
    hand_to(static_cast<std::uint32_t>(std::distance(vcpus_.begin(), waiting)));
}

// --- what a vCPU comes to

bool Scheduler::may_switch_at(Point point) const
{
    switch (point) {
    case Point::entry_begins:
    case Point::entry_ends:
    case Point::lock:
    case Point::unlock:
    case Point::smc:
    case Point::smc_returns:
    case Point::look_up:
    case Point::unpin:
    case Point::read_guest:
    case Point::write_guest:
    case Point::optee_step:
    case Point::guest_blocks:
    case Point::guest_wakes: return true;
    case Point::allocate_page:
    case Point::free_page:
    case Point::map_page:
    case Point::optee_touches_page: return grain_ == Grain::every;
    case Point::lock_busy:          return false; // it must
    }
    return false;
}

void Scheduler::at(Moment const& moment)
{
    if (self.scheduler != this)
        return;
    if (given_up_) {
        leave_at(moment.point);
        return;
    }
    auto& vcpu = *vcpus_[self.number];
    if (moment.vm != nullptr)
        vcpu.vm = moment.vm;
    follow_locks(vcpu, moment);
    if (++outcome_.moments == most_moments) {
        give_up("no end in sight: " + who_waits_for_what());
        leave_at(moment.point);
        return;
    }
    if (moment.point == Point::lock_busy) {
        vcpu.rank = static_cast<std::uint32_t>(moment.number);
        wait(State::waits_for_lock);
        return;
    }
    if (moment.point == Point::unlock)
        wake(State::waits_for_lock, moment);
    else if (moment.point == Point::guest_wakes)
        wake(State::waits_for_guest, moment);
    if (may_switch_at(moment.point))
        consider();
}

bool Scheduler::waits(Moment const&)
{
    if (self.scheduler != this)
        return false;
    wait(State::waits_for_guest);
    return true;
}

/// A lock is taken between the moment `lock`, or the last `lock_busy`, and the next one of the same vCPU.
void Scheduler::follow_locks(Vcpu& vcpu, Moment const& moment) const
{
    auto const rank = static_cast<std::uint32_t>(moment.number);
    if (moment.point == Point::lock_busy)
        return;
    if (auto const taken = std::exchange(vcpu.wanted, std::nullopt))
        vcpu.held.push_back(*taken);
    if (moment.point == Point::lock)
        vcpu.wanted = rank;
    if (moment.point == Point::unlock)
        vcpu.held.erase(std::remove(vcpu.held.begin(), vcpu.held.end(), rank), vcpu.held.end());
}

/// Who waited looks again; whether it was this lock, or this event, it finds out by itself.
void Scheduler::wake(State state, Moment const& moment)
{
    for (auto& vcpu : vcpus_) {
        if (vcpu->state != state)
            continue;
        auto const meant = state == State::waits_for_lock ? vcpu->rank == moment.number : vcpu->vm == moment.vm;
        if (meant)
            vcpu->state = State::ready;
    }
}

void Scheduler::find_ready()
{
    ready_.clear();
    for (std::uint32_t number = 0; number < vcpus_.size(); ++number)
        if (vcpus_[number]->state == State::ready)
            ready_.push_back(number);
}

std::uint32_t Scheduler::choose(std::uint32_t running)
{
    find_ready();
    if (ready_.size() == 1)
        return ready_.front();
    auto const chosen = strategy_->choose({outcome_.choices++, running, ready_});
    if (std::find(ready_.begin(), ready_.end(), chosen) == ready_.end())
        throw std::logic_error{"a strategy chose a vCPU that cannot run"};
    return chosen;
}

/// The vCPU could go on: does it?
void Scheduler::consider()
{
    auto const me = self.number;
    auto const next = choose(me);
    if (next == me)
        return;
    ++outcome_.switches;
    hand_to(next);
    wait_for_turn(me);
}

void Scheduler::wait(State state)
{
    auto const me = self.number;
    if (!given_up_) {
        vcpus_[me]->state = state;
        find_ready();
        if (ready_.empty()) {
            give_up("deadlock: " + who_waits_for_what());
        } else {
            ++outcome_.switches;
            hand_to(choose(nobody));
            wait_for_turn(me);
        }
    }
    if (given_up_)
        throw GivenUp{};
}

// --- no way on

/// Out of the script, from where nothing is left half done: not from the middle of an entry, unless it would never end.
void Scheduler::leave_at(Point point)
{
    if (point == Point::entry_ends || point == Point::lock_busy || point == Point::guest_blocks)
        throw GivenUp{};
}

void Scheduler::give_up(std::string why)
{
    given_up_ = true;
    if (outcome_.failure.empty())
        outcome_.failure = std::move(why);
    if (Entry::current() != nullptr && !last_words_.empty())
        (void)std::fprintf(stderr, "%s\n%s\n", outcome_.failure.c_str(), last_words_.c_str());
}

std::string Scheduler::name_of(std::uint32_t number) const
{
    auto const* const vm = vcpus_[number]->vm;
    return "vCPU " + std::to_string(number) + (vm == nullptr ? "" : " of VM " + std::to_string(vm->index()));
}

std::string Scheduler::who_waits_for_what() const
{
    std::string text;
    for (std::uint32_t number = 0; number < vcpus_.size(); ++number) {
        auto const& vcpu = *vcpus_[number];
        if (vcpu.state == State::finished)
            continue;
        text += (text.empty() ? "" : "; ") + name_of(number);
        if (vcpu.state == State::ready)
            text += " runs";
        if (vcpu.state == State::waits_for_guest)
            text += " waits until its guest wakes it";
        if (vcpu.state == State::waits_for_lock) {
            text += " waits for the lock of rank " + std::to_string(vcpu.rank);
            for (std::uint32_t other = 0; other < vcpus_.size(); ++other)
                if (auto const& held = vcpus_[other]->held; std::count(held.begin(), held.end(), vcpu.rank) != 0)
                    text += ", which " + name_of(other) + " holds";
        }
    }
    return text;
}

} // namespace sim::schedule
