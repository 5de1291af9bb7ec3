// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "policy.hpp"

#include <gtest/gtest.h>

namespace optee {
namespace {

TEST(APolicy, IsGivenBackAsItWasSet)
{
    Policy policy;
    policy.set({.threads = 3, .buffers = 5, .pages = 7, .capabilities = 9});
    EXPECT_EQ(policy.get().threads, 3u);
    EXPECT_EQ(policy.get().buffers, 5u);
    EXPECT_EQ(policy.get().pages, 7u);
    EXPECT_EQ(policy.get().capabilities, 9u);
}

TEST(APolicy, LeavesAtLeastOneOfEach)
{
    Policy policy;
    policy.set({.threads = 0, .buffers = 0, .pages = 0, .capabilities = 0});
    EXPECT_EQ(policy.threads(), 1u);
    EXPECT_EQ(policy.buffers(), 1u);
    EXPECT_EQ(policy.pages(), 1u);
    EXPECT_EQ(policy.capabilities(), 0u);
}

TEST(APolicy, ThatNobodySetAllowsLittle)
{
    Policy const policy;
    EXPECT_EQ(policy.threads(), 1u);
    EXPECT_EQ(policy.capabilities(), 0u);
}

TEST(TheDefaultPolicy, IsAsTheHeaderSays)
{
    auto const defaults = Policy::defaults();
    EXPECT_EQ(defaults.threads, ~0U);
    EXPECT_EQ(defaults.buffers, 1024u);
    EXPECT_EQ(std::uint64_t{defaults.pages} * 4096, 256u << 20);
    EXPECT_EQ(defaults.capabilities, ~0U);
}

} // namespace
} // namespace optee
