// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group P: what a parameter may say. What it may refer to: references_test.cpp.

#include "tests/attack/words.hpp"

#include <algorithm>

namespace sim::attack {
namespace {

using abi::attr::noncontig;

constexpr std::uint32_t canary = 0x7777'7777;
constexpr std::uint64_t values[] = {abi::attr::value_input, abi::attr::value_output, abi::attr::value_inout};
constexpr std::uint64_t rmems[] = {abi::attr::rmem_input, abi::attr::rmem_output, abi::attr::rmem_inout};
constexpr std::uint64_t tmems[] = {abi::attr::tmem_input, abi::attr::tmem_output, abi::attr::tmem_inout};

/// A session, a registered buffer and a page list: what good parameters are made of.
struct Good {
    explicit Good(LinuxGuest& its_guest)
        : guest{its_guest}, session{guest.open(App::memory).session}, shm{guest.register_memory(2 * page_bytes)},
          list{guest, own_pages(guest, 2)}
    {
    }
    abi::Param registered(std::uint64_t attr) const { return {attr, 0, shm->size, shm->cookie}; }
    abi::Param temporary(std::uint64_t attr) const { return list.reference(attr, odd_cookie()); }

    CallResult invoke(Arguments const& arguments)
    {
        auto call = guest.begin_invoke(session, command::memory_invert, arguments);
        call.run_on(0);
        return call.result();
    }
    /// Refused in the message, wherever the parameter is, in INVOKE and OPEN alike; OP-TEE hears nothing, nothing is kept.
    void expect_refused(abi::Param const& bad)
    {
        SCOPED_TRACE(testing::PrintToString(bad.attr));
        auto const before = Possessions::of(guest.vm());
        Smcs const smcs{guest.vm()};
        EXPECT_TRUE(is_refused(invoke({as_is(bad)}), abi::result::bad_parameters));
        EXPECT_TRUE(
            is_refused(invoke({value_in(1), shared_in(shm), as_is(temporary(abi::attr::tmem_inout)), as_is(bad)}),
                       abi::result::bad_parameters));
        auto open = guest.begin_open(App::memory, {as_is(bad)});
        open.run_on(0);
        EXPECT_TRUE(is_refused(open.result(), abi::result::bad_parameters));
        EXPECT_EQ(smcs.seen(), 0u);
        EXPECT_EQ(Possessions::of(guest.vm()), before);
    }
    void expect_intact()
    {
        EXPECT_TRUE(invoke({shared_inout(shm), as_is(temporary(abi::attr::tmem_inout))}).ok());
        EXPECT_TRUE(guest.unregister_shm(shm).ok());
        EXPECT_EQ(guest.vm().pins(), 0u);
        EXPECT_TRUE(works(guest));
    }

