// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "abi/smc.hpp"
#include "memory_references.hpp"
#include "tests/unit/core_fixture.hpp"

#include <vector>

namespace optee {
namespace {

using abi::Command;
using abi::MessageHeader;
using abi::Param;

constexpr std::uint64_t list_at = 50;
constexpr std::uint64_t data_at = 100;
constexpr std::uint64_t tmem_inout_list = 0x20b;
constexpr std::uint64_t register_attributes = 0x20a;

class ACallsReferences : public CoreTest {
protected:
    ACallsReferences()
    {
        registry_.prepare();
        vm_.offered_capabilities = abi::SecureCapability::mediated;
    }
    ~ACallsReferences() override
    {
        settle_and_release(false);
        while (auto const memory = registry_.any()) {
            registry_.forget_name(vm_, *memory);
            Budget budget{~0U};
            EXPECT_EQ(map(*memory)->list.release(vm_, budget), Progress::done);
            registry_.erase(vm_, *memory);
        }
        registry_.trim(vm_);
        message_.clear();
        EXPECT_EQ(guest_.pins(), 0u);
        EXPECT_EQ(guest_.mediator_pages(), 1u); // the message's own
        EXPECT_EQ(count(Counter::buffers_live), 0u);
        EXPECT_EQ(count(Counter::pages_live), 0u);
    }

    /// A temporary reference to `pages` pages of the guest, with a list of its own.
    Param tmem(std::uint64_t attributes, std::uint64_t cookie, std::uint32_t pages, std::uint32_t nth = 0)
    {
        std::vector<std::uint64_t> data;
        for (std::uint32_t i = 0; i != pages; ++i)
            data.push_back(ram(data_at + nth * 1000 + i).raw());
        auto const list = write_list(list_at + nth * 4, data);
        return {.attributes = attributes,
                .tmem = {.buffer = list.raw(), .size = std::uint64_t{pages} * page_bytes, .cookie = cookie}};
    }
    static Param rmem(std::uint64_t attributes, std::uint64_t cookie, std::uint64_t offset, std::uint64_t size)
    {
        return {.attributes = attributes, .rmem = {.offset = offset, .size = size, .cookie = cookie}};
    }
    static Param value() { return {.attributes = 1, .value = {1, 2, 3}}; }

    void next_entry()
    {
        message_.close();
        CoreTest::next_entry();
    }
    Status prepare(Command command, std::vector<Param> const& params)
    {
        next_entry();
        poke(ram(3),
             MessageHeader{.command = static_cast<std::uint32_t>(command),
                           .function = 0,
                           .session = 0,
                           .cancel_id = 0,
                           .pad = 0,
                           .result = 0,
                           .result_origin = 0,
                           .param_count = static_cast<std::uint32_t>(params.size())});
        for (std::uint32_t i = 0; i != params.size(); ++i)
            poke(ram(3).plus(param_offset(i)), params[i]);
        message_.clear();
        {
            auto const page = GuestWindow::acquire(vm_, ram(3)).take();
            MEDIATOR_RETURN_IF_ERROR(message_.fetch(page, ShadowMessage::RpcRoom::none));
        }
        return references_.prepare(vm_, registry_, message_);
    }
    Result<Progress> translate(std::uint32_t units = ~0U)
    {
        Budget budget{units};
        return references_.translate(vm_, message_, budget);
    }
    void settle_and_release(bool tee_agreed)
    {
        references_.settle(vm_, registry_, tee_agreed);
        Budget budget{~0U};
        EXPECT_EQ(references_.release(vm_, registry_, budget), Progress::done);
    }
    /// REGISTER_SHM from begin to end.
    void register_memory(std::uint64_t cookie, std::uint32_t pages, std::uint32_t nth = 0)
    {
        ASSERT_TRUE(prepare(Command::register_shm, {tmem(register_attributes, cookie, pages, nth)}).ok());
        ASSERT_EQ(translate().get(), Progress::done);
        settle_and_release(true);
    }

