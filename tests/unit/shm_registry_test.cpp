// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "shm_registry.hpp"
#include "tests/unit/core_fixture.hpp"

#include <array>
#include <thread>
#include <vector>

namespace optee {
namespace {

constexpr TeeThread thread_1{1};
constexpr TeeThread thread_2{2};
constexpr std::array all_kinds{ShmKind::registered, ShmKind::temporary, ShmKind::rpc_data, ShmKind::rpc_argument};

class ARegistry : public CoreTest {
protected:
    ARegistry() { registry_.prepare(); }
    ~ARegistry() override
    {
        while (auto const memory = registry_.any())
            forget(*memory);
        registry_.trim(vm_);
        EXPECT_TRUE(nothing_is_held());
    }

    Result<ShmRef> add(ShmKind kind, std::uint64_t cookie, std::uint64_t size = 100, std::uint32_t offset = 0)
    {
        if (kind == ShmKind::rpc_argument)
            return registry_.add_argument(vm_, Cookie{cookie}, thread_1, vm_.tee_threads);
        return registry_.add(
            vm_, {.cookie = Cookie{cookie}, .kind = kind, .offset = offset, .size = size, .owner = thread_1});
    }
    ShmRef add_live(ShmKind kind, std::uint64_t cookie, std::uint64_t size = 100)
    {
        auto const memory = add(kind, cookie, size).take();
        registry_.set_live(memory);
        return memory;
    }
    void forget(ShmRef memory)
    {
        registry_.forget_name(vm_, memory);
        registry_.erase(vm_, memory);
    }
    std::uint32_t uses(ShmRef memory) const { return map(memory)->uses; }

