// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/attack/attack.hpp"

#include "tests/attack/ordinary_use.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace sim::attack {

namespace {

/// More rounds than any story has moments: a race that does not come to an end is a defect of the script.
constexpr std::uint32_t most_moments = 5000;

/// The innocent VM's call at the hostile one's SMCs, unless it is in one already.
class Crowd : public Observer {
public:
    Crowd(Vm const& hostile, std::function<void()> call) : hostile_{hostile}, call_{std::move(call)} {}

    void at(Moment const& moment) override
    {
        if (moment.point != Point::smc || moment.vm != &hostile_ || is_busy_)
            return;
        is_busy_ = true;
        call_();
        is_busy_ = false;
    }

private:
    Vm const& hostile_;
    std::function<void()> call_;
    bool is_busy_ = false;
};

/// Does something at the n-th time that a VM comes to one of some points; not within what it does, and not while the
/// VM's CPU holds a lock, for which another CPU would wait.
class AtMoment : public Observer {
public:
    AtMoment(Vm const& vm, Points points, std::uint32_t nth, std::function<void()> then)
        : vm_{vm}, points_{std::move(points)}, nth_{nth}, then_{std::move(then)}
    {
    }

    void at(Moment const& moment) override
    {
        if (moment.vm != &vm_ || is_busy_)
            return;
        locks_ -= moment.point == Point::unlock ? 1 : 0;
        auto const is_moment =
            locks_ == 0 && std::find(points_.begin(), points_.end(), moment.point) != points_.end();
        locks_ += moment.point == Point::lock ? 1 : 0; // taken after this moment
        if (!is_moment || seen_++ != nth_)
            return;
        is_busy_ = true;
        then_();
        is_busy_ = false;
    }
    bool happened() const { return seen_ > nth_; }

private:
    Vm const& vm_;
    Points points_;
    std::uint32_t nth_;
    std::function<void()> then_;
    std::uint32_t seen_ = 0;
    int locks_ = 0; ///< that the VM's CPU holds
    bool is_busy_ = false;
};

} // namespace

std::vector<Schedule> schedules_of(Schedules schedules)
{
    switch (schedules) {
    case Schedules::usual:    return {Schedule::straight, Schedule::interrupted};
    case Schedules::all:      return {Schedule::straight, Schedule::interrupted, Schedule::crowded};
    case Schedules::straight: return {Schedule::straight};
    }
    return {};
}

char const* name_of(Schedule schedule)
{
    switch (schedule) {
    case Schedule::straight:    return "straight";
    case Schedule::interrupted: return "interrupted";
    case Schedule::crowded:     return "crowded";
    }
    return "";
}

void Script::SetUp()
{
    RecordProperty("title", attack_.title);
    RecordProperty("required", attack_.required);
}

void Script::TearDown()
{
    take_down();
}

void Script::boot(World const& world)
{
    take_down();
    world_ = world;
    boot_machine();
    for (std::uint32_t n = 0; n < world.vms; ++n) {
        guests_.push_back(std::make_unique<LinuxGuest>(machine().vm(n), world.driver));
        if (world.probes) {
            ASSERT_TRUE(guests_.back()->probe()) << guests_.back()->probe_failure();
        }
    }
    if (schedule_ == Schedule::crowded)
        crowd();
    if (arm_)
        arm_();
}

bool Script::boot_with_rpc_arguments(World const& world)
{
    boot(world);
    auto const offered = (scenario::ask(vm(), abi::smc::exchange_capabilities).a(1) & abi::cap::rpc_arg) != 0;
    EXPECT_TRUE(offered || !is_core()) << "what the script tries cannot be tried";
    return offered;
}

void Script::boot_machine()
{
    auto optee = world_.optee;
    auto preemption = Preemption::never();
    if (schedule_ == Schedule::interrupted) {
        optee.foreign_interrupt_every = 2;
        preemption = Preemption::always();
    }
    optee_mediator_policy const policy{.threads = world_.limits.threads,
                                       .buffers = world_.limits.buffers,
                                       .pages = world_.limits.pages,
                                       .capabilities = ~std::uint32_t{0}};
    auto const options = Machine::with_vms(world_.vms)
                             .vcpus(world_.vcpus)
                             .ram_pages(world_.ram_pages)
                             .placement(world_.placement)
                             .optee(optee)
                             .policy(policy)
                             .preemption(preemption)
                             .mediated_by(under_test().make);
    machine_ = std::make_unique<Machine>(options, world_.boots);
    if (is_core())
        return; // whose habits are no excuse
    for (auto const& [invariant, sentence] : habits())
        if (!names(attack_.required, invariant))
            machine_->log().tolerate(invariant, sentence);
}

void Script::crowd()
{
    ASSERT_GE(machine().vms(), 2u) << "a crowd needs a second VM";
    crowd_ = std::make_unique<Crowd>(vm(0), [this] {
        Entry::meanwhile([this] { EXPECT_TRUE(works(guest(1))) << "the innocent VM is disturbed"; });
    });
    machine().add(*crowd_);
}

void Script::take_down()
{
    if (!machine_)
        return;
    if (crowd_)
        machine().remove(*crowd_);
    crowd_.reset();
    for (std::size_t n = 1; n < machine().vms(); ++n)
        if (vm(n).exists() && world_.probes) {
            EXPECT_TRUE(works(guest(n))) << "VM " << n << ", innocent, cannot work after the attack";
        }
    scenario::expect_clean_end(machine());
    guests_.clear();
    machine_.reset();
}

void Script::at_every(Point point, std::function<void()> const& then, std::function<void()> const& story)
{
    play_rounds({point}, false, then, story);
}

void Script::in_race(Point point, std::function<void()> const& then, std::function<void()> const& story)
{
    play_rounds({point}, true, then, story);
}

std::uint32_t Script::in_race(Points const& points,
                              std::function<void()> const& then,
                              std::function<void()> const& story)
{
    return play_rounds(points, true, then, story);
}

void Script::race_begins()
{
    if (start_)
        start_();
}

void Script::race_ends()
{
    if (stop_)
        stop_();
}

std::uint32_t Script::play_rounds(Points const& points,
                                  bool from_mark,
                                  std::function<void()> const& then,
                                  std::function<void()> const& story)
{
    auto const on_another_cpu = [&then] { Entry::meanwhile(then); };
    bool happened = true;
    std::uint32_t nth = 0;
    for (; happened && !HasFailure(); ++nth) {
        if (nth == most_moments) {
            ADD_FAILURE() << "a race without end";
            break;
        }
        SCOPED_TRACE("at moment " + std::to_string(nth));
        std::unique_ptr<AtMoment> moment;
        auto const watch = [&] {
            moment = std::make_unique<AtMoment>(vm(0), points, nth, on_another_cpu);
            machine().add(*moment);
        };
        (from_mark ? start_ : arm_) = watch;
        stop_ = [&] { machine().remove(*moment); };
        story();
        happened = moment && moment->happened();
        arm_ = start_ = stop_ = nullptr;
        if (moment)
            machine().remove(*moment);
        take_down();
    }
    if (!HasFailure()) {
        EXPECT_GT(nth, 1u) << "the story never came to that point";
    }
    return nth == 0 ? 0 : nth - 1;
}

} // namespace sim::attack
