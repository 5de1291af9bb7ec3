// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group Q: what a VM can use up, and what becomes of a hypervisor that has nothing more to give.

#include "tests/attack/rpc_words.hpp"

#include <optional>
#include <utility>

namespace sim::attack {
namespace {

ATTACK(Q01,
       "makes one call more than it may have at once",
       "as many as threads, then ETHREAD_LIMIT; registers stay",
       Schedules::all)
{
    boot();
    for (unsigned round = 0; round < 3; ++round) {
        std::vector<Question> calls;
        for (std::uint32_t n = 0; n < limits().threads; ++n) {
            calls.emplace_back(guest());
            ASSERT_TRUE(calls.back().is_asked()) << n;
        }
        Smcs const smcs{vm()};
        Registers const sent{{abi::smc::call_with_arg, 0, vm().ram(1).raw, 3, 4, 5, 6, 7}};
        for (unsigned n = 0; n < 10; ++n)
            EXPECT_TRUE(is_only(abi::ret::thread_limit, sent, ask_on(n % 3, vm(), sent)));
        EXPECT_EQ(smcs.seen(), 0u);
        for (auto& question : calls) {
            if (round == 2)
                break; // the VM ends with all of them taken
            question.call.run_on(round);
            EXPECT_TRUE(question.call.result().ok());
            EXPECT_TRUE(works(guest())) << "one place is free";
        }
    }
}

ATTACK(Q02,
       "shares one buffer more than it may",
       "OUT_OF_MEMORY, of whatever kind; as many as the limit before",
       Schedules::usual)
{
    boot();
    auto const memory = guest().open(App::memory).session;
    std::vector<Shm> buffers;
    for (std::uint32_t n = 0; n < limits().buffers; ++n) {
        buffers.push_back(guest().register_memory(page_bytes));
        ASSERT_NE(buffers.back(), nullptr) << n;
    }
    auto const one_more = guest().memory().allocate_scattered(page_bytes);
    for (unsigned n = 0; n < 3; ++n) {
        EXPECT_TRUE(is_refused(guest().register_shm(one_more), abi::result::out_of_memory));
        EXPECT_EQ(vm().pins(), limits().buffers);
    }
    EXPECT_TRUE(guest().invoke(memory, command::memory_invert, {shared_inout(buffers.front())}).ok());
    guest().free_shm(buffers.front());
    EXPECT_TRUE(guest().register_shm(one_more).ok()) << "room for exactly one";
    auto const another = guest().memory().allocate_scattered(page_bytes);
    EXPECT_TRUE(is_refused(guest().register_shm(another), abi::result::out_of_memory));
}

ATTACK(Q03, "shares as many pages as it may: one less, all, one more", "exact", Schedules::usual)
{
    World world{.ram_pages = 8192};
    boot(world);
    auto const largest = limits().pages_of_buffer;
    std::uint32_t total = 0;
    for (; total + largest <= limits().pages - largest; total += largest)
        ASSERT_NE(guest().register_memory(largest * page_bytes), nullptr) << total;
    auto const less = guest().memory().allocate_scattered((largest - 1) * page_bytes);
    EXPECT_TRUE(guest().register_shm(less).ok()) << "one page less than all";
    EXPECT_EQ(vm().pins(), total + largest - 1);
    EXPECT_TRUE(guest().unregister_shm(less).ok());
    auto const more = guest().memory().allocate_scattered((largest + 1) * page_bytes);
    EXPECT_TRUE(is_refused(guest().register_shm(more), abi::result::out_of_memory));
    EXPECT_EQ(vm().pins(), total);
    EXPECT_NE(guest().register_memory(largest * page_bytes), nullptr) << "all of them";
    EXPECT_EQ(vm().pins(), limits().pages);
    EXPECT_EQ(guest().register_memory(1), nullptr);
    if (!is_core())
        return;
    world.limits.pages = 50; // of any size, where limits are a policy
    world.limits.buffers = 100;
    boot(world);
    ASSERT_NE(guest().register_memory(20 * page_bytes), nullptr);
    auto const rest = guest().memory().allocate_scattered(30 * page_bytes);
    auto const too_many = guest().memory().allocate_scattered(30 * page_bytes, 1);
    EXPECT_TRUE(is_refused(guest().register_shm(too_many), abi::result::out_of_memory)) << "the offset adds a page";
    EXPECT_TRUE(guest().register_shm(rest).ok());
    EXPECT_EQ(guest().register_memory(1), nullptr);
}

ATTACK(Q04,
       "shares its last buffer and its last pages from two vCPUs at once",
       "one of them gets it; never over the limit",
       Schedules::straight)
{
    World world{.ram_pages = 4096};
    if (is_core())
        world.limits = {.threads = 4, .buffers = 4, .pages = 4 * 7, .pages_of_buffer = 7};
    for (auto const last_pages : {false, true}) {
        Shm theirs;
        std::optional<CallResult> second;
        auto const moments = in_race(
            {Point::lock, Point::look_up, Point::allocate_page, Point::smc},
            [&] {
                if (!theirs)
                    return;
                auto const shm = std::exchange(theirs, nullptr);
                second = guest().register_shm(shm, 1);
                EXPECT_LE(vm().pins(), limits().pages + 1) << "and the pages of a message under way";
            },
            [&] {
                boot(world);
                second.reset();
                auto const largest = limits().pages_of_buffer;
                auto const bytes = last_pages ? largest * page_bytes : page_bytes;
                for (std::uint32_t n = 0; n + 1 < limits().buffers; ++n)
                    ASSERT_NE(guest().register_memory(bytes), nullptr);
                theirs = guest().memory().allocate_scattered(bytes);
                auto const mine = guest().memory().allocate_scattered(bytes);
                race_begins();
                auto const first = guest().register_shm(mine);
                theirs = nullptr;
                EXPECT_EQ(first.ok() + (second && second->ok()), 1) << "one place, one buffer";
                if (!first.ok()) {
                    EXPECT_TRUE(is_refused(first, abi::result::out_of_memory));
                }
                if (second && !second->ok()) {
                    EXPECT_TRUE(is_refused(*second, abi::result::out_of_memory));
                }
                EXPECT_EQ(vm().pins(), limits().buffers * (last_pages ? largest : 1));
            });
        EXPECT_GE(moments, 3u);
    }
}

ATTACK(Q06,
       "shares a large buffer when the hypervisor's free pages are scattered",
       "single pages do: it is shared",
       Schedules::usual)
{
    World world{.ram_pages = 8192};
    if (is_core())
        world.limits.pages = world.limits.pages_of_buffer = 2000;
    boot(world);
    // Pages of the mediator come and go in another order than they were made.
    std::vector<Shm> small;
    for (std::uint32_t n = 0; n < limits().buffers; ++n)
        small.push_back(guest().register_memory(page_bytes));
    for (std::size_t n = 0; n < small.size(); n += 3)
        guest().free_shm(small.at(n));
    for (std::size_t n = 1; n < small.size(); n += 3)
        guest().free_shm(small.at(n));
    for (std::size_t n = 2; n < small.size(); n += 3)
        guest().free_shm(small.at(n));
    auto const pages = is_core() ? 1200u : limits().pages_of_buffer;
    auto const bytes = std::size_t{pages} * page_bytes;
    auto const large = guest().register_memory(bytes);
    ASSERT_NE(large, nullptr);
    EXPECT_EQ(vm().pins(), pages);
    guest().fill(large, counting(bytes));
    auto const memory = guest().open(App::memory).session;
    EXPECT_TRUE(guest().invoke(memory, command::memory_invert, {shared_inout(large)}).ok());
    EXPECT_EQ(guest().contents(large), inverted(counting(bytes)));
}

ATTACK(Q07,
       "cancels 5000 times, in sessions that do not exist",
       "bounded work each time; constant memory",
       Schedules::usual)
{
    boot();
    EXPECT_FALSE(guest().cancel(0xffff).ok());
    auto const before = Possessions::of(vm());
    auto const pages = vm().mediator_pages();
    for (std::uint32_t n = 0; n < 5000; ++n)
        ASSERT_EQ(guest().cancel(n * 0x01234567 + 77).ret, abi::result::bad_parameters);
    EXPECT_EQ(Possessions::of(vm()), before);
    EXPECT_EQ(vm().mediator_pages(), pages);
    EXPECT_LE(machine().largest_entry().smcs, 8u);
    EXPECT_LE(machine().largest_entry().look_ups, 16u);
}

ATTACK(Q08,
       "shares a buffer with a bad last page, 2000 times",
       "BAD_PARAMETERS each time; nothing stays",
       Schedules::usual)
{
    boot();
    auto const shm = guest().memory().allocate_scattered(8 * page_bytes);
    SpoiltPage const spoilt{vm(), vm(1), shm->pages.back(), SpoiltPage::How::absent};
    EXPECT_FALSE(guest().register_shm(shm).ok());
    auto const before = Possessions::of(vm());
    auto const pages = vm().mediator_pages();
    for (unsigned n = 0; n < 2000; ++n)
        ASSERT_TRUE(is_refused(guest().register_shm(shm), abi::result::bad_parameters));
    EXPECT_EQ(Possessions::of(vm()), before);
    EXPECT_EQ(vm().mediator_pages(), pages);
    // What failed took nothing of the limits: all of them are still there.
    for (std::uint32_t n = 0; n < limits().buffers; ++n)
        EXPECT_NE(guest().register_memory(page_bytes), nullptr) << n;
}

ATTACK(Q09,
       "does what might be written to the hypervisor's log, 500 times each",
       "no line for each: ten at most",
       Schedules::usual)
{
    boot();
    auto const before = machine().log_lines().size();
    auto const bad = guest().memory().allocate_scattered(3 * page_bytes);
    SpoiltPage const spoilt{vm(), vm(1), bad->pages.back(), SpoiltPage::How::foreign};
    for (std::uint32_t n = 0; n < 500; ++n) {
        ask(vm(), 0x3200'0000 + n);
        ask(vm(), abi::smc::call_with_arg, n, n);
        ask_on(0, vm(), return_from_rpc(n));
        guest().register_shm(bad);
        guest().unregister_shm(bad);
        guest().begin(6 + n, 0, 0, {}).run_on(0);
    }
    for (std::uint32_t n = 0; n < 500; ++n) {
        Offer offer{guest()};
        offer.change({abi::attr::rmem_output, n, n, offer.param.c});
        resume(offer.call, offer.answer);
        offer.call.run_on(0);
    }
    EXPECT_LE(machine().log_lines().size() - before, 10u);
}

/// Takes all of its limits; keeps it.
std::vector<Shm> take_everything(LinuxGuest& guest, Limits const& limits, std::vector<Call>& calls)
{
    std::vector<Shm> buffers;
    auto const sleeper = guest.open(App::sleeper).session;
    for (std::uint32_t n = 0; n < limits.buffers; ++n)
        buffers.push_back(guest.register_memory(limits.pages_of_buffer * page_bytes));
    for (std::uint32_t n = 0; n < limits.threads; ++n) {
        calls.push_back(guest.begin_invoke(sleeper, command::sleeper_wait));
        calls.back().run_on(0);
    }
    return buffers;
}

ATTACK(Q10, "uses all that it may have", "another VM still gets all that it may have", Schedules::usual)
{
    boot({.ram_pages = 8192});
    std::vector<Call> calls;
    std::vector<Call> others;
    take_everything(guest(), limits(), calls);
    EXPECT_GE(vm().pins(), limits().pages);
    EXPECT_TRUE(works(guest(1)));
    take_everything(guest(1), limits(), others);
    EXPECT_GE(vm(1).pins(), limits().pages);
    EXPECT_TRUE(others.back().is_blocked());
    EXPECT_EQ(vm(1).destroy(), OPTEE_MEDIATOR_OK);
}

/// Everything that happens between the trap of an SMC and its return.
class Steps : public Observer {
public:
    explicit Steps(Vm& vm) : vm_{vm} { vm_.machine().add(*this); }
    ~Steps() override { vm_.machine().remove(*this); }
    void at(Moment const& moment) override { count += moment.vm == &vm_; }
    std::uint32_t count = 0;

private:
    Vm& vm_;
};

ATTACK(Q11,
       "shares as many buffers as it may, so that each look-up takes longer",
       "the work of a call depends on limits, not on time",
       Schedules::straight)
{
    World world{.ram_pages = 8192};
    if (is_core())
        world.limits.buffers = world.limits.pages = 1000;
    boot(world);
    auto const memory = guest().open(App::memory).session;
    auto const first = guest().register_memory(page_bytes);
    auto const cost = [&](Shm const& shm) {
        Steps const steps{vm()};
        EXPECT_TRUE(guest().invoke(memory, command::memory_invert, {shared_inout(shm)}).ok());
        return steps.count;
    };
    auto const alone = cost(first);
    auto last = first;
    for (std::uint32_t n = 1; n < limits().buffers; ++n)
        last = guest().register_memory(page_bytes);
    ASSERT_NE(last, nullptr);
    EXPECT_LE(cost(first), 2 * alone);
    EXPECT_LE(cost(last), 2 * alone);
}

} // namespace
} // namespace sim::attack
