// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/replay/conversation.hpp"

#include "sim/optee/abi.hpp"

#include <algorithm>

namespace sim::replay {

namespace {

std::map<std::uint64_t, Event const*> answers_of(Trace const& trace)
{
    std::map<std::uint64_t, Event const*> answers;
    for (auto const& event : trace.events)
        if (!event.is_smc() && !answers.emplace(event.of, &event).second)
            throw BadTrace{"event " + std::to_string(event.of) + " has two answers"};
    return answers;
}

bool is_second_half(Event const& request)
{
    return request.number_of("cmd") == abi::rpc_cmd::load_ta && request.params.size() == 2 &&
           !request.params[1].is_null;
}

bool succeeded(Event const* answer)
{
    return answer != nullptr && answer->number_of("ret") == abi::result::success;
}

/// Walks through the requests of one conversation.
class Script {
public:
    void take(Event const& request, Event const* answer);
    std::vector<tee::Step> steps() const { return steps_; }

private:
    void load(Event const& request, Event const* answer);
    void release(std::string const& payload);

    std::vector<tee::Step> steps_;
    std::map<std::string, std::uint32_t> binaries_; ///< payloads that hold a file now
    std::uint32_t loads_ = 0;
};

void Script::load(Event const& request, Event const* answer)
{
    if (is_second_half(request)) {
        if (succeeded(answer) && loads_ != 0)
            binaries_[request.params[1].name] = loads_ - 1;
        return;
    }
    ++loads_;
    auto const& uuid = request.params.at(0);
    steps_.push_back({abi::rpc_cmd::load_ta, {{uuid.attr, uuid.a, uuid.b, 0}}, false, 0});
}

void Script::release(std::string const& payload)
{
    auto const place = binaries_.find(payload);
    if (place == binaries_.end())
        return;
    steps_.push_back({0, {}, true, place->second});
    binaries_.erase(place);
}

void Script::take(Event const& request, Event const* answer)
{
    switch (request.number_of("cmd")) {
    case abi::rpc_cmd::load_ta:   load(request, answer); return;
    case abi::rpc_cmd::shm_free:  release(request.params.at(0).name); return;
    case abi::rpc_cmd::shm_alloc: return;
    default:                      break;
    }
    tee::Step step{static_cast<std::uint32_t>(request.number_of("cmd")), {}, false, 0};
    for (auto const& param : request.params)
        step.params.push_back({param.attr, param.a, param.b, param.is_memory() ? 0 : param.c});
    steps_.push_back(step);
}

} // namespace

bool Conversation::ended() const
{
    auto const* last = exchanges.back().answer;
    return last != nullptr && last->kind == EventKind::ends;
}

Event const* Conversation::answer_of_guest(std::size_t exchange) const
{
    return exchange + 1 < exchanges.size() ? exchanges[exchange + 1].smc : nullptr;
}

std::map<std::uint64_t, std::shared_ptr<Conversation>> conversations_of(Trace const& trace)
{
    auto const answers = answers_of(trace);
    std::map<std::uint64_t, std::shared_ptr<Conversation>> found;
    std::map<std::uint64_t, std::shared_ptr<Conversation>> waiting; // by thread
    for (auto const& event : trace.events) {
        std::shared_ptr<Conversation> conversation;
        if (event.kind == EventKind::call) {
            conversation = std::make_shared<Conversation>();
        } else if (event.kind == EventKind::back) {
            auto const place = waiting.find(event.number_of("thread"));
            if (place == waiting.end())
                throw BadTrace{"event " + std::to_string(event.number) + " resumes a thread that does not wait"};
            conversation = place->second;
            waiting.erase(place);
        } else {
            if (event.is_smc() || event.kind == EventKind::ends)
                continue;
            auto const place = found.find(event.of);
            if (place == found.end())
                throw BadTrace{"event " + std::to_string(event.number) + " answers no yielding call"};
            waiting[event.number_of("thread")] = place->second;
            continue;
        }
        auto const answer = answers.find(event.number);
        conversation->exchanges.push_back({&event, answer == answers.end() ? nullptr : answer->second});
        found[event.number] = conversation;
    }
    return found;
}

tee::Performance performance_of(Conversation const& conversation)
{
    Script script;
    for (std::size_t i = 0; i != conversation.exchanges.size(); ++i) {
        auto const* request = conversation.exchanges[i].answer;
        if (request != nullptr && request->kind == EventKind::asks_command)
            script.take(*request, conversation.answer_of_guest(i));
    }
    tee::Performance performance{script.steps(), 0, 0};
    auto const* end = conversation.exchanges.back().answer;
    if (end != nullptr && end->has("ret")) {
        performance.result = static_cast<std::uint32_t>(end->number_of("ret"));
        performance.origin = static_cast<std::uint32_t>(end->number_of("origin"));
    }
    return performance;
}

bool is_given(Event const& request)
{
    if (request.kind != EventKind::asks_command)
        return false;
    auto const cmd = request.number_of("cmd");
    return cmd != abi::rpc_cmd::shm_alloc && cmd != abi::rpc_cmd::shm_free && !is_second_half(request);
}

} // namespace sim::replay
