// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/unit/judged_copy.hpp"

#include <cstring>
#include <gtest/gtest.h>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace optee {
namespace {

enum class Kind { none, value, rmem, tmem };
struct Type {
    Kind kind;
    CopyBack copy_back;
};

// optee_msg.h, OPTEE_MSG_ATTR_TYPE_*: all there are. What a type's outputs are decides what goes back to the guest.
std::map<std::uint64_t, Type> const types{
    {0x0, {Kind::none, CopyBack::nothing}},
    {0x1, {Kind::value, CopyBack::nothing}},
    {0x2, {Kind::value, CopyBack::value}},
    {0x3, {Kind::value, CopyBack::value}},
    {0x5, {Kind::rmem, CopyBack::nothing}},
    {0x6, {Kind::rmem, CopyBack::size}},
    {0x7, {Kind::rmem, CopyBack::size}},
    {0x9, {Kind::tmem, CopyBack::nothing}},
    {0xa, {Kind::tmem, CopyBack::size}},
    {0xb, {Kind::tmem, CopyBack::size}},
};
constexpr std::uint64_t meta = 0x100;
constexpr std::uint64_t noncontiguous = 0x200;

struct Payload {
    std::uint64_t words[3];
};
constexpr Payload list{{0x4000'5008, 300, 0xffff'8000'0000'1234}};
constexpr Payload null{{0, 300, 0xffff'8000'0000'1234}};
constexpr Payload in_null_page{{4095, 300, 7}};
constexpr Payload first_page{{4096, 1, 7}};
constexpr Payload no_bytes{{0x4000'5000, 0, 7}};

abi::Param param(std::uint64_t attributes, Payload const& payload)
{
    return {.attributes = attributes, .value = {payload.words[0], payload.words[1], payload.words[2]}};
}

struct Expected {
    std::uint64_t attributes;
    Payload payload;
    CopyBack copy_back;
    ParamNeeds needs;
};

// The rule once more, as ATTACKS.md P01 to P08 have it.
std::optional<Expected> expected(std::uint64_t attr, Payload const& given, std::uint32_t index, bool null_allowed)
{
    auto const type = types.find(attr & 0xff);
    if (type == types.end() || (attr & ~std::uint64_t{0x3ff}) != 0)
        return std::nullopt;
    auto const [kind, copy_back] = type->second;
    auto const is_meta = (attr & meta) != 0;
    auto const is_list = (attr & noncontiguous) != 0;
    auto const forwarded = (attr & 0xff) | (is_meta && index < 2 ? meta : 0);
    switch (kind) {
    case Kind::none: return Expected{forwarded, {}, copy_back, ParamNeeds::nothing};
    case Kind::value:
        if (is_list)
            return std::nullopt;
        return Expected{forwarded, given, copy_back, ParamNeeds::nothing};
    case Kind::rmem:
        if (is_list || is_meta)
            return std::nullopt;
        return Expected{attr, given, copy_back, ParamNeeds::registered_memory};
    case Kind::tmem:
        if (is_meta)
            return std::nullopt;
        if (is_list && given.words[0] >= 4096 && given.words[1] != 0)
            return Expected{attr, {{0, given.words[1], given.words[2]}}, copy_back, ParamNeeds::pages_pinned};
        if (!is_list && given.words[0] == 0 && null_allowed)
            return Expected{attr, {{0, given.words[1], 0}}, copy_back, ParamNeeds::nothing};
        return std::nullopt;
    }
    return std::nullopt;
}

std::string name(std::uint64_t attr, std::uint32_t index, std::uint64_t buffer)
{
    return "attributes " + std::to_string(attr) + ", parameter " + std::to_string(index) + ", buffer " +
           std::to_string(buffer);
}

void expect_judged(std::uint64_t attr, Payload const& payload, std::uint32_t index, bool null_allowed)
{
    auto const what = name(attr, index, payload.words[0]);
    auto const wanted = expected(attr, payload, index, null_allowed);
    auto const judged = judge(param(attr, payload), index, null_allowed);
    ASSERT_EQ(judged.ok(), wanted.has_value()) << what;
    if (!wanted) {
        EXPECT_EQ(judged.error(), Error::bad_parameters) << what;
        return;
    }
    EXPECT_EQ(judged.get().copy_back, wanted->copy_back) << what;
    EXPECT_EQ(judged.get().needs, wanted->needs) << what;
    auto const forwarded = param(wanted->attributes, wanted->payload);
    EXPECT_EQ(std::memcmp(&judged.get().forwarded, &forwarded, sizeof forwarded), 0) << what;
}

TEST(AGuestsParameter, IsJudgedByItsTypeAndItsBits)
{
    for (std::uint64_t attr = 0; attr <= 0xfff; ++attr)
        for (auto const& payload : {list, null, in_null_page, first_page, no_bytes})
            for (auto const index : {0U, 1U, 2U, 126U})
                for (auto const null_allowed : {false, true})
                    expect_judged(attr, payload, index, null_allowed);
}

TEST(AGuestsParameter, IsRefusedForEachBitThatTheAbiDoesNotHave)
{
    for (unsigned bit = 10; bit != 64; ++bit)
        for (auto const& [type, unused] : types)
            for (auto const& payload : {list, null})
                EXPECT_FALSE(judge(param(type | (std::uint64_t{1} << bit), payload), 0, true).ok())
                    << type << " with bit " << bit;
}

TEST(AGuestsParameter, KeepsNoneOfABufferThatIsNull)
{
    auto const judged = judge(param(0xa, {{0, 4096, 99}}), 0, true);
    ASSERT_TRUE(judged.ok());
    EXPECT_EQ(judged.get().forwarded.tmem.cookie, 0u); // it owns nothing, so it frees nothing
    EXPECT_EQ(judged.get().forwarded.tmem.size, 4096u);
}

TEST(AGuestsParameter, ForwardsNoAddressOfTheGuests)
{
    auto const judged = judge(param(0x20b, list), 0, true);
    ASSERT_TRUE(judged.ok());
    EXPECT_EQ(judged.get().forwarded.tmem.buffer, 0u);
}

TEST(ARequestsParameter, IsOfATypeAndHasNoOtherBit)
{
    for (std::uint64_t attr = 0; attr <= 0xfff; ++attr) {
        auto const is_known = types.count(attr) != 0;
        auto const judged = judge_request(param(attr, null));
        EXPECT_EQ(judged.ok(), is_known) << attr;
        if (judged.ok()) {
            EXPECT_EQ(judged.get().copy_back, types.at(attr).copy_back) << attr;
        } else {
            EXPECT_EQ(judged.error(), Error::bad_command) << attr;
        }
    }
    for (unsigned bit = 8; bit != 64; ++bit)
        for (auto const& [type, unused] : types)
            EXPECT_FALSE(judge_request(param(type | (std::uint64_t{1} << bit), null)).ok()) << bit;
}

TEST(ARequestsParameter, NeverCarriesAnAddressToTheGuest)
{
    for (std::uint64_t const type : {0x9U, 0xaU, 0xbU}) {
        EXPECT_EQ(judge_request(param(type, {{0x78'a000'0000, 1, 2}})).error(), Error::bad_command);
        EXPECT_EQ(judge_request(param(type, {{1, 1, 2}})).error(), Error::bad_command);
        auto const judged = judge_request(param(type, {{0, 33, 2}}));
        ASSERT_TRUE(judged.ok());
        EXPECT_EQ(judged.get().forwarded.tmem.size, 33u);
        EXPECT_EQ(judged.get().forwarded.tmem.cookie, 0u);
        EXPECT_EQ(judged.get().needs, ParamNeeds::nothing);
    }
}

TEST(ARequestsParameter, OfNoTypeCarriesNothing)
{
    auto const judged = judge_request(param(0, {{0x78'a000'0000, 0x78'a000'0000, 0x78'a000'0000}}));
    ASSERT_TRUE(judged.ok());
    auto const empty = param(0, {});
    EXPECT_EQ(std::memcmp(&judged.get().forwarded, &empty, sizeof empty), 0);
}

TEST(ARequestsParameter, MayNameRegisteredMemoryAndIsCheckedByTheRegistry)
{
    for (std::uint64_t const type : {0x5U, 0x6U, 0x7U}) {
        auto const judged = judge_request(param(type, {{8, 16, 77}}));
        ASSERT_TRUE(judged.ok());
        EXPECT_EQ(judged.get().needs, ParamNeeds::registered_memory);
        EXPECT_EQ(judged.get().forwarded.rmem.offset, 8u);
        EXPECT_EQ(judged.get().forwarded.rmem.size, 16u);
        EXPECT_EQ(judged.get().forwarded.rmem.cookie, 77u);
    }
}

} // namespace
} // namespace optee
