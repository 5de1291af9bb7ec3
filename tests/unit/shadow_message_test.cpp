// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "shadow_message.hpp"
#include "tests/unit/core_fixture.hpp"

#include <array>
#include <cstddef>
#include <set>
#include <vector>

namespace optee {
namespace {

using abi::Command;
using abi::MessageHeader;
using abi::Param;

constexpr MessageHeader header(std::uint32_t command, std::uint32_t params)
{
    return {.command = command,
            .function = 0x11,
            .session = 0x22,
            .cancel_id = 0x33,
            .pad = 0x44,
            .result = 0,
            .result_origin = 0,
            .param_count = params};
}
constexpr Param value(std::uint64_t attributes, std::uint64_t seed)
{
    return {.attributes = attributes, .value = {seed, seed + 1, seed + 2}};
}

class AShadowMessage : public CoreTest {
protected:
    using Page = std::array<std::uint32_t, page_bytes / 4>;

    ~AShadowMessage() override { message_.clear(); }

    Ipa guest_page() const { return ram(3); }
    void write(MessageHeader const& head, std::vector<Param> const& params = {})
    {
        poke(guest_page(), head);
        for (std::uint32_t i = 0; i != params.size(); ++i)
            poke(guest_page().plus(param_offset(i)), params[i]);
    }
    Status fetch(ShadowMessage::RpcRoom room = ShadowMessage::RpcRoom::none)
    {
        auto const page = GuestWindow::acquire(vm_, guest_page()).take();
        return message_.fetch(page, room);
    }
    void copy_back()
    {
        auto const page = GuestWindow::acquire(vm_, guest_page()).take();
        message_.copy_back(page);
    }
    MessageHeader shadow_header() const { return read_page_of_ours<MessageHeader>(shadow_.pa()); }
    void set_param(std::uint32_t index, Param const& forwarded, CopyBack copy_back)
    {
        message_.param(index) = forwarded;
        message_.set_copy_back(index, copy_back);
    }
    /// Which words of the guest's message a copy-back wrote.
    std::set<std::uint32_t> words_written()
    {
        auto const before = peek<Page>(guest_page());
        copy_back();
        auto const after = peek<Page>(guest_page());
        std::set<std::uint32_t> words;
        for (std::uint32_t word = 0; word != before.size(); ++word)
            if (before[word] != after[word])
                words.insert(word);
        return words;
    }