    ShmRegistry registry_;
};

TEST_F(ARegistry, HasOneNameSpaceForAllKinds)
{
    for (auto const first : all_kinds) {
        auto const memory = add(first, 7).take();
        for (auto const second : all_kinds) {
            auto const refused = add(second, 7);
            ASSERT_FALSE(refused.ok()) << static_cast<int>(first) << static_cast<int>(second);
            EXPECT_EQ(refused.error(), Error::bad_parameters);
        }
        registry_.set_live(memory);
        for (auto const second : all_kinds)
            EXPECT_FALSE(add(second, 7).ok()) << static_cast<int>(first) << static_cast<int>(second);
        forget(memory);
    }
}

TEST_F(ARegistry, GivesNoNameToNothingButATemporaryBuffer)
{
    EXPECT_FALSE(add(ShmKind::registered, 0).ok());
    EXPECT_FALSE(add(ShmKind::rpc_data, 0).ok());
    EXPECT_FALSE(add(ShmKind::rpc_argument, 0).ok());
    auto const one = add(ShmKind::temporary, 0).take();
    auto const other = add(ShmKind::temporary, 0).take();
    EXPECT_FALSE(registry_.any().has_value());
    forget(one);
    forget(other);
}

TEST_F(ARegistry, ChargesForWhatItTakesAndOnlyForThat)
{
    vm_.policy.set({.threads = 1, .buffers = 2, .pages = 10, .capabilities = 0});
    auto const memory = add(ShmKind::registered, 1, 4096, 4095).take();
    EXPECT_EQ(count(Counter::pages_live), 2u);
    EXPECT_EQ(add(ShmKind::registered, 2, 9 * 4096).error(), Error::out_of_memory);
    EXPECT_EQ(add(ShmKind::registered, 2, ~std::uint64_t{0}).error(), Error::out_of_memory);
    EXPECT_EQ(add(ShmKind::registered, 1).error(), Error::bad_parameters);
    EXPECT_EQ(count(Counter::pages_live), 2u);
    EXPECT_EQ(count(Counter::buffers_live), 1u);
    auto const second = add(ShmKind::registered, 2, 8 * 4096).take();
    EXPECT_EQ(add(ShmKind::temporary, 3, 1).error(), Error::out_of_memory);
    forget(second);
    forget(memory);
}

TEST_F(ARegistry, HasOneArgumentForEachThreadAtMost)
{
    for (std::uint64_t cookie = 1; cookie <= vm_.tee_threads; ++cookie)
        ASSERT_TRUE(add(ShmKind::rpc_argument, cookie).ok());
    EXPECT_EQ(add(ShmKind::rpc_argument, 99).error(), Error::out_of_memory);
    EXPECT_EQ(count(Counter::arguments_live), vm_.tee_threads);
    forget(registry_.any().value());
    EXPECT_TRUE(add(ShmKind::rpc_argument, 99).ok());
}

TEST_F(ARegistry, IsAsItWasWhenThereIsNoMemory)
{
    {
        FailingAllocation const failing{machine_, 0};
        for (auto const kind : all_kinds)
            EXPECT_EQ(add(kind, 1).error(), Error::out_of_memory);
    }
    EXPECT_TRUE(nothing_is_held());
    EXPECT_TRUE(add(ShmKind::registered, 1).ok());
}

TEST_F(ARegistry, LetsOnlyRegisteredMemoryBeUsedThatOpteeHas)
{
    for (auto const kind : all_kinds) {
        auto const memory = add(kind, 5).take();
        EXPECT_FALSE(registry_.use_registered(Cookie{5}, 0, 1).ok()) << "arriving";
        registry_.set_live(memory);
        auto const used = registry_.use_registered(Cookie{5}, 0, 1);
        EXPECT_EQ(used.ok(), kind == ShmKind::registered);
        if (used.ok())
            registry_.end_use(used.get());
        forget(memory);
    }
    EXPECT_EQ(registry_.use_registered(Cookie{5}, 0, 1).error(), Error::bad_parameters);
    EXPECT_FALSE(registry_.use_registered(Cookie::none, 0, 0).ok());
}

TEST_F(ARegistry, LetsOnlyBytesBeUsedThatAreInsideTheBuffer)
{
    constexpr auto all_ones = ~std::uint64_t{0};
    add_live(ShmKind::registered, 5, 100);
    struct Row {
        std::uint64_t offset;
        std::uint64_t size;
        bool is_inside;
    };
    for (auto const& row : {Row{0, 100, true},
                            Row{0, 101, false},
                            Row{100, 0, true},
                            Row{99, 1, true},
                            Row{99, 2, false},
                            Row{101, 0, false},
                            Row{1, all_ones, false},
                            Row{all_ones, 1, false},
                            Row{all_ones, all_ones, false},
                            Row{0, all_ones, false}}) {
        auto const used = registry_.use_registered(Cookie{5}, row.offset, row.size);
        EXPECT_EQ(used.ok(), row.is_inside) << row.offset << "+" << row.size;
        EXPECT_EQ(registry_.may_name(Cookie{5}, row.offset, row.size), row.is_inside);
        if (used.ok())
            registry_.end_use(used.get());
    }
}

class ARegisteredMessage : public ARegistry {
protected:
    static constexpr std::uint32_t begin = 64; ///< of the buffer in its first page

    ~ARegisteredMessage() override
    {
        Budget budget{page_bytes};
        if (buffer_) {
            EXPECT_EQ(map(*buffer_)->list.release(vm_, budget), Progress::done);
        }
    }
    /// A buffer of so many pages of the guest's, which are neighbours only in what the guest sees.
    void share(std::uint32_t pages, std::uint64_t size)
    {
        buffer_ = add(ShmKind::registered, 7, size, begin).take();
        for (std::uint32_t page = 0; page != pages; ++page)
            ASSERT_TRUE(map(*buffer_)->list.append(vm_, pin_run(vm_, ram(10 + page), PageCount{1}).take()).ok());
        registry_.set_live(*buffer_);
    }
    /// The word at this offset of the buffer.
    void number(std::uint32_t offset, std::uint64_t value) { poke(ram(10).plus(begin + offset), value); }

