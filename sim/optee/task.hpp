// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// A thread of OP-TEE is a coroutine: it stops where OP-TEE would leave the secure world (an RPC, a foreign
// interrupt) and goes on when a RETURN_FROM_RPC names it, on whatever CPU. Task is one function of such a thread;
// functions that wait for others are chained, and Thread (partition.hpp) resumes the innermost.

// clang 14 has the coroutines of C++20, but says so only by the older macro, and libstdc++ looks for the new one.
#if defined(__clang__) && !defined(__cpp_impl_coroutine)
#define __cpp_impl_coroutine 201902L
#endif
#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

namespace sim::tee {

template <typename T>
class Task;

namespace detail {

struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    template <typename Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> finished) const noexcept
    {
        auto const waiting = finished.promise().waiting;
        return waiting ? waiting : std::noop_coroutine();
    }
    void await_resume() const noexcept {}
};

struct PromiseBase {
    std::coroutine_handle<> waiting;
    std::exception_ptr exception;

    std::suspend_always initial_suspend() const noexcept { return {}; }
    FinalAwaiter final_suspend() const noexcept { return {}; }
    void unhandled_exception() { exception = std::current_exception(); }
};

template <typename T>
struct Promise : PromiseBase {
    std::optional<T> value;

    Task<T> get_return_object();
    void return_value(T result) { value.emplace(std::move(result)); }
    T take()
    {
        if (exception)
            std::rethrow_exception(exception);
        return std::move(*value);
    }
};

template <>
struct Promise<void> : PromiseBase {
    Task<void> get_return_object();
    void return_void() const noexcept {}
    void take() const
    {
        if (exception)
            std::rethrow_exception(exception);
    }
};

} // namespace detail

template <typename T = void>
class [[nodiscard]] Task {
public:
    using promise_type = detail::Promise<T>;
    using Handle = std::coroutine_handle<promise_type>;

    Task() = default;
    explicit Task(Handle handle) : handle_{handle} {}
    Task(Task&& from) noexcept : handle_{std::exchange(from.handle_, {})} {}
    Task& operator=(Task&& from) noexcept
    {
        if (this != &from) {
            reset();
            handle_ = std::exchange(from.handle_, {});
        }
        return *this;
    }
    ~Task() { reset(); }

    void reset()
    {
        if (auto const handle = std::exchange(handle_, {}))
            handle.destroy();
    }

    // For whoever waits for it in another coroutine.
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) const noexcept
    {
        handle_.promise().waiting = waiting;
        return handle_;
    }
    T await_resume() const { return handle_.promise().take(); }

    // For the thread whose outermost function it is.
    std::coroutine_handle<> handle() const { return handle_; }
    bool done() const { return handle_ && handle_.done(); }
    T result() const { return handle_.promise().take(); }

private:
    Handle handle_;
};

namespace detail {

template <typename T>
Task<T> Promise<T>::get_return_object()
{
    return Task<T>{std::coroutine_handle<Promise<T>>::from_promise(*this)};
}

inline Task<void> Promise<void>::get_return_object()
{
    return Task<void>{std::coroutine_handle<Promise<void>>::from_promise(*this)};
}

} // namespace detail

} // namespace sim::tee
