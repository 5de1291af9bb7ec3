// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Memory of the guest that OP-TEE uses: registered, temporary, NULL, and page lists of every length.

#include "tests/scenario/scenario.hpp"

namespace sim::scenario {
namespace {

class BufferOf : public testing::TestWithParam<std::size_t> {};

TEST_P(BufferOf, ThatManyPagesIsRegisteredUsedAndUnregistered)
{
    auto const bytes = GetParam() * page_bytes;
    auto machine = Machine::with_one_vm().ram_pages(4096).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::memory).session;
    auto const shm = guest.register_memory(bytes);
    ASSERT_NE(shm, nullptr);
    EXPECT_EQ(machine.vm(0).pins(), GetParam());
    EXPECT_EQ(machine.vm(0).counter("pages_live"), GetParam());
    EXPECT_EQ(machine.vm(0).counter("buffers_live"), 1u);

    guest.fill(shm, counting(bytes));
    EXPECT_TRUE(guest.invoke(session, command::memory_invert, {shared_inout(shm)}).ok());
    EXPECT_EQ(guest.contents(shm), inverted(counting(bytes)));
    EXPECT_TRUE(guest.unregister_shm(shm).ok());
    EXPECT_EQ(machine.vm(0).pins(), 0u);
    EXPECT_EQ(machine.vm(0).counter("pages_live"), 0u);
    EXPECT_FALSE(machine.optee().partition(machine.vm(0))->knows(shm->cookie));
    expect_clean_end(machine);
}

TEST_P(BufferOf, ThatManyPagesIsSharedForOneCall)
{
    auto const bytes = GetParam() * page_bytes;
    auto machine = Machine::with_one_vm().ram_pages(4096).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::memory).session;
    auto const shm = guest.memory().allocate_scattered(bytes);
    guest.fill(shm, counting(bytes));
    EXPECT_TRUE(guest.invoke(session, command::memory_invert, {temporary_inout(shm)}).ok());
    EXPECT_EQ(guest.contents(shm), inverted(counting(bytes)));
    EXPECT_EQ(machine.vm(0).pins(), 0u);
    expect_clean_end(machine);
}

// A page of a list holds 511 entries; upstream's limit was 129 pages.
INSTANTIATE_TEST_SUITE_P(Pages, BufferOf, testing::Values(1, 2, 129, 130, 510, 511, 512, 513, 1022, 1023));

TEST(Buffer, MayBeginAndEndInsideOfPages)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::memory).session;
    for (auto const& [offset, bytes, pages] : {std::tuple{4095u, 1u, 1u},
                                               {4095u, 2u, 2u},
                                               {4095u, 4097u, 2u},
                                               {4095u, 4098u, 3u},
                                               {1u, 4095u, 1u},
                                               {1u, 4096u, 2u},
                                               {100u, 1u, 1u}}) {
        auto const shm = guest.register_memory(bytes, offset);
        ASSERT_NE(shm, nullptr) << offset << ' ' << bytes;
        EXPECT_EQ(machine.vm(0).pins(), pages) << offset << ' ' << bytes;
        guest.fill(shm, counting(bytes));
        EXPECT_TRUE(guest.invoke(session, command::memory_invert, {shared_inout(shm)}).ok());
        EXPECT_EQ(guest.contents(shm), inverted(counting(bytes))) << offset << ' ' << bytes;
        guest.free_shm(shm);
        EXPECT_EQ(machine.vm(0).pins(), 0u);
    }
    expect_clean_end(machine);
}

TEST(Buffer, IsUsedInParts)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::memory).session;
    auto const shm = guest.register_memory(3 * page_bytes, 8);
    guest.fill(shm, std::vector<std::uint8_t>(3 * page_bytes, 0x0f));
    auto const result = guest.invoke(session,
                                     command::memory_invert,
                                     {shared_inout(shm, 0, 10),
                                      shared_out(shm, 3 * page_bytes - 5, 5),
                                      shared_in(shm, 100, 100),
                                      shared_inout(shm, 3 * page_bytes, 0)});
    EXPECT_TRUE(result.ok());
    auto const contents = guest.contents(shm);
    EXPECT_EQ(contents[9], 0xf0);
    EXPECT_EQ(contents[10], 0x0f);
    EXPECT_EQ(contents[150], 0x0f) << "an input";
    EXPECT_EQ(contents.back(), 0xf0);
    guest.free_shm(shm);
    expect_clean_end(machine);
}

TEST(Buffer, IsNotUsedBeyondItsEnd)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::memory).session;
    auto const shm = guest.register_memory(page_bytes + 10, 20);
    auto const size = shm->size;
    for (auto const& [offset, bytes] : {std::pair<std::uint64_t, std::uint64_t>{0, size + 1},
                                        {size, 1},
                                        {size + 1, 0},
                                        {1, size},
                                        {~std::uint64_t{0}, 2},
                                        {2, ~std::uint64_t{1}},
                                        {~std::uint64_t{0}, ~std::uint64_t{1}}}) {
        auto call = guest.begin_invoke(session, command::memory_invert, {shared_inout(shm, offset, bytes)});
        auto const work = call.start_on(0).work;
        EXPECT_TRUE(is_refused(call.result(), abi::result::bad_parameters)) << offset << ' ' << bytes;
        EXPECT_EQ(work.smcs, 0u);
    }
    guest.free_shm(shm);
    expect_clean_end(machine);
}