    LinuxGuest& guest;
    std::uint32_t session;
    Shm shm;
    HandMadeList list;
};

ATTACK(P01,
       "a parameter of a type that does not exist yet, with an address in each of its words",
       "BAD_PARAMETERS: a type of tomorrow may hold an address",
       Schedules::usual)
{
    boot();
    Good good{guest()};
    auto const page = own_pages(guest(), 1).front().raw;
    for (std::uint64_t type = 0; type <= abi::attr::type_mask; ++type)
        if (type != abi::attr::none && !abi::attr::is_value(type) && !abi::attr::is_rmem(type) &&
            !abi::attr::is_tmem(type))
            for (auto const bits : {std::uint64_t{0}, noncontig})
                good.expect_refused({type | bits, page, page, page});
    good.expect_intact();
}

ATTACK(P02,
       "attribute bits that mean nothing, one by one, on every kind of parameter",
       "BAD_PARAMETERS, or the bit does not reach OP-TEE",
       Schedules::usual)
{
    boot();
    Good good{guest()};
    for (unsigned bit = 10; bit < 64; ++bit) {
        SCOPED_TRACE(bit);
        for (auto param : {abi::Param{},
                           value_inout(1).raw,
                           good.registered(abi::attr::rmem_inout),
                           good.temporary(abi::attr::tmem_inout)}) {
            param.attr |= std::uint64_t{1} << bit;
            Forwarded const forwarded{vm()};
            auto const result = good.invoke({as_is(param)});
            if (forwarded.all().empty())
                EXPECT_TRUE(is_refused(result, abi::result::bad_parameters));
            else
                EXPECT_EQ(forwarded.last().params.at(0).attr & ~abi::attr::known, 0u);
        }
    }
    good.expect_intact();
}

ATTACK(P03,
       "META on memory, and on values where META means nothing",
       "BAD_PARAMETERS for memory; values reach OP-TEE without unknown bits, or are refused",
       Schedules::usual)
{
    boot();
    Good good{guest()};
    for (auto const type : rmems)
        good.expect_refused(good.registered(type | abi::attr::meta));
    for (auto const type : tmems) {
        good.expect_refused(good.temporary(type | abi::attr::meta));
        good.expect_refused({type | abi::attr::meta, 0, 0, 0});
    }
    for (auto const type : values)
        for (std::size_t place = 0; place < 4; ++place) {
            Arguments arguments(4, no_value());
            arguments[place] = as_is({type | abi::attr::meta, 1, 2, 3});
            auto const result = good.invoke(arguments);
            EXPECT_TRUE(result.ok() || is_refused_by_optee(result) ||
                        is_refused(result, abi::result::bad_parameters));
        }
    good.expect_intact();
}

ATTACK(P04, "NONCONTIG on values and registered memory", "BAD_PARAMETERS", Schedules::usual)
{
    boot();
    Good good{guest()};
    for (auto const type : values)
        good.expect_refused({type | noncontig, good.list.page().raw, page_bytes, 0});
    for (auto const type : rmems) {
        good.expect_refused(good.registered(type | noncontig));
        good.expect_refused({type | noncontig, good.list.page().raw, page_bytes, good.shm->cookie});
    }
    good.expect_intact();
}

ATTACK(P05,
       "temporary memory without a page list: an address of its own, or any number",
       "BAD_PARAMETERS: such an address would go to OP-TEE as it is",
       Schedules::usual)
{
    boot();
    Good good{guest()};
    for (auto const type : tmems)
        for (auto const address : {vm().ram(3).raw,
                                   vm().ram(3).raw + 8,
                                   std::uint64_t{1},
                                   std::uint64_t{page_bytes},
                                   std::uint64_t{1} << 38,
                                   ~std::uint64_t{0},
                                   ~page_mask})
            for (auto const size : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{page_bytes}, ~std::uint64_t{0}})
                good.expect_refused({type, address, size, odd_cookie()});
    good.expect_intact();
}

ATTACK(P06,
       "a NULL reference with a size, and with the cookie of something else",
       "OP-TEE gets NULL without a cookie; the reference owns nothing and frees nothing",
       Schedules::usual)
{
    boot();
    Good good{guest()};
    for (auto const type : tmems)
        for (auto const size : {std::uint64_t{0},
                                std::uint64_t{1},
                                std::uint64_t{page_bytes},
                                std::uint64_t{1} << 32,
                                ~std::uint64_t{0}})
            for (auto const cookie : {std::uint64_t{0}, good.shm->cookie, odd_cookie(), ~std::uint64_t{0}}) {
                auto const before = Possessions::of(vm());
                Forwarded const forwarded{vm()};
                EXPECT_TRUE(good.invoke({as_is({type, 0, size, cookie})}).ok());
                ASSERT_EQ(forwarded.all().size(), 1u);
                auto const& param = forwarded.last().params.at(0);
                EXPECT_TRUE(abi::attr::is_tmem(param.attr));
                EXPECT_EQ(param.a, 0u);
                EXPECT_EQ(param.c, 0u);
                EXPECT_EQ(Possessions::of(vm()), before);
            }
    good.expect_intact();
}

ATTACK(P07,
       "a page list in the page at 0, where the VM has RAM",
       "BAD_PARAMETERS: with or without an offset that is NULL",
       Schedules::usual)
{
    boot();
    Good good{guest()};
    put_ram_at_null(vm());
    vm().poke(Ipa{0}, own_pages(guest(), 1).front().raw);
    for (auto const type : tmems)
        for (auto const offset : {0u, 1u, 8u, 0x800u, 0xfffu})
            good.expect_refused({type | noncontig, offset, page_bytes - offset, odd_cookie()});
    auto call = guest().begin(abi::cmd::register_shm, 0, 0, {as_is({abi::attr::tmem_output | noncontig, 8, 1, 7})});
    call.run_on(0);
    EXPECT_TRUE(is_refused(call.result(), abi::result::bad_parameters));
    good.expect_intact();
}

ATTACK(P08,
       "memory of no bytes at all, with a page list",
       "BAD_PARAMETERS: OP-TEE would count (0 - 1) / 4096 + 1 pages",
       Schedules::usual)
{
    boot();
    Good good{guest()};
    for (auto const offset : {0u, 1u, 0xfffu}) {
        for (auto const type : tmems)
            good.expect_refused(good.list.reference(type, odd_cookie(), 0, offset));
        auto call = guest().begin(abi::cmd::register_shm,
                                  0,
                                  0,
                                  {as_is(good.list.reference(abi::attr::tmem_output, odd_cookie(), 0, offset))});
        call.run_on(0);
        EXPECT_TRUE(is_refused(call.result(), abi::result::bad_parameters));
    }
    good.expect_intact();
}

ATTACK(P16,
       "registers anything but one output with a page list: NULL, contiguous memory, inputs, values, registered "
       "memory, nothing, two",
       "BAD_PARAMETERS; OP-TEE hears nothing",
       Schedules::usual)
{
    boot();
    Good good{guest()};
    auto const list = good.list.page().raw;
    std::vector<Arguments> wrong{{},
                                 {as_is(good.temporary(abi::attr::tmem_output)), no_value()},
                                 {no_value(), as_is(good.temporary(abi::attr::tmem_output))},
                                 Arguments(127, as_is(good.temporary(abi::attr::tmem_output)))};
    for (auto const buffer : {std::uint64_t{0}, list})
        for (auto const size : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{2 * page_bytes}})
            for (std::uint64_t type = 0; type < 16; ++type)
                for (auto const bits :
                     {std::uint64_t{0}, noncontig, std::uint64_t{abi::attr::meta}, abi::attr::meta | noncontig})
                    if (type != abi::attr::tmem_output || bits != noncontig || buffer == 0 || size == 0)
                        wrong.push_back({as_is({type | bits, buffer, size, odd_cookie()})});
    Smcs const smcs{vm()};
    auto const before = Possessions::of(vm());
    for (auto const& arguments : wrong) {
        auto call = guest().begin(abi::cmd::register_shm, 0, 0, arguments);
        call.run_on(0);
        EXPECT_TRUE(is_refused(call.result(), abi::result::bad_parameters))
            << (arguments.empty() ? 0 : arguments[0].raw.attr);
    }
    EXPECT_EQ(smcs.seen(), 0u);
    EXPECT_EQ(Possessions::of(vm()), before);
    good.expect_intact();
}

