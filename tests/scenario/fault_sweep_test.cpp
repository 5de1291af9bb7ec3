// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

// Whatever a call needs is refused to it, at the first place where it asks, the second, ...: pages of the hypervisor,
// look-ups, the guest's own pages while they are used, OP-TEE's good will. A call that fails says so in the protocol's
// words and leaves the VM what it had (I16); then the guest tries again and gets on.

#include "sim/invariants/unchanged.hpp"
#include "tests/scenario/scenario.hpp"

#include <optional>
#include <string>

namespace sim::scenario {
namespace {

/// What a story has gathered so far.
struct Scene {
    Machine& machine;
    LinuxGuest& guest;
    std::uint32_t session = 0;
    Shm shm{};
};

/// One call of a story.
struct Step {
    char const* name;
    std::function<CallResult(Scene&)> call;
};

struct Story {
    char const* name;
    bool caches_arguments;
    std::vector<Step> steps;
};

Step opens(App app)
{
    return {"OPEN_SESSION", [app](Scene& scene) {
                auto const result = scene.guest.open(app);
                scene.session = result.ok() ? result.session : scene.session;
                return result;
            }};
}

Step invokes(char const* name, std::uint32_t function, std::function<Arguments(Scene&)> const& arguments)
{
    return {name, [=](Scene& scene) { return scene.guest.invoke(scene.session, function, arguments(scene)); }};
}

Step invokes_with_temporary(std::uint32_t function, std::uint64_t pages)
{
    return {"INVOKE_COMMAND", [=](Scene& scene) {
                auto const shm = scene.guest.memory().allocate_scattered(pages * page_bytes - 100, 60);
                auto const result = scene.guest.invoke(scene.session, function, {temporary_inout(shm), value_out()});
                scene.guest.memory().free(shm);
                return result;
            }};
}

Step registers(std::uint64_t pages)
{
    return {"REGISTER_SHM", [pages](Scene& scene) {
                if (!scene.shm)
                    scene.shm = scene.guest.memory().allocate_scattered(pages * page_bytes);
                return scene.guest.register_shm(scene.shm);
            }};
}

Step unregisters()
{
    return {"UNREGISTER_SHM", [](Scene& scene) { return scene.guest.unregister_shm(scene.shm); }};
}

Step closes()
{
    return {"CLOSE_SESSION", [](Scene& scene) { return scene.guest.close(scene.session); }};
}

/// The application's commands, each in a session of its own, with memory of every kind.
std::vector<Story> stories()
{
    auto const none = [](Scene&) { return Arguments{}; };
    auto const whole = [](Scene& scene) { return Arguments{shared_inout(scene.shm), value_out()}; };
    auto const file = [](Scene& scene) { return Arguments{shared_inout(scene.shm), value_in(5)}; };
    auto const time = [](Scene&) { return Arguments{value_out(), value_in(2)}; };
    auto const two_pages = [](Scene&) { return Arguments{value_in(2 * page_bytes, 2)}; };
    auto const echo = [](Scene&) { return Arguments{value_inout(41)}; };
    return {
        {"Echo", false, {opens(App::echo), invokes("echo", command::echo_add_one, echo), closes()}},
        {"RegisteredMemory",
         false,
         {opens(App::memory),
          registers(3),
          invokes("invert", command::memory_invert, whole),
          invokes("sum", command::memory_sum, whole),
          unregisters(),
          closes()}},
        {"TemporaryMemory", false, {opens(App::memory), invokes_with_temporary(command::memory_invert, 3), closes()}},
        {"LongLists", false, {registers(520), unregisters()}},
        {"Sleeper",
         false,
         {opens(App::sleeper),
          invokes("wake", command::sleeper_wake, none),
          invokes("wait", command::sleeper_wait, none),
          closes()}},
        {"Storage",
         false,
         {opens(App::storage),
          registers(2),
          invokes("write", command::storage_write, file),
          invokes("read", command::storage_read, file),
          unregisters(),
          closes()}},
        {"Clock", false, {opens(App::clock), invokes("time", command::clock_get, time), closes()}},
        {"MemoryOfTheSupplicant",
         false,
         {opens(App::allocator), invokes("allocate", command::allocator_appl, two_pages), closes()}},
        {"MemoryOfTheDriver",
         false,
         {opens(App::allocator), invokes("allocate", command::allocator_kernel, two_pages), closes()}},
        {"Loadable", false, {opens(App::loadable), closes()}},
        {"CachedArguments",
         true,
         {opens(App::clock), invokes("time", command::clock_get, time), invokes("again", command::clock_get, time)}},
    };
}

/// What is refused.
enum class Fault : std::uint8_t {
    allocation,
    look_up,
    page_read,    ///< a page of the guest is gone from the moment at which it is read to the end of the entry
    page_written, ///< ... at which it is written
    call,         ///< OP-TEE refuses CALL_WITH_ARG
};

struct Case {
    Fault fault;
    Failure::Extent extent;
};

std::string name_of(Case const& which)
{
    auto const* const extent = which.extent == Failure::Extent::once ? "Once" : "FromThenOn";
    switch (which.fault) {
    case Fault::allocation:   return std::string{"Allocation"} + extent;
    case Fault::look_up:      return std::string{"LookUp"} + extent;
    case Fault::page_read:    return std::string{"PageRead"} + extent;
    case Fault::page_written: return std::string{"PageWritten"} + extent;
    case Fault::call:         return std::string{"Call"} + extent;
    }
    return {};
}

/// Refuses one thing the n-th time that it is asked for, or from then on.
class Refusal : public Observer {
public:
    Refusal(Case const& which, std::uint32_t nth) : which_{which}, nth_{nth} {}

