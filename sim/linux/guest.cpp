// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/linux/guest.hpp"

#include "sim/machine/machine.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace sim {

namespace {

/// optee_msg_arg_size() for MAX_ARG_PARAM_COUNT of Linux's call.c: OPEN_SESSION's two and four more.
constexpr std::uint64_t slot_bytes = abi::arg::bytes(6) + abi::arg::bytes(abi::max_rpc_params);
constexpr std::uint64_t slots_per_page = page_bytes / slot_bytes;
constexpr auto patience = std::chrono::seconds{20};

Registers call_registers(std::uint32_t function, std::uint64_t address, std::uint64_t a3 = 0)
{
    return {{function, abi::high(address), abi::low(address), a3, 0, 0, 0, 0}};
}

} // namespace

LinuxGuest::LinuxGuest(Vm& vm, Options options) : vm_{vm}, options_{options}, memory_{vm} {}

bool LinuxGuest::exchange_capabilities(std::uint32_t vcpu)
{
    auto const answer = vm_.smc(vcpu, {{abi::smc::exchange_capabilities, 0, 0, 0, 0, 0, 0, 0}});
    if (answer.a0() != abi::ret::ok)
        return false;
    capabilities_ = answer.a(1);
    if (options_.uses_rpc_arguments && (capabilities_ & abi::cap::rpc_arg) != 0)
        rpc_param_count_ = answer.a(3) & 0xff;
    return true;
}

// optee_probe() of Linux's smc_abi.c.
bool LinuxGuest::probe(std::uint32_t vcpu)
{
    auto const fails = [&](char const* why) {
        probe_failure_ = why;
        return false;
    };
    auto const uid = vm_.smc(vcpu, {{abi::smc::calls_uid, 0, 0, 0, 0, 0, 0, 0}});
    if (!uid.handled || !std::equal(std::begin(abi::uid), std::end(abi::uid), std::begin(uid.registers.a)))
        return fails("api uid mismatch");
    vm_.smc(vcpu, {{abi::smc::get_os_revision, 0, 0, 0, 0, 0, 0, 0}});
    auto const revision = vm_.smc(vcpu, {{abi::smc::calls_revision, 0, 0, 0, 0, 0, 0, 0}});
    if (revision.a0() != 2)
        return fails("api revision mismatch");
    if (!exchange_capabilities(vcpu))
        return fails("capabilities mismatch");
    if ((capabilities_ & abi::cap::dynamic_shm) == 0)
        return fails("no shared memory");
    auto const disable = [&] {
        for (auto answer = vm_.smc(vcpu, {{abi::smc::disable_shm_cache, 0, 0, 0, 0, 0, 0, 0}});
             answer.a0() == abi::ret::ok;
             answer = vm_.smc(vcpu, {{abi::smc::disable_shm_cache, 0, 0, 0, 0, 0, 0, 0}}))
            if (auto const shm = memory_.find(answer.pair(1)))
                memory_.free(shm);
    };
    disable(); // what a kernel before this one may have left
    if (!options_.enables_shm_cache || has_rpc_arguments())
        return true;
    auto const enabled = vm_.smc(vcpu, {{abi::smc::enable_shm_cache, 0, 0, 0, 0, 0, 0, 0}});
    return enabled.a0() == abi::ret::ok || fails("the cache of shared memory cannot be enabled");
}

void LinuxGuest::remove(std::uint32_t vcpu)
{
    std::vector<Shm> cache;
    {
        std::lock_guard const guard{mutex_};
        cache.swap(argument_cache_);
        free_slots_.clear();
    }
    for (auto const& shm : cache)
        free_shm(shm, vcpu);
    while (true) {
        auto const answer = vm_.smc(vcpu, {{abi::smc::disable_shm_cache, 0, 0, 0, 0, 0, 0, 0}});
        if (answer.a0() != abi::ret::ok)
            break;
        if (auto const shm = memory_.find(answer.pair(1)))
            memory_.free(shm);
        else
            asked_for_unknown("DISABLE_SHM_CACHE");
    }
}

// --- memory

Shm LinuxGuest::allocate_shm(std::uint64_t bytes, std::uint32_t vcpu)
{
    auto shm = memory_.allocate_contiguous(bytes);
    auto const result = register_shm(shm, vcpu);
    if (!result.ok()) {
        memory_.free(shm);
        return nullptr;
    }
    return shm;
}

Shm LinuxGuest::register_memory(std::uint64_t bytes, std::uint32_t offset, std::uint32_t vcpu)
{
    auto shm = memory_.allocate_scattered(bytes, offset);
    auto const result = register_shm(shm, vcpu);
    if (!result.ok()) {
        memory_.free(shm);
        return nullptr;
    }
    return shm;
}

CallResult LinuxGuest::register_shm(Shm const& shm, std::uint32_t vcpu)
{
    auto call = begin_register(shm);
    auto result = finish(call, vcpu);
    shm->is_registered = shm->is_registered || result.ok();
    return result;
}

