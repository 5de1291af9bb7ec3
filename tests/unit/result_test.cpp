// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "base/result.hpp"

#include <gtest/gtest.h>
#include <memory>
#include <string>

namespace optee {
namespace {

/// Counts how many of its kind are alive, and which of them still have what they stand for.
class Token {
public:
    explicit Token(int& owned) : owned_{&owned}
    {
        ++*owned_;
        ++alive;
    }
    Token(Token&& from) noexcept : owned_{std::exchange(from.owned_, nullptr)} { ++alive; }
    Token(Token const&) = delete;
    Token& operator=(Token const&) = delete;
    Token& operator=(Token&&) = delete;
    ~Token()
    {
        if (owned_ != nullptr)
            --*owned_;
        --alive;
    }
    bool owns() const { return owned_ != nullptr; }

    static inline int alive = 0;

private:
    int* owned_;
};

Result<Token> token_unless(bool fails, int& owned)
{
    if (fails)
        return Error::thread_limit;
    return Token{owned};
}

TEST(AResult, HasAValueOrAnError)
{
    Result<int> const value{3};
    EXPECT_TRUE(value.ok());
    EXPECT_EQ(value.get(), 3);
    Result<int> const error{Error::buffer_busy};
    EXPECT_FALSE(error.ok());
    EXPECT_EQ(error.error(), Error::buffer_busy);
}

TEST(AResult, OfAPlainValueIsAConstant)
{
    constexpr auto half = [](int n) -> Result<int> {
        if (n % 2 != 0)
            return Error::bad_parameters;
        return n / 2;
    };
    static_assert(half(8).get() == 4 && half(8).take() == 4);
    static_assert(!half(7).ok() && half(7).error() == Error::bad_parameters);
    static_assert(Status{}.ok() && Status{Error::bad_command}.error() == Error::bad_command);
    EXPECT_TRUE(half(0).ok());
}

TEST(AResult, DestroysTheValueThatNobodyTook)
{
    int owned = 0;
    {
        auto const result = token_unless(false, owned);
        EXPECT_TRUE(result.ok());
        EXPECT_TRUE(result.get().owns());
        EXPECT_EQ(owned, 1);
    }
    EXPECT_EQ(owned, 0);
    EXPECT_EQ(Token::alive, 0);
}

TEST(AResult, HandsTheValueOnOnce)
{
    int owned = 0;
    {
        auto taken = token_unless(false, owned).take();
        EXPECT_TRUE(taken.owns());
        EXPECT_EQ(owned, 1);
        EXPECT_EQ(Token::alive, 1);
    }
    EXPECT_EQ(owned, 0);
    EXPECT_EQ(Token::alive, 0);
}

TEST(AResult, ThatIsAnErrorDestroysNoValue)
{
    int owned = 0;
    {
        auto const result = token_unless(true, owned);
        EXPECT_EQ(result.error(), Error::thread_limit);
    }
    EXPECT_EQ(owned, 0);
    EXPECT_EQ(Token::alive, 0);
}

TEST(AResult, CarriesWhatCanOnlyBeMoved)
{
    auto make = [] { return Result<std::unique_ptr<std::string>>{std::make_unique<std::string>("value")}; };
    auto const taken = make().take();
    EXPECT_EQ(*taken, "value");
}

TEST(AResult, CannotBeKeptOrCopied)
{
    static_assert(!std::is_copy_constructible_v<Result<int>> && !std::is_copy_assignable_v<Result<int>>);
    static_assert(!std::is_move_constructible_v<Result<int>> && !std::is_move_constructible_v<Status>);
    static_assert(!std::is_convertible_v<Result<int>, bool>);
    static_assert(std::is_trivially_destructible_v<Result<int>> && !std::is_trivially_destructible_v<Result<Token>>);
    SUCCEED();
}

Result<int> sum_of_two(Result<int> (*first)(), Result<int> (*second)())
{
    MEDIATOR_ASSIGN_OR_RETURN(auto const one, first());
    MEDIATOR_ASSIGN_OR_RETURN(auto const other, second());
    return one + other;
}

TEST(AssignOrReturn, TakesTheValuesOrReturnsTheFirstError)
{
    constexpr auto five = +[] { return Result<int>{5}; };
    constexpr auto busy = +[] { return Result<int>{Error::buffer_busy}; };
    constexpr auto gone = +[] { return Result<int>{Error::bad_address}; };
    EXPECT_EQ(sum_of_two(five, five).get(), 10);
    EXPECT_EQ(sum_of_two(five, busy).error(), Error::buffer_busy);
    EXPECT_EQ(sum_of_two(gone, busy).error(), Error::bad_address);
}

TEST(AssignOrReturn, GivesBackWhatWasTakenBefore)
{
    int owned = 0;
    auto const take_two = [&](bool second_fails) -> Result<int> {
        MEDIATOR_ASSIGN_OR_RETURN(auto const first, token_unless(false, owned));
        MEDIATOR_ASSIGN_OR_RETURN(auto const second, token_unless(second_fails, owned));
        return first.owns() && second.owns() ? owned : 0;
    };
    EXPECT_EQ(take_two(false).get(), 2);
    EXPECT_EQ(owned, 0);
    EXPECT_EQ(take_two(true).error(), Error::thread_limit);
    EXPECT_EQ(owned, 0);
    EXPECT_EQ(Token::alive, 0);
}

TEST(ReturnIfError, GoesOnWhenThereIsNone)
{
    auto const both = [](Error* error, bool& went_on) -> Status {
        MEDIATOR_RETURN_IF_ERROR(error != nullptr ? Status{*error} : Status{});
        went_on = true;
        return {};
    };
    bool went_on = false;
    EXPECT_TRUE(both(nullptr, went_on).ok());
    EXPECT_TRUE(went_on);
    went_on = false;
    auto error = Error::not_available;
    EXPECT_EQ(both(&error, went_on).error(), Error::not_available);
    EXPECT_FALSE(went_on);
}

} // namespace
} // namespace optee
