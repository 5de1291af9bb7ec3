// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/attack/chaos.hpp"

#include "sim/optee/optee.hpp"
#include "sim/optee/partition.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

namespace sim::attack {

namespace {

// Pages of a guest, by what it uses them for: no page has two roles, so that I9 can be told.
constexpr std::uint64_t messages = 20;
constexpr std::uint64_t arguments = 30;
constexpr std::uint64_t lists = 40;
constexpr std::uint64_t lists_of_a_place = 4;
constexpr std::uint64_t places = 6;
constexpr std::uint64_t data = 70;
constexpr std::uint64_t data_pages = 64;
constexpr std::uint64_t pool_pages = 8;
constexpr std::uint64_t nowhere = 5000;

constexpr unsigned deepest = 3;

/// Moments at which another CPU may do anything: no lock is held, and the entry is known to the mediator.
bool is_open_moment(Point point)
{
    return point == Point::smc || point == Point::smc_returns || point == Point::look_up ||
           point == Point::read_guest || point == Point::write_guest || point == Point::optee_touches_page;
}

} // namespace

ChaoticGuest::ChaoticGuest(Vm& vm, Vm& other, Dice& dice) : vm_{vm}, other_{other}, dice_{dice} {}

// One CPU makes and ends a VM; none of its own is in the mediator when it is made anew.
void ChaoticGuest::live_and_die()
{
    if (std::exchange(is_at_it_, true))
        return;
    if (vm_.exists())
        is_ending_ = vm_.destroy_step() != OPTEE_MEDIATOR_OK;
    else if (std::find(inside_.begin(), inside_.end(), true) == inside_.end()) {
        waiting_.resize(std::min<std::size_t>(waiting_.size(), 3)); // a few of its last life
        vm_.create(vm_.client(), vm_.policy());
    }
    is_at_it_ = false;
}

std::uint64_t ChaoticGuest::any_cookie()
{
    return dice_.one_in(20) ? dice_.of<std::uint64_t>({0, 1, ~std::uint64_t{0}}) : odd_cookie(dice_.pick(10));
}

void ChaoticGuest::send(Registers const& registers)
{
    auto const vcpu = static_cast<std::size_t>(std::find(inside_.begin(), inside_.end(), false) - inside_.begin());
    if (vcpu == inside_.size() || !vm_.exists())
        return;
    inside_.at(vcpu) = true;
    auto const answer = vm_.smc(static_cast<std::uint32_t>(vcpu), registers);
    inside_.at(vcpu) = false;
    ++answers_[answer.a0()];
    if (abi::is_rpc(answer.registers.a[0]))
        waiting_.push_back({answer.a0(), answer.a(3), answer.pair(1)});
}

void ChaoticGuest::act()
{
    switch (dice_.pick(16)) {
    case 0:
    case 1:
    case 2:
    case 3: start_call(); break;
    case 4: fast_call(); break;
    case 5:
    case 6:  change_stage2(); break;
    default: come_back(); break;
    }
}

// A list in a page that only parameters at this place use.
abi::Param ChaoticGuest::list_of(std::uint32_t place, std::uint64_t attr)
{
    auto const list = page_of(lists + place * lists_of_a_place, lists_of_a_place);
    auto const pages = 1 + dice_.pick(6);
    for (std::uint64_t n = 0; n < pages; ++n) {
        auto entry = page_of(data, data_pages).raw;
        if (dice_.one_in(60))
            entry =
                dice_.of<std::uint64_t>({0, 8, entry + 8, vm_.ram(nowhere).raw, other_.pa_of(other_.ram(data)).raw});
        vm_.poke(Ipa{list.raw + n * 8}, entry);
    }
    auto const offset = dice_.one_in(3) ? 8 * dice_.pick(512) : 0;
    auto size = pages * page_bytes - offset;
    if (dice_.one_in(40))
        size = dice_.of<std::uint64_t>({0, 1, std::uint64_t{1} << 32, ~std::uint64_t{0}});
    auto const no_list = dice_.one_in(30);
    return {
        no_list ? attr : attr | abi::attr::noncontig, dice_.one_in(30) ? 0 : list.raw | offset, size, any_cookie()};
}

abi::Param ChaoticGuest::any_param(std::uint32_t place)
{
    switch (dice_.pick(8)) {
    case 0:
    case 1:  return list_of(place, abi::attr::tmem_input + dice_.pick(3));
    case 2:  return {abi::attr::rmem_input + dice_.pick(3), dice_.pick(64), dice_.pick(5000), any_cookie()};
    case 4:  return {dice_.pick(16), dice_.pick(3), dice_.pick(3), dice_.pick(3)};
    default: // bytes and times for the allocator; times for the clock, which looks at the second
        return {abi::attr::value_input + dice_.pick(3),
                dice_.pick(place == 0 ? 3 * page_bytes : 4),
                1 + dice_.pick(3),
                0};
    }
}

std::vector<abi::Param> ChaoticGuest::params_of_call(std::uint32_t cmd)
{
    if (cmd == abi::cmd::register_shm)
        return {list_of(0, abi::attr::tmem_output)};
    if (cmd == abi::cmd::unregister_shm)
        return {{abi::attr::rmem_input, 0, 0, any_cookie()}};
    std::vector<abi::Param> params;
    if (cmd == abi::cmd::open_session) {
        auto const uuid = tee::uuid_of(static_cast<App>(dice_.one_in(9) ? 2 : dice_.of<int>({0, 1, 1, 3, 4, 5, 6})));
        params = {{abi::attr::meta | abi::attr::value_input, uuid.a, uuid.b, 0},
                  {abi::attr::meta | abi::attr::value_input, 0, 0, 0}};
    }
    if (cmd == abi::cmd::invoke_command || cmd == abi::cmd::open_session) {
        auto const more = dice_.pick(4);
        for (std::uint64_t n = 0; n < more; ++n)
            params.push_back(any_param(static_cast<std::uint32_t>(params.size())));
    }
    return params;
}

void ChaoticGuest::start_call()
{
    auto const cmd = dice_.one_in(40) ? static_cast<std::uint32_t>(dice_.pick(12))
                                      : dice_.of<std::uint32_t>({0, 0, 1, 1, 1, 1, 2, 3, 4, 4, 5, 5});
    auto const page = page_of(messages, pool_pages);
    auto const session = static_cast<std::uint32_t>(1 + dice_.pick(6));
    auto message =
        write_message(vm_, page, cmd, static_cast<std::uint32_t>(dice_.pick(3)), session, params_of_call(cmd));
    if (dice_.one_in(50))
        message.set_field(abi::arg::num_params, static_cast<std::uint32_t>(dice_.pick(200)));
    send(call_with_arg(page));
}

void ChaoticGuest::answer_alloc(Registers& registers)
{
    auto const page = page_of(arguments, pool_pages);
    auto const cookie = any_cookie();
    arguments_[cookie] = page;
    auto const place = dice_.one_in(20) ? dice_.of<std::uint64_t>({0, page.raw + 8, vm_.ram(nowhere).raw}) : page.raw;
    registers.a[1] = abi::high(place);
    registers.a[2] = abi::low(place);
    registers.a[4] = abi::high(cookie);
    registers.a[5] = abi::low(cookie);
}

void ChaoticGuest::answer_command(Ipa argument)
{
    GuestMessage message{vm_, argument};
    message.set_ret(dice_.one_in(15) ? abi::result::out_of_memory : abi::result::success);
    if (message.cmd() == abi::rpc_cmd::shm_alloc) {
        auto offer = list_of(places - 1, abi::attr::tmem_output);
        if (!dice_.one_in(5)) // large enough, most of the time
            offer.b = std::min<std::uint64_t>(message.param(0).b, 6 * page_bytes);
        message.set_param(0, offer);
    } else if (!dice_.one_in(4)) {
        auto const n = static_cast<std::uint32_t>(dice_.pick(4));
        message.set_param(n, any_param(places - 2));
    } else {
        for (std::uint32_t n = 0; n < abi::max_rpc_params; ++n) {
            auto param = message.param(n);
            param.b = dice_.pick(3 * page_bytes);
            message.set_param(n, param);
        }
    }
    if (dice_.one_in(20))
        message.set_field(static_cast<std::uint32_t>(4 * dice_.pick(40)), static_cast<std::uint32_t>(dice_.pick(7)));
}

Registers ChaoticGuest::answer(Waiting const& waiting)
{
    auto registers = return_from_rpc(waiting.handle);
    if (waiting.rpc == abi::rpc::alloc)
        answer_alloc(registers);
    else if (auto const place = arguments_.find(waiting.cookie);
             waiting.rpc == abi::rpc::command && place != arguments_.end())
        answer_command(place->second);
    if (dice_.one_in(30))
        for (auto const n : {1u, 2u, 4u, 5u, 6u, 7u})
            registers.a[n] = dice_.pick(~std::uint64_t{0});
    return registers;
}

void ChaoticGuest::come_back()
{
    if (waiting_.empty()) {
        start_call();
        return;
    }
    if (dice_.one_in(40)) {
        send(return_from_rpc(static_cast<std::uint32_t>(dice_.pick(2000))));
        return;
    }
    auto const which = static_cast<std::size_t>(dice_.pick(waiting_.size()));
    auto const waiting = waiting_.at(which);
    if (!dice_.one_in(12)) // else it is answered once more, or from another vCPU at the same time
        waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(which));
    send(answer(waiting));
}

