// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/fuzz/player.hpp"

#include "sim/machine/machine.hpp"
#include "sim/optee/optee.hpp"
#include "tests/fuzz/director.hpp"
#include "tests/fuzz/hostile_guest.hpp"

#include <algorithm>
#include <memory>
#include <vector>

namespace sim::fuzz {

namespace {

constexpr std::uint32_t hostile_vms = 2;
constexpr std::uint32_t most_steps = 64;
constexpr std::uint32_t deepest = 3; ///< vCPUs in the mediator at once: each comes in while the one before is inside

/// What OP-TEE says without having done anything. Never OK: that would be a lie, which nobody can see through.
constexpr std::array<std::uint64_t, 12> odd_answers{
    abi::ret::thread_limit,
    abi::ret::busy,
    abi::ret::resume_failed,
    abi::ret::bad_address,
    abi::ret::bad_command,
    abi::ret::no_memory,
    abi::ret::not_available,
    abi::ret::unknown_function,
    abi::ret::not_available + 1,
    abi::rpc::alloc,
    abi::rpc::command,
    abi::rpc::foreign_interrupt,
};

MachineOptions world(Bytes& bytes)
{
    tee::Options optee;
    optee.threads = 1 + bytes.below(4);
    std::uint32_t const kind = bytes.byte();
    optee.caches_rpc_arguments = (kind & 1) == 0;
    optee.temporary_references =
        (kind & 2) == 0 ? tee::TemporaryReferences::stay_in_the_list : tee::TemporaryReferences::end_with_the_call;
    optee.foreign_interrupt_every = (kind >> 2) & 3;
    auto const preemption = (kind & 16) == 0   ? Preemption::never()
                            : (kind & 32) == 0 ? Preemption::always()
                                               : Preemption::every(3);
    optee_mediator_policy const policy{
        .threads = 1 + ((kind >> 6) & 3), .buffers = 6, .pages = 40, .capabilities = ~std::uint32_t{0}};
    return Machine::with_vms(hostile_vms)
        .vcpus(deepest)
        .ram_pages(Layout::pages)
        .optee(optee)
        .policy(policy)
        .preemption(preemption);
}

class Player {
public:
    explicit Player(std::span<std::uint8_t const> script)
        : bytes_{script}, mixes_{bytes_.flag()}, is_odd_{bytes_.flag()}, machine_{world(bytes_), true}
    {
        if (mixes_)
            machine_.log().tolerate(Invariant::i9);
        // An OP-TEE that says that a thread waits which does not: the mediator has no way to know.
        if (is_odd_)
            machine_.log().tolerate(Invariant::i6);
        for (std::uint32_t n = 0; n < hostile_vms; ++n)
            guests_.emplace_back(machine_.vm(n), mixes_);
        machine_.add(director_);
    }

    Outcome play()
    {
        while (!bytes_.empty() && steps_ < most_steps)
            step();
        end();
        return {machine_.steps(), machine_.violations()};
    }

private:
    void step();
    void change_stage2();
    void make_optee_odd();
    void change_life();
    void change_policy();
    void arm();
    void end();
    std::uint32_t vcpu() const { return depth_; }
    void nested(std::uint32_t steps);