ATTACK(P17,
       "closes and cancels with parameters, the longest page lists among them",
       "BAD_PARAMETERS before any page is looked at",
       Schedules::usual)
{
    boot();
    Good good{guest()};
    HandMadeList const longest{guest(), std::vector<Ipa>(limits().pages_of_buffer, vm().ram(3))};
    Smcs const smcs{vm()};
    auto const before = Possessions::of(vm());
    for (auto const cmd : {abi::cmd::close_session, abi::cmd::cancel})
        for (auto const& param : {value_in(1).raw,
                                  abi::Param{},
                                  good.registered(abi::attr::rmem_input),
                                  longest.reference(abi::attr::tmem_input, odd_cookie())})
            for (auto const count : {1u, 4u, 127u}) {
                auto call = guest().begin(cmd, 0, good.session, Arguments(count, as_is(param)));
                auto const work = call.start_on(0).work;
                EXPECT_TRUE(is_refused(call.result(), abi::result::bad_parameters));
                EXPECT_LE(work.look_ups, 4u);
                EXPECT_LE(work.pins, 4u) << "of the message's page";
            }
    EXPECT_EQ(smcs.seen(), 0u);
    EXPECT_EQ(Possessions::of(vm()), before);
    good.expect_intact();
}

ATTACK(P18,
       "one call with more temporary buffers than a TA has parameters, each as long as can be",
       "refused before any page of them is looked at (I13); four are served",
       Schedules::usual)
{
    boot();
    Good good{guest()};
    HandMadeList const longest{guest(), std::vector<Ipa>(limits().pages_of_buffer, vm().ram(3))};
    auto const buffers = [&](std::size_t count) {
        Arguments arguments;
        for (std::size_t n = 0; n < count; ++n)
            arguments.push_back(as_is(longest.reference(abi::attr::tmem_input, odd_cookie(n))));
        return arguments;
    };
    Smcs const smcs{vm()};
    auto const before = Possessions::of(vm());
    for (auto const count : {7u, 16u, 17u, 125u, 126u, 127u}) {
        SCOPED_TRACE(count);
        auto call = guest().begin_invoke(good.session, command::memory_sum, buffers(count));
        auto const work = call.start_on(0).work;
        ASSERT_TRUE(call.done());
        EXPECT_TRUE(is_refused_with(call.result(), {abi::result::bad_parameters, abi::result::out_of_memory}));
        EXPECT_LE(work.look_ups, 4u);
        EXPECT_LE(work.pins, 4u);
    }
    EXPECT_EQ(smcs.seen(), 0u);
    EXPECT_TRUE(good.invoke(buffers(4)).ok());
    EXPECT_EQ(Possessions::of(vm()), before);
    good.expect_intact();
}

