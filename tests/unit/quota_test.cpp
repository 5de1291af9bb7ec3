// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "quota.hpp"
#include "tests/unit/core_fixture.hpp"

namespace optee {
namespace {

class ABufferQuota : public CoreTest {
protected:
    ABufferQuota() { vm_.policy.set({.threads = 1, .buffers = 2, .pages = 100, .capabilities = 0}); }
};

TEST_F(ABufferQuota, CountsBuffersAndTheirPages)
{
    EXPECT_TRUE(charge_buffer(vm_, PageCount{60}).ok());
    EXPECT_TRUE(charge_buffer(vm_, PageCount{40}).ok());
    EXPECT_EQ(count(Counter::buffers_live), 2u);
    EXPECT_EQ(count(Counter::pages_live), 100u);
    refund_buffer(vm_, PageCount{60});
    refund_buffer(vm_, PageCount{40});
    EXPECT_TRUE(nothing_is_held());
}

TEST_F(ABufferQuota, RefusesOneBufferTooMany)
{
    ASSERT_TRUE(charge_buffer(vm_, PageCount{1}).ok());
    ASSERT_TRUE(charge_buffer(vm_, PageCount{1}).ok());
    EXPECT_EQ(charge_buffer(vm_, PageCount{1}).error(), Error::out_of_memory);
    EXPECT_EQ(count(Counter::buffers_live), 2u);
    EXPECT_EQ(count(Counter::pages_live), 2u);
    EXPECT_EQ(count(Counter::over_quota), 1u);
}

TEST_F(ABufferQuota, RefusesOnePageTooManyAndChargesNothing)
{
    EXPECT_EQ(charge_buffer(vm_, PageCount{101}).error(), Error::out_of_memory);
    EXPECT_EQ(charge_buffer(vm_, PageCount{~0U}).error(), Error::out_of_memory);
    EXPECT_TRUE(nothing_is_held());
    EXPECT_TRUE(charge_buffer(vm_, PageCount{100}).ok());
    EXPECT_EQ(count(Counter::over_quota), 2u);
}

} // namespace
} // namespace optee
