// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/optee/partition.hpp"

#include "sim/machine/machine.hpp"
#include "sim/optee/entry_std.hpp"
#include "sim/optee/optee.hpp"

#include <algorithm>
#include <utility>

namespace sim::tee {

Partition::Partition(Optee& optee, Vm& vm, std::uint32_t client) : optee_{optee}, vm_{vm}, client_{client}
{
    for (std::uint32_t id = 0; id < optee.options().threads; ++id) {
        threads_.push_back(std::make_unique<Thread>());
        threads_.back()->id = id;
    }
}

Partition::~Partition()
{
    threads_.clear();
    buffers.clear();
}

void Partition::shut_down()
{
    std::lock_guard const guard{mutex_};
    is_shut_down_ = true;
    for (auto& thread : threads_) {
        if (thread->state == Thread::State::active)
            continue; // goes with the partition, when its vCPU has left
        thread->body.reset();
        thread->rpc_message = {};
        thread->rpc_buffer.reset();
        thread->payloads.clear();
        thread->state = Thread::State::free;
    }
    buffers.clear();
    sessions.clear();
}

void Partition::add(Buffer const& buffer)
{
    std::lock_guard const guard{mutex_};
    if (!buffers.insert(buffer))
        machine().broken(Invariant::i11, "a cookie names two live buffers of OP-TEE");
}

void Partition::remove(Buffer const& buffer)
{
    std::lock_guard const guard{mutex_};
    buffers.erase(buffer);
    buffer->let_go();
}

void Partition::yielding_call(optee_smc_frame& frame)
{
    if (static_cast<std::uint32_t>(frame.a[0]) == abi::smc::return_from_rpc)
        resume(frame);
    else
        begin(frame);
}

std::vector<std::unique_ptr<Thread>>::iterator Partition::free_thread()
{
    auto const is_free = [](auto const& t) { return t->state == Thread::State::free && !t->is_reserved; };
    auto const wanted = std::exchange(next_thread_, std::nullopt);
    if (wanted && *wanted < threads_.size() && is_free(threads_[*wanted]))
        return threads_.begin() + static_cast<std::ptrdiff_t>(*wanted);
    return std::find_if(threads_.begin(), threads_.end(), is_free);
}

void Partition::begin(optee_smc_frame& frame)
{
    Thread* thread = nullptr;
    {
        std::lock_guard const guard{mutex_};
        auto const place = free_thread();
        if (place == threads_.end()) {
            frame.a[0] = abi::ret::thread_limit;
            return;
        }
        thread = place->get();
        thread->state = Thread::State::active;
        thread->performance = std::exchange(next_performance_, nullptr);
        last_thread_ = thread->id;
    }
    thread->body = entry_std(*this, *thread, frame);
    run(*thread, thread->body.handle(), frame);
}

void Partition::resume(optee_smc_frame& frame)
{
    Thread* thread = nullptr;
    {
        std::lock_guard const guard{mutex_};
        auto const id = static_cast<std::uint32_t>(frame.a[3]);
        if (id >= threads_.size() || threads_[id]->state != Thread::State::suspended) {
            machine().broken(Invariant::i6, "thread " + std::to_string(id) + " is resumed, but it is not suspended");
            frame.a[0] = abi::ret::resume_failed;
            return;
        }
        thread = threads_[id].get();
        thread->state = Thread::State::active;
    }
    if (thread->request.takes_answer)
        thread->answer = {abi::low(frame.a[1]), abi::low(frame.a[2]), abi::low(frame.a[4]), abi::low(frame.a[5])};
    run(*thread, thread->resume_at, frame);
}

void Partition::run(Thread& thread, std::coroutine_handle<> from, optee_smc_frame& frame)
{
    machine().count_step();
    from.resume();
    if (thread.body.done()) {
        frame.a[0] = thread.body.result();
        frame.a[1] = frame.a[2] = frame.a[3] = 0;
        thread.body.reset();
        std::lock_guard const guard{mutex_};
        thread.state = Thread::State::free;
        return;
    }
    frame.a[0] = thread.request.a0;
    frame.a[1] = thread.request.a1;
    frame.a[2] = thread.request.a2;
    frame.a[3] = thread.id;
    std::lock_guard const guard{mutex_};
    thread.state = Thread::State::suspended;
}

// thread_optee_smc.c, thread_disable_prealloc_rpc_cache(): one cached argument each time, none while a thread is
// busy.
void Partition::disable_shm_cache(optee_smc_frame& frame)
{
    std::lock_guard const guard{mutex_};
    if (std::any_of(
            threads_.begin(), threads_.end(), [](auto const& t) { return t->state != Thread::State::free; })) {
        frame.a[0] = abi::ret::busy;
        return;
    }
    for (auto& thread : threads_) {
        if (!thread->rpc_buffer)
            continue;
        auto const cookie = thread->rpc_buffer->cookie();
        buffers.erase(thread->rpc_buffer);
        thread->rpc_buffer->let_go();
        thread->rpc_buffer.reset();
        thread->rpc_message = {};
        frame.a[0] = abi::ret::ok;
        frame.a[1] = abi::high(cookie);
        frame.a[2] = abi::low(cookie);
        return;
    }
    caches_rpc_arguments = false;
    frame.a[0] = abi::ret::not_available;
}

void Partition::enable_shm_cache(optee_smc_frame& frame)
{
    std::lock_guard const guard{mutex_};
    if (optee_.options().caches_rpc_arguments && std::any_of(threads_.begin(), threads_.end(), [](auto const& t) {
            return t->state != Thread::State::free;
        })) {
        frame.a[0] = abi::ret::busy;
        return;
    }
    caches_rpc_arguments = optee_.options().caches_rpc_arguments;
    frame.a[0] = abi::ret::ok;
}

// tee_ta_manager.c, new_session_id(): one more than the last of the list, to which new ones are added at the end.
std::uint32_t Partition::next_session() const
{
    return sessions.empty() ? 1 : sessions.rbegin()->first + 1;
}

void Partition::perform_in_next_call(std::shared_ptr<Performance const> performance)
{
    std::lock_guard const guard{mutex_};
    next_performance_ = std::move(performance);
}

void Partition::begin_next_call_on(std::uint32_t thread)
{
    std::lock_guard const guard{mutex_};
    next_thread_ = thread;
}

std::uint32_t Partition::last_thread() const
{
    std::lock_guard const guard{mutex_};
    return last_thread_;
}

void Partition::reserve_thread(std::uint32_t id, bool on)
{
    std::lock_guard const guard{mutex_};
    threads_.at(id)->is_reserved = on;
}

std::uint32_t Partition::busy_threads() const
{
    std::lock_guard const guard{mutex_};
    return static_cast<std::uint32_t>(std::count_if(
        threads_.begin(), threads_.end(), [](auto const& t) { return t->state != Thread::State::free; }));
}

std::uint32_t Partition::suspended_threads() const
{
    std::lock_guard const guard{mutex_};
    return static_cast<std::uint32_t>(std::count_if(
        threads_.begin(), threads_.end(), [](auto const& t) { return t->state == Thread::State::suspended; }));
}

bool Partition::knows(std::uint64_t cookie) const
{
    std::lock_guard const guard{mutex_};
    return buffers.find(cookie) != nullptr;
}

std::size_t Partition::live_buffers() const
{
    std::lock_guard const guard{mutex_};
    return buffers.live();
}

std::size_t Partition::open_sessions() const
{
    std::lock_guard const guard{mutex_};
    return static_cast<std::size_t>(
        std::count_if(sessions.begin(), sessions.end(), [](auto const& s) { return !s.second->opening; }));
}

} // namespace sim::tee
