// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group B: the message and the page that it is in.

#include "tests/attack/words.hpp"

namespace sim::attack {
namespace {

/// EBADADDR at once: nothing pinned or kept, nothing said to OP-TEE, no other register touched.
void expect_bad_address(Vm& vm, Ipa message, char const* what)
{
    Smcs const smcs{vm};
    auto const before = Possessions::of(vm);
    auto const asked = call_with_arg(message);
    EXPECT_TRUE(is_only(abi::ret::bad_address, asked, vm.smc(0, asked))) << what;
    EXPECT_EQ(smcs.seen(), 0u) << what;
    EXPECT_EQ(Possessions::of(vm), before) << what;
}

/// A message that would succeed if it were read there.
void write_good_message(Vm& vm, Ipa at, std::uint32_t session)
{
    write_message(
        vm, at, abi::cmd::invoke_command, command::echo_add_one, session, {{abi::attr::value_inout, 41, 1, 2}});
}

ATTACK(B01, "the message is not at the start of a page", "EBADADDR; nothing pinned, nothing sent", Schedules::usual)
{
    boot();
    auto const session = echo_session(guest());
    auto const page = guest().memory().allocate(2);
    for (auto const offset : {1u, 2u, 4u, 8u, 16u, 64u, 0x400u, 0x800u, 0xfa0u, 0xff8u, 0xfffu}) {
        Ipa const at{page.raw + offset};
        write_good_message(vm(), at, session);
        expect_bad_address(vm(), at, std::to_string(offset).c_str());
    }
    EXPECT_TRUE(works(guest()));
}

ATTACK(B02, "the message is where no RAM is", "EBADADDR; nothing pinned, nothing sent", Schedules::usual)
{
    boot();
    auto const hole = guest().memory().allocate(2);
    vm().balloon_out(hole);
    expect_bad_address(vm(), hole, "a hole");
    vm().map_mmio(Ipa{hole.raw + page_bytes});
    expect_bad_address(vm(), Ipa{hole.raw + page_bytes}, "a device");
    for (auto const& [name, ipa] : addresses_of_nothing(vm()))
        expect_bad_address(vm(), ipa, name);
    EXPECT_TRUE(works(guest()));
}

ATTACK(B03,
       "the message is at an address that no stage-2 has, or that wraps",
       "EBADADDR; nothing pinned, nothing sent",
       Schedules::usual)
{
    boot();
    for (unsigned bit = 32; bit < 64; ++bit) {
        expect_bad_address(vm(), Ipa{std::uint64_t{1} << bit}, "one bit");
        expect_bad_address(vm(), Ipa{(~std::uint64_t{0} << bit) & ~page_mask}, "all bits above");
        expect_bad_address(vm(), Ipa{vm().ram(3).raw | (std::uint64_t{1} << bit)}, "an own page and one bit");
    }
    for (std::uint64_t page = 1; page <= 4; ++page)
        expect_bad_address(vm(), Ipa{std::uint64_t{0} - page * page_bytes}, "at the very end");
    EXPECT_TRUE(works(guest()));
}

ATTACK(B04,
       "the message is in a page that the VM may only read",
       "EBADADDR at once, not after the call",
       Schedules::usual)
{
    boot();
    auto const session = echo_session(guest());
    auto const page = guest().memory().allocate(1);
    write_good_message(vm(), page, session);
    vm().write_protect(page);
    auto const before = contents_of(vm(), page);
    expect_bad_address(vm(), page, "read-only");
    EXPECT_TRUE(changes(before, contents_of(vm(), page)).empty());
    vm().allow_writing(page);
    auto call = call_at(guest(), page);
    call.run_on(0);
    EXPECT_TRUE(call.result().ok()) << "with the right to write, it is taken";
    EXPECT_TRUE(works(guest()));
}

ATTACK(B05,
       "the message is in a page of another VM, mapped or granted",
       "EBADADDR; the other VM's page is neither read nor written (I2)",
       Schedules::all)
{
    boot();
    auto const session = echo_session(guest());
    for (auto const kind : {MappingKind::foreign, MappingKind::grant}) {
        auto const page = guest().memory().allocate(1);
        vm().map_of(vm(1), innocent_page(machine()), page, kind);
        write_good_message(vm(1), innocent_page(machine()), session);
        auto const before = contents_of(vm(1), innocent_page(machine()));
        expect_bad_address(vm(), page, kind == MappingKind::grant ? "granted" : "foreign");
        EXPECT_TRUE(changes(before, contents_of(vm(1), innocent_page(machine()))).empty());
        EXPECT_EQ(vm(1).pins(), 0u);
    }
    EXPECT_TRUE(works(guest()));
}

ATTACK(B06, "the message is at IPA 0, where the VM has RAM", "EBADADDR: 0 is no address in the ABI", Schedules::usual)
{
    boot();
    auto const session = echo_session(guest());
    put_ram_at_null(vm());
    write_good_message(vm(), Ipa{0}, session);
    ASSERT_EQ(vm().peek<std::uint32_t>(Ipa{abi::arg::session}), session);
    expect_bad_address(vm(), Ipa{0}, "IPA 0");
    EXPECT_TRUE(works(guest()));
}

ATTACK(B07,
       "the message says that it has more parameters than fit a page",
       "127 are passed on; from 128 on, BAD_PARAMETERS in the message, without a walk",
       Schedules::usual)
{
    boot();
    auto const session = echo_session(guest());
    for (auto const count : {5u, 126u, 127u}) {
        Forwarded const forwarded{vm()};
        auto call = guest().begin(abi::cmd::invoke_command, 0, session, Arguments(count, value_in(1)));
        call.run_on(0);
        EXPECT_TRUE(is_refused_by_optee(call.result())) << "it takes four";
        ASSERT_EQ(forwarded.all().size(), 1u);
        EXPECT_EQ(forwarded.last().params.size(), count);
    }
    // Among them those for which 32 + 32 n wraps in 32 bits.
    for (auto const count : {128u,
                             129u,
                             255u,
                             4096u,
                             0x07ff'ffffu,
                             0x0800'0000u,
                             0x0800'0003u,
                             0x7fff'ffffu,
                             0x8000'0000u,
                             0x8000'0001u,
                             0xffff'ff80u,
                             0xffff'fffeu,
                             0xffff'ffffu}) {
        SCOPED_TRACE(count);
        auto const before = Possessions::of(vm());
        Smcs const smcs{vm()};
        auto call = guest().begin_invoke(session, command::echo_add_one, {value_inout(1)});
        call.message().set_field(abi::arg::num_params, count);
        auto const& answer = call.start_on(0);
        EXPECT_TRUE(is_only(abi::ret::ok, call.registers(), answer));
        EXPECT_TRUE(is_refused(call.result(), abi::result::bad_parameters));
        EXPECT_EQ(smcs.seen(), 0u);
        EXPECT_LE(answer.work.look_ups, 4u);
        EXPECT_EQ(Possessions::of(vm()), before);
    }
    EXPECT_TRUE(works(guest()));
}

ATTACK(B14,
       "the message has a command that is not mediated: those of the driver for itself, of protected memory, of "
       "tomorrow",
       "EBADCMD; nothing is forwarded, least of all the address in it",
       Schedules::usual)
{
    boot();
    auto const pages = own_pages(guest(), 2);
    std::vector<std::uint32_t> commands{
        abi::cmd::do_bottom_half, abi::cmd::stop_async_notif, 0x100, 0xffff, 0x1'0000, 0x8000'0000, 0xffff'ffff};
    for (std::uint32_t cmd = abi::cmd::stop_async_notif + 1; cmd < 40; ++cmd)
        commands.push_back(cmd);
    for (unsigned bit = 8; bit < 32; ++bit)
        commands.push_back(abi::cmd::invoke_command | (1u << bit)); // a known one in the low half
    Smcs const smcs{vm()};
    auto const before = Possessions::of(vm());
    for (auto const cmd : commands)
        for (auto const& arguments : {Arguments{},
                                      Arguments{as_is({abi::attr::tmem_input, pages[0].raw, page_bytes, 7})},
                                      Arguments{value_in(1), as_is({abi::attr::rmem_input, 0, page_bytes, 7})}}) {
            auto call = guest().begin(cmd, 0, 0, arguments);
            EXPECT_TRUE(is_only(abi::ret::bad_command, call.registers(), call.start_on(0))) << std::hex << cmd;
        }
    EXPECT_EQ(smcs.seen(), 0u);
    EXPECT_EQ(Possessions::of(vm()), before);
    EXPECT_TRUE(works(guest()));
}

ATTACK(B15, "the reserved field of the message is not zero", "OP-TEE gets zero there", Schedules::usual)
{
    boot();
    auto const session = echo_session(guest());
    for (auto const pad : {1u, 0x8000'0000u, 0xffff'ffffu}) {
        Forwarded const forwarded{vm()};
        auto call = guest().begin_invoke(session, command::echo_add_one, {value_inout(41)});
        call.message().set_field(abi::arg::pad, pad);
        call.run_on(0);
        EXPECT_TRUE(call.result().ok());
        EXPECT_EQ(call.result().params.at(0).a, 42u);
        EXPECT_EQ(forwarded.last().field(abi::arg::pad), 0u);
    }
}

ATTACK(B16,
       "uses sessions that it does not have, those of another VM among them",
       "an error of OP-TEE's; the other VM's session is untouched",
       Schedules::all)
{
    boot();
    std::vector<std::uint32_t> theirs;
    for (unsigned n = 0; n < 6; ++n)
        theirs.push_back(echo_session(guest(1)));
    auto guesses = theirs;
    guesses.insert(guesses.end(), {0u, 1000u, 0x7fff'ffffu, 0xffff'ffffu});
    for (auto const session : guesses) {
        EXPECT_TRUE(is_refused_by_optee(guest().invoke(session, command::echo_add_one, {value_inout(1)}))) << session;
        EXPECT_TRUE(is_refused_by_optee(guest().close(session))) << session;
        EXPECT_TRUE(is_refused_by_optee(guest().cancel(session))) << session;
    }
    for (auto const session : theirs) {
        EXPECT_EQ(guest(1).invoke(session, command::echo_add_one, {value_inout(41)}).params.at(0).a, 42u);
        EXPECT_TRUE(guest(1).close(session).ok());
    }
    EXPECT_TRUE(works(guest()));
}

ATTACK(B17,
       "writes success into the message before a call that fails, at the mediator or at OP-TEE",
       "both ret and its origin are written over, also when OP-TEE forgets",
       Schedules::usual)
{
    boot();
    auto const session = echo_session(guest());
    auto const memory = guest().open(App::memory).session;
    HandMadeList const list{guest(), own_pages(guest(), 1)};
    auto const too_long =
        list.reference(abi::attr::tmem_inout, odd_cookie(), (std::uint64_t{limits().pages} + 1) * page_bytes, 0);
    struct Failure {
        char const* name;
        std::uint32_t session;
        std::uint32_t function;
        abi::Param param;
    };
    for (auto const& [name, of_session, function, param] :
         {Failure{"an unknown type", session, 0, {0xc, 1, 1, 1}},
          Failure{"an unknown cookie", memory, 0, {abi::attr::rmem_inout, 0, 1, odd_cookie(1)}},
          Failure{"too many pages", memory, 0, too_long},
          Failure{"no such session", 4711, 0, {abi::attr::value_inout, 1, 1, 1}},
          Failure{"the TA", session, command::echo_fail, {abi::attr::value_input, abi::result::busy, 0, 0}}}) {
        auto call = guest().begin(abi::cmd::invoke_command, function, of_session, {as_is(param)});
        call.message().set_ret(abi::result::success, 0x5151'5151);
        call.run_on(0);
        EXPECT_EQ(call.last().a0(), abi::ret::ok) << name;
        EXPECT_NE(call.result().ret, abi::result::success) << name;
        EXPECT_NE(call.result().origin, 0x5151'5151u) << name;
    }
    for (auto const preset : {std::uint32_t{0}, 0x5151'5151u}) {
        machine().optee().drop_results();
        auto call = guest().begin_invoke(session, command::echo_add_one, {value_inout(1)});
        call.message().set_ret(preset, preset);
        call.run_on(0);
        EXPECT_EQ(call.result().ret, abi::result::generic);
        EXPECT_NE(call.result().origin, preset);
        machine().optee().behave();
    }
    EXPECT_TRUE(works(guest()));
}

ATTACK(B18,
       "asks for another cache attribute of the message's memory",
       "the register is ignored: OP-TEE gets the mediator's constant",
       Schedules::usual)
{
    boot();
    auto const session = echo_session(guest());
    Forwarded const forwarded{vm()};
    for (auto const attribute :
         {std::uint64_t{1}, std::uint64_t{0}, std::uint64_t{2}, std::uint64_t{0xffff'ffff}, ~std::uint64_t{0}}) {
        auto call = guest().begin_invoke(session, command::echo_add_one, {value_inout(41)});
        auto asked = call.registers();
        asked.a[3] = attribute;
        call.resume_on(0, asked);
        call.run_on(0);
        EXPECT_TRUE(call.result().ok());
        EXPECT_EQ(forwarded.last().frame.a[3], forwarded.all().front().frame.a[3]) << std::hex << attribute;
    }
    EXPECT_EQ(forwarded.all().size(), 5u);
}

} // namespace
} // namespace sim::attack