TEST(Buffer, OfWhichOpteeNeedsMoreTellsItsSizeBackAndNoMore)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::memory).session;
    auto const shm = guest.register_memory(page_bytes);
    auto const brief = guest.memory().allocate_scattered(page_bytes);
    auto const result =
        guest.invoke(session, command::memory_grow, {shared_out(shm, 0, 10), temporary_inout(brief), shared_in(shm)});
    EXPECT_EQ(result.ret, abi::result::short_buffer);
    EXPECT_EQ(result.params[0].b, 10 + page_bytes);
    EXPECT_EQ(result.params[1].b, 2 * page_bytes);
    EXPECT_EQ(result.params[2].b, page_bytes) << "an input";
    EXPECT_EQ(result.params[1].c, brief->cookie);
    guest.free_shm(shm);
    expect_clean_end(machine);
}

TEST(Buffer, OfNothingIsAReferenceWithoutPages)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::memory).session;
    auto call = guest.begin_invoke(session,
                                   command::memory_invert,
                                   {null_reference(abi::attr::tmem_output, 1000),
                                    null_reference(abi::attr::tmem_input),
                                    null_reference(abi::attr::tmem_inout, ~std::uint64_t{0})});
    auto first = call.message().param(0);
    first.c = 0xffff'0000'1234'5678; // a name that OP-TEE must not learn
    call.message().set_param(0, first);
    call.run_on(0);
    EXPECT_TRUE(call.result().ok());
    EXPECT_EQ(machine.vm(0).counter("buffers_live"), 0u);
    EXPECT_FALSE(machine.optee().partition(machine.vm(0))->knows(first.c));
    expect_clean_end(machine);
}

TEST(Buffer, OfNothingIsRefusedWhereOpteeDoesNotKnowIt)
{
    tee::Options optee;
    optee.capabilities = abi::cap::dynamic_shm | abi::cap::virtualization;
    auto machine = Machine::with_one_vm().optee(optee).boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::memory).session;
    EXPECT_TRUE(is_refused(guest.invoke(session, command::memory_invert, {null_reference(abi::attr::tmem_output)}),
                           abi::result::bad_parameters));
    expect_clean_end(machine);
}

TEST(Buffer, IsReferredToFourTimesAndNotFive)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const session = guest.open(App::memory).session;
    auto const shm = guest.register_memory(page_bytes);
    auto const brief = guest.memory().allocate_scattered(129 * page_bytes);
    EXPECT_TRUE(guest
                    .invoke(session,
                            command::memory_invert,
                            {shared_inout(shm), shared_inout(shm), shared_inout(shm), shared_inout(shm)})
                    .ok());
    auto call = guest.begin_invoke(session, command::memory_invert, Arguments(5, temporary_in(brief)));
    for (std::uint32_t n = 0; n < 5; ++n) {
        auto param = call.message().param(n);
        param.c += n;
        call.message().set_param(n, param);
    }
    auto const work = call.start_on(0).work;
    EXPECT_TRUE(is_refused(call.result(), abi::result::bad_parameters));
    EXPECT_LE(work.pins, 2u) << "no page of a buffer is touched";
    EXPECT_EQ(machine.vm(0).counter("buffers_live"), 1u);
    guest.free_shm(shm);
    expect_clean_end(machine);
}

TEST(Buffer, MayHaveTheSamePagesAsAnother)
{
    auto machine = Machine::with_one_vm().boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const session = guest.open(App::memory).session;
    auto const one = guest.register_memory(4 * page_bytes);
    auto const two = std::make_shared<SharedMemory>(*one);
    two->cookie += 1;
    ASSERT_TRUE(guest.register_shm(two).ok());
    EXPECT_EQ(vm.pins_of(one->pages[0]), 2u);
    EXPECT_TRUE(guest.unregister_shm(one).ok());
    EXPECT_EQ(vm.pins_of(two->pages[0]), 1u);
    EXPECT_TRUE(guest.invoke(session, command::memory_invert, {shared_inout(two)}).ok());
    EXPECT_TRUE(guest.unregister_shm(two).ok());
    EXPECT_EQ(vm.pins(), 0u);
    expect_clean_end(machine);
}

TEST(Buffer, MayHaveOnePageManyTimes)
{
    auto machine = Machine::with_one_vm().boot();
    LinuxGuest guest{machine.vm(0), plain_driver};
    auto const shm = guest.memory().allocate_scattered(129 * page_bytes);
    auto const repeated = std::make_shared<SharedMemory>(*shm);
    repeated->pages.assign(129, shm->pages[0]);
    ASSERT_TRUE(guest.register_shm(repeated).ok());
    EXPECT_EQ(machine.vm(0).pins_of(shm->pages[0]), 129u);
    EXPECT_TRUE(guest.unregister_shm(repeated).ok());
    EXPECT_EQ(machine.vm(0).pins(), 0u);
    expect_clean_end(machine);
}

