// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/schedule/operations.hpp"

#include "sim/schedule/random.hpp"
#include "tests/schedule/stage.hpp"

#include <algorithm>
#include <utility>

namespace sim::schedule {

namespace {

constexpr std::uint64_t ram_pages = 96; ///< of a VM: few, a world is made for each schedule
constexpr std::string_view with_rpc_arguments = "rpc_arg:";

} // namespace

std::vector<Operation> const& all_operations()
{
    using enum Operation;
    static std::vector<Operation> const all{
        call, rpc_call, begin, resume, resume_stale, resume_other, temporary, use, add, remove, cancel, destroy};
    return all;
}

std::string_view name_of(Operation operation)
{
    switch (operation) {
    case Operation::call:         return "call";
    case Operation::rpc_call:     return "rpc_call";
    case Operation::begin:        return "begin";
    case Operation::resume:       return "resume";
    case Operation::resume_stale: return "resume_stale";
    case Operation::resume_other: return "resume_other";
    case Operation::temporary:    return "temporary";
    case Operation::use:          return "use";
    case Operation::add:          return "add";
    case Operation::remove:       return "remove";
    case Operation::cancel:       return "cancel";
    case Operation::destroy:      return "destroy";
    }
    return {};
}

std::string text_of(Script const& script)
{
    std::string text;
    for (auto const operation : script)
        text.append(text.empty() ? "" : ".").append(name_of(operation));
    return text;
}

std::optional<Script> script_from(std::string_view text)
{
    Script script;
    while (true) {
        auto const dot = std::min(text.find('.'), text.size());
        auto const& all = all_operations();
        auto const found =
            std::find_if(all.begin(), all.end(), [&](Operation one) { return name_of(one) == text.substr(0, dot); });
        if (found == all.end())
            return std::nullopt;
        script.push_back(*found);
        if (dot == text.size())
            return script;
        text.remove_prefix(dot + 1);
    }
}

bool Plan::has(std::size_t vm, Operation operation) const
{
    auto const& scripts = vms.at(vm);
    return std::any_of(scripts.begin(), scripts.end(), [&](Script const& script) {
        return std::count(script.begin(), script.end(), operation) != 0;
    });
}

Plan pair_of(Script first, Script second, bool uses_rpc_arguments)
{
    Plan plan;
    plan.uses_rpc_arguments = uses_rpc_arguments;
    plan.vms = {{std::move(first), std::move(second)}};
    return plan;
}

std::string text_of(Plan const& plan)
{
    std::string text{plan.uses_rpc_arguments ? with_rpc_arguments : std::string_view{}};
    for (std::size_t vm = 0; vm < plan.vms.size(); ++vm) {
        if (vm != 0)
            text += " | ";
        for (std::size_t vcpu = 0; vcpu < plan.vms[vm].size(); ++vcpu)
            text += (vcpu == 0 ? "" : "+") + text_of(plan.vms[vm][vcpu]);
    }
    return text;
}

std::optional<Plan> pair_from(std::string_view text)
{
    auto const uses_rpc_arguments = text.starts_with(with_rpc_arguments);
    if (uses_rpc_arguments)
        text.remove_prefix(with_rpc_arguments.size());
    auto const plus = text.find('+');
    if (plus == std::string_view::npos)
        return std::nullopt;
    auto first = script_from(text.substr(0, plus));
    auto second = script_from(text.substr(plus + 1));
    if (!first || !second)
        return std::nullopt;
    return pair_of(std::move(*first), std::move(*second), uses_rpc_arguments);
}

Plan random_plan(std::uint64_t seed, std::uint32_t vms, std::uint32_t vcpus)
{
    constexpr std::uint32_t longest = 4;
    std::vector<std::uint32_t> const now_and_then{0, 2, 3, 5};
    Random random{seed};
    Plan plan;
    plan.optee_threads = 1 + random.below(vcpus);
    plan.caches_arguments = random.below(2) == 0;
    plan.uses_rpc_arguments = random.below(2) == 0;
    plan.interrupts_every = random.one_of(now_and_then);
    if (auto const every = random.one_of(now_and_then); every != 0)
        plan.preemption = Preemption::every(every);
    for (std::uint32_t vm = 0; vm < vms; ++vm) {
        plan.vms.emplace_back(vcpus);
        for (auto& script : plan.vms.back())
            for (auto left = 1 + random.below(longest); left != 0; --left)
                script.push_back(random.one_of(all_operations()));
    }
    return plan;
}

World::World(Plan const& plan, std::function<std::unique_ptr<Mediator>()> mediator)
{
    std::uint32_t vcpus = 0;
    for (auto const& vm : plan.vms)
        vcpus = std::max(vcpus, static_cast<std::uint32_t>(vm.size()));
    tee::Options optee;
    optee.threads = plan.optee_threads;
    optee.foreign_interrupt_every = plan.interrupts_every;
    auto options = Machine::with_vms(static_cast<std::uint32_t>(plan.vms.size()))
                       .vcpus(vcpus)
                       .ram_pages(ram_pages)
                       .optee(optee)
                       .preemption(plan.preemption);
    if (mediator)
        options = std::move(options).mediated_by(std::move(mediator));
    machine_ = std::make_unique<Machine>(options, true);
    for (std::size_t vm = 0; vm < plan.vms.size(); ++vm) {
        stages_.push_back(std::make_unique<Stage>(machine_->vm(vm), plan));
        auto& stage = *stages_.back();
        for (std::uint32_t vcpu = 0; vcpu < plan.vms[vm].size(); ++vcpu)
            bodies_.emplace_back([&stage, vcpu, script = plan.vms[vm][vcpu]] { stage.play(vcpu, script); });
    }
}

World::~World() = default;

std::string World::verdict(Outcome const& outcome)
{
    auto text = outcome.failure.empty() ? std::string{} : outcome.failure + "\n";
    if (text.empty())
        for (auto const& stage : stages_) {
            stage->settle();
            text += stage->complaints();
        }
    return text + machine_->violations();
}

} // namespace sim::schedule
