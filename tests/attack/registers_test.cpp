// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Group F: registers and function ids.

#include "tests/attack/words.hpp"

#include <algorithm>

namespace sim::attack {
namespace {

constexpr std::uint64_t dirt = 0xdead'0000'0000'0000; ///< for the half of a register that does not count

// What a guest may ask for without a thread of OP-TEE.
constexpr std::uint32_t fast_ids[] = {abi::smc::calls_count,
                                      abi::smc::calls_uid,
                                      abi::smc::calls_revision,
                                      abi::smc::get_os_uuid,
                                      abi::smc::get_os_revision,
                                      abi::smc::get_shm_config,
                                      abi::smc::exchange_capabilities,
                                      abi::smc::disable_shm_cache,
                                      abi::smc::enable_shm_cache,
                                      abi::smc::get_thread_count};

bool is_fast_id(std::uint32_t id)
{
    return std::find(std::begin(fast_ids), std::end(fast_ids), id) != std::end(fast_ids);
}

/// Registers in which each has a value of its own, addresses of the VM among them.
Registers busy_registers(Vm const& vm, std::uint64_t function)
{
    return {{function, 0, vm.ram(3).raw, vm.client() + 1, vm.ram(4).raw, 5, 6, 7}};
}

/// Each of these is unknown, and none gets to OP-TEE.
void expect_unknown(Vm& vm, std::uint32_t first, std::uint32_t last, bool (*is_known)(std::uint32_t))
{
    Smcs const smcs{vm};
    for (auto id = first; id <= last; ++id) {
        if (is_known(id))
            continue;
        auto const asked = busy_registers(vm, id);
        ASSERT_TRUE(is_unknown(asked, vm.smc(0, asked))) << std::hex << id;
    }
    EXPECT_EQ(smcs.seen(), 0u);
}

ATTACK(F01,
       "makes and ends VMs in the hypervisor's place",
       "UNKNOWN; OP-TEE hears nothing; all VMs live on (I12)",
       Schedules::all)
{
    boot();
    Smcs const smcs{vm()};
    for (auto const function : {abi::smc::vm_created, abi::smc::vm_destroyed})
        for (auto const client : {vm().client(), vm(1).client(), vm(1).client() + 7, 0u, 0xffffu, ~0u}) {
            Registers const asked{{function, client, 2, 3, 4, 5, 6, 0}};
            EXPECT_TRUE(is_unknown(asked, vm().smc(0, asked))) << client;
        }
    EXPECT_EQ(smcs.seen(), 0u);
    for (std::size_t n = 0; n < machine().vms(); ++n) {
        EXPECT_TRUE(machine().optee().has_partition(vm(n).client()));
        EXPECT_TRUE(works(guest(n)));
    }
}

ATTACK(F02,
       "calls in the name of another VM, or of the hypervisor",
       "OP-TEE gets the caller's own id with every SMC (I12)",
       Schedules::all)
{
    boot();
    auto const own = vm().client();
    for (auto const forged : {vm(1).client(), 0u, 0x1'0000u + vm(1).client(), ~0u}) {
        std::vector<std::uint64_t> told;
        for (auto const function : {abi::smc::call_with_arg,
                                    abi::smc::return_from_rpc,
                                    abi::smc::exchange_capabilities,
                                    abi::smc::enable_shm_cache,
                                    abi::smc::disable_shm_cache})
            machine().optee().instead_of_every(function, [&](tee::Smc& smc) {
                if (smc.vm == &vm())
                    told.push_back(smc.frame.a[7]);
                smc.proceed();
            });
        auto const sessions = machine().optee().partition(vm())->open_sessions();
        auto call = guest().begin_open(App::loadable);
        auto asked = call.registers();
        asked.a[7] = forged;
        call.resume_on(0, asked);
        while (call.waits_for_rpc()) {
            asked = call.serve_rpc().value();
            asked.a[7] = forged;
            EXPECT_EQ(call.resume_on(1, asked).registers.a[7], forged);
        }
        EXPECT_TRUE(call.result().ok());
        for (auto const function :
             {abi::smc::exchange_capabilities, abi::smc::enable_shm_cache, abi::smc::disable_shm_cache})
            EXPECT_EQ(vm().smc(0, {{function, 0, 0, 0, 0, 0, 0, forged}}).registers.a[7], forged);
        EXPECT_EQ(machine().optee().partition(vm())->open_sessions(), sessions + 1);
        EXPECT_GE(told.size(), 5u);
        EXPECT_EQ(std::count(told.begin(), told.end(), own), static_cast<std::ptrdiff_t>(told.size()));
        machine().optee().behave();
    }
    EXPECT_TRUE(works(guest()));
}

ATTACK(F03,
       "asks for every fast call that the mediator does not know",
       "UNKNOWN for each; OP-TEE hears nothing",
       Schedules::usual)
{
    boot();
    expect_unknown(vm(), 0xb200'0000, 0xb200'ffff, is_fast_id);
    expect_unknown(vm(), 0xbf00'0000, 0xbf00'00ff, is_fast_id);
    expect_unknown(vm(), 0xbf00'fe00, 0xbf00'ffff, is_fast_id);
    EXPECT_TRUE(works(guest()));
}

ATTACK(F04,
       "calls with an RPC argument, which it was not granted",
       "UNKNOWN; OP-TEE hears nothing, not even of the address",
       Schedules::all)
{
    World world;
    world.probes = false;
    boot(world);
    auto policy = vm().policy();
    policy.capabilities &= ~abi::cap::rpc_arg;
    vm().set_policy(policy);
    auto const offered = ask(vm(), abi::smc::exchange_capabilities);
    ASSERT_EQ(offered.a0(), abi::ret::ok);
    ASSERT_EQ(offered.a(1) & abi::cap::rpc_arg, 0u);
    auto const session = echo_session(guest());
    auto call = guest().begin_invoke(session, command::echo_add_one, {value_inout(1)});
    auto const shm = guest().allocate_shm(page_bytes);
    ASSERT_NE(shm, nullptr);
    write_message(vm(), shm->at(0), abi::cmd::invoke_command, 0, session, {{abi::attr::value_inout, 1, 1, 1}});
    Smcs const smcs{vm()};
    auto asked = call.registers();
    asked.a[0] = abi::smc::call_with_rpc_arg;
    EXPECT_TRUE(is_unknown(asked, vm().smc(0, asked)));
    asked = {{abi::smc::call_with_regd_arg, abi::high(shm->cookie), abi::low(shm->cookie), 0, 0, 0, 0, 0}};
    EXPECT_TRUE(is_unknown(asked, vm().smc(0, asked)));
    EXPECT_EQ(smcs.seen(), 0u);
    EXPECT_TRUE(guest().unregister_shm(shm).ok());
    EXPECT_TRUE(works(guest()));
}

ATTACK(F05,
       "asks for asynchronous notifications, which OP-TEE has and the mediator does not give",
       "the capability is not offered; UNKNOWN; OP-TEE hears nothing",
       Schedules::usual)
{
    World world;
    world.optee.capabilities |= abi::cap::async_notif;
    boot(world);
    EXPECT_EQ(guest().capabilities() & abi::cap::async_notif, 0u);
    Smcs const smcs{vm()};
    for (auto const function : {abi::smc::enable_async_notif, abi::smc::get_async_notif_value}) {
        auto const asked = busy_registers(vm(), function);
        EXPECT_TRUE(is_unknown(asked, vm().smc(0, asked)));
    }
    EXPECT_EQ(smcs.seen(), 0u);
    EXPECT_TRUE(works(guest()));
}

ATTACK(F06, "asks where the static shared memory is", "ENOTAVAIL; no address in any register (I1)", Schedules::all)
{
    boot();
    Registers const asked{{abi::smc::get_shm_config, 1, 2, 3, 4, 5, 6, 7}};
    EXPECT_TRUE(is_only(abi::ret::not_available, asked, vm().smc(0, asked)));
}

ATTACK(F07,
       "writes into the upper half of x0",
       "only w0 counts: every function does what it does without",
       Schedules::usual)
{
    boot();
    for (auto const function : fast_ids) {
        Registers const clean{{function, 0, 0, 0, 0, 0, 0, 0}};
        Registers const dirty{{dirt | function, 0, 0, 0, 0, 0, 0, 0}};
        auto const expected = vm().smc(0, clean);
        auto const answer = vm().smc(0, dirty);
        EXPECT_EQ(answer.handled, expected.handled) << std::hex << function;
        if (!expected.handled)
            continue;
        for (unsigned n = 0; n < 8; ++n)
            EXPECT_EQ(answer.registers.a[n], expected.registers.a[n]) << std::hex << function << " a" << n;
    }
    auto call = guest().begin_open(App::loadable);
    auto asked = call.registers();
    asked.a[0] |= dirt;
    call.resume_on(0, asked);
    ASSERT_TRUE(call.waits_for_rpc());
    while (call.waits_for_rpc()) {
        asked = call.serve_rpc().value();
        asked.a[0] |= dirt;
        call.resume_on(0, asked);
    }
    EXPECT_TRUE(call.result().ok());
    Registers const unknown{{dirt | abi::smc::vm_destroyed, vm().client(), 0, 0, 0, 0, 0, 0}};
    EXPECT_TRUE(is_unknown(unknown, vm().smc(0, unknown)));
}

ATTACK(F08,
       "writes into the upper halves of the registers that make an address or a cookie",
       "the low halves count",
       Schedules::usual)
{
    boot();
    auto call = guest().begin_open(App::loadable);
    auto asked = call.registers();
    for (auto const n : {1, 2, 3, 4, 5})
        asked.a[n] |= dirt;
    call.resume_on(0, asked);
    auto allocations = 0u;
    while (call.waits_for_rpc()) {
        allocations += call.rpc() == abi::rpc::alloc;
        asked = call.serve_rpc().value();
        for (auto const n : {1, 2, 4, 5})
            asked.a[n] |= dirt;
        call.resume_on(0, asked);
    }
    EXPECT_GE(allocations, 1u);
    EXPECT_TRUE(call.result().ok());
    Registers const capabilities{{abi::smc::exchange_capabilities, dirt, dirt, dirt, 0, 0, 0, 0}};
    EXPECT_EQ(vm().smc(0, capabilities).a(1), guest().capabilities());
    EXPECT_TRUE(works(guest()));
}

ATTACK(F09,
       "resumes with something in the upper half of the handle",
       "one rule: the low half names the call, and OP-TEE gets the thread that the mediator keeps",
       Schedules::usual)
{
    boot();
    std::vector<std::uint64_t> threads;
    machine().optee().instead_of_every(abi::smc::return_from_rpc, [&](tee::Smc& smc) {
        threads.push_back(smc.frame.a[3]);
        smc.proceed();
    });
    auto call = guest().begin_open(App::loadable);
    for (call.start_on(0); call.waits_for_rpc();) {
        auto asked = call.serve_rpc().value();
        asked.a[3] = (asked.a[3] & 0xffff'ffff) | (std::uint64_t{1} << 32);
        call.resume_on(1, asked);
    }
    EXPECT_TRUE(call.result().ok());
    ASSERT_FALSE(threads.empty());
    for (auto const thread : threads)
        EXPECT_LT(thread, machine().optee().options().threads);
    machine().optee().behave();
    EXPECT_TRUE(works(guest()));
}

ATTACK(F10,
       "flips the bits of a function id that make it fast or yielding, SMC32 or SMC64, and its owner",
       "UNKNOWN for each id that is not on the list",
       Schedules::usual)
{
    boot();
    constexpr std::uint32_t smc64 = 1u << 30;
    constexpr std::uint32_t fast = 1u << 31;
    auto const nothing_known = [](std::uint32_t) { return false; };
    auto const yielding = [](std::uint32_t id) {
        return id == abi::smc::call_with_arg || id == abi::smc::return_from_rpc ||
               id == abi::smc::call_with_rpc_arg || id == abi::smc::call_with_regd_arg;
    };
    expect_unknown(vm(), 0x3200'0000, 0x3200'0fff, yielding);
    expect_unknown(vm(), 0x3200'0000 | smc64, 0x3200'0fff | smc64, nothing_known);
    expect_unknown(vm(), 0x3200'0000 | smc64 | fast, 0x3200'0fff | smc64 | fast, nothing_known);
    for (auto const id : fast_ids) {
        expect_unknown(vm(), id ^ smc64, id ^ smc64, nothing_known);
        if (!yielding(id ^ fast))
            expect_unknown(vm(), id ^ fast, id ^ fast, nothing_known);
    }
    for (std::uint32_t owner = 0; owner < 64; ++owner)
        for (auto const call : {abi::smc::call_with_arg, abi::smc::return_from_rpc})
            for (auto const convention : {0u, smc64, fast, smc64 | fast}) {
                auto const id = (call & 0xffff) | (owner << 24) | convention;
                if (!yielding(id) && !is_fast_id(id))
                    expect_unknown(vm(), id, id, nothing_known);
            }
    EXPECT_TRUE(works(guest()));
}

ATTACK(F11,
       "calls from a VM that has no OP-TEE (any more)",
       "UNKNOWN; OP-TEE hears nothing; no state is made",
       Schedules::all)
{
    boot();
    ASSERT_TRUE(works(guest()));
    auto call = guest().begin_open(App::echo);
    auto const message = call.message().ipa();
    EXPECT_EQ(vm().destroy(), OPTEE_MEDIATOR_OK);
    Smcs const smcs{vm()};
    for (auto const function : fast_ids) {
        auto const asked = busy_registers(vm(), function);
        EXPECT_TRUE(is_unknown(asked, vm().smc(0, asked))) << std::hex << function;
    }
    auto const starts = call_with_arg(message);
    EXPECT_TRUE(is_unknown(starts, vm().smc(0, starts)));
    auto const resumes = return_from_rpc(0);
    EXPECT_TRUE(is_unknown(resumes, vm().smc(0, resumes)));
    EXPECT_EQ(smcs.seen(), 0u);
    EXPECT_EQ(vm().pins(), 0u);
    EXPECT_EQ(vm().mediator_pages(), 0u);
}

ATTACK(F12,
       "asks for every capability, of an OP-TEE that has every one",
       "only what the mediator mediates and the VM may have; never static shared memory; a2 and a3 only with a "
       "capability that gives them a meaning",
       Schedules::usual)
{
    World world;
    world.optee.capabilities = ~0u;
    boot(world);
    auto const granted_of = [&](std::uint64_t wanted) {
        Registers const asked{{abi::smc::exchange_capabilities, wanted, 0x2222, 0x3333, 4, 5, 6, 7}};
        auto const answer = vm().smc(0, asked);
        EXPECT_EQ(answer.a0(), abi::ret::ok);
        auto const granted = answer.a(1);
        if ((granted & abi::cap::async_notif) == 0) {
            EXPECT_EQ(answer.registers.a[2], 0x2222u);
        }
        if ((granted & abi::cap::rpc_arg) == 0) {
            EXPECT_EQ(answer.registers.a[3], 0x3333u);
        }
        for (unsigned n = 4; n < 8; ++n)
            EXPECT_EQ(answer.registers.a[n], n);
        return granted;
    };
    constexpr std::uint32_t known = abi::cap::unregistered_shm | abi::cap::dynamic_shm | abi::cap::virtualization |
                                    abi::cap::memref_null | abi::cap::rpc_arg;
    for (auto const wanted : {~std::uint64_t{0}, std::uint64_t{0xffff'fffe}, std::uint64_t{1}, std::uint64_t{0}}) {
        auto const granted = granted_of(wanted);
        EXPECT_EQ(granted & ~known, 0u) << std::hex << wanted;
        EXPECT_NE(granted & abi::cap::dynamic_shm, 0u);
    }
    if (is_core()) {
        auto policy = vm().policy();
        policy.capabilities = abi::cap::dynamic_shm;
        vm().set_policy(policy);
        EXPECT_EQ(granted_of(~std::uint64_t{0}), abi::cap::dynamic_shm);
    }
    EXPECT_TRUE(works(guest()));
}

ATTACK(F13, "makes yielding calls before it has asked for capabilities", "the same each time", Schedules::usual)
{
    std::vector<CallResult> first;
    for (auto const probes : {false, false, true}) {
        World world;
        world.probes = probes;
        boot(world);
        std::vector<CallResult> results;
        results.push_back(guest().open(App::memory));
        auto const shm = guest().memory().allocate_scattered(3 * page_bytes);
        results.push_back(guest().register_shm(shm));
        results.push_back(guest().invoke(
            results[0].session, command::memory_invert, {shared_inout(shm), null_reference(abi::attr::tmem_inout)}));
        results.push_back(guest().unregister_shm(shm));
        if (first.empty())
            first = results;
        for (std::size_t n = 0; n < results.size(); ++n) {
            EXPECT_EQ(results[n].a0, first[n].a0);
            EXPECT_EQ(results[n].ret, first[n].ret);
            EXPECT_EQ(results[n].session, first[n].session);
        }
        EXPECT_TRUE(results[0].ok());
        EXPECT_TRUE(works(guest()));
    }
}

} // namespace
} // namespace sim::attack
