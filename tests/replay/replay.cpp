// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/replay/replay.hpp"

#include "sim/linux/guest.hpp"
#include "sim/machine/machine.hpp"
#include "sim/optee/optee.hpp"
#include "tests/replay/conversation.hpp"
#include "tests/replay/words.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <utility>

namespace sim::replay {

namespace {

constexpr std::uint64_t ram_pages = 8192;
constexpr std::uint32_t vcpu = 0;        // one SMC after the other: how they overlapped is in reserved threads
constexpr std::uint32_t patience = 4096; // requests of a call that went astray
constexpr LinuxGuest::Options driver{.uses_rpc_arguments = false, .enables_shm_cache = false};

/// A call that names what the trace did not introduce.
struct Unknown {};

/// A call on its way.
struct LiveCall {
    std::shared_ptr<Conversation> conversation;
    std::size_t exchange = 0; ///< the last one
    Shm message;
    std::vector<std::pair<Ipa, std::uint64_t>> lists; ///< page lists of temporary references
    std::unique_ptr<Call> call;
    std::uint32_t thread = 0;
    bool is_raced = false; ///< another CPU was in OP-TEE at the same time: which came first is not in the trace
    bool is_lost = false;  ///< after a difference

    Event const* recorded() const { return conversation->exchanges[exchange].answer; }
    std::uint64_t cmd() const { return conversation->call().number_of("cmd"); }
};

class Replay {
public:
    explicit Replay(Trace const& trace) : trace_{trace}, conversations_{conversations_of(trace)} {}
    Report run();

private:
    void play(Event const&);
    void play_fast_call(Event const&);
    void begin(Event const&);
    void go_on(Event const&);
    void after_smc(LiveCall&, Event const& smc);
    void leave(Event const& answer);

    Registers write_message(LiveCall&);
    abi::Param parameter(LiveCall&, Param const&);
    Shm memory_of(std::string const& name) const;
    std::uint32_t session_of(Event const& call) const;
    void prepare_model(LiveCall const&);

    Registers answer_of(LiveCall&, Event const& back);
    void answer_command(LiveCall&, Event const& back, Registers&);

    void compare(LiveCall&);
    bool compare_thread(LiveCall const&, Event const& recorded);
    bool compare_session(LiveCall const&, Event const& recorded);
    void count(LiveCall const&, Event const& recorded);
    void differs(Event const& recorded, std::string const& want, std::string const& got);
    void end(LiveCall&);
    void give_up(LiveCall&);

    tee::Partition& partition() { return *machine_.optee().partition(vm_); }