    bool fails(Moment const& moment) override { return moment.point == point() && is_allocating() && is_now(); }
    void at(Moment const& moment) override
    {
        if (moment.point == Point::entry_ends)
            restore(*moment.vm);
        if (moment.point != point() || is_allocating())
            return;
        if (which_.fault == Fault::call && moment.number != abi::smc::call_with_arg)
            return;
        if (!is_now())
            return;
        if (which_.fault == Fault::call)
            moment.vm->machine().optee().answer_next(abi::smc::call_with_arg, abi::ret::no_memory);
        else
            take_away(*moment.vm, moment.pa);
    }
    std::uint32_t attempts() const { return attempts_; }

private:
    bool is_allocating() const { return which_.fault == Fault::allocation || which_.fault == Fault::look_up; }
    bool is_now()
    {
        auto const attempt = attempts_++;
        return which_.extent == Failure::Extent::once ? attempt == nth_ : attempt >= nth_;
    }
    Point point() const
    {
        switch (which_.fault) {
        case Fault::allocation:   return Point::allocate_page;
        case Fault::look_up:      return Point::look_up;
        case Fault::page_read:    return Point::read_guest;
        case Fault::page_written: return Point::write_guest;
        case Fault::call:         return Point::smc;
        }
        return Point::smc;
    }
    void take_away(Vm& vm, Pa page)
    {
        for (std::uint64_t n = 0; n < vm.ram_pages(); ++n)
            if (auto const ipa = vm.ram(n); vm.pa_of(ipa).raw == page.raw && vm.stage2().look_up(ipa))
                gone_.emplace_back(ipa, *vm.stage2().unmap(ipa));
    }
    void restore(Vm& vm)
    {
        for (auto const& [ipa, mapping] : gone_)
            vm.stage2().map(ipa, mapping);
        gone_.clear();
    }

    Case which_;
    std::uint32_t nth_;
    std::uint32_t attempts_ = 0;
    std::vector<std::pair<Ipa, Mapping>> gone_;
};

bool is_of_the_protocol(CallResult const& result)
{
    switch (result.a0) {
    case abi::ret::ok:
        return result.ret == abi::result::success || result.ret == abi::result::out_of_memory ||
               result.ret == abi::result::bad_parameters || result.ret == abi::result::generic ||
               result.ret == abi::result::item_not_found || result.ret == abi::result::communication;
    case abi::ret::bad_address:
    case abi::ret::no_memory: return true;
    default:                  return false;
    }
}

class FaultSweep : public testing::TestWithParam<std::tuple<Case, std::size_t>> {
protected:
    static Case which() { return std::get<0>(GetParam()); }
    Story const story = stories().at(std::get<1>(GetParam()));

