// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group P, continued: what a parameter refers to.

#include "tests/attack/words.hpp"

namespace sim::attack {
namespace {

constexpr std::uint64_t top = std::uint64_t{1} << 63;

ATTACK(P09,
       "memory of exactly as many pages as the quota leaves, and one byte more; with an offset of 4095",
       "served at the limit; OUT_OF_MEMORY beyond it",
       Schedules::usual)
{
    World world;
    world.limits.pages = world.limits.pages_of_buffer;
    boot(world);
    auto const most = std::uint64_t{limits().pages_of_buffer};
    auto const session = guest().open(App::memory).session;
    HandMadeList const list{guest(), own_pages(guest(), limits().pages_of_buffer + 1)};
    struct Size {
        std::uint64_t bytes;
        std::uint32_t offset;
        bool fits;
    };
    for (auto const& [bytes, offset, fits] : {Size{most * page_bytes - 1, 0, true},
                                              Size{most * page_bytes, 0, true},
                                              Size{most * page_bytes + 1, 0, false},
                                              Size{most * page_bytes - 4095, 4095, true},
                                              Size{most * page_bytes - 4094, 4095, false},
                                              Size{(most + 1) * page_bytes, 0, false}}) {
        SCOPED_TRACE(bytes);
        auto const brief = list.reference(abi::attr::tmem_inout, odd_cookie(), bytes, offset);
        auto const result = invert(guest(), session, {as_is(brief)});
        EXPECT_TRUE(fits ? testing::AssertionResult{result.ok()} : is_refused(result, abi::result::out_of_memory));
        auto const lasting = list.reference(abi::attr::tmem_output, odd_cookie(), bytes, offset);
        auto registration = guest().begin(abi::cmd::register_shm, 0, 0, {as_is(lasting)});
        registration.run_on(0);
        EXPECT_TRUE(fits ? testing::AssertionResult{registration.result().ok()}
                         : is_refused(registration.result(), abi::result::out_of_memory));
        EXPECT_EQ(vm().pins(), fits ? most : 0);
        if (fits) {
            auto const shm = std::make_shared<SharedMemory>();
            shm->cookie = odd_cookie();
            EXPECT_TRUE(guest().unregister_shm(shm).ok());
        }
        EXPECT_EQ(vm().pins(), 0u);
    }
    EXPECT_TRUE(works(guest()));
}

ATTACK(P10,
       "registered memory that nobody registered, or another VM did",
       "BAD_PARAMETERS by the mediator; OP-TEE hears nothing",
       Schedules::all)
{
    boot();
    auto const session = guest().open(App::memory).session;
    auto const theirs = guest(1).register_memory(page_bytes);
    auto const own = guest().memory().allocate_scattered(page_bytes);
    own->cookie = odd_cookie(3);
    Smcs const smcs{vm()};
    auto const before = Possessions::of(vm());
    for (auto const cookie :
         {theirs->cookie, own->cookie, std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}, top, own->pages[0].raw})
        for (auto const attr : {abi::attr::rmem_input, abi::attr::rmem_output, abi::attr::rmem_inout}) {
            EXPECT_TRUE(
                is_refused(invert(guest(), session, {as_is({attr, 0, 1, cookie})}), abi::result::bad_parameters))
                << std::hex << cookie;
            EXPECT_TRUE(
                is_refused(invert(guest(), session, {as_is({attr, 0, 0, cookie})}), abi::result::bad_parameters))
                << std::hex << cookie;
        }
    EXPECT_EQ(smcs.seen(), 0u);
    EXPECT_EQ(Possessions::of(vm()), before);
    EXPECT_TRUE(guest(1).unregister_shm(theirs).ok());
    EXPECT_TRUE(works(guest()));
}

ATTACK(P11,
       "uses a registered buffer while its registration, or its end, is under way: in an interrupt, and at every "
       "moment",
       "BAD_PARAMETERS or BUSY, unless OP-TEE has it; its pages stay pinned as long as OP-TEE may use them",
       Schedules::straight)
{
    boot();
    auto session = guest().open(App::memory).session;
    auto shm = guest().memory().allocate_scattered(3 * page_bytes);
    for (auto const registers : {true, false}) {
        SCOPED_TRACE(registers ? "registering" : "unregistering");
        auto call = registers ? guest().begin_register(shm) : guest().begin_unregister(shm);
        machine().optee().interrupt_without_end();
        call.start_on(0);
        machine().optee().interrupt_without_end(false);
        ASSERT_TRUE(call.waits_for_rpc());
        Smcs const smcs{vm()};
        EXPECT_TRUE(is_refused_or_busy(invert(guest(), session, {shared_inout(shm)}, 1)));
        EXPECT_EQ(smcs.seen(), 0u);
        EXPECT_EQ(vm().pins(), 3u);
        call.run_on(0);
        EXPECT_TRUE(call.result().ok());
        EXPECT_EQ(vm().pins(), registers ? 3u : 0u);
    }
    for (auto const registers : {true, false}) {
        SCOPED_TRACE(registers ? "registering" : "unregistering");
        auto const moments = in_race(
            every_point,
            [&] {
                auto const result = invert(guest(), session, {shared_inout(shm)}, 1);
                EXPECT_TRUE(result.ok() || is_refused_or_busy(result)) << result.ret;
            },
            [&] {
                boot();
                session = guest().open(App::memory).session;
                shm = registers ? guest().memory().allocate_scattered(3 * page_bytes)
                                : guest().register_memory(3 * page_bytes);
                auto call = registers ? guest().begin_register(shm) : guest().begin_unregister(shm);
                race_begins();
                EXPECT_EQ(call.run_on(0), Call::State::done);
                EXPECT_TRUE(call.result().ok() || is_refused_or_busy(call.result()));
                EXPECT_EQ(vm().pins(), registers == call.result().ok() ? 3u : 0u);
                EXPECT_TRUE(works(guest()));
            });
        EXPECT_GE(moments, 3u);
    }
}

ATTACK(P12,
       "a part of a registered buffer that is not in it, or wraps",
       "BAD_PARAMETERS by the mediator; OP-TEE hears nothing",
       Schedules::usual)
{
    boot();
    auto const session = guest().open(App::memory).session;
    auto const shm = guest().register_memory(2 * page_bytes - 100, 40);
    ASSERT_NE(shm, nullptr);
    auto const size = shm->size;
    struct Part {
        std::uint64_t offset;
        std::uint64_t size;
    };
    Smcs const smcs{vm()};
    auto const before = Possessions::of(vm());
    for (auto const& part : {Part{0, size + 1},
                             Part{1, size},
                             Part{size, 1},
                             Part{size - 1, 2},
                             Part{size + 1, 0},
                             Part{size + 1, ~size},
                             Part{~std::uint64_t{0}, 1},
                             Part{~std::uint64_t{0}, 2},
                             Part{1, ~std::uint64_t{0}},
                             Part{~std::uint64_t{0}, ~std::uint64_t{0}},
                             Part{top, top},
                             Part{top, size},
                             Part{std::uint64_t{1} << 32, 1},
                             Part{0, (std::uint64_t{1} << 32) + 1},
                             Part{std::uint64_t{0} - page_bytes, page_bytes + 1}})
        for (auto const attr : {abi::attr::rmem_input, abi::attr::rmem_output, abi::attr::rmem_inout})
            EXPECT_TRUE(is_refused(invert(guest(), session, {as_is({attr, part.offset, part.size, shm->cookie})}),
                                   abi::result::bad_parameters))
                << std::hex << part.offset << " " << part.size;
    EXPECT_EQ(smcs.seen(), 0u);
    EXPECT_EQ(Possessions::of(vm()), before);
    EXPECT_TRUE(invert(guest(), session, {shared_inout(shm, size - 1, 1), shared_inout(shm, 0, size)}).ok());
    EXPECT_TRUE(guest().unregister_shm(shm).ok());
    EXPECT_TRUE(works(guest()));
}

ATTACK(P13,
       "names one registered buffer four times in one call, and ends it meanwhile",
       "allowed; the buffer stays until the last use is over",
       Schedules::all)
{
    boot();
    auto const session = guest().open(App::memory).session;
    auto const shm = guest().register_memory(2 * page_bytes);
    guest().fill(shm, counting(2 * page_bytes));
    EXPECT_TRUE(invert(guest(), session, {shared_inout(shm), shared_inout(shm)}).ok());
    EXPECT_EQ(guest().contents(shm), counting(2 * page_bytes)) << "inverted twice";
    auto const storage = guest().open(App::storage).session;
    auto user = guest().begin_invoke(
        storage, command::storage_write, {shared_in(shm), value_in(7), shared_in(shm), shared_in(shm)});
    ASSERT_TRUE(run_until_command(user, abi::rpc_cmd::fs));
    auto end = guest().begin_unregister(shm);
    end.start_on(1);
    EXPECT_GE(vm().pins_of(shm->pages[0]), 1u);
    EXPECT_TRUE(end.waits_for_rpc() || is_refused(end.result(), abi::result::busy));
    user.run_on(0);
    EXPECT_TRUE(user.result().ok());
    if (end.waits_for_rpc())
        end.run_on(1);
    else
        end.start_on(1);
    end.run_on(1);
    EXPECT_TRUE(end.result().ok());
    EXPECT_EQ(vm().pins(), 0u);
    EXPECT_TRUE(works(guest()));
}

ATTACK(P14,
       "temporary memory under the name of a registered buffer",
       "BAD_PARAMETERS; the registered buffer is as it was",
       Schedules::all)
{
    boot();
    auto const session = guest().open(App::memory).session;
    auto const shm = guest().register_memory(2 * page_bytes);
    guest().fill(shm, counting(2 * page_bytes));
    auto const other = renamed(guest().memory().allocate_scattered(3 * page_bytes), shm->cookie);
    auto const before = Possessions::of(vm());
    Smcs const smcs{vm()};
    for (auto const& arguments : {Arguments{temporary_inout(other)},
                                  Arguments{shared_inout(shm), temporary_inout(other)},
                                  Arguments{temporary_inout(other), shared_inout(shm)},
                                  Arguments{temporary_inout(shm)}})
        EXPECT_TRUE(is_refused(invert(guest(), session, arguments), abi::result::bad_parameters));
    EXPECT_EQ(smcs.seen(), 0u);
    EXPECT_EQ(Possessions::of(vm()), before);
    EXPECT_EQ(guest().contents(shm), counting(2 * page_bytes));
    EXPECT_TRUE(invert(guest(), session, {shared_inout(shm)}).ok());
    EXPECT_TRUE(guest().unregister_shm(shm).ok());
    EXPECT_EQ(vm().pins(), 0u);
    EXPECT_TRUE(works(guest()));
}

ATTACK(P15,
       "temporary memory under the name of another call's, while that is under way",
       "BAD_PARAMETERS; the other call ends well, and only then the name is free",
       Schedules::all)
{
    boot();
    auto const memory = guest().open(App::memory).session;
    auto const storage = guest().open(App::storage).session;
    auto const brief = guest().memory().allocate_scattered(2 * page_bytes);
    auto const other = renamed(guest().memory().allocate_scattered(page_bytes), brief->cookie);
    auto user = guest().begin_invoke(storage, command::storage_write, {temporary_in(brief), value_in(7)});
    ASSERT_TRUE(run_until_command(user, abi::rpc_cmd::fs));
    auto const before = Possessions::of(vm());
    Smcs const smcs{vm()};
    EXPECT_TRUE(is_refused(invert(guest(), memory, {temporary_inout(other)}, 1), abi::result::bad_parameters));
    EXPECT_TRUE(is_refused(invert(guest(), memory, {temporary_inout(brief)}, 1), abi::result::bad_parameters));
    EXPECT_EQ(smcs.seen(), 0u);
    EXPECT_EQ(Possessions::of(vm()), before);
    user.run_on(0);
    EXPECT_TRUE(user.result().ok());
    EXPECT_TRUE(invert(guest(), memory, {temporary_inout(other)}).ok());
    EXPECT_EQ(vm().pins(), 0u);
    EXPECT_TRUE(works(guest()));
}

ATTACK(P19,
       "a TA says that every output needs more room, and the guest changes the sizes in its message meanwhile",
       "the sizes go back as OP-TEE said; the mediator never takes them for its own",
       Schedules::usual)
{
    boot();
    auto const session = guest().open(App::memory).session;
    auto const shm = guest().register_memory(page_bytes);
    auto const brief = guest().memory().allocate_scattered(page_bytes);
    auto const before = Possessions::of(vm());
    auto call = guest().begin_invoke(session,
                                     command::memory_grow,
                                     {shared_inout(shm, 16, 32),
                                      temporary_out(brief),
                                      null_reference(abi::attr::tmem_output),
                                      shared_in(shm, 0, 8)});
    machine().optee().instead_of_next(abi::smc::call_with_arg, [&](tee::Smc& smc) {
        for (std::uint32_t n = 0; n < 4; ++n) {
            auto param = call.message().param(n);
            param.b = std::uint64_t{1} << (20 + 10 * n);
            call.message().set_param(n, param);
        }
        smc.proceed();
    });
    call.run_on(0);
    EXPECT_EQ(call.last().a0(), abi::ret::ok);
    EXPECT_EQ(call.result().ret, abi::result::short_buffer);
    auto const params = call.result().params;
    EXPECT_EQ(params.at(0).b, 32u + page_bytes);
    EXPECT_EQ(params.at(1).b, 2u * page_bytes);
    EXPECT_EQ(params.at(2).b, std::uint64_t{page_bytes});
    EXPECT_EQ(params.at(3).b, std::uint64_t{1} << 50) << "an input: what the guest wrote there itself";
    EXPECT_EQ(Possessions::of(vm()), before);
    EXPECT_TRUE(guest().unregister_shm(shm).ok());
    EXPECT_EQ(vm().pins(), 0u);
    EXPECT_TRUE(works(guest()));
}

ATTACK(PX01,
       "one call with two temporary buffers of the same name",
       "BAD_PARAMETERS, nothing kept; without a name both are served",
       Schedules::usual)
{
    boot();
    auto const session = guest().open(App::memory).session;
    HandMadeList const one{guest(), own_pages(guest(), 2)};
    HandMadeList const other{guest(), own_pages(guest(), 3)};
    auto const invoke_with = [&](std::uint64_t cookie) {
        return invert(guest(),
                      session,
                      {as_is(one.reference(abi::attr::tmem_inout, cookie)),
                       as_is(other.reference(abi::attr::tmem_inout, cookie))});
    };
    Smcs const smcs{vm()};
    EXPECT_TRUE(is_refused(invoke_with(odd_cookie()), abi::result::bad_parameters));
    EXPECT_EQ(smcs.seen(), 0u);
    EXPECT_EQ(vm().pins(), 0u);
    EXPECT_TRUE(invoke_with(0).ok());
    EXPECT_EQ(vm().pins(), 0u);
    EXPECT_TRUE(works(guest()));
}

ATTACK(PX02,
       "one call with the same pages as a registered and as a temporary buffer, both written by the TA",
       "allowed: a pin for each; afterwards the registered one's are left",
       Schedules::usual)
{
    boot();
    auto const session = guest().open(App::memory).session;
    auto const shm = guest().register_memory(2 * page_bytes);
    guest().fill(shm, counting(2 * page_bytes));
    std::uint32_t most = 0;
    machine().optee().instead_of_next(abi::smc::call_with_arg, [&](tee::Smc& smc) {
        most = vm().pins_of(shm->pages[0]);
        smc.proceed();
    });
    EXPECT_TRUE(invert(guest(), session, {shared_inout(shm), temporary_inout(renamed(shm, odd_cookie()))}).ok());
    EXPECT_EQ(guest().contents(shm), counting(2 * page_bytes)) << "inverted twice";
    EXPECT_EQ(most, 2u);
    EXPECT_EQ(vm().pins(), 2u);
    EXPECT_TRUE(guest().unregister_shm(shm).ok());
    EXPECT_EQ(vm().pins(), 0u);
}

ATTACK(PX03,
       "calls that are refused for their last parameter, after good references before it",
       "nothing is left of those: no use that keeps a buffer, no name, no pin",
       Schedules::usual)
{
    boot();
    auto const session = guest().open(App::memory).session;
    auto const shm = guest().register_memory(2 * page_bytes);
    HandMadeList const good{guest(), own_pages(guest(), 70)};
    HandMadeList const bad{guest(), {vm().ram(3), vm().ram(vm().ram_pages())}};
    auto const before = Possessions::of(vm());
    for (auto const& last : {as_is({0xc, 0, 0, 0}),
                             as_is({abi::attr::rmem_inout, 0, 1, odd_cookie(9)}),
                             shared_inout(shm, 1, shm->size),
                             as_is(bad.reference(abi::attr::tmem_inout, odd_cookie(8))),
                             as_is(good.reference(abi::attr::tmem_inout, odd_cookie(1)))}) {
        SCOPED_TRACE(last.raw.attr);
        for (unsigned n = 0; n < 20; ++n)
            ASSERT_TRUE(is_refused(invert(guest(),
                                          session,
                                          {shared_inout(shm),
                                           as_is(good.reference(abi::attr::tmem_inout, odd_cookie(1))),
                                           shared_inout(shm),
                                           last}),
                                   abi::result::bad_parameters));
        EXPECT_EQ(Possessions::of(vm()), before);
    }
    EXPECT_TRUE(invert(guest(), session, {as_is(good.reference(abi::attr::tmem_inout, odd_cookie(1)))}).ok());
    EXPECT_TRUE(guest().unregister_shm(shm).ok()) << "no use is left that would make it busy";
    EXPECT_EQ(vm().pins(), 0u);
    EXPECT_TRUE(works(guest()));
}

ATTACK(PX04,
       "memory of a size that wraps with its offset, or with the size of a page",
       "BAD_PARAMETERS or OUT_OF_MEMORY before any page is looked at",
       Schedules::usual)
{
    boot();
    auto const session = guest().open(App::memory).session;
    HandMadeList const list{guest(), own_pages(guest(), 2)};
    Smcs const smcs{vm()};
    auto const before = Possessions::of(vm());
    for (auto const offset : {0u, 1u, 4095u})
        for (auto const size : {~std::uint64_t{0},
                                ~std::uint64_t{0} - 1,
                                ~std::uint64_t{0} - 4094,
                                ~std::uint64_t{0} - 4095,
                                ~std::uint64_t{0} - 4096,
                                top,
                                top - 1,
                                std::uint64_t{1} << 52,
                                std::uint64_t{1} << 44,
                                (std::uint64_t{1} << 44) + 1,
                                std::uint64_t{1} << 33,
                                std::uint64_t{1} << 32,
                                (std::uint64_t{1} << 32) - 1})
            for (auto const cmd : {abi::cmd::invoke_command, abi::cmd::register_shm}) {
                auto call = guest().begin(
                    cmd, 0, session, {as_is(list.reference(abi::attr::tmem_output, odd_cookie(), size, offset))});
                auto const work = call.start_on(0).work;
                ASSERT_TRUE(call.done());
                EXPECT_TRUE(is_refused_with(call.result(), {abi::result::bad_parameters, abi::result::out_of_memory}))
                    << std::hex << size << " " << offset;
                EXPECT_LE(work.pins, 4u);
            }
    EXPECT_EQ(smcs.seen(), 0u);
    EXPECT_EQ(Possessions::of(vm()), before);
    EXPECT_TRUE(works(guest()));
}

ATTACK(PX05,
       "temporary memory under a name whose registration ends at this moment, at every moment",
       "BAD_PARAMETERS while the name is taken, served when it is free; each page as many pins as users",
       Schedules::straight)
{
    std::uint32_t session = 0;
    Shm shm;
    auto const moments = in_race(
        every_point,
        [&] {
            auto const other = renamed(guest().memory().allocate_scattered(2 * page_bytes), shm->cookie);
            auto const result = invert(guest(), session, {temporary_inout(other)}, 1);
            EXPECT_TRUE(result.ok() || is_refused(result, abi::result::bad_parameters)) << result.ret;
        },
        [&] {
            boot();
            session = guest().open(App::memory).session;
            shm = guest().register_memory(3 * page_bytes);
            auto call = guest().begin_unregister(shm);
            race_begins();
            call.run_on(0);
            EXPECT_TRUE(call.result().ok());
            EXPECT_EQ(vm().pins(), 0u);
            EXPECT_TRUE(guest().register_shm(shm).ok());
            EXPECT_TRUE(guest().unregister_shm(shm).ok());
        });
    EXPECT_GE(moments, 3u);
}

} // namespace
} // namespace sim::attack
