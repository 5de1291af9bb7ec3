// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// ./check --soak: guests of every kind, VMs that come and go, for millions of calls. What must not grow is the process:
// once warm, its memory stays what it is; when the last VM has gone, every balance is zero. tools/soak builds and starts
// it.

#include "sim/linux/guest.hpp"
#include "sim/machine/machine.hpp"
#include "sim/optee/optee.hpp"
#include "sim/schedule/random.hpp"

#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace sim {
namespace {

namespace command = tee::command;
using schedule::Random;
using tee::App;

constexpr std::uint32_t vms = 4;
constexpr std::uint32_t vcpus = 2; ///< each a thread of the host
constexpr std::uint64_t ram_pages = 256;
constexpr std::uint32_t rounds_of_a_life = 400;
constexpr std::uint64_t samples = 20; ///< of the process's memory; the first quarter of the way is to get warm
constexpr std::uint64_t warm_samples = 5;
constexpr std::uint64_t growth_allowed = 256; ///< KiB: what allocators of the host keep, one time more, one time less

/// Resident memory of this process in KiB.
std::uint64_t resident()
{
    constexpr std::size_t longest = 256;
    std::array<char, longest> line{};
    auto* const file = std::fopen("/proc/self/statm", "r");
    if (file == nullptr || std::fgets(line.data(), static_cast<int>(line.size()), file) == nullptr)
        return 0;
    (void)std::fclose(file);
    std::string_view const text{line.data()};
    auto const second = text.find(' ') + 1;
    std::uint64_t pages = 0;
    std::from_chars(text.data() + second, text.data() + text.size(), pages);
    return pages * (page_bytes / 1024);
}

/// One vCPU's client: some of everything, in an order by chance.
class Client {
public:
    Client(LinuxGuest& guest, std::uint32_t vcpu, std::uint64_t seed) : guest_{guest}, vcpu_{vcpu}, random_{seed} {}

    void live(std::uint32_t rounds)
    {
        for (auto const app : {App::echo, App::memory, App::clock, App::storage, App::allocator})
            sessions_.push_back(guest_.open(app, {}, vcpu_).session);
        file_ = guest_.register_memory(page_bytes + 100, 28, vcpu_);
        calls_ += sessions_.size() + 1;
        for (std::uint32_t round = 0; round < rounds; ++round)
            expect(one_more());
    }
    std::uint64_t calls() const { return calls_; }
    std::uint64_t failures() const { return failures_; }

private:
    enum : std::size_t { echo, memory, clock, storage, allocator };

    void expect(bool right)
    {
        ++calls_;
        failures_ += right ? 0u : 1u;
    }
    bool invoke(std::size_t app, std::uint32_t function, Arguments const& arguments)
    {
        return guest_.invoke(sessions_[app], function, arguments, vcpu_).ok();
    }
    bool one_more()
    {
        constexpr std::uint32_t kinds = 10;
        switch (random_.below(kinds)) {
        case 0:  return invoke(memory, command::memory_invert, {shared_inout(file_)});
        case 1:  return with_temporary(1 + random_.below(4));
        case 2:  return with_registered(1 + random_.below(4));
        case 3:  return invoke(clock, command::clock_get, {value_out(), value_in(1 + random_.below(3))});
        case 4:  return invoke(storage, command::storage_write, {shared_in(file_), value_in(vcpu_)});
        case 5:  return invoke(allocator, command::allocator_appl, {value_in(2 * page_bytes)});
        case 6:  return invoke(allocator, command::allocator_kernel, {value_in(page_bytes)});
        case 7:  return load();
        default: return invoke(echo, command::echo_add_one, {value_inout(random_.next())});
        }
    }
    bool with_temporary(std::uint32_t pages)
    {
        auto const shm = guest_.memory().allocate_scattered(pages * page_bytes - 12, 8);
        auto const good = invoke(memory, command::memory_sum, {temporary_in(shm), value_out()});
        guest_.memory().free(shm);
        return good;
    }
    bool with_registered(std::uint32_t pages)
    {
        auto const shm = guest_.register_memory(pages * page_bytes, 0, vcpu_);
        auto const good = shm && invoke(memory, command::memory_sum, {shared_in(shm), value_out()});
        if (shm)
            guest_.free_shm(shm, vcpu_);
        calls_ += 2;
        return good;
    }
    bool load()
    {
        auto const opened = guest_.open(App::loadable, {}, vcpu_);
        ++calls_;
        return opened.ok() && guest_.close(opened.session, vcpu_).ok();
    }

    LinuxGuest& guest_;
    std::uint32_t vcpu_;
    Random random_;
    std::vector<std::uint32_t> sessions_;
    Shm file_;
    std::uint64_t calls_ = 0;
    std::uint64_t failures_ = 0;
};

class Soak {
public:
    explicit Soak(std::uint64_t calls) : wanted_{calls} {}