    Bytes bytes_;
    bool mixes_;
    bool is_odd_; ///< OP-TEE may answer what it never would
    Machine machine_;
    std::vector<HostileGuest> guests_;
    Director director_{[this](std::uint32_t steps) { nested(steps); }};
    std::uint32_t steps_ = 0;
    std::uint32_t depth_ = 0;
    bool is_ending_ = false; ///< some VM, on some CPU
};

void Player::nested(std::uint32_t steps)
{
    if (depth_ + 1 >= deepest)
        return;
    ++depth_;
    for (; steps != 0 && !bytes_.empty() && steps_ < most_steps; --steps)
        step();
    --depth_;
}

void Player::step()
{
    ++steps_;
    auto const what = bytes_.byte();
    auto& guest = guests_[(what >> 7) % hostile_vms];
    auto const lives = guest.vm().exists();
    switch (what & 15) {
    case 0:
    case 1:
    case 2:
        if (lives)
            guest.call(bytes_, vcpu());
        break;
    case 3:
    case 4:
    case 5:
    case 6:
        if (lives)
            guest.answer(bytes_, vcpu());
        break;
    case 7:
        if (lives)
            guest.fast_call(bytes_, vcpu());
        break;
    case 8:
        if (lives)
            guest.any_smc(bytes_, vcpu());
        break;
    case 9:  guest.write_memory(bytes_); break;
    case 10: change_stage2(); break;
    case 11: make_optee_odd(); break;
    case 12: arm(); break;
    case 13: change_life(); break;
    case 14: change_policy(); break;
    default: machine_.optee().behave(); break;
    }
}

void Player::change_stage2()
{
    auto const which = bytes_.below(hostile_vms);
    auto& vm = machine_.vm(which);
    auto& other = machine_.vm(1 - which);
    auto const page = vm.ram(bytes_.byte() % Layout::pages);
    switch (bytes_.below(9)) {
    case 0:  vm.balloon_out(page); break;
    case 1:  vm.populate(page); break;
    case 2:  vm.write_protect(page); break;
    case 3:  vm.allow_writing(page); break;
    case 4:  vm.swap(page, vm.ram(bytes_.byte() % Layout::pages)); break;
    case 5:  vm.give_away(page, other, other.ram(Layout::pages + bytes_.byte())); break;
    case 6:  vm.map_of(other, other.ram(bytes_.byte() % Layout::pages), page, MappingKind::foreign); break;
    case 7:  vm.map_of(other, other.ram(bytes_.byte() % Layout::pages), page, MappingKind::grant); break;
    default: vm.map_mmio(page); break;
    }
}

void Player::make_optee_odd()
{
    auto& optee = machine_.optee();
    static constexpr std::array<std::uint32_t, 5> ids{abi::smc::call_with_arg,
                                                      abi::smc::return_from_rpc,
                                                      abi::smc::disable_shm_cache,
                                                      abi::smc::enable_shm_cache,
                                                      abi::smc::exchange_capabilities};
    auto const id = ids[bytes_.below(ids.size())];
    switch (is_odd_ ? bytes_.below(5) : 4) {
    case 0: optee.answer_next(id, static_cast<std::uint32_t>(bytes_.value(odd_answers))); break;
    case 1:
        optee.instead_of_next(id, [a1 = bytes_.byte(), a2 = bytes_.byte()](tee::Smc& smc) {
            smc.proceed();
            smc.frame.a[1] ^= a1;
            smc.frame.a[2] ^= a2;
        });
        break;
    case 2:
        optee.return_result(bytes_.flag() ? abi::cmd::register_shm : abi::cmd::unregister_shm, 0xffff'000c);
        break;
    case 3:  optee.ask_for_cookie(bytes_.byte()); break;
    default: optee.interrupt_every(bytes_.below(4)); break;
    }
}

void Player::arm()
{
    auto const nth = bytes_.below(16);
    if (bytes_.flag()) {
        director_.fail(bytes_.flag() ? Point::allocate_page : Point::look_up, nth);
        return;
    }
    auto const point = Director::interruptible[bytes_.below(Director::interruptible.size())];
    director_.interrupt(point, nth, 1 + bytes_.below(4));
}

void Player::change_life()
{
    auto& guest = guests_[bytes_.below(hostile_vms)];
    auto& vm = guest.vm();
    if (vm.exists()) {
        auto const steps = bytes_.byte();
        if (is_ending_)
            return; // a VM is ended by one CPU at a time: mediator.h
        is_ending_ = true;
        for (std::uint32_t n = 0; n <= steps && vm.exists(); ++n)
            vm.destroy_step();
        is_ending_ = false;
    } else if (!vm.is_quarantined() && depth_ == 0) {
        guest.forget_calls();
        auto const old = vm.client();
        vm.create(bytes_.flag() ? old : machine_.fresh_client(), vm.policy());
    }
}

void Player::change_policy()
{
    auto& vm = machine_.vm(bytes_.below(hostile_vms));
    optee_mediator_policy const policy{.threads = 1 + bytes_.below(4),
                                       .buffers = 1 + bytes_.below(8),
                                       .pages = 1 + bytes_.below(64),
                                       .capabilities = static_cast<std::uint32_t>(bytes_.number(1))};
    if (vm.exists())
        vm.set_policy(policy);
}

/// From here on everybody is fair: what was begun ends, and the VMs go with nothing left.
void Player::end()
{
    director_.rest();
    machine_.optee().behave();
    for (auto& guest : guests_)
        if (guest.vm().exists())
            guest.finish_calls(0);
    for (std::uint32_t n = 0; n < hostile_vms; ++n) {
        auto& vm = machine_.vm(n);
        if (vm.exists() && vm.destroy() != OPTEE_MEDIATOR_OK)
            machine_.broken(Invariant::i14, "a VM of which no vCPU runs cannot be destroyed");
        if (vm.pins() != 0 && !vm.is_quarantined())
            machine_.broken(Invariant::i4, std::to_string(vm.pins()) + " pins are left after the VM");
        if (vm.mediator_pages() != 0 && !vm.is_quarantined())
            machine_.broken(Invariant::i5, std::to_string(vm.mediator_pages()) + " pages of the mediator are left");
    }
    machine_.remove(director_);
}

} // namespace

Outcome play(std::span<std::uint8_t const> script)
{
    return Player{script}.play();
}

} // namespace sim::fuzz