CallResult LinuxGuest::unregister_shm(Shm const& shm, std::uint32_t vcpu)
{
    auto call = begin_unregister(shm);
    auto result = finish(call, vcpu);
    shm->is_registered = shm->is_registered && !result.ok();
    return result;
}

void LinuxGuest::free_shm(Shm const& shm, std::uint32_t vcpu)
{
    if (shm->is_registered)
        unregister_shm(shm, vcpu);
    memory_.free(shm);
}

void LinuxGuest::fill(Shm const& shm, std::vector<std::uint8_t> const& octets)
{
    for (std::uint64_t done = 0; done < octets.size();) {
        auto const at = shm->at(done);
        auto const part = std::min<std::uint64_t>(octets.size() - done, page_bytes - (at.raw & page_mask));
        vm_.write(at, octets.data() + done, static_cast<std::size_t>(part));
        done += part;
    }
}

std::vector<std::uint8_t> LinuxGuest::contents(Shm const& shm) const
{
    std::vector<std::uint8_t> octets(static_cast<std::size_t>(shm->size));
    for (std::uint64_t done = 0; done < octets.size();) {
        auto const at = shm->at(done);
        auto const part = std::min<std::uint64_t>(octets.size() - done, page_bytes - (at.raw & page_mask));
        vm_.read(at, octets.data() + done, static_cast<std::size_t>(part));
        done += part;
    }
    return octets;
}

// --- calls

void LinuxGuest::write_message(
    Call& call, std::uint32_t cmd, std::uint32_t func, std::uint32_t session, Arguments const& arguments)
{
    auto const count = static_cast<std::uint32_t>(arguments.size());
    auto& message = call.message_;
    for (std::uint32_t at = 0; at < abi::arg::bytes(count); at += 4)
        message.set_field(at, 0);
    message.set_field(abi::arg::cmd, cmd);
    message.set_field(abi::arg::func, func);
    message.set_field(abi::arg::session, session);
    message.set_field(abi::arg::num_params, count);
    for (std::uint32_t n = 0; n < count; ++n) {
        auto raw = arguments[n].raw;
        if (auto const& shm = arguments[n].temporary) {
            auto const list = memory_.write_page_list(*shm);
            call.memory_->lists.emplace_back(list, GuestMemory::list_pages(*shm));
            raw.a = list.raw | shm->offset;
        }
        message.set_param(n, raw);
    }
}

Call LinuxGuest::begin_private(std::uint32_t cmd, Arguments const& arguments)
{
    auto const memory = memory_.allocate_contiguous(page_bytes);
    auto const function = has_rpc_arguments() ? abi::smc::call_with_rpc_arg : abi::smc::call_with_arg;
    Call call{*this, call_registers(function, memory->at(0).raw), {vm_, memory->at(0)}, has_rpc_arguments()};
    call.memory_->message = memory;
    write_message(call, cmd, 0, 0, arguments);
    return call;
}

Call LinuxGuest::begin_cached(
    std::uint32_t cmd, std::uint32_t func, std::uint32_t session, Arguments const& arguments, std::uint32_t vcpu)
{
    auto const slot = take_slot(vcpu);
    Shm cached;
    {
        std::lock_guard const guard{mutex_};
        cached = argument_cache_.at(static_cast<std::size_t>((slot - 1) / slots_per_page));
    }
    auto const place = (slot - 1) % slots_per_page * slot_bytes;
    Call call{
        *this, call_registers(abi::smc::call_with_regd_arg, cached->cookie, place), {vm_, cached->at(place)}, true};
    call.memory_->cache_slot = slot;
    write_message(call, cmd, func, session, arguments);
    return call;
}

Call LinuxGuest::begin(
    std::uint32_t cmd, std::uint32_t func, std::uint32_t session, Arguments const& arguments, std::uint32_t vcpu)
{
    auto const is_short = arguments.size() <= 6;
    if (has_rpc_arguments() && is_short)
        return begin_cached(cmd, func, session, arguments, vcpu);
    auto const memory = memory_.allocate_contiguous(page_bytes);
    Call call{*this, call_registers(abi::smc::call_with_arg, memory->at(0).raw), {vm_, memory->at(0)}, false};
    call.memory_->message = memory;
    write_message(call, cmd, func, session, arguments);
    return call;
}

/// Slots count from 1; all of a page's come with the page.
std::uint64_t LinuxGuest::take_slot(std::uint32_t vcpu)
{
    {
        std::lock_guard const guard{mutex_};
        if (!free_slots_.empty()) {
            auto const slot = free_slots_.back();
            free_slots_.pop_back();
            return slot;
        }
    }
    auto const shm = allocate_shm(page_bytes, vcpu);
    if (!shm)
        throw std::runtime_error{"the guest cannot register memory for its messages"};
    std::lock_guard const guard{mutex_};
    argument_cache_.push_back(shm);
    auto const first = (argument_cache_.size() - 1) * slots_per_page + 1;
    for (auto slot = first + slots_per_page - 1; slot > first; --slot)
        free_slots_.push_back(slot);
    return first;
}

