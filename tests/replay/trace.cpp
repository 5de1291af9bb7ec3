// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/replay/trace.hpp"

#include "sim/optee/abi.hpp"

#include <istream>
#include <sstream>

namespace sim::replay {

namespace {

std::uint64_t number(std::string const& text)
{
    std::size_t used = 0;
    std::uint64_t value = 0;
    try {
        value = std::stoull(text, &used, 0);
    } catch (std::logic_error const&) {
        used = 0;
    }
    if (used == 0 || used != text.size())
        throw BadTrace{"'" + text + "' is not a number"};
    return value;
}

bool is_name(std::string const& text)
{
    return text.size() > 1 && text[0] == 'm';
}

Param param(std::string const& text)
{
    std::vector<std::string> words;
    std::istringstream in{text};
    for (std::string word; std::getline(in, word, ',');)
        words.push_back(word);
    if (words.size() != 1 && words.size() != 4)
        throw BadTrace{"'p=" + text + "': a parameter has one word or four"};
    Param result;
    result.attr = number(words[0]);
    if (words.size() == 1)
        return result;
    result.has_words = true;
    result.is_null = words[1] == "null";
    result.a = result.is_null ? 0 : number(words[1]);
    // SHM_FREE has the name in a value.
    auto const& named = is_name(words[2]) ? words[2] : words[3];
    if (is_name(named))
        result.name = named;
    result.b = is_name(words[2]) ? 0 : number(words[2]);
    result.c = is_name(words[3]) ? 0 : number(words[3]);
    return result;
}

EventKind kind_of_answer(std::istream& words)
{
    std::string word;
    words >> word;
    if (word == "ends")
        return EventKind::ends;
    std::string what;
    if (word == "asks")
        words >> what;
    if (what == "alloc")
        return EventKind::asks_alloc;
    if (what == "free")
        return EventKind::asks_free;
    if (what == "cmd")
        return EventKind::asks_command;
    throw BadTrace{"an answer of OP-TEE that is not known: '" + word + " " + what + "'"};
}

Event event(std::string const& line)
{
    std::istringstream words{line};
    std::string word;
    Event result;
    words >> word;
    result.number = number(word);
    words >> word;
    if (word == "of") {
        words >> word;
        result.of = number(word);
        result.kind = kind_of_answer(words);
    } else if (word == "call") {
        result.kind = EventKind::call;
        words >> word;
        result.with_rpc_argument = word == "with_rpc_arg";
        if (!result.with_rpc_argument && word != "with_arg")
            throw BadTrace{"'call " + word + "'"};
    } else if (word == "back" || word == "fast") {
        result.kind = word == "back" ? EventKind::back : EventKind::fast;
    } else {
        throw BadTrace{"an event that is not known: '" + word + "'"};
    }
    while (words >> word) {
        auto const equals = word.find('=');
        if (equals == std::string::npos)
            throw BadTrace{"'" + word + "' is no field"};
        if (word.compare(0, equals, "p") == 0)
            result.params.push_back(param(word.substr(equals + 1)));
        else
            result.fields[word.substr(0, equals)] = word.substr(equals + 1);
    }
    return result;
}

} // namespace

bool Param::is_memory() const
{
    return abi::attr::is_rmem(attr) || abi::attr::is_tmem(attr);
}

std::string const& Event::text_of(std::string const& field) const
{
    auto const place = fields.find(field);
    if (place == fields.end())
        throw BadTrace{"event " + std::to_string(number) + " has no '" + field + "'"};
    return place->second;
}

std::uint64_t Event::number_of(std::string const& field) const
{
    return replay::number(text_of(field));
}

Trace read_trace(std::istream& in)
{
    static std::string const recorded_on = "# recorded on: ";
    Trace trace;
    std::uint64_t lines = 0;
    for (std::string line; std::getline(in, line);) {
        ++lines;
        if (line.compare(0, recorded_on.size(), recorded_on) == 0)
            trace.title = line.substr(recorded_on.size());
        if (line.empty() || line[0] == '#')
            continue;
        try {
            trace.events.push_back(event(line));
        } catch (BadTrace const& problem) {
            throw BadTrace{"line " + std::to_string(lines) + ": " + problem.what()};
        }
        if (trace.events.back().number != trace.events.size() - 1)
            throw BadTrace{"line " + std::to_string(lines) + ": event " + std::to_string(trace.events.size() - 1) +
                           " is missing"};
    }
    if (trace.events.empty())
        throw BadTrace{"there is no event in it"};
    return trace;
}

} // namespace sim::replay