void ChaoticGuest::fast_call()
{
    using namespace abi::smc;
    send({{dice_.of<std::uint32_t>({calls_uid,
                                    calls_revision,
                                    get_os_revision,
                                    get_shm_config,
                                    exchange_capabilities,
                                    disable_shm_cache,
                                    disable_shm_cache,
                                    enable_shm_cache,
                                    get_thread_count,
                                    vm_created,
                                    vm_destroyed,
                                    call_with_rpc_arg,
                                    0xb200'0014}),
           dice_.pick(3),
           vm_.ram(messages).raw,
           dice_.pick(4),
           0,
           0,
           0,
           dice_.pick(5)}});
}

void ChaoticGuest::change_stage2()
{
    auto const pool = dice_.of<std::uint64_t>({messages, arguments, lists, data});
    auto const page = page_of(pool, pool_pages);
    switch (dice_.pick(7)) {
    case 0: vm_.write_protect(page); break;
    case 1: vm_.allow_writing(page); break;
    case 2: vm_.swap(page, page_of(pool, pool_pages)); break;
    case 3:
        vm_.balloon_out(page);
        vm_.populate(page);
        break;
    case 4:
        if (vm_.give_away(page, other_, other_.ram(nowhere + dice_.pick(50))))
            vm_.populate(page);
        break;
    case 5:
        for (std::uint64_t n = 0; n < pool_pages; ++n) {
            vm_.allow_writing(vm_.ram(pool + n));
            vm_.populate(vm_.ram(pool + n));
        }
        break;
    default: {
        auto const hole = vm_.ram(nowhere + 100 + dice_.pick(4));
        vm_.swap(page, hole); // and perhaps back, another time
        break;
    }
    }
}

Chaos::Chaos(Machine& machine, std::uint64_t seed) : machine_{machine}, dice_{seed}
{
    for (std::size_t n = 0; n < machine.vms(); ++n)
        guests_.emplace_back(machine.vm(n), machine.vm((n + 1) % machine.vms()), dice_);
    machine_.preempt(Preemption::every(static_cast<std::uint32_t>(1 + dice_.pick(5))));
    machine_.optee().interrupt_every(dice_.of<std::uint32_t>({0, 2, 3, 5, 9}));
    for (auto const function : {abi::smc::call_with_arg, abi::smc::return_from_rpc})
        machine_.optee().instead_of_every(function, [this](tee::Smc& smc) { on_smc(smc); });
    machine_.add(*this);
}

Chaos::~Chaos()
{
    machine_.remove(*this);
    machine_.optee().behave();
    machine_.preempt(Preemption::never());
}

void Chaos::run(unsigned operations)
{
    while (operations_ < operations)
        act();
}

void Chaos::act()
{
    ++operations_;
    auto& guest = guests_.at(static_cast<std::size_t>(dice_.pick(guests_.size())));
    if (guest.is_ending() || !guest.vm().exists() || dice_.one_in(400))
        guest.live_and_die();
    else
        guest.act();
}

std::uint64_t Chaos::answers(std::uint32_t a0) const
{
    std::uint64_t sum = 0;
    for (auto const& guest : guests_)
        sum += guest.answers(a0);
    return sum;
}

void Chaos::at(Moment const& moment)
{
    if (moment.vm == nullptr || depth_ == deepest || !is_open_moment(moment.point) || !dice_.one_in(12))
        return;
    ++depth_;
    Entry::meanwhile([this] { act(); });
    --depth_;
}

bool Chaos::fails(Moment const& moment)
{
    return moment.point == Point::look_up ? dice_.one_in(200) : dice_.one_in(20);
}

// Odd, but no lie: OP-TEE never says of a thread that goes on that it has ended, nor the other way round.
void Chaos::on_smc(tee::Smc& smc)
{
    auto const is_new = static_cast<std::uint32_t>(smc.frame.a[0]) == abi::smc::call_with_arg;
    if (is_new && dice_.one_in(60)) {
        smc.frame.a[0] = dice_.of<std::uint32_t>({0, 1, 2, 4, 5, 6, 7, 1, 1, 1});
        return;
    }
    if (dice_.one_in(is_new ? 200 : 1000)) {
        smc.frame.a[0] = dice_.of<std::uint32_t>({8, 0x1234, 0x8000'0000, 0xffff'ffff, abi::ret::resume_failed});
        return;
    }
    smc.proceed();
    if (smc.frame.a[0] == abi::rpc::command && dice_.one_in(30))
        spoil_request(smc);
}

// As OP-TEE itself finds it, now: what it was given before may be another VM's by this time.
tee::Buffer Chaos::argument_of(Vm& vm, std::uint64_t cookie) const
{
    auto const partition = machine_.optee().partition(vm);
    if (!partition || cookie == 0)
        return nullptr;
    std::lock_guard const guard{partition->mutex()};
    return partition->buffers.find(cookie);
}

// A request that the mediator must not deliver, or that says less, or more, than OP-TEE meant.
void Chaos::spoil_request(tee::Smc const& smc)
{
    auto const argument = argument_of(*smc.vm, abi::joined(smc.frame.a[1], smc.frame.a[2]));
    if (!argument || !argument->is_shadow())
        return;
    auto const secret = smc.vm->pa_of(smc.vm->ram(data)).raw;
    auto const param = dice_.of<abi::Param>({{abi::attr::tmem_output, secret, page_bytes, 7},
                                             {abi::attr::rmem_output, 0, page_bytes, odd_cookie(dice_.pick(10))},
                                             {abi::attr::value_input, 0, odd_cookie(dice_.pick(10)), 0},
                                             {0xc, secret, 0, 0}});
    argument->write(abi::arg::bytes(0), &param, sizeof param);
}

} // namespace sim::attack
