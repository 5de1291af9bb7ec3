// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// A scheduler that finds nothing proves nothing. Here are mediators with mistakes that need one preemption at the right
// place, two, or two locks in the wrong order: each is found, and found again from what was printed.

#include "ports/sim/lock.hpp"
#include "sim/schedule/exploration.hpp"
#include "sim/schedule/priorities.hpp"
#include "tests/sim/scripted_mediator.hpp"

#include <gtest/gtest.h>
#include <optional>
#include <string>

namespace sim::schedule {
namespace {

constexpr std::uint32_t most_seeds = 2000;

/// OP-TEE is asked something that changes nothing: a place where another vCPU may come in between.
void ask_optee(Entry& entry)
{
    optee_smc_frame frame{{abi::smc::get_os_revision, 0, 0, 0, 0, 0, 0, entry.vm()->client()}};
    entry.smc(frame);
}

/// Checks that a thread is free, does something else, and takes it: two vCPUs can have it.
class ChecksThenActs {
public:
    void operator()(Entry& entry, optee_smc_frame&)
    {
        if (is_taken_)
            return;
        ask_optee(entry);
        if (is_taken_)
            entry.machine().broken(Invariant::i6, "a thread is taken twice");
        is_taken_ = true;
    }

private:
    bool is_taken_ = false;
};

/// Looks twice whether a buffer is there, and believes that it is the same one. The other vCPU must have come in between,
/// and be stopped before it is through.
class LooksTwice {
public:
    void operator()(Entry& entry, optee_smc_frame&)
    {
        if (entry.vcpu() == 0) {
            auto const before = buffer_;
            ask_optee(entry);
            if (buffer_ != before && buffer_ == 0)
                entry.machine().broken(Invariant::i3, "a buffer is used that is just being replaced");
        } else {
            ask_optee(entry);
            buffer_ = 0;
            ask_optee(entry);
            buffer_ = 2;
        }
    }

private:
    unsigned buffer_ = 1;
};

/// Two locks, in an order that depends on the vCPU.
class LocksBothWays {
public:
    LocksBothWays()
    {
        Lock::prepare(first_, 1);
        Lock::prepare(second_, 2);
    }
    void operator()(Entry& entry, optee_smc_frame&)
    {
        auto& outer = Lock::of(entry.vcpu() == 0 ? first_ : second_);
        auto& inner = Lock::of(entry.vcpu() == 0 ? second_ : first_);
        outer.acquire();
        inner.acquire();
        inner.release();
        outer.release();
    }

private:
    optee_lock first_{};
    optee_lock second_{};
};

/// One run of two vCPUs that trap once each, under such a mediator; what was wrong.
template <typename Racy>
std::string run(Scheduler& scheduler, Strategy& strategy)
{
    auto racy = std::make_shared<Racy>();
    ByHand world{Machine::with_one_vm().ram_pages(32)};
    world.mediator->handler = [racy](Entry& entry, optee_smc_frame& frame) {
        (*racy)(entry, frame);
        frame.a[0] = abi::ret::ok;
    };
    auto const trap = [&world](std::uint32_t vcpu) {
        return [&world, vcpu] { world.vm().smc(vcpu, {{abi::smc::call_with_arg, 0, 0, 0, 0, 0, 0, 0}}); };
    };
    world.machine.log().tolerate(
        Invariant::i13); // the order of locks: here the scheduler shall find what comes of it
    auto const outcome = scheduler.run(world.machine, strategy, {trap(0), trap(1)});
    return outcome.failure.empty() ? world.machine.violations() : outcome.failure;
}

/// What the exhaustive search finds, and where.
template <typename Racy>
std::optional<std::pair<std::string, Path>> search(Scheduler& scheduler, std::uint32_t preemptions)
{
    Exploration exploration{preemptions};
    while (exploration.next())
        if (auto const wrong = run<Racy>(scheduler, exploration); !wrong.empty())
            return {{wrong, exploration.path()}};
    return std::nullopt;
}

template <typename Racy>
void expect_found(Scheduler& scheduler, std::uint32_t preemptions, std::string const& sentence)
{
    EXPECT_EQ(search<Racy>(scheduler, preemptions - 1), std::nullopt);
    auto const found = search<Racy>(scheduler, preemptions);
    ASSERT_TRUE(found.has_value());
    EXPECT_NE(found->first.find(sentence), std::string::npos) << found->first;
    Replay replay{path_from(text_of(found->second)).value()};
    EXPECT_EQ(run<Racy>(scheduler, replay), found->first);
    EXPECT_TRUE(replay.was_followed());

    for (std::uint64_t seed = 0; seed < most_seeds; ++seed) {
        RandomPriorities strategy{seed, preemptions};
        auto const wrong = run<Racy>(scheduler, strategy);
        if (wrong.empty())
            continue;
        EXPECT_NE(wrong.find(sentence), std::string::npos) << wrong;
        RandomPriorities again{seed, preemptions};
        EXPECT_EQ(run<Racy>(scheduler, again), wrong);
        return;
    }
    ADD_FAILURE() << "no seed finds it";
}

TEST(RacyMediator, ThatChecksAndThenActsIsFoundWithOnePreemption)
{
    Scheduler scheduler{2};
    expect_found<ChecksThenActs>(scheduler, 1, "I6: a thread is taken twice");
}

TEST(RacyMediator, ThatLooksTwiceIsFoundWithTwoPreemptions)
{
    Scheduler scheduler{2};
    expect_found<LooksTwice>(scheduler, 2, "I3: a buffer is used that is just being replaced");
}

TEST(RacyMediator, ThatLocksBothWaysIsADeadlockThatSaysWhoHoldsWhat)
{
    Scheduler scheduler{2};
    expect_found<LocksBothWays>(scheduler,
                                1,
                                "vCPU 0 of VM 0 waits for the lock of rank 2, which vCPU 1 of VM 0 holds; "
                                "vCPU 1 of VM 0 waits for the lock of rank 1, which vCPU 0 of VM 0 holds");
}

} // namespace
} // namespace sim::schedule
