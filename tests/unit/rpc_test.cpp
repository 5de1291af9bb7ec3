// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "rpc.hpp"
#include "rpc_memory.hpp"
#include "shadow_message.hpp"
#include "tests/unit/core_fixture.hpp"

#include <array>
#include <cstddef>
#include <set>
#include <vector>

namespace optee {
namespace {

using abi::MessageHeader;
using abi::Param;

constexpr std::uint32_t get_time = 3;
constexpr std::uint32_t shm_alloc = 6;
constexpr std::uint32_t shm_free = 7;
constexpr TeeThread thread_1{1};

class ARequest : public CoreTest {
protected:
    using Words = std::array<std::uint32_t, page_bytes / 4>;

    ARequest()
    {
        registry_.prepare();
        argument_ = accept_argument(vm_, registry_, ram(5), Cookie{9}, thread_1).take();
        shadow_ = map(*argument_)->shadow;
    }
    ~ARequest() override
    {
        registry_.forget_name(vm_, *argument_);
        release_argument(vm_, registry_, *argument_);
        registry_.trim(vm_);
        EXPECT_TRUE(nothing_is_held());
    }

    static Param value(std::uint64_t attributes, std::uint64_t a, std::uint64_t b, std::uint64_t c)
    {
        return {.attributes = attributes, .value = {a, b, c}};
    }
    /// OP-TEE writes a request into its argument page.
    void ask(std::uint32_t command, std::vector<Param> const& params, std::uint32_t count)
    {
        *Mapped<MessageHeader>{*shadow_} = {.command = command,
                                            .function = 0x51,
                                            .session = 0x52,
                                            .cancel_id = 0x53,
                                            .pad = 0,
                                            .result = 0xffff'0000,
                                            .result_origin = 4,
                                            .param_count = count};
        for (std::uint32_t i = 0; i != params.size(); ++i)
            *Mapped<Param>{shadow_->plus(param_offset(i))} = params[i];
    }
    void ask(std::uint32_t command, std::vector<Param> const& params)
    {
        ask(command, params, static_cast<std::uint32_t>(params.size()));
    }
    Result<RpcRequest> read() { return RpcRequest::read(registry_, argument()); }
    RpcArgument argument() const
    {
        return {.shadow = *shadow_, .guest = GuestPlace::in_page(ram(5)), .buffer = argument_};
    }
    GuestWindow page() { return GuestWindow::acquire(vm_, ram(5)).take(); }
    Param guest_param(std::uint32_t i) const { return peek<Param>(ram(5).plus(param_offset(i))); }
    Param shadow_param(std::uint32_t i) const { return read_page_of_ours<Param>(shadow_->plus(param_offset(i))); }
    MessageHeader shadow_header() const { return read_page_of_ours<MessageHeader>(*shadow_); }

