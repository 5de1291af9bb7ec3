// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Several VMs at once, each vCPU a thread of the host: also what ThreadSanitizer looks at.

#include "tests/scenario/scenario.hpp"

#include <atomic>
#include <memory>
#include <thread>

namespace sim::scenario {
namespace {

bool memory_is_right(LinuxGuest& guest, std::uint32_t vcpu, std::uint32_t session, std::size_t bytes)
{
    auto const shm = guest.register_memory(bytes, 24, vcpu);
    if (!shm)
        return false;
    guest.fill(shm, counting(bytes));
    auto const good = guest.invoke(session, command::memory_invert, {shared_inout(shm)}, vcpu).ok() &&
                      guest.contents(shm) == inverted(counting(bytes));
    guest.free_shm(shm, vcpu);
    auto const brief = guest.memory().allocate_scattered(bytes);
    guest.fill(brief, counting(bytes));
    auto const good_too = guest.invoke(session, command::memory_invert, {temporary_inout(brief)}, vcpu).ok() &&
                          guest.contents(brief) == inverted(counting(bytes));
    guest.memory().free(brief);
    return good && good_too;
}

/// Some of everything; true when all of it was right.
bool mixed_work(LinuxGuest& guest, std::uint32_t vcpu, unsigned rounds)
{
    auto const memory = guest.open(App::memory, {}, vcpu).session;
    auto const clock = guest.open(App::clock, {}, vcpu).session;
    auto const storage = guest.open(App::storage, {}, vcpu).session;
    auto const file = guest.allocate_shm(page_bytes, vcpu);
    auto good = file != nullptr;
    for (unsigned n = 0; n < rounds && good; ++n) {
        good = works(guest, vcpu) && memory_is_right(guest, vcpu, memory, 1000 + 9000 * ((n + vcpu) % 4));
        good = good && guest.invoke(clock, command::clock_get, {value_out(), value_in(2)}, vcpu).ok();
        good = good && guest.invoke(storage, command::storage_write, {shared_in(file), value_in(vcpu)}, vcpu).ok();
        good = good && guest.open(App::loadable, {}, vcpu).ok();
    }
    good = good && guest.close(memory, vcpu).ok() && guest.close(clock, vcpu).ok() && guest.close(storage, vcpu).ok();
    if (file)
        guest.free_shm(file, vcpu);
    return good;
}

class SeveralVms : public testing::TestWithParam<bool> {};

TEST_P(SeveralVms, WorkAtOnceWhileAnotherComesAndGoes)
{
    constexpr std::uint32_t vms = 3;
    constexpr std::uint32_t vcpus = 4;
    tee::Options optee;
    optee.foreign_interrupt_every = 7;
    auto machine = Machine::with_vms(vms + 1).vcpus(vcpus).optee(optee).preemption(Preemption::every(5)).boot();
    auto const driver = GetParam() ? caching_driver : plain_driver;
    std::vector<std::unique_ptr<LinuxGuest>> guests;
    for (std::uint32_t n = 0; n < vms; ++n) {
        guests.push_back(std::make_unique<LinuxGuest>(machine.vm(n), driver));
        ASSERT_TRUE(guests.back()->probe());
    }
    std::atomic<bool> finished{false};
    std::atomic<unsigned> lives{0};
    std::atomic<unsigned> failures{0};
    std::thread coming_and_going{[&] {
        auto& vm = machine.vm(vms);
        auto const client = vm.client();
        do {
            LinuxGuest guest{vm, driver};
            auto call = guest.begin_invoke(guest.open(App::clock).session, command::clock_get, {value_out()});
            guest.register_memory(100 * page_bytes);
            call.start_on(0);
            auto const gone = vm.destroy() == OPTEE_MEDIATOR_OK;
            auto const back = gone && vm.create(client, machine.default_policy()) == OPTEE_MEDIATOR_OK;
            ++(back ? lives : failures);
        } while (!finished && failures == 0);
    }};
    std::vector<std::thread> threads;
    for (auto const& guest : guests)
        for (std::uint32_t vcpu = 0; vcpu < vcpus; ++vcpu)
            threads.emplace_back([&, vcpu] {
                if (!mixed_work(*guest, vcpu, 4))
                    ++failures;
            });
    for (auto& thread : threads)
        thread.join();
    finished = true;
    coming_and_going.join();
    EXPECT_EQ(failures, 0u);
    EXPECT_GT(lives, 0u);
    for (auto const& guest : guests) {
        guest->remove();
        EXPECT_EQ(guest->vm().pins(), 0u);
        EXPECT_EQ(guest->vm().counter("buffers_live"), 0u);
        EXPECT_EQ(guest->vm().counter("arguments_live"), 0u);
        EXPECT_EQ(guest->vm().counter("tee_anomalies"), 0u);
    }
    expect_clean_end(machine);
}

INSTANTIATE_TEST_SUITE_P(Driver, SeveralVms, testing::Bool(), [](auto const& which) {
    return which.param ? "WithCachedArguments" : "WithoutCache";
});

TEST(OfSeveralVms, OneIsDestroyedWhileItsVcpusStillRun)
{
    for (unsigned round = 0; round < 20; ++round) {
        auto machine = Machine::with_vms(2).vcpus(3).boot();
        auto& vm = machine.vm(0);
        LinuxGuest guest{vm, plain_driver};
        LinuxGuest bystander{machine.vm(1), plain_driver};
        std::atomic<unsigned> ready{0};
        std::vector<std::thread> vcpus;
        for (std::uint32_t vcpu = 0; vcpu < 3; ++vcpu)
            vcpus.emplace_back([&, vcpu] {
                ++ready;
                // Until the mediator lets nobody in any more.
                for (auto a0 = abi::ret::ok; a0 != abi::ret::unknown_function;) {
                    auto call = guest.begin_open(App::loadable);
                    call.run_on(vcpu);
                    a0 = call.last().a0();
                }
            });
        while (ready != 3)
            std::this_thread::yield();
        auto status = vm.destroy();
        while (status == OPTEE_MEDIATOR_BUSY)
            status = vm.destroy();
        EXPECT_EQ(status, OPTEE_MEDIATOR_OK);
        // From here on the mediator's memory of the VM is the hypervisor's again: vCPUs must have stopped by themselves.
        for (auto& vcpu : vcpus)
            vcpu.join();
        EXPECT_TRUE(works(bystander));
        expect_clean_end(machine);
    }
}

/// What a VM gets to see of a list of calls: registers, results, handles.
class Diary {
public:
    void add(Call const& call)
    {
        for (unsigned n = 0; n < 4; ++n)
            lines_.push_back(call.last().registers.a[n]);
        if (!call.done())
            return;
        auto const result = call.result();
        lines_.insert(lines_.end(), {result.ret, result.origin, result.session});
        for (auto const& param : result.params)
            lines_.insert(lines_.end(), {param.attr, param.a, param.b, param.c});
    }
    bool operator==(Diary const&) const = default;
    std::size_t size() const { return lines_.size(); }

private:
    std::vector<std::uint64_t> lines_;
};

Diary day_of(LinuxGuest& guest, std::function<void()> const& between)
{
    Diary diary;
    auto const live = [&](Call call) {
        between();
        for (call.start_on(0); call.waits_for_rpc(); call.answer_on(0)) {
            diary.add(call);
            between();
        }
        diary.add(call);
        return call.result().session;
    };
    auto const memory = live(guest.begin_open(App::memory));
    auto const clock = live(guest.begin_open(App::clock));
    auto const shm = guest.memory().allocate_scattered(700 * page_bytes);
    live(guest.begin_register(shm));
    live(guest.begin_invoke(memory, command::memory_invert, {shared_inout(shm)}));
    live(guest.begin_invoke(clock, command::clock_get, {value_out(), value_in(3)}));
    live(guest.begin_open(App::loadable));
    live(guest.begin_unregister(shm));
    live(guest.begin_invoke(memory, command::memory_sum, {shared_in(shm), value_out()}));
    return diary;
}

// I12: A and B use equal cookies, addresses and handles at once; what A sees does not depend on B.
TEST(OfSeveralVms, OneSeesTheSameWhateverAnotherDoesUnderTheSameNames)
{
    Diary alone;
    {
        auto machine = Machine::with_vms(2).ram_pages(4096).boot();
        LinuxGuest guest{machine.vm(0), plain_driver};
        alone = day_of(guest, [] {});
        expect_clean_end(machine);
    }
    auto machine = Machine::with_vms(2).ram_pages(4096).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    LinuxGuest other{machine.vm(1), plain_driver};
    auto const memory = other.open(App::memory).session;
    auto const in_company = day_of(guest, [&] {
        auto const shm = other.register_memory(5 * page_bytes);
        EXPECT_TRUE(other.invoke(memory, command::memory_invert, {shared_inout(shm)}).ok());
        EXPECT_TRUE(other.open(App::loadable).ok());
        other.free_shm(shm);
    });
    EXPECT_GT(alone.size(), 100u);
    EXPECT_TRUE(alone == in_company);
    expect_clean_end(machine);
}

TEST(OfSeveralVms, OneCannotUseWhatAnotherRegisteredUnderThatName)
{
    auto machine = Machine::with_vms(2).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    LinuxGuest other{machine.vm(1), plain_driver};
    auto const session = other.open(App::memory).session;
    auto const shm = guest.register_memory(page_bytes);
    EXPECT_TRUE(
        is_refused(other.invoke(session, command::memory_invert, {shared_inout(shm)}), abi::result::bad_parameters));
    auto const theirs = std::make_shared<SharedMemory>(*other.memory().allocate_scattered(page_bytes));
    theirs->cookie = shm->cookie;
    EXPECT_TRUE(other.register_shm(theirs).ok());
    EXPECT_TRUE(other.unregister_shm(theirs).ok());
    EXPECT_EQ(machine.vm(0).pins(), 1u);
    EXPECT_TRUE(guest.unregister_shm(shm).ok());
    expect_clean_end(machine);
}

TEST(OfSeveralVms, OneThatHoardsAllItsThreadsDoesNotStopTheOthers)
{
    auto machine = Machine::with_vms(3).boot();
    LinuxGuest hoarder{machine.vm(0), plain_driver};
    LinuxGuest second{machine.vm(1), plain_driver};
    LinuxGuest third{machine.vm(2), plain_driver};
    std::vector<Call> hoard;
    for (unsigned n = 0; n < 4; ++n) {
        hoard.push_back(hoarder.begin_open(App::loadable));
        hoard.back().start_on(0);
        ASSERT_TRUE(hoard.back().waits_for_rpc());
    }
    EXPECT_EQ(hoarder.begin_open(App::echo).start_on(0).a0(), abi::ret::thread_limit);
    EXPECT_TRUE(works(second));
    EXPECT_EQ(machine.vm(0).destroy(), OPTEE_MEDIATOR_OK);
    EXPECT_TRUE(works(third));
    expect_clean_end(machine);
}

} // namespace
} // namespace sim::scenario
