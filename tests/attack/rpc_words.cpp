// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/attack/rpc_words.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace sim::attack {

namespace {

std::size_t to_end_of_page(Pa pa)
{
    return static_cast<std::size_t>(page_bytes - (pa.raw & page_mask));
}

/// Where OP-TEE will put its requests, if the call that begins brings room for them.
std::optional<Pa> room_behind_message(Machine& machine, optee_smc_frame const& frame)
{
    if (frame.a[0] != abi::smc::call_with_rpc_arg)
        return std::nullopt;
    auto const message = abi::joined(frame.a[1], frame.a[2]);
    std::uint32_t params = 0;
    machine.memory().read(Pa{message + abi::arg::num_params}, &params, sizeof params);
    return Pa{message + abi::arg::bytes(params)};
}

} // namespace

void pass_interrupts(Call& call, std::uint32_t vcpu)
{
    while (call.waits_for_rpc() && call.rpc() == abi::rpc::foreign_interrupt)
        call.answer_on(vcpu);
}

void resume(Call& call, Registers const& registers, std::uint32_t vcpu)
{
    call.resume_on(vcpu, registers);
    pass_interrupts(call, vcpu);
}

std::uint32_t SeenArgument::field(std::uint32_t offset) const
{
    std::uint32_t value = 0;
    std::memcpy(&value, reinterpret_cast<std::uint8_t const*>(words.data()) + offset, sizeof value);
    return value;
}

void SeenArgument::set_field(std::uint32_t offset, std::uint32_t value)
{
    std::memcpy(reinterpret_cast<std::uint8_t*>(words.data()) + offset, &value, sizeof value);
}

abi::Param SeenArgument::param(std::uint32_t n) const
{
    auto const first = abi::arg::bytes(n) / 8;
    return {words.at(first), words.at(first + 1), words.at(first + 2), words.at(first + 3)};
}

void SeenArgument::set_param(std::uint32_t n, abi::Param const& param)
{
    auto const first = abi::arg::bytes(n) / 8;
    words.at(first) = param.attr;
    words.at(first + 1) = param.a;
    words.at(first + 2) = param.b;
    words.at(first + 3) = param.c;
}

bool SeenArgument::holds(std::uint64_t word) const
{
    return std::find(words.begin(), words.end(), word) != words.end();
}

Rpcs::Rpcs(Machine& machine, Vm const& vm) : machine_{machine}, vm_{vm}
{
    for (auto const function : {abi::smc::call_with_arg, abi::smc::call_with_rpc_arg, abi::smc::return_from_rpc})
        machine_.optee().instead_of_every(function, [this](tee::Smc& smc) { on(smc); });
}

Rpcs::~Rpcs()
{
    machine_.optee().behave();
}

void Rpcs::note(optee_smc_frame const& frame)
{
    auto const thread = static_cast<std::uint32_t>(frame.a[3]);
    Return answer{.to = asked_[thread], .frame = frame, .argument = {}};
    if (answer.to == abi::rpc::alloc)
        arguments_[thread] = Pa{abi::joined(frame.a[1], frame.a[2])};
    if (auto const page = arguments_[thread]; answer.to == abi::rpc::command && page.raw != 0)
        machine_.memory().read(page, answer.argument.words.data(), to_end_of_page(page));
    returns_.push_back(answer);
}

void Rpcs::on(tee::Smc& smc)
{
    if (smc.vm != &vm_) {
        smc.proceed();
        return;
    }
    if (static_cast<std::uint32_t>(smc.frame.a[0]) == abi::smc::return_from_rpc)
        note(smc.frame);
    if (change_entering)
        change_entering(smc.frame);
    auto const room = room_behind_message(machine_, smc.frame);
    smc.proceed();
    auto const thread = static_cast<std::uint32_t>(smc.frame.a[3]);
    if (abi::is_rpc(smc.frame.a[0])) {
        asked_[thread] = static_cast<std::uint32_t>(smc.frame.a[0]);
        if (room)
            arguments_[thread] = *room;
    }
    if (auto const page = arguments_[thread];
        smc.frame.a[0] == abi::rpc::command && page.raw != 0 && change_request) {
        SeenArgument request;
        machine_.memory().read(page, request.words.data(), to_end_of_page(page));
        change_request(request);
        machine_.memory().write(page, request.words.data(), to_end_of_page(page));
    }
    if (change_leaving)
        change_leaving(smc.frame);
}

Rpcs::Return const& Rpcs::last(std::uint32_t to) const
{
    auto const place =
        std::find_if(returns_.rbegin(), returns_.rend(), [to](Return const& answer) { return answer.to == to; });
    if (place == returns_.rend())
        throw std::logic_error{"OP-TEE got no answer of this kind"};
    return *place;
}