    Trace const& trace_;
    std::map<std::uint64_t, std::shared_ptr<Conversation>> conversations_;
    Machine machine_ = Machine::with_one_vm().vcpus(1).ram_pages(ram_pages).boot();
    Vm& vm_ = machine_.vm(0);
    LinuxGuest guest_{vm_, driver};
    Names names_;
    std::map<Conversation const*, LiveCall> calls_;
    std::map<std::uint64_t, Conversation const*> inside_; ///< SMCs that were in OP-TEE at this moment
    std::map<std::uint64_t, std::uint32_t> reserved_;     ///< threads of such calls, by the SMC's number
    std::map<std::uint64_t, std::uint32_t> sessions_;     ///< recorded, of the model
    std::map<std::uint64_t, Event const*> answers_;       ///< of fast calls
    Report report_;
};

// --- the guest's side

Shm Replay::memory_of(std::string const& name) const
{
    auto const memory = names_.find(name);
    if (!memory)
        throw Unknown{};
    return memory;
}

abi::Param Replay::parameter(LiveCall& live, Param const& param)
{
    if (!param.is_memory())
        return {param.attr, param.a, param.b, param.c};
    if (param.is_null)
        return {param.attr, 0, param.b, 0};
    if (abi::attr::is_rmem(param.attr))
        return {param.attr, param.a, param.b, memory_of(param.name)->cookie};
    auto const memory = guest_.memory().allocate_scattered(param.b, static_cast<std::uint32_t>(param.a));
    names_.give(param.name, memory);
    live.lists.emplace_back(guest_.memory().write_page_list(*memory), GuestMemory::list_pages(*memory));
    return {param.attr, live.lists.back().first.raw | memory->offset, param.b, memory->cookie};
}

std::uint32_t Replay::session_of(Event const& call) const
{
    auto const recorded = call.number_of("session");
    auto const place = sessions_.find(recorded);
    return place == sessions_.end() ? static_cast<std::uint32_t>(recorded) : place->second;
}

Registers Replay::write_message(LiveCall& live)
{
    auto const& call = live.conversation->call();
    live.message = guest_.memory().allocate_contiguous(page_bytes);
    auto const at = live.message->at(0);
    GuestMessage message{vm_, at};
    for (std::uint32_t byte = 0; byte != page_bytes; byte += sizeof(std::uint64_t))
        vm_.poke(Ipa{at.raw + byte}, std::uint64_t{0});
    message.set_field(abi::arg::cmd, static_cast<std::uint32_t>(live.cmd()));
    message.set_field(abi::arg::func, static_cast<std::uint32_t>(call.number_of("func")));
    message.set_field(abi::arg::session, session_of(call));
    message.set_field(abi::arg::num_params, static_cast<std::uint32_t>(call.params.size()));
    for (std::uint32_t n = 0; n != call.params.size(); ++n)
        message.set_param(n, parameter(live, call.params[n]));
    auto const function = call.with_rpc_argument ? abi::smc::call_with_rpc_arg : abi::smc::call_with_arg;
    return {{function, abi::high(at.raw), abi::low(at.raw), 0, 0, 0, 0, 0}};
}

/// What the model cannot know: the application, and which of two CPUs was first to get a thread.
void Replay::prepare_model(LiveCall const& live)
{
    auto const cmd = live.cmd();
    if (cmd == abi::cmd::open_session || cmd == abi::cmd::invoke_command || cmd == abi::cmd::close_session)
        partition().perform_in_next_call(std::make_shared<tee::Performance>(performance_of(*live.conversation)));
    auto const* recorded = live.recorded();
    if (live.is_raced && recorded != nullptr && recorded->has("thread")) {
        partition().begin_next_call_on(static_cast<std::uint32_t>(recorded->number_of("thread")));
        ++report_.not_compared;
    }
}

void Replay::begin(Event const& smc)
{
    auto const conversation = conversations_.at(smc.number);
    auto& live = calls_[conversation.get()];
    live.conversation = conversation;
    live.is_raced = !inside_.empty();
    for (auto const& [number, other] : inside_)
        if (auto const place = calls_.find(other); place != calls_.end())
            place->second.is_raced = true;
    ++report_.calls;
    try {
        auto const registers = write_message(live);
        live.call =
            std::make_unique<Call>(guest_, registers, GuestMessage{vm_, live.message->at(0)}, smc.with_rpc_argument);
    } catch (Unknown const&) {
        live.is_lost = true;
        ++report_.not_comparable;
        return;
    }
    prepare_model(live);
    live.call->start_on(vcpu);
    live.thread = partition().last_thread();
    after_smc(live, smc);
}

void Replay::answer_command(LiveCall& live, Event const& back, Registers& registers)
{
    auto message = live.call->rpc_message();
    auto const ret = static_cast<std::uint32_t>(back.number_of("ret"));
    auto const cmd = message.cmd();
    auto const served = (cmd == abi::rpc_cmd::shm_alloc && ret == abi::result::success);
    if (cmd == abi::rpc_cmd::shm_free)
        names_.take_back(names_.of(message.param(0).b));
    if (served || cmd == abi::rpc_cmd::shm_free) {
        registers = live.call->serve_rpc().value_or(registers);
        if (served && !back.params.empty())
            names_.give(back.params[0].name, guest_.memory().find(message.param(0).c));
        return;
    }
    for (std::uint32_t n = 0; n != std::min<std::size_t>(back.params.size(), message.num_params()); ++n) {
        auto param = message.param(n);
        auto const& given = back.params[n];
        if (param.attr == abi::attr::value_output || param.attr == abi::attr::value_inout)
            param = {param.attr, given.a, given.b, given.c};
        else if (given.is_memory())
            param.b = given.b;
        message.set_param(n, param);
    }
    message.set_ret(ret);
}

/// What the guest answered, from its own place in the simulator.
Registers Replay::answer_of(LiveCall& live, Event const& back)
{
    auto registers = live.call->registers();
    registers.a[0] = abi::smc::return_from_rpc;
    switch (live.call->rpc()) {
    case abi::rpc::alloc:
        if (back.text_of("argument") == "0") {
            registers.a[1] = registers.a[2] = registers.a[4] = registers.a[5] = 0;
            break;
        }
        registers = live.call->serve_rpc().value_or(registers);
        names_.give(back.text_of("argument"), guest_.memory().find(abi::joined(registers.a[4], registers.a[5])));
        break;
    case abi::rpc::free:
        names_.take_back(names_.of(live.call->last().pair(1)));
        registers = live.call->serve_rpc().value_or(registers);
        break;
    default: answer_command(live, back, registers); break;
    }
    return registers;
}

void Replay::go_on(Event const& smc)
{
    auto const place = calls_.find(conversations_.at(smc.number).get());
    if (place == calls_.end() || place->second.is_lost) {
        ++report_.not_comparable;
        return;
    }
    auto& live = place->second;
    ++live.exchange;
    live.call->resume_on(vcpu, answer_of(live, smc));
    after_smc(live, smc);
}

void Replay::play_fast_call(Event const& smc)
{
    auto const function = smc.number_of("function");
    auto const answer = vm_.smc(vcpu, {{function, 0, 0, 0, 0, 0, 0, 0}});
    auto const recorded = answers_.find(smc.number);
    if (recorded == answers_.end())
        return;
    std::string want = "ends a0=" + std::to_string(recorded->second->number_of("a0"));
    std::string got = "ends a0=" + std::to_string(answer.a0());
    if (function == abi::smc::disable_shm_cache && answer.a0() == abi::ret::ok) {
        auto const name = names_.of(answer.pair(1));
        got += " argument=" + name;
        if (auto const memory = names_.take_back(name))
            guest_.memory().free(memory);
    }
    if (recorded->second->has("argument"))
        want += " argument=" + recorded->second->text_of("argument");
    if (want == got)
        ++report_.predicted;
    else
        differs(*recorded->second, want, got);
}

// --- what came back

/// On the real machine the call stays in OP-TEE until its answer is recorded; others find its thread taken meanwhile.
void Replay::after_smc(LiveCall& live, Event const& smc)
{
    // The mediator's own: between it and OP-TEE, where the trace is from, there was none.
    while (live.call->waits_for_rpc() && live.call->rpc() == abi::rpc::foreign_interrupt)
        live.call->answer_on(vcpu);
    auto const* recorded = live.recorded();
    auto const is_last = recorded == nullptr || recorded->number == smc.number + 1;
    if (!is_last && live.call->done()) {
        partition().reserve_thread(live.thread, true);
        reserved_[recorded->number] = live.thread;
    }
    compare(live);
}

void Replay::leave(Event const& answer)
{
    inside_.erase(answer.of);
    auto const place = reserved_.find(answer.number);
    if (place == reserved_.end())
        return;
    partition().reserve_thread(place->second, false);
    reserved_.erase(place);
}

bool Replay::compare_thread(LiveCall const& live, Event const& recorded)
{
    if (!recorded.has("thread") || recorded.number_of("thread") == live.thread)
        return true;
    differs(recorded, "is on thread " + recorded.text_of("thread"), "is on thread " + std::to_string(live.thread));
    return false;
}

bool Replay::compare_session(LiveCall const& live, Event const& recorded)
{
    if (live.cmd() != abi::cmd::open_session || !live.call->result().ok())
        return true;
    auto const session = live.call->result().session;
    auto const want = recorded.number_of("session");
    sessions_[want] = session;
    if (want == session)
        return true;
    if (live.is_raced) {
        ++report_.not_compared;
        return true;
    }
    differs(recorded, "opens session " + std::to_string(want), "opens session " + std::to_string(session));
    return false;
}

void Replay::count(LiveCall const& live, Event const& recorded)
{
    auto const cmd = live.cmd();
    auto const is_performed = cmd == abi::cmd::open_session || cmd == abi::cmd::invoke_command;
    if (is_given(recorded) || (recorded.kind == EventKind::ends && is_performed))
        ++report_.given;
    else
        ++report_.predicted;
}

void Replay::compare(LiveCall& live)
{
    auto const* recorded = live.recorded();
    if (recorded == nullptr)
        return;
    auto const want = words_of(*recorded);
    auto const got = words_of(*live.call, names_);
    if (want != got) {
        differs(*recorded, want, got);
        give_up(live);
        return;
    }
    if (compare_thread(live, *recorded) && compare_session(live, *recorded))
        count(live, *recorded);
    if (live.call->done())
        end(live);
}

void Replay::differs(Event const& recorded, std::string const& want, std::string const& got)
{
    report_.differences.push_back("event " + std::to_string(recorded.number) + ": OP-TEE " + want + "; the model " +
                                  got);
}

void Replay::end(LiveCall& live)
{
    auto const& call = live.conversation->call();
    auto const ok = live.call->result().ok();
    for (auto const& [list, pages] : live.lists)
        guest_.memory().free(list, pages);
    for (auto const& param : call.params) {
        auto const stays = live.cmd() == abi::cmd::register_shm && ok;
        auto const goes = live.cmd() == abi::cmd::unregister_shm ? ok : abi::attr::is_tmem(param.attr) && !stays;
        if (auto const memory = goes && param.is_memory() ? names_.take_back(param.name) : nullptr)
            guest_.memory().free(memory);
    }
    if (live.cmd() == abi::cmd::close_session && ok)
        sessions_.erase(call.number_of("session"));
    guest_.memory().free(live.message);
    calls_.erase(live.conversation.get());
}

/// The rest of a call that went another way is answered as Linux would, so that its thread gets free.
void Replay::give_up(LiveCall& live)
{
    live.is_lost = true;
    for (std::uint32_t n = 0; n != patience && live.call->waits_for_rpc() && !live.call->is_blocked(); ++n)
        live.call->answer_on(vcpu);
}

void Replay::play(Event const& event)
{
    if (!event.is_smc()) {
        report_.requests += event.kind == EventKind::ends ? 0u : 1u;
        leave(event);
        return;
    }
    if (event.kind == EventKind::fast) {
        play_fast_call(event);
        return;
    }
    if (event.kind == EventKind::call)
        begin(event);
    else
        go_on(event);
    inside_[event.number] = conversations_.at(event.number).get();
}

Report Replay::run()
{
    report_.events = trace_.events.size();
    for (auto const& event : trace_.events)
        if (!event.is_smc())
            answers_[event.of] = &event;
    for (auto const& event : trace_.events)
        play(event);
    if (vm_.destroy() != OPTEE_MEDIATOR_OK)
        report_.violations.push_back("the VM cannot be destroyed when the trace is over");
    if (!machine_.invariants_hold())
        report_.violations.push_back(machine_.violations());
    return std::move(report_);
}

} // namespace

Report replay(Trace const& trace)
{
    return Replay{trace}.run();
}

std::string Report::text() const
{
    std::ostringstream out;
    out << events << " events: " << calls << " calls, " << requests << " RPCs\n"
        << "answers as recorded: " << predicted << " predicted, " << given
        << " with the application's part given; not compared: " << not_compared << " raced threads and sessions\n";
    for (auto const& difference : differences)
        out << "DIFFERS  " << difference << "\n";
    for (auto const& violation : violations)
        out << "BROKEN   " << violation << "\n";
    out << differences.size() << " answers differ, " << not_comparable << " are not comparable any more\n";
    return out.str();
}

} // namespace sim::replay