ATTACK(P20,
       "OP-TEE writes into every parameter of the message that it has, inputs among them",
       "a, b and c go back for outputs, and nothing for inputs",
       Schedules::usual)
{
    boot();
    auto const session = echo_session(guest());
    Pa shadow{0};
    auto const scribble = [&](tee::Smc& smc) {
        if (static_cast<std::uint32_t>(smc.frame.a[0]) == abi::smc::call_with_arg)
            shadow.raw = abi::joined(smc.frame.a[1], smc.frame.a[2]);
        smc.proceed();
        for (std::uint32_t n = 0; n < 4 && smc.frame.a[0] == abi::ret::ok; ++n) {
            std::uint64_t const scribbled[] = {101, 102, 103}; // OP-TEE leaves attributes alone
            machine().memory().write(Pa{shadow.raw + abi::arg::bytes(n) + 8}, scribbled, sizeof scribbled);
        }
    };
    machine().optee().instead_of_every(abi::smc::call_with_arg, scribble);
    machine().optee().instead_of_every(abi::smc::return_from_rpc, scribble);
    auto call = guest().begin_invoke(
        session, command::echo_add_one, {value_in(1, 2, 3), value_inout(4, 5, 6), no_value(), value_out()});
    call.run_on(0);
    machine().optee().behave();
    EXPECT_EQ(call.last().a0(), abi::ret::ok);
    auto const params = call.result().params;
    EXPECT_EQ(params.at(0), value_in(1, 2, 3).raw);
    EXPECT_EQ(params.at(1), (abi::Param{abi::attr::value_inout, 101, 102, 103}));
    EXPECT_EQ(params.at(2), abi::Param{});
    EXPECT_EQ(params.at(3), (abi::Param{abi::attr::value_output, 101, 102, 103}));
    EXPECT_TRUE(works(guest()));
}

ATTACK(P21,
       "the guest changes the attributes in its message while OP-TEE runs, to every other type",
       "what goes back is chosen by the attributes that were forwarded (I8)",
       Schedules::usual)
{
    boot();
    Good good{guest()};
    for (std::uint64_t type = 0; type < 16; ++type) {
        SCOPED_TRACE(type);
        auto call = guest().begin_invoke(good.session,
                                         command::memory_grow,
                                         {as_is(good.registered(abi::attr::rmem_output)),
                                          as_is(good.temporary(abi::attr::tmem_input)),
                                          value_in(1),
                                          value_out()});
        auto const page = call.message().ipa();
        PageContents overwritten{};
        machine().optee().instead_of_next(abi::smc::call_with_arg, [&](tee::Smc& smc) {
            fill_page(vm(), page, canary);
            for (std::uint32_t n = 0; n < 4; ++n)
                call.message().set_param(n, {type | noncontig, canary, canary, canary});
            overwritten = contents_of(vm(), page);
            smc.proceed();
        });
        call.run_on(0);
        EXPECT_EQ(call.last().a0(), abi::ret::ok);
        EXPECT_EQ(call.message().ret(), abi::result::short_buffer);
        EXPECT_EQ(call.message().param(0).b, good.shm->size + page_bytes);
        EXPECT_TRUE(changed_only(changes(overwritten, contents_of(vm(), page)),
                                 {outputs_of_result(), outputs_of_param(0, {2}), outputs_of_param(3, {1, 2, 3})}));
    }
    good.expect_intact();
}

} // namespace
} // namespace sim::attack
