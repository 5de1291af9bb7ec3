// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/replay/words.hpp"

#include "sim/optee/abi.hpp"

#include <algorithm>
#include <sstream>

namespace sim::replay {

namespace {

std::string hex(std::uint64_t value)
{
    std::ostringstream out;
    out << std::hex << std::showbase << value;
    return out.str();
}

std::string words_of(Param const& param)
{
    if (param.attr == abi::attr::none)
        return " p=0";
    auto const a = param.is_null ? "null" : hex(param.a);
    if (param.is_memory())
        return " p=" + hex(param.attr) + "," + a + "," + hex(param.b) + "," + (param.name.empty() ? "0" : param.name);
    auto const b = param.name.empty() ? hex(param.b) : param.name;
    return " p=" + hex(param.attr) + "," + a + "," + b + "," + hex(param.c);
}

std::string end_words(std::uint64_t a0, std::uint64_t ret, std::uint64_t origin)
{
    auto const message = a0 == abi::ret::ok ? " ret=" + hex(ret) + " origin=" + hex(origin) : "";
    return "ends a0=" + hex(a0) + message;
}

std::string command_words(std::string const& argument, std::uint64_t cmd, std::vector<Param> const& params)
{
    auto words = "asks cmd argument=" + argument + " cmd=" + hex(cmd);
    for (auto const& param : params)
        words += words_of(param);
    return words;
}

std::vector<Param> params_of(GuestMessage const& message, Names const& names)
{
    std::vector<Param> params;
    for (std::uint32_t n = 0; n != std::min(message.num_params(), abi::max_rpc_params); ++n) {
        auto const raw = message.param(n);
        Param param;
        param.attr = raw.attr;
        param.a = raw.a;
        param.b = raw.b;
        param.c = raw.c;
        param.is_null = abi::attr::is_tmem(raw.attr) && raw.a == 0;
        if (param.is_memory() && raw.c != 0)
            param.name = names.of(raw.c);
        if (message.cmd() == abi::rpc_cmd::shm_free && n == 0)
            param.name = names.of(raw.b);
        params.push_back(param);
    }
    return params;
}

} // namespace

void Names::give(std::string const& name, Shm const& memory)
{
    memory_[name] = memory;
}

Shm Names::find(std::string const& name) const
{
    auto const place = memory_.find(name);
    return place == memory_.end() ? nullptr : place->second;
}

Shm Names::take_back(std::string const& name)
{
    auto const memory = find(name);
    memory_.erase(name);
    return memory;
}

std::string Names::of(std::uint64_t cookie) const
{
    if (cookie == 0)
        return "0";
    auto const place = std::find_if(
        memory_.begin(), memory_.end(), [cookie](auto const& entry) { return entry.second->cookie == cookie; });
    return place == memory_.end() ? "unknown" : place->first;
}

std::string words_of(Event const& answer)
{
    switch (answer.kind) {
    case EventKind::asks_alloc: return "asks alloc size=" + hex(answer.number_of("size"));
    case EventKind::asks_free:  return "asks free argument=" + answer.text_of("argument");
    case EventKind::asks_command:
        return command_words(answer.text_of("argument"), answer.number_of("cmd"), answer.params);
    case EventKind::ends:
        return end_words(answer.number_of("a0"),
                         answer.has("ret") ? answer.number_of("ret") : 0,
                         answer.has("origin") ? answer.number_of("origin") : 0);
    case EventKind::call:
    case EventKind::back:
    case EventKind::fast: break;
    }
    throw BadTrace{"event " + std::to_string(answer.number) + " is no answer"};
}

std::string words_of(Call const& call, Names const& names)
{
    auto const& last = call.last();
    if (call.waits_for_thread())
        return "finds no thread";
    if (call.done())
        return end_words(last.a0(), call.result().ret, call.result().origin);
    switch (call.rpc()) {
    case abi::rpc::alloc:   return "asks alloc size=" + hex(last.a(1));
    case abi::rpc::free:    return "asks free argument=" + names.of(last.pair(1));
    case abi::rpc::command: {
        auto const message = call.rpc_message();
        return command_words(names.of(last.pair(1)), message.cmd(), params_of(message, names));
    }
    default: return "asks something unknown, a0=" + hex(last.a0());
    }
}

} // namespace sim::replay
