// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/schedule/path.hpp"

#include <algorithm>
#include <charconv>

namespace sim::schedule {

namespace {

std::optional<std::uint32_t> number_from(std::string_view text)
{
    std::uint32_t number = 0;
    auto const* const end = text.data() + text.size();
    auto const [rest, error] = std::from_chars(text.data(), end, number);
    return error == std::errc{} && rest == end ? std::optional{number} : std::nullopt;
}

} // namespace

std::string text_of(Path const& path)
{
    if (path.empty())
        return "-";
    std::string text;
    for (auto const& turn : path)
        text += (text.empty() ? "" : ",") + std::to_string(turn.choice) + ":" + std::to_string(turn.vcpu);
    return text;
}

std::optional<Path> path_from(std::string_view text)
{
    Path path;
    if (text == "-")
        return path;
    while (true) {
        auto const comma = std::min(text.find(','), text.size());
        auto const colon = text.find(':');
        if (colon >= comma)
            return std::nullopt;
        auto const choice = number_from(text.substr(0, colon));
        auto const vcpu = number_from(text.substr(colon + 1, comma - colon - 1));
        if (!choice || !vcpu || (!path.empty() && path.back().choice >= *choice))
            return std::nullopt;
        path.push_back({*choice, *vcpu});
        if (comma == text.size())
            return path;
        text.remove_prefix(comma + 1);
    }
}

std::uint32_t Replay::choose(Choice const& choice)
{
    if (next_ == path_.size() || path_[next_].choice != choice.number)
        return usual(choice);
    auto const vcpu = path_[next_].vcpu;
    if (std::find(choice.ready.begin(), choice.ready.end(), vcpu) == choice.ready.end())
        return usual(choice);
    ++next_;
    return vcpu;
}

} // namespace sim::schedule