    /// The story with the `nth` attempt refused; false: it had no such attempt.
    bool tell(std::uint32_t nth)
    {
        auto machine = Machine::with_one_vm().ram_pages(2048).boot();
        LinuxGuest guest{machine.vm(0), story.caches_arguments ? caching_driver : plain_driver};
        EXPECT_TRUE(!story.caches_arguments || guest.probe());
        Scene scene{machine, guest};
        if (story.caches_arguments) { // what OP-TEE keeps for later it has by then
            for (auto const& step : story.steps) {
                EXPECT_TRUE(step.call(scene).ok());
            }
        }
        Refusal refusal{which(), nth};
        machine.add(refusal);
        auto is_refusing = true;
        for (auto const& step : story.steps) {
            auto const what = std::string{step.name} + ", attempt " + std::to_string(nth);
            auto const before = Possessions::of(machine.vm(0));
            auto const smcs = machine.vm(0).counter("smcs");
            auto const result = step.call(scene);
            EXPECT_TRUE(is_of_the_protocol(result)) << what << std::hex << ": " << result.a0 << ", " << result.ret;
            if (result.ok())
                continue;
            EXPECT_TRUE(is_refusing) << what << " fails though nothing was refused";
            machine.remove(refusal);
            is_refusing = false;
            // OP-TEE did its work, but the page for the result was gone: done is done.
            auto const is_undelivered = result.a0 == abi::ret::bad_address && machine.vm(0).counter("smcs") != smcs;
            if (!is_undelivered || !is_of_memory(step))
                check_unchanged(machine.vm(0), before, what);
            if (!is_undelivered || can_be_repeated(step)) {
                EXPECT_TRUE(step.call(scene).ok()) << what << ": it fails again";
            }
        }
        machine.remove(refusal);
        EXPECT_TRUE(works(guest));
        guest.remove();
        expect_clean_end(machine);
        return refusal.attempts() > nth;
    }

private:
    static bool is_called(Step const& step, char const* name) { return std::string{step.name} == name; }
    static bool can_be_repeated(Step const& step)
    {
        return !is_of_memory(step) && !is_called(step, "CLOSE_SESSION") && !is_called(step, "wait");
    }
    static bool is_of_memory(Step const& step)
    {
        return is_called(step, "REGISTER_SHM") || is_called(step, "UNREGISTER_SHM");
    }
};

TEST_P(FaultSweep, FailsCleanlyAndGetsOnWhateverIsRefused)
{
    constexpr std::uint32_t most_attempts = 2000;
    std::uint32_t nth = 0;
    while (tell(nth) && !HasFailure())
        ASSERT_LT(++nth, most_attempts);
    RecordProperty("attempts", static_cast<int>(nth));
}

INSTANTIATE_TEST_SUITE_P(Of,
                         FaultSweep,
                         testing::Combine(testing::Values(Case{Fault::allocation, Failure::Extent::once},
                                                          Case{Fault::allocation, Failure::Extent::from_then_on},
                                                          Case{Fault::look_up, Failure::Extent::once},
                                                          Case{Fault::look_up, Failure::Extent::from_then_on},
                                                          Case{Fault::page_read, Failure::Extent::once},
                                                          Case{Fault::page_read, Failure::Extent::from_then_on},
                                                          Case{Fault::page_written, Failure::Extent::once},
                                                          Case{Fault::page_written, Failure::Extent::from_then_on},
                                                          Case{Fault::call, Failure::Extent::once},
                                                          Case{Fault::call, Failure::Extent::from_then_on}),
                                          testing::Range(std::size_t{0}, stories().size())),
                         [](auto const& which) {
                             return name_of(std::get<0>(which.param)) + "In" +
                                    stories().at(std::get<1>(which.param)).name;
                         });

/// Each SMC of a call that OP-TEE has begun, refused: nobody knows what OP-TEE still has, so the call is kept from all.
TEST(FaultSweepOfResumes, KeepsWhatOpteeMayHaveUntilTheVmIsGone)
{
    for (auto const code : {abi::ret::resume_failed, abi::ret::not_available, abi::ret::busy}) {
        std::uint32_t refused = 0;
        for (std::uint32_t nth = 0; refused == nth; ++nth) {
            auto machine = Machine::with_one_vm().boot();
            auto& vm = machine.vm(0);
            LinuxGuest guest{vm, plain_driver};
            auto const session = guest.open(App::clock).session;
            std::uint32_t seen = 0;
            Watch refusing{[&](Moment const& moment) {
                if (moment.point == Point::smc && moment.number == abi::smc::return_from_rpc && seen++ == nth) {
                    machine.optee().answer_next(abi::smc::return_from_rpc, code);
                    ++refused;
                }
            }};
            machine.add(refusing);
            auto const result = guest.invoke(session, command::clock_get, {value_out(), value_in(2)});
            machine.remove(refusing);
            EXPECT_EQ(result.ok(), refused == nth) << nth;
            if (refused != nth) {
                EXPECT_EQ(vm.counter("calls_quarantined"), 1u);
                EXPECT_EQ(vm.counter("calls_live"), 1u) << "its thread does not come back";
            }
            EXPECT_TRUE(works(guest)) << "with the threads that are left";
            EXPECT_EQ(vm.destroy(), OPTEE_MEDIATOR_OK);
            expect_clean_end(machine);
        }
        EXPECT_GT(refused, 3u);
    }
}

TEST(FaultSweepOfCreation, LeavesNothingWhenOpteeRefuses)
{
    for (auto const function : {abi::smc::vm_created, abi::smc::exchange_capabilities}) {
        auto machine = Machine::with_one_vm().power_on();
        ASSERT_EQ(machine.probe(), OPTEE_MEDIATOR_OK);
        auto const client = machine.fresh_client();
        machine.optee().answer_next(function, abi::ret::not_available);
        auto const status = machine.vm(0).create(client, machine.default_policy());
        machine.optee().behave();
        if (status != OPTEE_MEDIATOR_OK) {
            EXPECT_EQ(status, OPTEE_MEDIATOR_REFUSED);
            EXPECT_TRUE(holds_nothing(machine.vm(0)));
            EXPECT_EQ(machine.vm(0).create(client, machine.default_policy()), OPTEE_MEDIATOR_OK);
        }
        LinuxGuest guest{machine.vm(0), plain_driver};
        EXPECT_TRUE(works(guest));
        expect_clean_end(machine);
    }
}

} // namespace
} // namespace sim::scenario
