// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "ta_allow_list.hpp"
#include "tests/unit/core_fixture.hpp"

#include <thread>
#include <vector>

namespace optee {
namespace {

optee_mediator_uuid uuid(std::uint8_t last)
{
    return {{0xf0, 0xf1, 0xf2, 0xf3, 0xe0, 0xe1, 0xd0, 0xd1, 0xc0, 0xc1, 0xb0, 0xb1, 0xb2, 0xb3, 0xb4, last}};
}

// What Linux writes into a and b: export_uuid() into the two words as they lie.
TaUuid asked_for(optee_mediator_uuid const& from)
{
    abi::ValueParam value{.a = 0, .b = 0, .c = 0xffff};
    __builtin_memcpy(&value.a, from.octets, 8);
    __builtin_memcpy(&value.b, from.octets + 8, 8);
    return TaUuid::from_message(value);
}

optee_mediator_ta_list list_of(std::vector<optee_mediator_uuid> const& uuids)
{
    optee_mediator_ta_list list{};
    list.in_force = true;
    for (auto const& one : uuids)
        list.ta[list.count++] = one;
    return list;
}

class AnAllowList : public CoreTest {
protected:
    AnAllowList() { list_.prepare(); }

    TaAllowList list_;
};

TEST_F(AnAllowList, ThatNobodySetAllowsAll)
{
    EXPECT_FALSE(list_.is_in_force());
    EXPECT_TRUE(list_.allows(asked_for(uuid(1))));
}

TEST_F(AnAllowList, AllowsWhatItNames)
{
    ASSERT_TRUE(list_.set(list_of({uuid(1), uuid(2)})));
    EXPECT_TRUE(list_.is_in_force());
    EXPECT_TRUE(list_.allows(asked_for(uuid(1))));
    EXPECT_TRUE(list_.allows(asked_for(uuid(2))));
    EXPECT_FALSE(list_.allows(asked_for(uuid(3))));
}

TEST_F(AnAllowList, ComparesEveryOctet)
{
    ASSERT_TRUE(list_.set(list_of({uuid(1)})));
    for (auto& octet : {0, 1, 7, 8, 14, 15}) {
        auto other = uuid(1);
        other.octets[octet] ^= 0x80;
        EXPECT_FALSE(list_.allows(asked_for(other))) << octet;
    }
}

TEST_F(AnAllowList, OfNoTasAllowsNone)
{
    ASSERT_TRUE(list_.set(list_of({})));
    EXPECT_TRUE(list_.is_in_force());
    EXPECT_FALSE(list_.allows(asked_for(uuid(1))));
    EXPECT_FALSE(list_.allows(asked_for({}))); // what an unused place holds
}

TEST_F(AnAllowList, ThatIsNotInForceAllowsAllWhateverItNames)
{
    auto list = list_of({uuid(1)});
    list.in_force = false;
    ASSERT_TRUE(list_.set(list));
    EXPECT_TRUE(list_.allows(asked_for(uuid(2))));
}

TEST_F(AnAllowList, IsGivenBackAsItWasSet)
{
    ASSERT_TRUE(list_.set(list_of({uuid(1), uuid(2)})));
    optee_mediator_ta_list given{};
    list_.get(given);
    EXPECT_TRUE(given.in_force);
    ASSERT_EQ(given.count, 2u);
    EXPECT_EQ(given.ta[1].octets[15], 2);
}

TEST_F(AnAllowList, HasRoomForSoManyAndNoMore)
{
    optee_mediator_ta_list full{};
    full.in_force = true;
    full.count = OPTEE_MEDIATOR_MAX_TAS;
    full.ta[OPTEE_MEDIATOR_MAX_TAS - 1] = uuid(9);
    ASSERT_TRUE(list_.set(full));
    EXPECT_TRUE(list_.allows(asked_for(uuid(9))));
    for (auto const count : {OPTEE_MEDIATOR_MAX_TAS + 1, ~0U}) {
        auto more = list_of({uuid(1)});
        more.count = count;
        EXPECT_FALSE(list_.set(more)) << count;
    }
    EXPECT_TRUE(list_.allows(asked_for(uuid(9)))) << "nothing has changed";
}

TEST_F(AnAllowList, IsReplacedAsAWhole)
{
    // Each of the two has what the other one does not, and both have 7: whoever is let in is let in by one list.
    auto const one = list_of({uuid(7), uuid(1)});
    auto const other = list_of({uuid(2), uuid(3), uuid(7)});
    ASSERT_TRUE(list_.set(one));
    std::vector<std::thread> cpus;
    for (std::uint32_t cpu = 1; cpu < 4; ++cpu)
        cpus.emplace_back([&, cpu] {
            sim::Entry entry{machine_, &guest_, cpu, sim::Entry::Kind::smc};
            for (unsigned n = 0; n < 500; ++n) {
                EXPECT_TRUE(list_.is_in_force());
                EXPECT_TRUE(list_.allows(asked_for(uuid(7))));
                EXPECT_FALSE(list_.allows(asked_for(uuid(8))));
                optee_mediator_ta_list seen{};
                list_.get(seen);
                EXPECT_EQ(seen.count == 2, seen.ta[0].octets[15] == 7);
            }
            entry.finish();
        });
    for (unsigned n = 0; n < 500; ++n)
        ASSERT_TRUE(list_.set(n % 2 == 0 ? other : one));
    for (auto& cpu : cpus)
        cpu.join();
}

} // namespace
} // namespace optee
