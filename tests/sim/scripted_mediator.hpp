// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// A mediator that does what a test says and nothing else: for tests of the model of OP-TEE, and of the checks, which
// are worth nothing unless a wrong mediator trips them.

#include "sim/linux/guest_memory.hpp"
#include "sim/machine/machine.hpp"
#include "sim/optee/abi.hpp"
#include "sim/optee/optee.hpp"
#include "sim/optee/trusted_apps.hpp"

#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace sim {

class ScriptedMediator : public Mediator {
public:
    using Handler = std::function<void(Entry&, optee_smc_frame&)>;

    optee_mediator_status probe() override { return OPTEE_MEDIATOR_OK; }
    optee_mediator_status create(Vm&, std::uint32_t client, optee_mediator_policy const&) override
    {
        optee_smc_frame frame{{abi::smc::vm_created, client, 0, 0, 0, 0, 0, 0}};
        Entry::current()->smc(frame);
        return frame.a[0] == abi::ret::ok ? OPTEE_MEDIATOR_OK : OPTEE_MEDIATOR_REFUSED;
    }
    bool handle_smc(Vm&, optee_smc_frame& frame) override
    {
        handler(*Entry::current(), frame);
        return true;
    }
    optee_mediator_status destroy(Vm& vm) override
    {
        optee_smc_frame frame{{abi::smc::vm_destroyed, vm.client(), 0, 0, 0, 0, 0, 0}};
        Entry::current()->smc(frame);
        before_death_ends(*Entry::current());
        return OPTEE_MEDIATOR_OK;
    }

    Handler handler = [](Entry&, optee_smc_frame&) {};
    std::function<void(Entry&)> before_death_ends = [](Entry&) {};
};

/// A booted machine with such a mediator, and the mediator's steps by hand. Each test runs in one entry of VM 0.
class ByHand {
public:
    explicit ByHand(MachineOptions options = Machine::with_one_vm())
        : machine(std::move(options)
                      .mediated_by([this] {
                          auto made = std::make_unique<ScriptedMediator>();
                          mediator = made.get();
                          return made;
                      })
                      .boot())
    {
    }

    Vm& vm(std::size_t index = 0) { return machine.vm(index); }

    /// What the mediator does when the guest traps with these registers.
    Answer traps(Registers const& registers, ScriptedMediator::Handler handler)
    {
        mediator->handler = std::move(handler);
        return vm().smc(0, registers);
    }
    Answer traps(ScriptedMediator::Handler handler)
    {
        return traps({{abi::smc::call_with_arg, 0, 0, 0, 0, 0, 0, 0}},
                     [handler](Entry& entry, optee_smc_frame& frame) {
                         auto copy = frame;
                         handler(entry, copy);
                         frame.a[0] = abi::ret::ok;
                     });
    }

    // --- steps of a correct mediator
    Pa page(Entry& entry) { return entry.allocate_page(*entry.vm()).value(); }
    void scrub_and_free(Entry& entry, Pa page_of_ours)
    {
        machine.memory().fill_with_zeros(page_of_ours);
        entry.free_page(*entry.vm(), page_of_ours);
    }
    Pa pin(Entry& entry, Ipa ipa)
    {
        Pa pa{0};
        entry.pin_run(*entry.vm(), ipa, 1, &pa);
        return pa;
    }
    Pa message(Entry& entry,
               std::uint32_t cmd,
               std::uint32_t func,
               std::uint32_t session,
               std::vector<abi::Param> const& params)
    {
        auto const shadow = page(entry);
        std::uint32_t const header[8] = {
            cmd, func, session, 0, 0, 0xffff'0000, 0, static_cast<std::uint32_t>(params.size())};
        machine.memory().write(shadow, header, sizeof header);
        for (std::uint32_t n = 0; n < params.size(); ++n)
            machine.memory().write(Pa{shadow.raw + abi::arg::bytes(n)}, &params[n], sizeof params[n]);
        return shadow;
    }
    Pa list(Entry& entry, std::vector<Pa> const& pages)
    {
        auto const shadow = page(entry);
        for (std::size_t n = 0; n < pages.size(); ++n)
            machine.memory().write(Pa{shadow.raw + n * 8}, &pages[n].raw, 8);
        return shadow;
    }
    optee_smc_frame call(Entry& entry, Pa message_page)
    {
        optee_smc_frame frame{{abi::smc::call_with_arg,
                               abi::high(message_page.raw),
                               abi::low(message_page.raw),
                               0,
                               0,
                               0,
                               0,
                               entry.vm()->client()}};
        entry.smc(frame);
        return frame;
    }
    optee_smc_frame resume(Entry& entry, std::uint64_t thread, Pa page_of_ours = Pa{0}, std::uint64_t cookie = 0)
    {
        optee_smc_frame frame{{abi::smc::return_from_rpc,
                               abi::high(page_of_ours.raw),
                               abi::low(page_of_ours.raw),
                               thread,
                               abi::high(cookie),
                               abi::low(cookie),
                               0,
                               entry.vm()->client()}};
        entry.smc(frame);
        return frame;
    }
    std::uint32_t field(Pa message_page, std::uint32_t offset)
    {
        std::uint32_t value = 0;
        machine.memory().read(Pa{message_page.raw + offset}, &value, sizeof value);
        return value;
    }
    std::uint32_t ret(Pa message_page) { return field(message_page, abi::arg::ret); }
    std::uint32_t open(Entry& entry, tee::App app)
    {
        auto const uuid = tee::uuid_of(app);
        constexpr auto meta = abi::attr::meta | abi::attr::value_input;
        auto const shadow =
            message(entry, abi::cmd::open_session, 0, 0, {{meta, uuid.a, uuid.b, 0}, {meta, 0, 0, 0}});
        call(entry, shadow);
        auto const session = field(shadow, abi::arg::session);
        scrub_and_free(entry, shadow);
        return session;
    }
    /// Registers one pinned page; the result of REGISTER_SHM.
    std::uint32_t register_page(Entry& entry, Pa pinned, std::uint64_t cookie)
    {
        auto const pages = list(entry, {pinned});
        auto const shadow = message(entry,
                                    abi::cmd::register_shm,
                                    0,
                                    0,
                                    {{abi::attr::tmem_output | abi::attr::noncontig, pages.raw, page_bytes, cookie}});
        call(entry, shadow);
        auto const result = ret(shadow);
        scrub_and_free(entry, shadow);
        scrub_and_free(entry, pages);
        return result;
    }
    std::uint32_t unregister(Entry& entry, std::uint64_t cookie)
    {
        auto const shadow = message(entry, abi::cmd::unregister_shm, 0, 0, {{abi::attr::rmem_input, 0, 0, cookie}});
        call(entry, shadow);
        auto const result = ret(shadow);
        scrub_and_free(entry, shadow);
        return result;
    }

    ScriptedMediator* mediator = nullptr;
    Machine machine;
};

} // namespace sim