    bool run()
    {
        std::vector<std::thread> threads;
        for (std::uint32_t vm = 0; vm < vms; ++vm)
            threads.emplace_back([this, vm] { lives_of(vm); });
        for (auto& thread : threads)
            thread.join();
        auto const end = resident();
        for (std::uint32_t vm = 0; vm < vms; ++vm)
            if (machine_.vm(vm).exists())
                machine_.vm(vm).destroy();
        auto const frames = machine_.memory().mediator_frames();
        auto const grown = warm_ != 0 && end > warm_ + growth_allowed;
        auto const good = !grown && failures_ == 0 && frames == 0 && machine_.invariants_hold();
        std::printf("memory: %llu KiB when warm, %llu KiB in the end%s\n",
                    count(warm_),
                    count(end),
                    grown ? ": it GROWS" : "");
        std::printf("balance: %llu pages of the mediator are left, %llu calls failed\n%s",
                    count(frames),
                    count(failures_),
                    machine_.violations().c_str());
        std::printf("soak: %llu calls, %llu lives of VMs, %.0f calls per second, %s\n",
                    count(calls_),
                    count(lives_),
                    static_cast<double>(calls_) / seconds(),
                    good ? "nothing found" : "VIOLATED");
        return good;
    }

private:
    static unsigned long long count(std::uint64_t number) { return number; }
    static tee::Options optee()
    {
        constexpr std::uint32_t interrupts = 11;
        tee::Options options;
        options.threads = vcpus;
        options.foreign_interrupt_every = interrupts;
        return options;
    }
    double seconds() const
    {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    }

    /// One VM after another in the same place: each works, leaves much behind, and goes.
    void lives_of(std::uint32_t index)
    {
        auto& vm = machine_.vm(index);
        auto const client = vm.client();
        for (std::uint64_t life = 0; calls_ < wanted_ && failures_ == 0 && machine_.invariants_hold(); ++life) {
            one_life(vm, (life * vms + index) * vcpus);
            auto const gone = vm.destroy() == OPTEE_MEDIATOR_OK && vm.pins() == 0 && vm.mediator_pages() == 0;
            auto const back = gone && vm.create(client, machine_.default_policy()) == OPTEE_MEDIATOR_OK;
            failures_ += back ? 0u : 1u;
            ++lives_;
            if (index == 0)
                sample();
        }
    }
    void one_life(Vm& vm, std::uint64_t seed)
    {
        Random random{seed};
        LinuxGuest guest{vm, {.uses_rpc_arguments = random.below(2) == 0, .enables_shm_cache = random.below(2) == 0}};
        failures_ += guest.probe() ? 0u : 1u;
        std::vector<Client> clients;
        for (std::uint32_t vcpu = 0; vcpu < vcpus; ++vcpu)
            clients.emplace_back(guest, vcpu, seed + vcpu);
        std::thread other{[&] { clients[1].live(rounds_of_a_life); }};
        clients[0].live(rounds_of_a_life);
        other.join();
        for (auto const& one : clients) {
            calls_ += one.calls();
            failures_ += one.failures();
        }
        // The VM goes with a call that waits for an answer.
        auto suspended = guest.begin_invoke(guest.open(App::clock).session, command::clock_get, {value_out()});
        suspended.start_on(0);
        calls_ += 2;
    }
    void sample()
    {
        auto const due = calls_ * samples / wanted_;
        if (due <= sampled_)
            return;
        sampled_ = due;
        auto const now = resident();
        if (due <= warm_samples)
            warm_ = now;
        (void)std::fprintf(stderr, "%.0f s: %llu calls, %llu KiB\n", seconds(), count(calls_), count(now));
    }

    std::uint64_t wanted_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    Machine machine_ = Machine::with_vms(vms)
                           .vcpus(vcpus)
                           .ram_pages(ram_pages)
                           .optee(optee())
                           .preemption(Preemption::every(13))
                           .boot();
    std::atomic<std::uint64_t> calls_{0};
    std::atomic<std::uint64_t> lives_{0};
    std::atomic<std::uint64_t> failures_{0};
    std::uint64_t sampled_ = 0;
    std::uint64_t warm_ = 0;
};

} // namespace
} // namespace sim

int main(int argc, char** argv)
{
    std::uint64_t calls = 10'000'000;
    if (argc > 1) {
        std::string_view const text = argv[1];
        std::from_chars(text.data(), text.data() + text.size(), calls);
    }
    return sim::Soak{calls}.run() ? EXIT_SUCCESS : EXIT_FAILURE;
}
