// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

#include <type_traits>
#include <utility>

namespace optee {

/// Why a request is refused, in the protocol's words. to_return_code() and to_tee_result() in abi/answer.hpp say what
/// the guest sees.
enum class Error {
    bad_address,    ///< the command buffer is not in read-write RAM of the VM
    bad_command,    ///< a command, or an answer of OP-TEE, that is not part of the ABI
    thread_limit,   ///< all calls that the VM may have are in flight
    resume_failed,  ///< no call waits under this handle
    not_available,  ///< a service that is not there
    bad_parameters, ///< the message is malformed, or names what is not the VM's
    out_of_memory,  ///< a quota, or the hypervisor's memory, is used up
    buffer_busy,    ///< the shared buffer is in use by another call
    access_denied,  ///< the policy does not let the VM have what it asks for
};

namespace detail {

// Room for one of two. Destroying a value that needs it takes a destructor, which would keep all others from being used
// in constant expressions; clang 14 cannot choose between two destructors, so there are two classes.
template <typename T, bool trivial = std::is_trivially_destructible_v<T>>
class Either {
public:
    // By value: GCC 12 warns of what is not there in an optional when it is taken over from a reference.
    constexpr explicit Either(T value) : value_{std::move(value)}, ok_{true} {}
    constexpr explicit Either(Error error) : error_{error}, ok_{false} {}

protected:
    union {
        T value_;
        Error error_;
    };
    bool ok_;
};

template <typename T>
class Either<T, false> {
public:
    explicit Either(T&& value) : value_{std::move(value)}, ok_{true} {}
    explicit Either(Error error) : error_{error}, ok_{false} {}
    Either(Either const&) = delete;
    Either& operator=(Either const&) = delete;
    ~Either()
    {
        if (ok_)
            value_.~T();
    }

protected:
    union {
        T value_;
        Error error_;
    };
    bool ok_;
};

} // namespace detail

/// A value or the reason why there is none. Cannot be kept: it is tested and taken where it comes from.
template <typename T>
class [[nodiscard]] Result : private detail::Either<T> {
    using Either = detail::Either<T>;

public:
    constexpr Result(T const& value) : Either{value} {}
    constexpr Result(T&& value) : Either{std::move(value)} {}
    constexpr Result(Error error) : Either{error} {}
    Result(Result const&) = delete;
    Result& operator=(Result const&) = delete;

    constexpr bool ok() const { return Either::ok_; }
    /// Only after ok() said no.
    constexpr Error error() const { return Either::error_; }
    /// Only after ok() said yes.
    constexpr T const& get() const { return Either::value_; }
    constexpr T take() && { return std::move(Either::value_); }
};

/// Success, or the reason why not.
template <>
class [[nodiscard]] Result<void> {
public:
    constexpr Result() : error_{}, ok_{true} {}
    constexpr Result(Error error) : error_{error}, ok_{false} {}
    Result(Result const&) = delete;
    Result& operator=(Result const&) = delete;

    constexpr bool ok() const { return ok_; }
    constexpr Error error() const { return error_; }

private:
    Error error_;
    bool ok_;
};

using Status = Result<void>;

} // namespace optee

#define MEDIATOR_JOIN_(a, b) a##b
#define MEDIATOR_JOIN(a, b) MEDIATOR_JOIN_(a, b)
#define MEDIATOR_ASSIGN_OR_RETURN_(result, declaration, expression)                                                  \
    auto&& result = (expression);                                                                                    \
    if (!result.ok())                                                                                                \
        return result.error();                                                                                       \
    declaration = std::move(result).take() // NOLINT(bugprone-macro-parentheses): it declares

/// `MEDIATOR_ASSIGN_OR_RETURN(auto const page, acquire(ipa));`: takes the value, or returns the error to the caller.
#define MEDIATOR_ASSIGN_OR_RETURN(declaration, expression)                                                           \
    MEDIATOR_ASSIGN_OR_RETURN_(MEDIATOR_JOIN(result_, __LINE__), declaration, expression)

/// Returns the error of a Status to the caller; goes on when there is none.
#define MEDIATOR_RETURN_IF_ERROR(expression)                                                                         \
    if (auto&& status = (expression); !status.ok())                                                                  \
    return status.error()