    ShmRegistry registry_;
    std::optional<ShmRef> argument_{};
    std::optional<Pa> shadow_{};
};

TEST_F(ARequest, ReachesTheGuestAsOpteeMadeIt)
{
    ask(get_time, {value(1, 10, 11, 12), value(3, 20, 21, 22), value(2, 0, 0, 0)});
    auto const request = read().take();
    request.deliver(page());
    auto const header = peek<MessageHeader>(ram(5));
    EXPECT_EQ(header.command, get_time);
    EXPECT_EQ(header.param_count, 3u);
    EXPECT_EQ(header.result, 0xffff'0000u); // a guest that does not answer has not said yes
    EXPECT_EQ(header.function, 0u);         // fields that a request does not have
    EXPECT_EQ(header.session, 0u);
    EXPECT_EQ(guest_param(0).value.c, 12u);
    EXPECT_EQ(guest_param(1).value.b, 21u);
    EXPECT_EQ(guest_param(2).attributes, 2u);
}

TEST_F(ARequest, HasNoMoreParametersThanOpteeEverSends)
{
    for (auto const n : {0U, 4U}) {
        ask(get_time, std::vector<Param>(4, value(1, 1, 1, 1)), n);
        EXPECT_TRUE(read().ok()) << n;
    }
    for (auto const n : {5U, 127U, 128U, 0xffff'ffffU}) {
        ask(get_time, {}, n);
        EXPECT_EQ(read().error(), Error::bad_command) << n;
    }
}

TEST_F(ARequest, WritesNothingIntoTheGuestButItself)
{
    ask(get_time, {value(3, 1, 2, 3)});
    Words filled{};
    filled.fill(0xeeee'eeee);
    poke(ram(5), filled);
    read().take().deliver(page());
    auto const after = peek<Words>(ram(5));
    for (std::uint32_t word = param_offset(1) / 4; word != after.size(); ++word)
        ASSERT_EQ(after[word], 0xeeee'eeeeu) << word;
}

TEST_F(ARequest, TakesOutputsFromTheGuestAndNothingElse)
{
    auto const registered =
        registry_.add(vm_, {.cookie = Cookie{7}, .kind = ShmKind::rpc_data, .offset = 0, .size = 100});
    registry_.set_live(registered.get());
    ask(get_time, {value(1, 1, 1, 1), value(2, 2, 2, 2), value(6, 3, 30, 7), value(5, 4, 40, 7)});
    auto const request = read().take();
    request.deliver(page());
    // The guest overwrites all of it.
    MessageHeader header = peek<MessageHeader>(ram(5));
    header.command = shm_alloc;
    header.param_count = 0xffff'ffff;
    header.result = 5;
    header.session = 99;
    poke(ram(5), header);
    for (std::uint32_t i = 0; i != 4; ++i)
        poke(ram(5).plus(param_offset(i)), value(0x20b, 101, 102, 103));
    request.take_outputs(page());

    EXPECT_EQ(shadow_header().result, 5u);
    EXPECT_EQ(shadow_header().command, get_time);
    EXPECT_EQ(shadow_header().param_count, 4u);
    EXPECT_EQ(shadow_header().session, 0x52u);
    EXPECT_EQ(shadow_param(0).value.a, 1u);
    EXPECT_EQ(shadow_param(1).attributes, 2u);
    EXPECT_EQ(shadow_param(1).value.a, 101u);
    EXPECT_EQ(shadow_param(1).value.c, 103u);
    EXPECT_EQ(shadow_param(2).attributes, 6u);
    EXPECT_EQ(shadow_param(2).rmem.offset, 3u);
    EXPECT_EQ(shadow_param(2).rmem.size, 102u);
    EXPECT_EQ(shadow_param(2).rmem.cookie, 7u);
    EXPECT_EQ(shadow_param(3).rmem.size, 40u);
    registry_.forget_name(vm_, registered.get());
    registry_.erase(vm_, registered.get());
}

TEST_F(ARequest, JudgesAnAnswerByWhatWasAskedNotByWhatThePageSays)
{
    ask(get_time, {value(1, 1, 1, 1)});
    auto const request = read().take();
    // Whoever changes our page now comes too late: what is an output was decided.
    *Mapped<Param>{shadow_->plus(param_offset(0))} = value(3, 1, 1, 1);
    poke(ram(5).plus(param_offset(0)), value(3, 50, 50, 50));
    request.take_outputs(page());
    EXPECT_EQ(shadow_param(0).value.a, 1u);
}

TEST_F(ARequest, NamesOnlyMemoryThatTheVmGave)
{
    ask(get_time, {value(6, 0, 10, 7)});
    EXPECT_EQ(read().error(), Error::bad_command);
    auto const memory =
        registry_.add(vm_, {.cookie = Cookie{7}, .kind = ShmKind::rpc_data, .offset = 0, .size = 100});
    EXPECT_FALSE(read().ok()) << "OP-TEE does not have it yet";
    registry_.set_live(memory.get());
    EXPECT_TRUE(read().ok());
    ask(get_time, {value(6, 91, 10, 7)});
    EXPECT_FALSE(read().ok()) << "beyond its end";
    ask(get_time, {value(6, 0, 10, 9)});
    EXPECT_FALSE(read().ok()) << "an argument page is no buffer";
    registry_.forget_name(vm_, memory.get());
    registry_.erase(vm_, memory.get());
}

TEST_F(ARequest, NeverCarriesAnAddress)
{
    for (std::uint64_t const type : {0x9U, 0xaU, 0xbU, 0x20aU}) {
        ask(get_time, {value(type, 0x78'a000'0000, 10, 7)});
        EXPECT_EQ(read().error(), Error::bad_command) << type;
    }
    ask(get_time, {value(0, 0x78'a000'0000, 0x78'a000'0000, 0x78'a000'0000)});
    read().take().deliver(page()); // the simulator reports an address that reaches the guest (I1)
    EXPECT_EQ(guest_param(0).value.a, 0u);
}

TEST_F(ARequest, AboutMemoryHasItsOneParameter)
{
    for (auto const command : {shm_alloc, shm_free}) {
        ask(command, {value(1, 0, 4096, 8)});
        EXPECT_EQ(read().get().subject(), 4096u);
        ask(command, {});
        EXPECT_FALSE(read().ok());
        ask(command, {value(1, 0, 4096, 8), value(1, 0, 0, 0)});
        EXPECT_FALSE(read().ok());
        for (std::uint64_t const type : {0U, 2U, 3U, 9U}) {
            ask(command, {value(type, 0, 4096, 8)});
            EXPECT_FALSE(read().ok()) << type;
        }
    }
    ask(get_time, {value(1, 0, 4096, 8)});
    EXPECT_EQ(read().get().subject(), 0u);
}

TEST_F(ARequest, ForMemoryIsAnsweredWithOurListUnderTheGuestsName)
{
    ask(shm_alloc, {value(1, 1, 4096, 8)});
    read().take().answer_buffer(Pa::from_raw(0x78'a000'0010), 5000, Cookie{77});
    EXPECT_EQ(shadow_header().result, 0u);
    EXPECT_EQ(shadow_header().param_count, 1u);
    EXPECT_EQ(shadow_param(0).attributes, 0x20au);
    EXPECT_EQ(shadow_param(0).tmem.buffer, 0x78'a000'0010u);
    EXPECT_EQ(shadow_param(0).tmem.size, 5000u);
    EXPECT_EQ(shadow_param(0).tmem.cookie, 77u);
}

TEST_F(ARequest, ThatFailsHasNoParameters)
{
    ask(shm_alloc, {value(1, 1, 4096, 8)});
    read().take().answer_failure(0xffff'000c);
    EXPECT_EQ(shadow_header().result, 0xffff'000cu);
    EXPECT_EQ(shadow_header().param_count, 0u);
    ask(get_time, {});
    argument().fail(0xffff'0000);
    EXPECT_EQ(shadow_header().result, 0xffff'0000u);
}

TEST_F(ARequest, OfOurOwnAsksTheGuestToFreeWhatItOffered)
{
    ask(shm_alloc, {value(1, 1, 4096, 8)});
    auto const request = read().take();
    request.deliver_free(page(), Cookie{77});
    EXPECT_EQ(peek<MessageHeader>(ram(5)).command, shm_free);
    EXPECT_EQ(peek<MessageHeader>(ram(5)).param_count, 1u);
    EXPECT_EQ(guest_param(0).attributes, 1u);
    EXPECT_EQ(guest_param(0).value.a, 1u); // the kind of memory that was asked for
    EXPECT_EQ(guest_param(0).value.b, 77u);
    EXPECT_EQ(shadow_header().command, shm_alloc);
}

TEST_F(ARequest, CannotBeDeliveredWhenThePageIsGone)
{
    ask(get_time, {});
    auto const request = read().take();
    EXPECT_TRUE(request.guest_window(vm_).ok());
    guest_.write_protect(to_c(ram(5)));
    EXPECT_EQ(request.guest_window(vm_).error(), Error::bad_address);
    guest_.allow_writing(to_c(ram(5)));
    EXPECT_TRUE(request.guest_window(vm_).ok());
}

TEST_F(ARequest, InAPageIsFoundByItsNameAndItsThreadAndCountsAsItsUse)
{
    EXPECT_FALSE(use_argument(registry_, Cookie{9}, TeeThread{2}).ok());
    EXPECT_FALSE(use_argument(registry_, Cookie{8}, thread_1).ok());
    auto const found = use_argument(registry_, Cookie{9}, thread_1).take();
    EXPECT_EQ(found.shadow, *shadow_);
    EXPECT_EQ(found.cookie, Cookie{9});
    EXPECT_FALSE(registry_.take_argument(vm_, Cookie{9}, thread_1).ok());
    found.end_use(registry_);
    EXPECT_EQ(map(*argument_)->uses, 0u);
}

TEST_F(ARequest, BehindAMessageIsDeliveredBehindTheGuestsMessage)
{
    constexpr std::uint32_t message_bytes = 96;
    ask(get_time, {value(2, 0, 0, 0)});
    RpcArgument const behind{.shadow = *shadow_, .guest = GuestPlace::in_page(ram(6)).behind(message_bytes)};
    auto const request = RpcRequest::read(registry_, behind).take();
    auto const window = request.guest_window(vm_).take();
    EXPECT_EQ(window.room(), page_bytes - message_bytes);
    request.deliver(window);
    EXPECT_EQ(peek<MessageHeader>(ram(6).plus(message_bytes)).command, get_time);
    EXPECT_EQ(peek<MessageHeader>(ram(6)).result, 0u);
    poke(ram(6).plus(message_bytes + param_offset(0)), value(2, 11, 12, 13));
    next_entry();
    request.take_outputs(window);
    EXPECT_EQ(shadow_param(0).value.b, 12u);
    behind.end_use(registry_); // nothing has a use
    EXPECT_EQ(map(*argument_)->uses, 0u);
}

} // namespace
} // namespace optee
