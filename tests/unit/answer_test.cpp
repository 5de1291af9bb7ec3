// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "abi/answer.hpp"

#include <gtest/gtest.h>
#include <vector>

namespace optee::abi {
namespace {

struct Row {
    Error error;
    ReturnCode a0;
    TeeResult result;
};

// Every reason, and what the guest sees of it in a0 and in its message.
std::vector<Row> const rows{
    {Error::bad_address, ReturnCode::bad_address, TeeResult::generic},
    {Error::bad_command, ReturnCode::bad_command, TeeResult::generic},
    {Error::thread_limit, ReturnCode::thread_limit, TeeResult::generic},
    {Error::resume_failed, ReturnCode::resume_failed, TeeResult::generic},
    {Error::not_available, ReturnCode::not_available, TeeResult::generic},
    {Error::bad_parameters, ReturnCode::ok, TeeResult::bad_parameters},
    {Error::out_of_memory, ReturnCode::ok, TeeResult::out_of_memory},
    {Error::buffer_busy, ReturnCode::ok, TeeResult::busy},
    {Error::access_denied, ReturnCode::ok, TeeResult::access_denied},
};

TEST(AnAnswer, HasOneReturnCodeForEachReason)
{
    for (auto const& row : rows)
        EXPECT_EQ(to_return_code(row.error), row.a0) << static_cast<int>(row.error);
}

TEST(AnAnswer, HasOneResultForEachReason)
{
    for (auto const& row : rows)
        EXPECT_EQ(to_tee_result(row.error), row.result) << static_cast<int>(row.error);
}

TEST(AnAnswer, NeverTellsOfSuccess)
{
    for (auto const& row : rows) {
        EXPECT_NE(to_tee_result(row.error), TeeResult::success);
        // With a0 OK the guest looks into its message, so there must be something to see.
        EXPECT_EQ(to_return_code(row.error) == ReturnCode::ok, to_tee_result(row.error) != TeeResult::generic);
    }
}

TEST(AnAnswer, IsListedHereForEveryReason)
{
    for (std::size_t i = 0; i != rows.size(); ++i)
        EXPECT_EQ(static_cast<std::size_t>(rows[i].error), i);
    EXPECT_EQ(rows.size(), static_cast<std::size_t>(Error::access_denied) + 1);
}

} // namespace
} // namespace optee::abi
