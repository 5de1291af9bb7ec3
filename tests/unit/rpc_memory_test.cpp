// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "rpc_memory.hpp"
#include "tests/unit/core_fixture.hpp"

#include <vector>

namespace optee {
namespace {

constexpr std::uint64_t tmem_output = 0xa;
constexpr std::uint64_t tmem_output_list = 0x20a;
constexpr TeeThread thread_1{1};
constexpr TeeThread thread_2{2};

class RpcMemoryTest : public CoreTest {
protected:
    explicit RpcMemoryTest(sim::Placement placement = sim::Placement::scattered) : CoreTest{placement}
    {
        registry_.prepare();
    }
    ~RpcMemoryTest() override
    {
        while (auto const memory = registry_.any())
            give_up(*memory);
        registry_.trim(vm_);
        EXPECT_TRUE(nothing_is_held());
    }
    void give_up(ShmRef memory)
    {
        registry_.forget_name(vm_, memory);
        if (map(memory)->kind == ShmKind::rpc_argument) {
            release_argument(vm_, registry_, memory);
            return;
        }
        Budget budget{~0U};
        EXPECT_EQ(map(memory)->list.release(vm_, budget), Progress::done);
        registry_.erase(vm_, memory);
    }
    static abi::Param answer(std::uint64_t attributes, std::uint64_t buffer, std::uint64_t size, std::uint64_t cookie)
    {
        return {.attributes = attributes, .tmem = {.buffer = buffer, .size = size, .cookie = cookie}};
    }
    Ipa list_of(std::uint32_t pages)
    {
        std::vector<std::uint64_t> data;
        for (std::uint32_t i = 0; i != pages; ++i)
            data.push_back(ram(100 + i).raw());
        return write_list(50, data);
    }
    ShmRegistry registry_;
};

class AnAnswerToShmAlloc : public RpcMemoryTest {
protected:
    using RpcMemoryTest::RpcMemoryTest;
    Result<OfferedBuffer> accept(abi::Param const& param, std::uint64_t asked)
    {
        return accept_buffer(vm_, registry_, param, asked, thread_1);
    }
    Progress translate(OfferedBuffer& offer)
    {
        Budget budget{~0U};
        return translate_buffer(vm_, offer, budget).take();
    }
};

class AnAnswerWithNeighbours : public AnAnswerToShmAlloc {
protected:
    AnAnswerWithNeighbours() : AnAnswerToShmAlloc{sim::Placement::contiguous} {}
};

TEST_F(AnAnswerWithNeighbours, OfOnePagePinsThatPageAndNotTheNext)
{
    auto offer = accept(answer(tmem_output, ram(100).raw(), 8, 9), 8).take();
    ASSERT_EQ(translate(offer), Progress::done);
    EXPECT_EQ(pins_of(ram(100)), 1u);
    EXPECT_EQ(guest_.pins(), 1u);
}

TEST_F(AnAnswerToShmAlloc, OfOnePageIsNotKeptPinnedWithoutMemoryToRecordIt)
{
    auto offer = accept(answer(tmem_output, ram(100).raw(), 8, 9), 8).take();
    FailingAllocation const none{machine_, 0};
    Budget budget{~0U};
    EXPECT_EQ(translate_buffer(vm_, offer, budget).error(), Error::out_of_memory);
    EXPECT_EQ(guest_.pins(), 0u);
}

TEST_F(AnAnswerToShmAlloc, MayBeAPageList)
{
    auto offer = accept(answer(tmem_output_list, list_of(3).raw() + 4, 3 * page_bytes - 4, 9), 8000).take();
    EXPECT_EQ(guest_.pins(), 0u);
    EXPECT_FALSE(registry_.take_rpc_data(vm_, Cookie{9}, thread_1).ok()) << "OP-TEE does not have it yet";
    ASSERT_EQ(translate(offer), Progress::done);
    EXPECT_EQ(guest_.pins(), 3u);
    EXPECT_EQ(map(offer.memory)->offset, 4u);
    EXPECT_EQ(map(offer.memory)->size, 3u * page_bytes - 4);
    EXPECT_EQ(map(offer.memory)->owner, thread_1);
}

TEST_F(AnAnswerToShmAlloc, MayBeOneContiguousPage)
{
    auto offer = accept(answer(tmem_output, ram(100).raw() + 16, page_bytes - 16, 9), 100).take();
    ASSERT_EQ(translate(offer), Progress::done);
    EXPECT_EQ(pins_of(ram(100)), 1u);
    EXPECT_EQ(guest_.pins(), 1u);
    EXPECT_FALSE(accept(answer(tmem_output, ram(100).raw() + 17, page_bytes - 16, 10), 100).ok()) << "two pages";
    EXPECT_FALSE(accept(answer(tmem_output, ram(100).raw(), page_bytes + 1, 10), 100).ok());
}

TEST_F(AnAnswerToShmAlloc, IsOfNoOtherType)
{
    auto const list = list_of(1).raw();
    for (std::uint64_t attributes = 0; attributes <= 0xfff; ++attributes) {
        auto const accepted = accept(answer(attributes, list, 100, 9), 100);
        ASSERT_EQ(accepted.ok(), attributes == tmem_output || attributes == tmem_output_list) << attributes;
        if (accepted.ok())
            give_up(accepted.get().memory);
    }
    for (unsigned bit = 12; bit != 64; ++bit)
        EXPECT_FALSE(accept(answer(tmem_output_list | (std::uint64_t{1} << bit), list, 100, 9), 100).ok()) << bit;
    EXPECT_EQ(count(Counter::buffers_live), 0u);
}

TEST_F(AnAnswerToShmAlloc, HasAtLeastTheBytesThatWereAskedFor)
{
    auto const list = list_of(3).raw();
    EXPECT_FALSE(accept(answer(tmem_output_list, list, 4999, 9), 5000).ok());
    EXPECT_FALSE(accept(answer(tmem_output_list, list, 0, 9), 0).ok());
    EXPECT_FALSE(accept(answer(tmem_output_list, list, ~std::uint64_t{0}, 9), 5000).ok());
    EXPECT_FALSE(accept(answer(tmem_output_list, list, std::uint64_t{1} << 44, 9), 5000).ok());
    EXPECT_EQ(count(Counter::buffers_live), 0u);
    EXPECT_TRUE(accept(answer(tmem_output_list, list, 5000, 9), 5000).ok());
}

TEST_F(AnAnswerToShmAlloc, HasANameThatIsFree)
{
    auto const list = list_of(1).raw();
    EXPECT_EQ(accept(answer(tmem_output_list, list, 100, 0), 100).error(), Error::bad_parameters);
    ASSERT_TRUE(registry_.add_argument(vm_, Cookie{9}, thread_1, 4).ok());
    EXPECT_EQ(accept(answer(tmem_output_list, list, 100, 9), 100).error(), Error::bad_parameters);
    auto const argument = registry_.any().value();
    registry_.forget_name(vm_, argument);
    registry_.erase(vm_, argument);
}

TEST_F(AnAnswerToShmAlloc, IsNotInTheNullPage)
{
    EXPECT_FALSE(accept(answer(tmem_output_list, 0, 100, 9), 100).ok());
    EXPECT_FALSE(accept(answer(tmem_output, 4095, 1, 9), 1).ok());
}

TEST_F(AnAnswerToShmAlloc, IsRefusedForAPageThatIsNotTheVms)
{
    guest_.write_protect(to_c(ram(100)));
    for (auto const& param :
         {answer(tmem_output, ram(100).raw(), 100, 9), answer(tmem_output_list, list_of(1).raw(), 100, 9)}) {
        auto offer = accept(param, 100).take();
        Budget budget{~0U};
        EXPECT_EQ(translate_buffer(vm_, offer, budget).error(), Error::bad_parameters);
        give_up(offer.memory);
        next_entry();
    }
    EXPECT_EQ(guest_.pins(), 0u);
}

TEST_F(AnAnswerToShmAlloc, IsTranslatedInSteps)
{
    auto offer = accept(answer(tmem_output_list, list_of(100).raw(), 100 * page_bytes, 9), 100).take();
    machine_.preempt(sim::Preemption::always());
    EXPECT_EQ(translate(offer), Progress::preempted);
    EXPECT_EQ(guest_.pins(), 32u);
    while (translate(offer) == Progress::preempted) {
    }
    EXPECT_EQ(guest_.pins(), 100u);
    machine_.preempt(sim::Preemption::never());
}

TEST_F(AnAnswerToShmAlloc, NamesWhatTheGuestMayHaveBack)
{
    for (std::uint64_t type = 0; type <= 0xff; ++type) {
        auto const is_memory = (type >= 5 && type <= 7) || (type >= 9 && type <= 0xb);
        for (std::uint64_t const bits : {std::uint64_t{0}, std::uint64_t{0x200}, std::uint64_t{1} << 63}) {
            auto const cookie = offered_cookie(answer(type | bits, 1, 2, 77));
            EXPECT_EQ(cookie, is_memory ? Cookie{77} : Cookie::none) << type;
        }
    }
}

class AnAnswerToRpcAlloc : public RpcMemoryTest {
protected:
    Result<ShmRef> accept(Ipa page, std::uint64_t cookie)
    {
        return accept_argument(vm_, registry_, page, Cookie{cookie}, thread_1);
    }
};

TEST_F(AnAnswerToRpcAlloc, GivesOpteeAPageOfOurs)
{
    auto const argument = accept(ram(5), 9).take();
    auto const shadow = map(argument)->shadow;
    ASSERT_TRUE(shadow.has_value());
    EXPECT_TRUE(machine_.memory().is_zero(to_c(*shadow)));
    EXPECT_EQ(map(argument)->guest_page, ram(5));
    EXPECT_EQ(guest_.pins(), 0u); // looked up again for each request
    EXPECT_TRUE(registry_.use_argument(Cookie{9}, thread_1).ok());
    EXPECT_FALSE(registry_.use_argument(Cookie{9}, thread_2).ok());
    registry_.end_use(argument);
}

TEST_F(AnAnswerToRpcAlloc, IsAWholePageOfTheVm)
{
    ASSERT_TRUE(guest_.populate(to_c(Ipa::from_raw(0)))); // RAM, but OP-TEE takes the address for NULL
    guest_.write_protect(to_c(ram(1)));
    for (auto const bad :
         {Ipa::from_raw(0), ram(5).plus(8u), ram(1), ram(ram_pages), Ipa::from_raw(~std::uint64_t{0})})
        EXPECT_EQ(accept(bad, 9).error(), Error::bad_address);
    EXPECT_TRUE(nothing_is_held());
}

TEST_F(AnAnswerToRpcAlloc, HasANameThatIsFree)
{
    EXPECT_FALSE(accept(ram(5), 0).ok());
    EXPECT_TRUE(nothing_is_held());
    ASSERT_TRUE(accept(ram(5), 9).ok());
    auto const pages = guest_.mediator_pages();
    EXPECT_EQ(accept(ram(6), 9).error(), Error::bad_parameters);
    EXPECT_EQ(guest_.mediator_pages(), pages);
}

TEST_F(AnAnswerToRpcAlloc, IsRefusedWhenThereAreAsManyAsThreads)
{
    for (std::uint64_t i = 1; i <= vm_.tee_threads; ++i)
        ASSERT_TRUE(accept(ram(5), i).ok());
    auto const pages = guest_.mediator_pages();
    EXPECT_EQ(accept(ram(5), 99).error(), Error::out_of_memory);
    EXPECT_EQ(guest_.mediator_pages(), pages);
}

TEST_F(AnAnswerToRpcAlloc, LeavesNothingBehindWithoutMemory)
{
    for (std::uint32_t nth = 0; nth != 2; ++nth) {
        FailingAllocation const failing{machine_, nth};
        EXPECT_EQ(accept(ram(5), 9).error(), Error::out_of_memory);
        EXPECT_TRUE(nothing_is_held()) << nth;
    }
}

} // namespace
} // namespace optee