void LinuxGuest::prepare_messages(std::uint32_t count, std::uint32_t vcpu)
{
    std::vector<std::uint64_t> slots;
    while (has_rpc_arguments() && slots.size() < count)
        slots.push_back(take_slot(vcpu));
    for (auto const slot : slots)
        give_slot(slot);
}

void LinuxGuest::give_slot(std::uint64_t slot)
{
    std::lock_guard const guard{mutex_};
    if (!argument_cache_.empty())
        free_slots_.push_back(slot);
}

Call LinuxGuest::begin_open(tee::App app, Arguments const& arguments, std::uint32_t vcpu)
{
    auto const uuid = tee::uuid_of(app);
    constexpr auto meta = abi::attr::meta | abi::attr::value_input;
    Arguments all{{{meta, uuid.a, uuid.b, 0}, nullptr}, {{meta, 0, 0, 0}, nullptr}};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return begin(abi::cmd::open_session, 0, 0, all, vcpu);
}

Call LinuxGuest::begin_invoke(std::uint32_t session,
                              std::uint32_t function,
                              Arguments const& arguments,
                              std::uint32_t vcpu)
{
    return begin(abi::cmd::invoke_command, function, session, arguments, vcpu);
}

Call LinuxGuest::begin_close(std::uint32_t session, std::uint32_t vcpu)
{
    return begin(abi::cmd::close_session, 0, session, {}, vcpu);
}

Call LinuxGuest::begin_cancel(std::uint32_t session, std::uint32_t vcpu)
{
    return begin(abi::cmd::cancel, 0, session, {}, vcpu);
}

Call LinuxGuest::begin_register(Shm const& shm)
{
    return begin_private(abi::cmd::register_shm, {temporary_out(shm)});
}

Call LinuxGuest::begin_unregister(Shm const& shm)
{
    return begin_private(abi::cmd::unregister_shm, {{{abi::attr::rmem_input, 0, 0, shm->cookie}, nullptr}});
}

CallResult LinuxGuest::open(tee::App app, Arguments const& arguments, std::uint32_t vcpu)
{
    auto call = begin_open(app, arguments, vcpu);
    return finish(call, vcpu);
}

CallResult LinuxGuest::invoke(std::uint32_t session,
                              std::uint32_t function,
                              Arguments const& arguments,
                              std::uint32_t vcpu)
{
    auto call = begin_invoke(session, function, arguments, vcpu);
    return finish(call, vcpu);
}

CallResult LinuxGuest::close(std::uint32_t session, std::uint32_t vcpu)
{
    auto call = begin_close(session, vcpu);
    return finish(call, vcpu);
}

CallResult LinuxGuest::cancel(std::uint32_t session, std::uint32_t vcpu)
{
    auto call = begin_cancel(session, vcpu);
    return finish(call, vcpu);
}

CallResult LinuxGuest::finish(Call& call, std::uint32_t vcpu)
{
    while (!call.done()) {
        auto const seen = events();
        if (call.run_on(vcpu) != Call::State::done)
            sleep(seen);
    }
    return call.result();
}

// --- sleeping: the queue of callers without a thread, and notifications

std::uint64_t LinuxGuest::events()
{
    std::lock_guard const guard{mutex_};
    return events_;
}

bool LinuxGuest::take_notification(std::uint64_t key)
{
    std::lock_guard const guard{mutex_};
    return notifications_.erase(key) != 0;
}

void LinuxGuest::notify(std::uint64_t key)
{
    {
        std::lock_guard const guard{mutex_};
        notifications_.insert(key);
    }
    wake_all();
}

void LinuxGuest::wake_all()
{
    {
        std::lock_guard const guard{mutex_};
        ++events_;
        changed_.notify_all();
    }
    vm_.machine().at({Point::guest_wakes, &vm_, 0, Pa{0}, 0});
}

void LinuxGuest::sleep(std::uint64_t events_seen)
{
    Moment const moment{Point::guest_blocks, &vm_, 0, Pa{0}, 0};
    vm_.machine().at(moment);
    if (events() != events_seen || vm_.machine().waits(moment))
        return;
    std::unique_lock guard{mutex_};
    auto const woken = changed_.wait_for(guard, patience, [&] { return events_ != events_seen; });
    if (!woken)
        throw std::runtime_error{"a call of the guest never ends: nobody wakes it"};
}

void LinuxGuest::asked_for_unknown(char const* what)
{
    vm_.machine().broken(Invariant::i11, std::string{what} + " names a buffer that the guest does not have");
}

} // namespace sim