Offer::Offer(LinuxGuest& guest, std::uint64_t bytes, std::uint32_t function)
    : session{guest.open(App::allocator).session}, call{guest.begin_invoke(session, function, {value_in(bytes, 1)})}
{
    if (!run_until_command(call, abi::rpc_cmd::shm_alloc))
        return;
    answer = call.serve_rpc().value();
    param = call.rpc_message().param(0);
    shm = guest.memory().find(param.c);
}

Question::Question(LinuxGuest& guest, std::uint64_t times)
    : session{guest.open(App::clock).session}, call{guest.begin_invoke(
                                                   session, command::clock_get, {value_out(), value_in(times)})}
{
    if (run_until_command(call, abi::rpc_cmd::get_time))
        answer = call.serve_rpc().value();
}

Loading::Loading(LinuxGuest& guest) : call{guest.begin_open(App::loadable)}
{
    run_until(call, [this](Call const&) { return waits(); });
}

Household::Household(LinuxGuest& guest)
    : guest_{guest}, memory_{guest.open(App::memory).session}, registered_{guest.register_memory(2 * page_bytes)},
      brief_{guest.memory().allocate_scattered(2 * page_bytes)}, clock_{guest.open(App::clock).session},
      call_{guest.begin_invoke(clock_, command::clock_get, {value_out(), value_in(2), temporary_in(brief_)})},
      loading_{guest}
{
    is_ready = run_until_command(call_, abi::rpc_cmd::get_time) && loading_.waits() && registered_;
    pins = guest.vm().pins();
}

std::vector<std::pair<char const*, std::uint64_t>> Household::cookies() const
{
    return {{"registered", registered_->cookie},
            {"temporary", brief_->cookie},
            {"argument of another thread", call_.last().pair(1)},
            {"memory of another thread", loading_.cookie()},
            {"argument of the thread that loads", loading_.call.last().pair(1)}};
}

void Household::expect_intact()
{
    EXPECT_EQ(guest_.vm().pins(), pins);
    call_.run_on(0);
    EXPECT_TRUE(call_.result().ok());
    loading_.call.run_on(0);
    EXPECT_TRUE(loading_.call.result().ok());
    EXPECT_TRUE(guest_.invoke(memory_, command::memory_invert, {shared_inout(registered_)}).ok());
    EXPECT_TRUE(guest_.unregister_shm(registered_).ok());
    EXPECT_EQ(guest_.vm().pins(), 0u);
}

namespace {

constexpr std::uint64_t foreign_page = 5; // of the other VM's RAM
constexpr std::uint64_t granted_page = 6;

} // namespace

SpoiltPage::SpoiltPage(Vm& vm, Vm& other, Ipa page, How how)
    : vm_{vm}, other_{other}, page_{page}, how_{how}, elsewhere_{vm.ram(vm.ram_pages() + 64 +
                                                                        page.raw / page_bytes % 64)},
      before_{contents_of(other, other.ram(foreign_page)), contents_of(other, other.ram(granted_page))}
{
    if (how_ == How::read_only) {
        vm_.write_protect(page_);
        return;
    }
    // The guest's allocator does not know that the page was away, so it must come back.
    vm_.swap(page_, elsewhere_);
    switch (how_) {
    case How::absent:
    case How::read_only: break;
    case How::foreign:   vm_.map_of(other, other.ram(foreign_page), page_, MappingKind::foreign); break;
    case How::granted:   vm_.map_of(other, other.ram(granted_page), page_, MappingKind::grant); break;
    case How::device:    vm_.map_mmio(page_); break;
    }
}

SpoiltPage::~SpoiltPage()
{
    if (how_ == How::read_only) {
        vm_.allow_writing(page_);
        return;
    }
    vm_.unmap(page_);
    vm_.swap(page_, elsewhere_);
}

void SpoiltPage::expect_others_as_they_were() const
{
    EXPECT_TRUE(changes(before_[0], contents_of(other_, other_.ram(foreign_page))).empty()) << name_of(how_);
    EXPECT_TRUE(changes(before_[1], contents_of(other_, other_.ram(granted_page))).empty()) << name_of(how_);
}

char const* name_of(SpoiltPage::How how)
{
    switch (how) {
    case SpoiltPage::How::absent:    return "absent";
    case SpoiltPage::How::read_only: return "read-only";
    case SpoiltPage::How::foreign:   return "foreign";
    case SpoiltPage::How::granted:   return "granted";
    case SpoiltPage::How::device:    return "a device";
    }
    return "";
}

} // namespace sim::attack
