// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/attack/words.hpp"

#include <algorithm>

namespace sim::attack {

namespace {

constexpr std::uint64_t innocent_ram_page = 5; ///< one of those that a guest's driver leaves to scripts

std::uint64_t list_pages_for(std::uint64_t entries)
{
    return std::max<std::uint64_t>((entries + abi::entries_per_list - 1) / abi::entries_per_list, 1);
}

} // namespace

// --- pages and addresses

std::vector<BadPage> const& bad_pages()
{
    static std::vector<BadPage> const pages{
        {"absent", [](Machine& m, Ipa at) { m.vm(0).balloon_out(at); }},
        {"read-only", [](Machine& m, Ipa at) { m.vm(0).write_protect(at); }},
        {"foreign", [](Machine& m, Ipa at) { m.vm(0).map_of(m.vm(1), innocent_page(m), at, MappingKind::foreign); }},
        {"granted", [](Machine& m, Ipa at) { m.vm(0).map_of(m.vm(1), innocent_page(m), at, MappingKind::grant); }},
        {"device", [](Machine& m, Ipa at) { m.vm(0).map_mmio(at); }},
    };
    return pages;
}

Ipa innocent_page(Machine& machine)
{
    return machine.vm(1).ram(innocent_ram_page);
}

std::vector<BadAddress> addresses_of_nothing(Vm const& vm)
{
    return {
        {"below the RAM", Ipa{Vm::ram_base.raw - page_bytes}},
        {"just beyond the RAM", vm.ram(vm.ram_pages())},
        {"4 GiB", Ipa{std::uint64_t{1} << 32}},
        {"the end of 40 bits", Ipa{(std::uint64_t{1} << 40) - page_bytes}},
        {"beyond 48 bits", Ipa{std::uint64_t{1} << 48}},
        {"beyond 52 bits", Ipa{std::uint64_t{1} << 52}},
        {"an own page with the top bit set", Ipa{vm.ram(3).raw | (std::uint64_t{1} << 63)}},
        {"the last page of all", Ipa{~std::uint64_t{0} << 12}},
    };
}

void put_ram_at_null(Vm& vm)
{
    vm.populate(Ipa{0});
}

// --- messages

Registers back_from_rpc(Answer const& rpc)
{
    auto registers = rpc.registers;
    registers.a[0] = abi::smc::return_from_rpc;
    return registers;
}

Registers call_with_arg(Ipa message)
{
    return {{abi::smc::call_with_arg, abi::high(message.raw), abi::low(message.raw), 0, 0, 0, 0, 0}};
}

Call call_at(LinuxGuest& guest, Ipa message)
{
    return Call{guest, call_with_arg(message), {guest.vm(), message}, false};
}

GuestMessage write_message(Vm& vm,
                           Ipa at,
                           std::uint32_t cmd,
                           std::uint32_t func,
                           std::uint32_t session,
                           std::vector<abi::Param> const& params)
{
    GuestMessage message{vm, at};
    auto const count = static_cast<std::uint32_t>(params.size());
    for (std::uint32_t field = 0; field < abi::header_bytes; field += 4)
        message.set_field(field, 0);
    message.set_field(abi::arg::cmd, cmd);
    message.set_field(abi::arg::func, func);
    message.set_field(abi::arg::session, session);
    message.set_field(abi::arg::num_params, count);
    for (std::uint32_t n = 0; n < count; ++n)
        message.set_param(n, params[n]);
    return message;
}

Argument as_is(abi::Param const& param)
{
    return {param, nullptr};
}

std::uint32_t echo_session(LinuxGuest& guest)
{
    auto const opened = guest.open(App::echo);
    EXPECT_TRUE(opened.ok());
    return opened.session;
}

CallResult invert(LinuxGuest& guest, std::uint32_t session, Arguments const& arguments, std::uint32_t vcpu)
{
    auto call = guest.begin_invoke(session, command::memory_invert, arguments);
    call.run_on(vcpu);
    return call.result();
}

// --- page lists

HandMadeList::HandMadeList(LinuxGuest& guest, std::vector<Ipa> const& entries)
    : guest_{guest}, entries_{entries.size()}, pages_{list_pages_for(entries.size())}, base_{guest.memory().allocate(
                                                                                           pages_)}
{
    for (std::uint64_t n = 0; n < pages_; ++n) {
        fill_page(guest_.vm(), page(n), 0);
        if (n + 1 < pages_)
            set_next(n, page(n + 1));
    }
    for (std::size_t n = 0; n < entries.size(); ++n)
        set_entry(n, entries[n]);
}

HandMadeList::~HandMadeList()
{
    guest_.memory().free(base_, pages_);
}

void HandMadeList::set_entry(std::size_t n, Ipa entry) const
{
    auto const place = page(n / abi::entries_per_list).raw + n % abi::entries_per_list * sizeof entry.raw;
    guest_.vm().poke(Ipa{place}, entry.raw);
}

void HandMadeList::set_next(std::uint64_t list_page, Ipa next) const
{
    guest_.vm().poke(Ipa{page(list_page).raw + abi::entries_per_list * sizeof next.raw}, next.raw);
}

abi::Param HandMadeList::reference(std::uint64_t tmem_attr, std::uint64_t cookie) const
{
    return reference(tmem_attr, cookie, entries_ * page_bytes, 0);
}

abi::Param HandMadeList::reference(std::uint64_t tmem_attr,
                                   std::uint64_t cookie,
                                   std::uint64_t size,
                                   std::uint32_t offset) const
{
    return {tmem_attr | abi::attr::noncontig, base_.raw | offset, size, cookie};
}

std::vector<Ipa> own_pages(LinuxGuest& guest, std::size_t count)
{
    return guest.memory().allocate_scattered(count * std::uint64_t{page_bytes})->pages;
}

// --- names

Shm renamed(Shm const& shm, std::uint64_t cookie)
{
    auto same = std::make_shared<SharedMemory>(*shm);
    same->cookie = cookie;
    return same;
}

// --- what is there

PageContents contents_of(Vm const& vm, Ipa page)
{
    return vm.peek<PageContents>(page);
}

void fill_page(Vm& vm, Ipa page, std::uint32_t word)
{
    PageContents contents;
    contents.fill(word);
    vm.poke(page, contents);
}

std::vector<std::uint32_t> changes(PageContents const& before, PageContents const& after)
{
    std::vector<std::uint32_t> places;
    for (std::uint32_t word = 0; word < before.size(); ++word)
        if (before[word] != after[word])
            places.push_back(word * 4);
    return places;
}

std::vector<std::uint32_t> outputs_of_result()
{
    return {abi::arg::session, abi::arg::ret, abi::arg::ret_origin};
}

std::vector<std::uint32_t> outputs_of_param(std::uint32_t n, std::vector<std::uint32_t> const& words)
{
    std::vector<std::uint32_t> places;
    for (auto const word : words)
        for (auto const half : {0u, 4u})
            places.push_back(abi::arg::bytes(n) + word * 8 + half);
    return places;
}

testing::AssertionResult changed_only(std::vector<std::uint32_t> const& changed,
                                      std::vector<std::vector<std::uint32_t>> const& allowed)
{
    for (auto const place : changed) {
        auto const is_allowed = std::any_of(allowed.begin(), allowed.end(), [place](auto const& places) {
            return std::find(places.begin(), places.end(), place) != places.end();
        });
        if (!is_allowed)
            return testing::AssertionFailure() << "byte " << place << " of the page was changed";
    }
    return testing::AssertionSuccess();
}

// --- what comes to OP-TEE

Smcs::Smcs(Vm& vm) : vm_{vm}
{
    vm_.machine().add(*this);
}

Smcs::~Smcs()
{
    vm_.machine().remove(*this);
}

void Smcs::at(Moment const& moment)
{
    if (moment.point == Point::smc && moment.vm == &vm_)
        ++seen_;
}

Forwarded::Forwarded(Vm& vm) : vm_{vm}
{
    auto const note = [this](tee::Smc& smc) {
        auto const& memory = vm_.machine().memory();
        auto const at = abi::joined(smc.frame.a[1], smc.frame.a[2]);
        if (smc.vm == &vm_ && memory.is_used(at)) {
            Message message{smc.frame, {}, {}};
            memory.read(Pa{at}, message.header.data(), abi::header_bytes);
            message.params.resize(std::min(message.field(abi::arg::num_params), abi::max_params));
            for (std::uint32_t n = 0; n < message.params.size(); ++n)
                memory.read(Pa{at + abi::arg::bytes(n)}, &message.params[n], abi::param_bytes);
            messages_.push_back(message);
        }
        smc.proceed();
    };
    for (auto const function : {abi::smc::call_with_arg, abi::smc::call_with_rpc_arg})
        vm_.machine().optee().instead_of_every(function, note);
}

Forwarded::~Forwarded()
{
    vm_.machine().optee().behave();
}

void hand_back_next(Machine& machine, std::uint64_t cookie)
{
    machine.optee().instead_of_next(abi::smc::disable_shm_cache, [cookie](tee::Smc& smc) {
        smc.frame.a[0] = abi::ret::ok;
        smc.frame.a[1] = abi::high(cookie);
        smc.frame.a[2] = abi::low(cookie);
    });
}

// --- answers

testing::AssertionResult is_unknown(Registers const& before, Answer const& answer)
{
    if (answer.handled)
        return is_only(abi::ret::unknown_function, before, answer);
    return testing::AssertionSuccess(); // untouched (I7): the hypervisor writes a0
}

testing::AssertionResult is_only(std::uint32_t a0, Registers const& before, Answer const& answer)
{
    if (answer.registers.a[0] != a0)
        return testing::AssertionFailure() << std::hex << "a0 is " << answer.registers.a[0] << ", expected " << a0;
    for (unsigned n = 1; n < 8; ++n)
        if (answer.registers.a[n] != before.a[n])
            return testing::AssertionFailure() << "a" << n << " was changed";
    return testing::AssertionSuccess();
}

testing::AssertionResult is_refused_with(CallResult const& result, std::vector<std::uint32_t> const& rets)
{
    if (std::find(rets.begin(), rets.end(), result.ret) == rets.end())
        return is_refused(result, rets.front());
    return is_refused(result, result.ret);
}

bool is_refused_or_busy(CallResult const& result)
{
    return static_cast<bool>(is_refused_with(result, {abi::result::bad_parameters, abi::result::busy}));
}

testing::AssertionResult is_refused_by_optee(CallResult const& result)
{
    if (result.a0 == abi::ret::ok && result.ret != abi::result::success && result.origin == abi::origin::tee)
        return testing::AssertionSuccess();
    return testing::AssertionFailure() << std::hex << "a0 " << result.a0 << ", ret " << result.ret << ", origin "
                                       << result.origin << "; expected an error of OP-TEE's";
}

} // namespace sim::attack