    ShadowPage shadow_ = ShadowPage::allocate(vm_).take();
    ShadowMessage message_{shadow_.pa()};
};

TEST_F(AShadowMessage, HasWhatTheGuestWroteAndPresetsItsResult)
{
    write(header(1, 2), {value(1, 100), value(2, 200)});
    ASSERT_TRUE(fetch().ok());
    EXPECT_EQ(message_.command(), Command::invoke_command);
    EXPECT_EQ(message_.params(), 2u);
    auto const shadow = shadow_header();
    EXPECT_EQ(shadow.command, 1u);
    EXPECT_EQ(shadow.function, 0x11u);
    EXPECT_EQ(shadow.session, 0x22u);
    EXPECT_EQ(shadow.cancel_id, 0x33u);
    EXPECT_EQ(shadow.pad, 0u);
    EXPECT_EQ(shadow.param_count, 2u);
    EXPECT_EQ(shadow.result, 0xffff'0000u); // not success, whatever the guest had there
    EXPECT_EQ(shadow.result_origin, 2u);
    EXPECT_EQ(message_.param(1).attributes, 2u);
    EXPECT_EQ(message_.param(1).value.c, 202u);
}

TEST_F(AShadowMessage, IsZeroBehindTheParameters)
{
    write(header(1, 1), {value(1, 100), value(1, 200)});
    ASSERT_TRUE(fetch().ok());
    EXPECT_TRUE(machine_.memory().is_zero(to_c(shadow_.pa()), param_offset(1)));
}

TEST_F(AShadowMessage, HasAsManyParametersAsFitIntoItsPage)
{
    std::vector<Param> const params(127, value(1, 5));
    for (auto const n : {0U, 1U, 126U, 127U}) {
        next_entry();
        write(header(1, n), params);
        ASSERT_TRUE(fetch().ok()) << n;
        EXPECT_EQ(message_.params(), n);
        message_.clear();
    }
}

TEST_F(AShadowMessage, IsRefusedWhenItIsLongerThanItsPage)
{
    for (auto const n : {128U, 129U, 0x0800'0000U, 0x7fff'ffffU, 0x8000'0000U, 0xffff'ffffU}) {
        next_entry();
        write(header(1, n));
        EXPECT_EQ(fetch().error(), Error::bad_parameters) << n;
        end_entry();
        EXPECT_EQ(machine_.largest_entry().guest_reads, 1u) << "nothing but the header is read";
        begin_entry();
        EXPECT_TRUE(machine_.memory().is_zero(to_c(shadow_.pa())));
    }
}

TEST_F(AShadowMessage, IsRefusedForACommandThatIsNotMediated)
{
    for (std::uint32_t command = 0; command != 300; ++command) {
        next_entry();
        write(header(command, 0));
        EXPECT_EQ(fetch().ok(), command <= 5) << command;
        message_.clear();
    }
    for (auto const command : {0x8000'0000U, 0xffff'ffffU, 0x0001'0001U}) {
        next_entry();
        write(header(command, 0));
        EXPECT_EQ(fetch().error(), Error::bad_command) << command;
    }
}

TEST_F(AShadowMessage, IsTheOneSnapshotThatWasRead)
{
    write(header(1, 1), {value(1, 100), value(1, 200)});
    // Another vCPU changes everything between the header and the parameters.
    sim::Once once{sim::Point::read_guest, 1, [&](sim::Moment const&) { write(header(0, 127), {value(9, 300)}); }};
    machine_.add(once);
    ASSERT_TRUE(fetch().ok());
    machine_.remove(once);
    ASSERT_TRUE(once.happened());
    EXPECT_EQ(message_.command(), Command::invoke_command);
    EXPECT_EQ(message_.params(), 1u);
    EXPECT_EQ(shadow_header().param_count, 1u);
    EXPECT_EQ(message_.param(0).attributes, 9u); // read once, so this is what will be judged
}

TEST_F(AShadowMessage, CopiesBackOutputsAndNothingElse)
{
    write(header(1, 4), {value(1, 100), value(2, 200), value(0xa, 300), value(0, 400)});
    ASSERT_TRUE(fetch().ok());
    set_param(0, value(1, 1000), CopyBack::nothing);
    set_param(1, value(2, 2000), CopyBack::value);
    set_param(2, value(0x20a, 3000), CopyBack::size);
    set_param(3, value(0, 4000), CopyBack::nothing);
    Mapped<MessageHeader>
    {
        shadow_.pa()
        } -> result = 7;
    Mapped<MessageHeader>
    {
        shadow_.pa()
        } -> result_origin = 4;
    Mapped<MessageHeader>
    {
        shadow_.pa()
        } -> session = 99;

    auto const at = [](std::uint32_t byte) { return byte / 4; };
    std::set<std::uint32_t> const outputs{
        at(offsetof(MessageHeader, result)),
        at(offsetof(MessageHeader, result_origin)),
        at(param_offset(1) + 8),
        at(param_offset(1) + 16),
        at(param_offset(1) + 24),
        at(param_offset(2) + 16),
    };
    EXPECT_EQ(words_written(), outputs);
    EXPECT_EQ(peek<Param>(guest_page().plus(param_offset(1))).value.b, 2001u);
    EXPECT_EQ(peek<Param>(guest_page().plus(param_offset(2))).tmem.size, 3001u);
    EXPECT_EQ(peek<MessageHeader>(guest_page()).result, 7u);
    EXPECT_EQ(peek<MessageHeader>(guest_page()).result_origin, 4u);
}

TEST_F(AShadowMessage, CopiesASessionBackWhereOneIsOpened)
{
    for (std::uint32_t command = 0; command <= 5; ++command) {
        next_entry();
        write(header(command, 0));
        ASSERT_TRUE(fetch().ok());
        Mapped<MessageHeader>
        {
            shadow_.pa()
            } -> session = 99;
        copy_back();
        EXPECT_EQ(peek<MessageHeader>(guest_page()).session, command == 0 ? 99u : 0x22u) << command;
        message_.clear();
    }
}

TEST_F(AShadowMessage, JudgesOutputsByWhatWasForwardedNotByWhatMemorySaysLater)
{
    write(header(1, 1), {value(1, 100)});
    ASSERT_TRUE(fetch().ok());
    set_param(0, value(1, 100), CopyBack::nothing);
    Mapped<Param>
    {
        shadow_.pa().plus(param_offset(0))
        } -> attributes = 3; // OP-TEE's side
    Mapped<Param>
    {
        shadow_.pa().plus(param_offset(0))
        } -> value.a = 500;
    Mapped<MessageHeader>
    {
        shadow_.pa()
        } -> param_count = 100;
    write(header(0, 127), {value(3, 100)}); // the guest's side
    copy_back();
    EXPECT_EQ(peek<Param>(guest_page().plus(param_offset(0))).value.a, 100u);
    EXPECT_EQ(peek<MessageHeader>(guest_page()).session, 0x22u);
}

TEST_F(AShadowMessage, GetsTheAddressOfABufferLater)
{
    write(header(1, 1), {value(0x20a, 100)});
    ASSERT_TRUE(fetch().ok());
    set_param(0, {.attributes = 0x20a, .tmem = {0, 5, 6}}, CopyBack::size);
    message_.set_buffer(0, Pa::from_raw(0x78'a000'0008));
    EXPECT_EQ(message_.param(0).tmem.buffer, 0x78'a000'0008u);
    EXPECT_EQ(message_.param(0).tmem.size, 5u);
    EXPECT_EQ(message_.param(0).tmem.cookie, 6u);
}

TEST_F(AShadowMessage, IsAllZeroAfterItWasCleared)
{
    write(header(1, 127), std::vector<Param>(127, value(0xff, ~std::uint64_t{0} - 2)));
    ASSERT_TRUE(fetch().ok());
    message_.clear();
    EXPECT_TRUE(machine_.memory().is_zero(to_c(shadow_.pa())));
    EXPECT_EQ(message_.params(), 0u);
}

TEST_F(AShadowMessage, ReadsItsResultFromOptee)
{
    write(header(1, 0));
    ASSERT_TRUE(fetch().ok());
    EXPECT_EQ(message_.result(), abi::TeeResult::generic);
    Mapped<MessageHeader>
    {
        shadow_.pa()
        } -> result = 0;
    EXPECT_EQ(message_.result(), abi::TeeResult::success);
}

TEST_F(AShadowMessage, IsRefusedByAResultOfOurOwn)
{
    write(header(1, 1), {value(3, 100)});
    {
        auto const page = GuestWindow::acquire(vm_, guest_page()).take();
        write_result(page, abi::TeeResult::out_of_memory);
    }
    auto const after = peek<MessageHeader>(guest_page());
    EXPECT_EQ(after.result, 0xffff'000cu);
    EXPECT_EQ(after.result_origin, 2u);
    EXPECT_EQ(after.session, 0x22u);
    EXPECT_EQ(after.param_count, 1u);
}

TEST_F(AShadowMessage, HasRoomForRpcsBehindItWhereTheGuestHas)
{
    write(header(1, 2), {value(1, 100), value(3, 200)});
    ASSERT_TRUE(fetch(ShadowMessage::RpcRoom::behind_message).ok());
    EXPECT_EQ(message_.length(), 96u);
    EXPECT_EQ(message_.rpc_argument(), shadow_.pa().plus(96u));
    *Mapped<Param>{shadow_.pa().plus(96u + abi::rpc_argument_bytes - 32)} = value(3, 300); // OP-TEE's last one
    message_.clear();
    EXPECT_FALSE(message_.rpc_argument().has_value());
    EXPECT_EQ(read_page_of_ours<Page>(shadow_.pa()), Page{});
}

TEST_F(AShadowMessage, IsRefusedWhenTheRoomForRpcsDoesNotFitIntoItsPage)
{
    constexpr auto behind = ShadowMessage::RpcRoom::behind_message;
    constexpr std::uint32_t most = (page_bytes - abi::header_bytes - abi::rpc_argument_bytes) / abi::param_bytes;
    write(header(1, most + 1));
    EXPECT_EQ(fetch(behind).error(), Error::bad_parameters);
    EXPECT_FALSE(message_.rpc_argument().has_value());
    next_entry();
    write(header(1, most));
    ASSERT_TRUE(fetch(behind).ok());
    EXPECT_EQ(most, 122u);
}

TEST(AParamCount, IsBoundedBeforeAnythingIsComputedFromIt)
{
    for (std::uint32_t n = 0; n != 1000; ++n)
        EXPECT_EQ(ParamCount::from_guest(n).ok(), n <= 127) << n;
    EXPECT_FALSE(ParamCount::from_guest(0xffff'ffff).ok());
    EXPECT_EQ(ParamCount{}.count(), 0u);
    EXPECT_EQ(ParamCount::from_guest(127).get().message_bytes(), 32u + 127 * 32);
}

} // namespace
} // namespace optee