    ShmRegistry registry_;
    ShadowPage shadow_ = ShadowPage::allocate(vm_).take();
    ShadowMessage message_{shadow_.pa()};
    MemoryReferences references_;
};

TEST_F(ACallsReferences, ArePinnedForTheCallAndGiveTheirListsToOptee)
{
    auto param = tmem(tmem_inout_list, 9, 4);
    param.tmem.buffer += 8; // the data begin eight bytes into the first page,
    param.tmem.size = 3 * page_bytes;
    ASSERT_TRUE(prepare(Command::invoke_command, {value(), param}).ok());
    EXPECT_EQ(guest_.pins(), 0u); // prepared, and nothing more
    EXPECT_EQ(message_.param(1).tmem.buffer, 0u);
    ASSERT_EQ(translate().get(), Progress::done);
    EXPECT_EQ(guest_.pins(), 4u); // and so end in a fourth
    auto const forwarded = message_.param(1);
    EXPECT_EQ(forwarded.attributes, tmem_inout_list);
    EXPECT_EQ(forwarded.tmem.buffer % page_bytes, 8u);
    auto const list = read_page_of_ours<abi::PageListPage>(Pa::from_raw(forwarded.tmem.buffer).page_base());
    EXPECT_EQ(list.page[0], pa_of(ram(data_at)).raw());
    settle_and_release(true);
    EXPECT_EQ(guest_.pins(), 0u);
    EXPECT_FALSE(registry_.knows(Cookie{9}));
}

TEST_F(ACallsReferences, AreRegisteredWhenOpteeAgrees)
{
    register_memory(9, 3);
    EXPECT_EQ(guest_.pins(), 3u);
    EXPECT_TRUE(registry_.use_registered(Cookie{9}, 0, 3 * page_bytes).ok());
    registry_.end_use(registry_.any().value());
}

TEST_F(ACallsReferences, AreReleasedWhenOpteeDoesNotAgreeToRegister)
{
    ASSERT_TRUE(prepare(Command::register_shm, {tmem(register_attributes, 9, 3)}).ok());
    EXPECT_FALSE(registry_.use_registered(Cookie{9}, 0, 1).ok()); // not before OP-TEE has it
    ASSERT_EQ(translate().get(), Progress::done);
    settle_and_release(false);
    EXPECT_EQ(guest_.pins(), 0u);
    EXPECT_FALSE(registry_.knows(Cookie{9}));
}

TEST_F(ACallsReferences, GoWithUnregisterOnlyWhenOpteeAgrees)
{
    register_memory(9, 3);
    for (auto const agreed : {false, true}) {
        ASSERT_TRUE(prepare(Command::unregister_shm, {rmem(5, 9, 77, 88)}).ok());
        EXPECT_EQ(message_.param(0).rmem.offset, 0u); // only the cookie means something
        EXPECT_EQ(message_.param(0).rmem.size, 0u);
        EXPECT_EQ(message_.param(0).rmem.cookie, 9u);
        EXPECT_FALSE(registry_.use_registered(Cookie{9}, 0, 1).ok());
        ASSERT_EQ(translate().get(), Progress::done);
        settle_and_release(agreed);
        EXPECT_EQ(guest_.pins(), agreed ? 0u : 3u);
        EXPECT_EQ(registry_.knows(Cookie{9}), !agreed);
    }
}

TEST_F(ACallsReferences, KeepRegisteredMemoryInUseUntilTheyAreSettled)
{
    register_memory(9, 3);
    ASSERT_TRUE(prepare(Command::invoke_command, {rmem(7, 9, 0, 10), rmem(5, 9, 4096, 4096)}).ok());
    EXPECT_EQ(registry_.begin_unregister(Cookie{9}).error(), Error::buffer_busy);
    EXPECT_EQ(message_.param(0).rmem.size, 10u);
    settle_and_release(false);
    EXPECT_EQ(guest_.pins(), 3u);
    auto const leaving = registry_.begin_unregister(Cookie{9});
    EXPECT_TRUE(leaving.ok());
}

TEST_F(ACallsReferences, TakeEachNameOnce)
{
    register_memory(9, 1);
    EXPECT_EQ(prepare(Command::invoke_command, {tmem(tmem_inout_list, 9, 1)}).error(), Error::bad_parameters);
    settle_and_release(false);
    EXPECT_TRUE(registry_.knows(Cookie{9})); // the registered memory is untouched
    EXPECT_EQ(guest_.pins(), 1u);
    auto const twice = {tmem(tmem_inout_list, 10, 1, 0), tmem(tmem_inout_list, 10, 1, 1)};
    EXPECT_EQ(prepare(Command::invoke_command, twice).error(), Error::bad_parameters);
    settle_and_release(false);
    EXPECT_FALSE(registry_.knows(Cookie{10}));
    EXPECT_EQ(prepare(Command::register_shm, {tmem(register_attributes, 9, 1)}).error(), Error::bad_parameters);
}

TEST_F(ACallsReferences, AreRefusedWhenTheyNameWhatIsNotRegistered)
{
    register_memory(9, 1);
    EXPECT_EQ(prepare(Command::invoke_command, {rmem(7, 8, 0, 1)}).error(), Error::bad_parameters);
    EXPECT_EQ(prepare(Command::invoke_command, {rmem(7, 0, 0, 0)}).error(), Error::bad_parameters);
    EXPECT_EQ(prepare(Command::invoke_command, {rmem(7, 9, 1, page_bytes)}).error(), Error::bad_parameters);
    EXPECT_EQ(prepare(Command::unregister_shm, {rmem(5, 8, 0, 0)}).error(), Error::bad_parameters);
}

TEST_F(ACallsReferences, AreAsManyAsACommandCanCarryAndNotOneMore)
{
    std::vector<Param> params;
    for (std::uint32_t i = 0; i != 4; ++i)
        params.push_back(tmem(tmem_inout_list, 10 + i, 1, i % 4));
    params.insert(params.begin(), {value(), value()});
    ASSERT_TRUE(prepare(Command::open_session, params).ok());
    settle_and_release(false);
    params.push_back(tmem(tmem_inout_list, 20, 1, 3));
    EXPECT_EQ(prepare(Command::open_session, params).error(), Error::bad_parameters);
    EXPECT_EQ(guest_.pins(), 0u);
    settle_and_release(false);
    EXPECT_EQ(count(Counter::buffers_live), 0u);
    register_memory(9, 1);
    std::vector<Param> const five(5, rmem(7, 9, 0, 1));
    EXPECT_EQ(prepare(Command::invoke_command, five).error(), Error::bad_parameters);
    settle_and_release(false);
    EXPECT_TRUE(registry_.begin_unregister(Cookie{9}).ok()) << "a use was lost";
}

TEST_F(ACallsReferences, AreThoseThatTheAbiGivesToTheCommand)
{
    register_memory(9, 1);
    auto const good = tmem(register_attributes, 10, 1, 1);
    auto const refused = [&](Command command, std::vector<Param> const& params) {
        EXPECT_EQ(prepare(command, params).error(), Error::bad_parameters) << static_cast<int>(command);
        settle_and_release(false);
        EXPECT_FALSE(registry_.knows(Cookie{10}));
    };
    for (auto const command : {Command::close_session, Command::cancel}) {
        EXPECT_TRUE(prepare(command, {}).ok());
        refused(command, {value()});
        refused(command, {good});
    }
    refused(Command::register_shm, {});
    refused(Command::register_shm, {good, value()});
    for (auto const attributes : {0x209U, 0x20bU, 0x00aU, 0x30aU, 0x006U, 0x002U, 0x000U, 0x60aU}) {
        auto odd = good;
        odd.attributes = attributes;
        refused(Command::register_shm, {odd});
    }
    refused(Command::unregister_shm, {});
    refused(Command::unregister_shm, {rmem(5, 9, 0, 0), value()});
    for (auto const attributes : {0x006U, 0x007U, 0x105U, 0x205U, 0x001U})
        refused(Command::unregister_shm, {rmem(attributes, 9, 0, 0)});
    EXPECT_TRUE(registry_.knows(Cookie{9}));
}

TEST_F(ACallsReferences, RegisterNothingUnderTheNameZeroNorAtNull)
{
    EXPECT_FALSE(prepare(Command::register_shm, {tmem(register_attributes, 0, 1)}).ok());
    auto null = tmem(register_attributes, 9, 1);
    null.tmem.buffer = 0;
    EXPECT_FALSE(prepare(Command::register_shm, {null}).ok());
    EXPECT_EQ(count(Counter::buffers_live), 0u);
}

TEST_F(ACallsReferences, ToNothingNeedTheCapability)
{
    Param const null{.attributes = 0xb, .tmem = {.buffer = 0, .size = 5, .cookie = 9}};
    ASSERT_TRUE(prepare(Command::invoke_command, {null}).ok());
    EXPECT_EQ(message_.param(0).tmem.cookie, 0u);
    EXPECT_EQ(count(Counter::buffers_live), 0u);
    auto policy = Policy::defaults();
    policy.capabilities &= ~abi::SecureCapability::memref_null;
    vm_.policy.set(policy);
    EXPECT_FALSE(prepare(Command::invoke_command, {null}).ok());
}

TEST_F(ACallsReferences, AreTranslatedInAsManyEntriesAsItTakes)
{
    ASSERT_TRUE(
        prepare(Command::invoke_command, {tmem(tmem_inout_list, 9, 100, 0), tmem(tmem_inout_list, 10, 70, 1)}).ok());
    machine_.preempt(sim::Preemption::always());
    std::uint32_t entries = 1;
    for (auto progress = translate().take(); progress == Progress::preempted; ++entries) {
        next_entry();
        progress = translate().take();
    }
    EXPECT_EQ(entries, 3u + 2u + 1u); // the last portion of a list needs no pause behind it
    EXPECT_EQ(guest_.pins(), 170u);
    references_.settle(vm_, registry_, true);
    for (entries = 1;; ++entries) {
        Budget budget{~0U};
        if (references_.release(vm_, registry_, budget) == Progress::done)
            break;
        references_.settle(vm_, registry_, true); // settled stays settled
    }
    EXPECT_EQ(guest_.pins(), 0u);
    machine_.preempt(sim::Preemption::never());
    EXPECT_EQ(count(Counter::pages_live), 0u);
}

TEST_F(ACallsReferences, LeaveNothingBehindWhenAPageOfThemIsRefused)
{
    guest_.write_protect(to_c(ram(data_at + 1000 + 40)));
    ASSERT_TRUE(
        prepare(Command::invoke_command, {tmem(tmem_inout_list, 9, 100, 0), tmem(tmem_inout_list, 10, 70, 1)}).ok());
    EXPECT_EQ(translate().error(), Error::bad_parameters);
    EXPECT_GT(guest_.pins(), 100u);
    settle_and_release(false);
    EXPECT_EQ(guest_.pins(), 0u);
    EXPECT_FALSE(registry_.knows(Cookie{9}) || registry_.knows(Cookie{10}));
}

TEST_F(ACallsReferences, LeaveNothingBehindWhenMemoryEndsAnywhere)
{
    for (std::uint32_t nth = 0; nth != 4; ++nth) {
        next_entry();
        auto const params = {tmem(tmem_inout_list, 9, 600, 0), tmem(tmem_inout_list, 10, 600, 1)};
        FailingAllocation const failing{machine_, nth};
        auto const prepared = prepare(Command::invoke_command, params);
        if (prepared.ok()) {
            EXPECT_EQ(translate().error(), Error::out_of_memory) << nth;
        } else {
            EXPECT_EQ(prepared.error(), Error::out_of_memory) << nth;
        }
        settle_and_release(false);
        registry_.trim(vm_);
        EXPECT_EQ(guest_.pins(), 0u) << nth;
        EXPECT_EQ(guest_.mediator_pages(), 1u) << nth;
        EXPECT_EQ(count(Counter::pages_live), 0u) << nth;
    }
}

TEST_F(ACallsReferences, AreWithinTheQuotaExactly)
{
    vm_.policy.set({.threads = 1, .buffers = 2, .pages = 10, .capabilities = ~0U});
    auto const of = [&](std::uint32_t first, std::uint32_t second) {
        return std::vector<Param>{tmem(tmem_inout_list, 9, first, 0), tmem(tmem_inout_list, 10, second, 1)};
    };
    ASSERT_TRUE(prepare(Command::invoke_command, of(6, 4)).ok());
    settle_and_release(false);
    EXPECT_EQ(prepare(Command::invoke_command, of(6, 5)).error(), Error::out_of_memory);
    settle_and_release(false);
    EXPECT_EQ(count(Counter::pages_live), 0u);
    auto three = of(1, 1);
    three.push_back(tmem(tmem_inout_list, 11, 1, 2));
    EXPECT_EQ(prepare(Command::invoke_command, three).error(), Error::out_of_memory);
}

} // namespace
} // namespace optee