    std::optional<ShmRef> buffer_{};
};

TEST_F(ARegisteredMessage, IsWhereItsOffsetSays)
{
    share(3, 3 * page_bytes - begin);
    for (auto const offset : {0U, 8U, 384U, 4000U, 4032U, 8000U}) {
        number(offset, 1000 + offset);
        auto const message = registry_.use_for_message(Cookie{7}, offset).take();
        EXPECT_EQ(uses(message.memory), 1u);
        auto const window = GuestWindow::acquire(vm_, message.place).take();
        EXPECT_EQ(window.read<std::uint64_t>(0), 1000 + offset) << offset;
        registry_.end_use(message.memory);
    }
}

TEST_F(ARegisteredMessage, HasRoomUpToTheEndOfItsBufferAndNoMoreThanAPage)
{
    share(2, 2 * page_bytes - begin);
    auto const room = [&](std::uint32_t offset) {
        auto const message = registry_.use_for_message(Cookie{7}, offset).take();
        registry_.end_use(message.memory);
        return GuestWindow::acquire(vm_, message.place).take().room();
    };
    EXPECT_EQ(room(0), page_bytes);
    EXPECT_EQ(room(page_bytes - begin), page_bytes);
    EXPECT_EQ(room(page_bytes), page_bytes - begin);
    EXPECT_EQ(room(2 * page_bytes - begin - 32), 32u);
}

TEST_F(ARegisteredMessage, IsRefusedOutsideItsBufferOrOutOfLine)
{
    share(1, 1000);
    for (auto const offset : {969U, 976U, 1000U, 0x8000'0000U, 0xffff'fff8U, 0xffff'ffffU, 1U, 4U, 12U}) {
        EXPECT_EQ(registry_.use_for_message(Cookie{7}, offset).error(), Error::bad_parameters) << offset;
        EXPECT_EQ(uses(*buffer_), 0u) << offset;
    }
    auto const last = registry_.use_for_message(Cookie{7}, 968).take();
    registry_.end_use(last.memory);
}

TEST_F(ARegisteredMessage, IsRefusedBeyondTheFirstPageOfTheList)
{
    share(513, 513 * page_bytes - begin);
    auto const end = 511 * page_bytes - begin; // of what the first page of the list tells
    EXPECT_FALSE(registry_.use_for_message(Cookie{7}, end).ok());
    EXPECT_FALSE(registry_.use_for_message(Cookie{7}, end - page_bytes + 8).ok());
    EXPECT_EQ(uses(*buffer_), 0u);
    auto const last = registry_.use_for_message(Cookie{7}, end - page_bytes).take();
    number(end - page_bytes, 5);
    EXPECT_EQ(GuestWindow::acquire(vm_, last.place).take().read<std::uint64_t>(0), 5u);
    registry_.end_use(last.memory);
}

TEST_F(ARegisteredMessage, IsInRegisteredMemoryAndInNoOther)
{
    for (auto const kind : all_kinds) {
        if (kind == ShmKind::registered)
            continue;
        add_live(kind, 8);
        EXPECT_FALSE(registry_.use_for_message(Cookie{8}, 0).ok()) << static_cast<int>(kind);
        forget(*registry_.any());
    }
    EXPECT_FALSE(registry_.use_for_message(Cookie{8}, 0).ok());
    EXPECT_FALSE(registry_.use_for_message(Cookie::none, 0).ok());
    auto const arriving = add(ShmKind::registered, 8).take();
    EXPECT_FALSE(registry_.use_for_message(Cookie{8}, 0).ok());
    registry_.set_live(arriving);
    ASSERT_TRUE(registry_.begin_unregister(Cookie{8}).ok());
    EXPECT_FALSE(registry_.use_for_message(Cookie{8}, 0).ok());
}

TEST_F(ARegisteredMessage, KeepsItsBufferFromBeingUnregistered)
{
    share(1, 1000);
    auto const message = registry_.use_for_message(Cookie{7}, 0).take();
    EXPECT_EQ(registry_.begin_unregister(Cookie{7}).error(), Error::buffer_busy);
    registry_.end_use(message.memory);
    EXPECT_TRUE(registry_.begin_unregister(Cookie{7}).ok());
}

TEST_F(ARegistry, KeepsMemoryThatIsInUseFromBeingUnregistered)
{
    auto const memory = add_live(ShmKind::registered, 5);
    auto const first = registry_.use_registered(Cookie{5}, 0, 1).take();
    auto const second = registry_.use_registered(Cookie{5}, 0, 1).take();
    EXPECT_EQ(uses(memory), 2u);
    EXPECT_EQ(registry_.begin_unregister(Cookie{5}).error(), Error::buffer_busy);
    registry_.end_use(first);
    EXPECT_EQ(registry_.begin_unregister(Cookie{5}).error(), Error::buffer_busy);
    registry_.end_use(second);
    EXPECT_TRUE(registry_.begin_unregister(Cookie{5}).ok());
    EXPECT_FALSE(registry_.use_registered(Cookie{5}, 0, 1).ok());
}

TEST_F(ARegistry, LetsOneCallUnregisterAtATime)
{
    auto const memory = add_live(ShmKind::registered, 5);
    ASSERT_EQ(registry_.begin_unregister(Cookie{5}).get(), memory);
    EXPECT_EQ(registry_.begin_unregister(Cookie{5}).error(), Error::bad_parameters);
    registry_.cancel_unregister(memory);
    EXPECT_TRUE(registry_.begin_unregister(Cookie{5}).ok());
}

TEST_F(ARegistry, UnregistersNothingButRegisteredMemory)
{
    for (auto const kind : all_kinds) {
        if (kind == ShmKind::registered)
            continue;
        auto const memory = add_live(kind, 5);
        EXPECT_EQ(registry_.begin_unregister(Cookie{5}).error(), Error::bad_parameters);
        forget(memory);
    }
    EXPECT_FALSE(registry_.begin_unregister(Cookie{5}).ok());
}

TEST_F(ARegistry, GivesRpcDataBackToTheThreadThatAskedForIt)
{
    auto const memory = add(ShmKind::rpc_data, 5).take();
    EXPECT_FALSE(registry_.take_rpc_data(vm_, Cookie{5}, thread_1).ok()) << "arriving";
    registry_.set_live(memory);
    EXPECT_FALSE(registry_.take_rpc_data(vm_, Cookie{5}, thread_2).ok());
    ASSERT_EQ(registry_.take_rpc_data(vm_, Cookie{5}, thread_1).get(), memory);
    EXPECT_FALSE(registry_.take_rpc_data(vm_, Cookie{5}, thread_1).ok()) << "the name is gone";
    auto const reused = add(ShmKind::registered, 5); // as the guest may at once
    EXPECT_TRUE(reused.ok());
    registry_.erase(vm_, memory);
}

TEST_F(ARegistry, TakesNothingOfAnotherKindForRpcDataOrAnArgument)
{
    for (auto const kind : all_kinds) {
        auto const memory = add_live(kind, 5);
        if (kind != ShmKind::rpc_data) {
            EXPECT_FALSE(registry_.take_rpc_data(vm_, Cookie{5}, thread_1).ok());
        }
        if (kind != ShmKind::rpc_argument) {
            EXPECT_FALSE(registry_.take_argument(vm_, Cookie{5}, thread_1).ok());
            EXPECT_FALSE(registry_.take_cached_argument(vm_, Cookie{5}).ok());
            EXPECT_FALSE(registry_.use_argument(Cookie{5}, thread_1).ok());
        }
        forget(memory);
    }
}

TEST_F(ARegistry, KeepsAnArgumentWhileARequestIsInIt)
{
    auto const memory = add_live(ShmKind::rpc_argument, 5);
    EXPECT_FALSE(registry_.use_argument(Cookie{5}, thread_2).ok());
    ASSERT_EQ(registry_.use_argument(Cookie{5}, thread_1).get(), memory);
    EXPECT_FALSE(registry_.take_argument(vm_, Cookie{5}, thread_1).ok());
    EXPECT_FALSE(registry_.take_cached_argument(vm_, Cookie{5}).ok());
    registry_.end_use(memory);
    EXPECT_FALSE(registry_.take_argument(vm_, Cookie{5}, thread_2).ok());
    ASSERT_TRUE(registry_.take_argument(vm_, Cookie{5}, thread_1).ok());
    EXPECT_FALSE(registry_.any().has_value());
    registry_.erase(vm_, memory);
}

TEST_F(ARegistry, GivesACachedArgumentBackWhateverItsThread)
{
    auto const memory = add_live(ShmKind::rpc_argument, 5);
    ASSERT_EQ(registry_.take_cached_argument(vm_, Cookie{5}).get(), memory);
    EXPECT_FALSE(registry_.take_cached_argument(vm_, Cookie{5}).ok());
    registry_.erase(vm_, memory);
}

TEST_F(ARegistry, LetsOpteeNameNoArgumentAndNothingThatItDoesNotHave)
{
    for (auto const kind : all_kinds) {
        auto const memory = add(kind, 5).take();
        EXPECT_FALSE(registry_.may_name(Cookie{5}, 0, 1));
        registry_.set_live(memory);
        EXPECT_EQ(registry_.may_name(Cookie{5}, 0, 1), kind != ShmKind::rpc_argument);
        forget(memory);
    }
    EXPECT_FALSE(registry_.may_name(Cookie{5}, 0, 1));
    EXPECT_FALSE(registry_.may_name(Cookie::none, 0, 0));
}

TEST_F(ARegistry, KnowsEachNameThatIsTaken)
{
    EXPECT_FALSE(registry_.knows(Cookie{5}));
    for (auto const kind : all_kinds) {
        auto const memory = add(kind, 5).take();
        EXPECT_TRUE(registry_.knows(Cookie{5}));
        registry_.set_live(memory);
        EXPECT_TRUE(registry_.knows(Cookie{5}));
        registry_.forget_name(vm_, memory);
        EXPECT_FALSE(registry_.knows(Cookie{5}));
        registry_.erase(vm_, memory);
    }
    EXPECT_FALSE(registry_.knows(Cookie::none));
}

TEST_F(ARegistry, ForgetsANameOnce)
{
    auto const memory = add_live(ShmKind::registered, 5);
    registry_.forget_name(vm_, memory);
    auto const reused = add(ShmKind::registered, 5).take();
    registry_.forget_name(vm_, memory); // after a preemption: the new owner of the name keeps it
    EXPECT_EQ(registry_.any(), reused);
    registry_.erase(vm_, memory);
}

TEST_F(ARegistry, StopsTheMachineWhenABufferIsForgottenThatHasPages)
{
    auto const memory = add_live(ShmKind::registered, 5);
    ASSERT_TRUE(map(memory)->list.append(vm_, pin_run(vm_, ram(100), PageCount{1}).get()).ok());
    registry_.forget_name(vm_, memory);
    EXPECT_DEATH(registry_.erase(vm_, memory), "");
    Budget budget{100};
    ASSERT_EQ(map(memory)->list.release(vm_, budget), Progress::done);
    registry_.erase(vm_, memory);
}

TEST_F(ARegistry, GivesAContestedNameToOneVcpu)
{
    constexpr int rounds = 200;
    std::atomic<int> owners{0};
    std::atomic<int> doubles{0};
    std::vector<std::thread> cpus;
    for (std::uint32_t cpu = 1; cpu != 4; ++cpu) {
        cpus.emplace_back([&, cpu] {
            sim::Entry entry{machine_, &guest_, cpu, sim::Entry::Kind::smc};
            // Whoever has the name may be held up while the others are refused, however often: so it goes on until each
            // has had it as often as it wants.
            for (int had = 0; had != rounds;) {
                auto const added = add(ShmKind::registered, 5);
                if (!added.ok()) {
                    std::this_thread::yield();
                    continue;
                }
                ++had;
                doubles += owners.fetch_add(1);
                registry_.set_live(added.get());
                auto const leaving = registry_.begin_unregister(Cookie{5});
                if (!leaving.ok() || !(leaving.get() == added.get()))
                    ++doubles;
                owners.fetch_sub(1);
                forget(added.get());
            }
            entry.finish();
        });
    }
    for (auto& cpu : cpus)
        cpu.join();
    EXPECT_EQ(doubles, 0);
    EXPECT_EQ(owners, 0);
}

} // namespace
} // namespace optee
