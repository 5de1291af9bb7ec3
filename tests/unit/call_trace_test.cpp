// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// What the trace of a VM tells of its calls: each event in its place, with its handle and its detail.

#include "sim/optee/trusted_apps.hpp"
#include "tests/unit/vm_fixture.hpp"

#include <optee_mediator/mediator.h>

#include <array>
#include <cstddef>
#include <iomanip>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace optee {
namespace {

/// The core behind its boundary for one VM, whose handle the test has.
class OneVm : public sim::Mediator {
public:
    optee_mediator_status probe() override { return optee_mediator_probe(); }
    optee_mediator_status create(sim::Vm& vm, std::uint32_t client, optee_mediator_policy const& policy) override
    {
        memory_.resize(static_cast<std::size_t>(optee_mediator_vm_bytes(&policy)) / sizeof(Line) + 1);
        return optee_mediator_vm_create(handle(), &vm, client, &policy);
    }
    bool handle_smc(sim::Vm&, optee_smc_frame& frame) override { return optee_mediator_handle_smc(handle(), &frame); }
    optee_mediator_status destroy(sim::Vm&) override { return optee_mediator_vm_destroy(handle()); }

    /// "event handle detail", all but the first in hex, since the last time.
    std::vector<std::string> events()
    {
        std::array<optee_mediator_event, 64> newest{};
        auto const count = optee_mediator_vm_trace(handle(), newest.data(), 64);
        std::vector<std::string> lines;
        for (std::uint32_t n = 0; n != count; ++n) {
            if (newest[n].counter <= seen_)
                continue;
            std::ostringstream line;
            line << optee_mediator_event_name(newest[n].what) << std::hex << ' ' << newest[n].call << ' '
                 << newest[n].detail;
            lines.push_back(line.str());
        }
        if (count != 0)
            seen_ = newest[count - 1].counter;
        return lines;
    }

private:
    struct alignas(64) Line {
        std::array<std::byte, 64> bytes;
    };
    optee_mediator_vm* handle() { return reinterpret_cast<optee_mediator_vm*>(memory_.data()); }

    std::vector<Line> memory_;
    std::uint64_t seen_ = 0;
};

using Events = std::vector<std::string>;

class TheTrace : public testing::Test {
protected:
    TheTrace()
    {
        EXPECT_TRUE(driver_.probe());
        clock_ = driver_.open(sim::tee::App::clock).session;
        events();
    }
    ~TheTrace() override
    {
        EXPECT_EQ(machine_.vm(0).destroy(), OPTEE_MEDIATOR_OK);
        EXPECT_TRUE(machine_.invariants_hold()) << machine_.violations();
    }
    Events events() { return mediator_->events(); }