TEST(Buffer, KeepsItsPagesWhenTheVmGivesThemUp)
{
    auto machine = Machine::with_vms(2).boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const session = guest.open(App::memory).session;
    auto const shm = guest.register_memory(2 * page_bytes);
    guest.fill(shm, counting(2 * page_bytes));
    EXPECT_FALSE(vm.give_away(shm->pages[0], machine.vm(1), machine.vm(1).ram(5000))) << "it is pinned";
    ASSERT_TRUE(vm.balloon_out(shm->pages[1]));
    EXPECT_TRUE(guest.invoke(session, command::memory_invert, {shared_inout(shm)}).ok())
        << "OP-TEE still has the page";
    EXPECT_TRUE(guest.unregister_shm(shm).ok());
    EXPECT_EQ(vm.pins(), 0u);
    EXPECT_TRUE(vm.give_away(shm->pages[0], machine.vm(1), machine.vm(1).ram(5000)));
    expect_clean_end(machine);
}

struct BadPage {
    char const* name;
    std::function<void(Machine&, Ipa)> make;
};

class PageListWithABadPage : public testing::TestWithParam<BadPage> {};

TEST_P(PageListWithABadPage, IsRefusedWhereverThePageIsAndNothingStaysPinned)
{
    constexpr std::size_t pages = 600;
    for (auto const place : {std::size_t{0}, std::size_t{300}, std::size_t{510}, std::size_t{511}, pages - 1}) {
        auto machine = Machine::with_vms(2).ram_pages(2048).boot();
        auto& vm = machine.vm(0);
        LinuxGuest guest{vm, plain_driver};
        auto const session = guest.open(App::memory).session;
        auto const shm = guest.memory().allocate_scattered(pages * page_bytes);
        GetParam().make(machine, shm->pages[place]);
        EXPECT_TRUE(is_refused(guest.register_shm(shm), abi::result::bad_parameters)) << place;
        EXPECT_TRUE(
            is_refused(guest.invoke(session, command::memory_sum, {temporary_in(shm)}), abi::result::bad_parameters))
            << place;
        EXPECT_EQ(vm.pins(), 0u);
        EXPECT_EQ(vm.counter("buffers_live"), 0u);
        EXPECT_EQ(vm.counter("pages_live"), 0u);
        expect_clean_end(machine);
    }
}

INSTANTIATE_TEST_SUITE_P(Reason,
                         PageListWithABadPage,
                         testing::Values(BadPage{"Absent", [](Machine& m, Ipa at) { m.vm(0).balloon_out(at); }},
                                         BadPage{"ReadOnly", [](Machine& m, Ipa at) { m.vm(0).write_protect(at); }},
                                         BadPage{"Foreign",
                                                 [](Machine& m, Ipa at) {
                                                     m.vm(0).map_of(
                                                         m.vm(1), m.vm(1).ram(5), at, MappingKind::foreign);
                                                 }},
                                         BadPage{"Granted",
                                                 [](Machine& m, Ipa at) {
                                                     m.vm(0).map_of(m.vm(1), m.vm(1).ram(5), at, MappingKind::grant);
                                                 }},
                                         BadPage{"Device", [](Machine& m, Ipa at) { m.vm(0).map_mmio(at); }}),
                         name_of_case<BadPage>);

TEST(PageList, ThatDoesNotLeadOnIsRefused)
{
    auto machine = Machine::with_one_vm().ram_pages(2048).boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const shm = guest.memory().allocate_scattered(600 * page_bytes);
    for (auto const next : {std::uint64_t{0},
                            std::uint64_t{0x800},
                            vm.ram(1).raw + 8,
                            vm.ram(vm.ram_pages()).raw,
                            ~std::uint64_t{0xfff}}) {
        auto call = guest.begin_register(shm);
        auto const list = call.message().param(0).a & ~page_mask;
        vm.poke(Ipa{list + abi::entries_per_list * 8}, next);
        call.run_on(0);
        EXPECT_TRUE(is_refused(call.result(), abi::result::bad_parameters)) << std::hex << next;
        EXPECT_EQ(vm.pins(), 0u);
    }
    expect_clean_end(machine);
}

TEST(PageList, ThatLeadsBackToItselfEnds)
{
    auto machine = Machine::with_one_vm().ram_pages(2048).boot();
    auto& vm = machine.vm(0);
    LinuxGuest guest{vm, plain_driver};
    auto const shm = guest.memory().allocate_scattered(1500 * page_bytes);
    auto call = guest.begin_register(shm);
    auto const list = call.message().param(0).a & ~page_mask;
    vm.poke(Ipa{list + abi::entries_per_list * 8}, list);
    call.run_on(0);
    ASSERT_TRUE(call.done());
    EXPECT_TRUE(call.result().ok()) << "the same pages three times over are the guest's own business";
    EXPECT_EQ(vm.pins(), 1500u);
    EXPECT_TRUE(guest.unregister_shm(shm).ok());
    EXPECT_EQ(vm.pins(), 0u);
    expect_clean_end(machine);
}

} // namespace
} // namespace sim::scenario