    OneVm* mediator_ = nullptr;
    sim::Machine machine_{sim::Machine::with_one_vm()
                              .mediated_by([this] {
                                  auto made = std::make_unique<OneVm>();
                                  mediator_ = made.get();
                                  return made;
                              })
                              .boot()};
    sim::LinuxGuest driver_{machine_.vm(0), {.uses_rpc_arguments = false, .enables_shm_cache = false}};
    std::uint32_t clock_ = 0;
};

TEST_F(TheTrace, TellsACallWithItsRpcs)
{
    EXPECT_TRUE(driver_.invoke(clock_, sim::tee::command::clock_get, {sim::value_out()}).ok());
    EXPECT_EQ(events(),
              (Events{"call_begins 0 1",
                      "suspended 100 ffff0000",
                      "resumed 100 0",
                      "request 200 3",
                      "resumed 200 0",
                      "suspended 300 ffff0002",
                      "resumed 300 0",
                      "call_ends 300 0"}));
}

TEST_F(TheTrace, TellsTheResultOfACall)
{
    EXPECT_FALSE(driver_.close(0x7777).ok());
    EXPECT_EQ(events(), (Events{"call_begins 0 2", "call_ends 0 ffff0008"}));
    machine_.optee().answer_next(smc::call_with_arg, ret::no_memory);
    EXPECT_FALSE(driver_.close(clock_).ok());
    EXPECT_EQ(events(), (Events{"call_begins 0 2", "call_ends 0 6ffff0000"}));
}

TEST_F(TheTrace, TellsACallThatIsRefused)
{
    auto call = driver_.begin(77, 0, 0, {});
    call.start_on(0);
    EXPECT_EQ(events(), (Events{"call_refused 0 5ffff0000"}));
    EXPECT_FALSE(driver_.unregister_shm(driver_.memory().allocate_scattered(1)).ok());
    EXPECT_EQ(events(), (Events{"call_refused 0 ffff0006"}));
}

TEST_F(TheTrace, TellsAnAnswerThatIsRefused)
{
    auto call = driver_.begin_invoke(clock_, sim::tee::command::clock_get, {sim::value_out()});
    call.start_on(0);
    auto answer = call.serve_rpc().value();
    answer.a[1] = answer.a[2] = 0;
    events();
    call.resume_on(0, answer);
    EXPECT_EQ(events(), (Events{"resumed 100 0", "answer_refused 100 0", "call_ends 100 ffff000c"}));
}

TEST_F(TheTrace, TellsThatTheGuestIsAskedToFreeWhatItOffered)
{
    auto const session = driver_.open(sim::tee::App::allocator).session;
    auto call = driver_.begin_invoke(session, sim::tee::command::allocator_appl, {sim::value_in(4096, 1)});
    for (call.start_on(0); !call.asks_for(sim::abi::rpc_cmd::shm_alloc); call.answer_on(0))
        ASSERT_TRUE(call.waits_for_rpc());
    auto const answer = call.serve_rpc().value();
    auto offer = call.rpc_message().param(0);
    offer.b = 0;
    call.rpc_message().set_param(0, offer);
    auto const before = events();
    ASSERT_FALSE(before.empty());
    EXPECT_EQ(before.back(), "request 200 6");
    call.resume_on(0, answer);
    EXPECT_EQ(events(), (Events{"resumed 200 0", "answer_refused 200 0", "request 300 7"}));
    call.run_on(0);
}

TEST_F(TheTrace, TellsARequestThatCannotBeDelivered)
{
    auto call = driver_.begin_invoke(clock_, sim::tee::command::clock_get, {sim::value_out()});
    call.start_on(0);
    auto const answer = call.serve_rpc().value();
    auto const page = sim::Ipa{(answer.a[1] << 32) | answer.a[2]};
    machine_.optee().instead_of_next(smc::return_from_rpc, [&](sim::tee::Smc& smc) {
        smc.proceed();
        machine_.vm(0).write_protect(page);
    });
    events();
    call.resume_on(0, answer);
    machine_.vm(0).allow_writing(page);
    call.run_on(0);
    auto const told = events();
    ASSERT_GT(told.size(), 1u);
    EXPECT_EQ(told[0], "resumed 100 0");
    EXPECT_EQ(told[1], "request_failed 100 0");
}

TEST_F(TheTrace, TellsWhatOpteeShouldNotDo)
{
    machine_.optee().instead_of_next(smc::call_with_arg, [](sim::tee::Smc& smc) {
        smc.proceed();
        smc.frame.a[0] = 0xffff'0001;
    });
    auto call = driver_.begin_invoke(clock_, sim::tee::command::clock_get, {sim::value_out()});
    call.run_on(0);
    auto const told = events();
    ASSERT_GT(told.size(), 1u);
    EXPECT_EQ(told[1], "anomaly 0 ffff0001");
    machine_.optee().answer_next(smc::call_with_arg, 0x1234);
    driver_.begin_close(clock_).start_on(0);
    EXPECT_EQ(events(), (Events{"call_begins 0 2", "quarantined 0 1234"}));
    machine_.optee().instead_of_next(smc::disable_shm_cache, [](sim::tee::Smc& smc) {
        smc.frame = {{ret::ok, 0, 0x1234, 0, 0, 0, 0, 0}};
    });
    machine_.vm(0).smc(0, {{smc::disable_shm_cache, 0, 0, 0, 0, 0, 0, 0}});
    EXPECT_EQ(events(), (Events{"fast_call 0 b200000a", "anomaly 0 b200000a"}));
}

TEST_F(TheTrace, TellsTheEndOfTheVm)
{
    auto const client = machine_.vm(0).client();
    EXPECT_EQ(machine_.vm(0).destroy(), OPTEE_MEDIATOR_OK);
    std::ostringstream expected;
    expected << "vm_destroyed 0 " << std::hex << client;
    EXPECT_EQ(events(), Events{expected.str()});
    EXPECT_EQ(machine_.vm(0).create(client, machine_.default_policy()), OPTEE_MEDIATOR_OK);
    expected.str("");
    expected << "vm_created 0 " << std::hex << client;
    EXPECT_EQ(events(), Events{expected.str()});
}

} // namespace
} // namespace optee
