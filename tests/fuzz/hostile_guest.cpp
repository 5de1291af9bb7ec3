// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/fuzz/hostile_guest.hpp"

#include "sim/optee/trusted_apps.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

namespace sim::fuzz {

namespace {

constexpr std::uint64_t beyond_ram = 0x8'0000'0000;
constexpr std::uint64_t cookies_in_use = 12;
constexpr unsigned most_fair_answers = 200;

constexpr std::array<std::uint64_t, 18> fast_ids{
    abi::smc::exchange_capabilities,
    abi::smc::get_thread_count,
    abi::smc::enable_shm_cache,
    abi::smc::disable_shm_cache,
    abi::smc::get_shm_config,
    abi::smc::calls_uid,
    abi::smc::calls_revision,
    abi::smc::get_os_uuid,
    abi::smc::get_os_revision,
    abi::smc::vm_created,
    abi::smc::vm_destroyed,
    abi::smc::calls_count,
    abi::smc::enable_async_notif,
    abi::smc::l2cc_mutex,
    abi::smc::get_async_notif_value,
    abi::smc::boot_secondary,
    abi::smc::call_with_arg,
    abi::smc::return_from_rpc,
};

constexpr std::array<std::uint64_t, 14> attributes{
    abi::attr::value_inout,
    abi::attr::tmem_inout | abi::attr::noncontig,
    abi::attr::rmem_inout,
    abi::attr::tmem_output | abi::attr::noncontig,
    abi::attr::value_input,
    abi::attr::value_output,
    abi::attr::tmem_input,
    abi::attr::rmem_input,
    abi::attr::none,
    abi::attr::rmem_output | abi::attr::meta,
    abi::attr::value_input | abi::attr::meta,
    abi::attr::value_input | abi::attr::noncontig,
    abi::attr::tmem_inout,
    abi::attr::rmem_inout | abi::attr::noncontig,
};

constexpr std::array<std::uint64_t, 10> sizes{
    abi::page,
    1,
    0,
    2 * abi::page,
    abi::page - 1,
    abi::page + 1,
    4 * abi::page,
    ~std::uint64_t{0},
    1ull << 44,
    1ull << 32,
};

constexpr std::array<std::uint64_t, 8> words{0, 1, ~std::uint64_t{0}, 4, 127, 128, 0xffff'0000, 1ull << 63};

} // namespace

void HostileGuest::fast_call(Bytes& bytes, std::uint32_t vcpu)
{
    Registers registers{};
    registers.a[0] = bytes.value(fast_ids);
    registers.a[1] = bytes.value(words);
    registers.a[7] = bytes.flag() ? bytes.byte() : 0;
    static_cast<void>(vm_.smc(vcpu, registers));
}

void HostileGuest::any_smc(Bytes& bytes, std::uint32_t vcpu)
{
    static constexpr std::array<std::uint64_t, 6> ids{
        abi::smc::return_from_rpc,
        abi::smc::call_with_arg,
        abi::smc::call_with_rpc_arg,
        abi::smc::call_with_regd_arg,
        0xdead'0000'3200'0004,
        0x7200'0004,
    };
    Registers registers{};
    registers.a[0] = bytes.value(ids);
    auto const address = any_address(bytes);
    registers.a[1] = abi::high(address.raw);
    registers.a[2] = abi::low(address.raw);
    registers.a[3] = bytes.flag() && !open_.empty() ? open_.front().asked.a[3] : bytes.number(2);
    for (unsigned n = 4; n < 8; ++n)
        registers.a[n] = bytes.byte();
    // Not followed up: what became of the call is for other steps to guess.
    auto const answer = vm_.smc(vcpu, registers);
    if (abi::is_rpc(answer.registers.a[0]))
        open_.push_back({answer.registers, address, 0});
}

Ipa HostileGuest::page(Bytes& bytes, std::uint64_t purpose, std::uint64_t pages)
{
    if (mixes_ && bytes.flag())
        return vm_.ram(bytes.byte() % Layout::pages);
    return vm_.ram(purpose + bytes.byte() % pages);
}

Ipa HostileGuest::any_address(Bytes& bytes)
{
    switch (bytes.below(8)) {
    case 0:
    case 1:
    case 2:  return page(bytes, Layout::messages, Layout::message_pages);
    case 3:  return Ipa{vm_.ram(bytes.byte() % Layout::message_pages).raw + 8};
    case 4:  return Ipa{0};
    case 5:  return Ipa{beyond_ram};
    case 6:  return vm_.ram(Layout::pages + bytes.byte());
    default: return Ipa{bytes.number(8)};
    }
}

Ipa HostileGuest::odd_list(Bytes& bytes)
{
    auto const at = any_address(bytes);
    auto const is_ram = at.raw >= vm_.ram(0).raw && at.raw < vm_.ram(Layout::pages).raw;
    return mixes_ || !is_ram ? at : Ipa{beyond_ram};
}

std::uint64_t HostileGuest::cookie(Bytes& bytes)
{
    auto const which = bytes.byte();
    if (which < 0xf0)
        return 1 + which % cookies_in_use;
    return which == 0xf0 ? 0 : bytes.number(8);
}

std::uint64_t HostileGuest::size(Bytes& bytes)
{
    return bytes.value(sizes);
}

std::uint32_t HostileGuest::session(Bytes& bytes)
{
    auto const which = bytes.byte();
    return sessions_.empty() || which >= 0xf0 ? which : sessions_[which % sessions_.size()];
}

Ipa HostileGuest::list(Bytes& bytes, std::uint32_t n, std::uint64_t pages)
{
    // Each parameter has list pages of its own, three of them: one page would be read twice otherwise.
    auto const first = Layout::lists + (n * 3) % Layout::list_pages;
    auto at = vm_.ram(first);
    std::uint64_t slot = 0;
    std::uint64_t list_page = first;
    auto const kind = bytes.byte();
    for (std::uint64_t entry = 0; entry < std::min<std::uint64_t>(pages, 1100); ++entry) {
        if (slot == abi::entries_per_list) {
            ++list_page;
            auto const next = mixes_ && kind >= 0xf0 ? vm_.ram(first) : vm_.ram(list_page);
            vm_.poke(Ipa{at.raw + slot * 8}, next.raw);
            at = next;
            slot = 0;
        }
        auto entry_page = (kind & 0x40) != 0 ? vm_.ram(Layout::messages + (kind + entry) % Layout::message_pages)
                                             : vm_.ram(Layout::data + (kind + entry) % Layout::data_pages);
        if (kind % 8 == 7 && entry == bytes.below(4))
            entry_page = any_address(bytes);
        vm_.poke(Ipa{at.raw + slot++ * 8}, entry_page.raw);
    }
    return vm_.ram(first);
}

abi::Param HostileGuest::memory_for_optee(Bytes& bytes, std::uint64_t asked)
{
    auto const pages = std::min<std::uint64_t>((asked + abi::page - 1) / abi::page, 1024);
    auto const at = list(bytes, 7, std::max<std::uint64_t>(pages, 1));
    auto const odd = bytes.byte();
    abi::Param answer{abi::attr::tmem_output | abi::attr::noncontig, at.raw, asked, cookie(bytes)};
    switch (odd) {
    case 1:  answer.attr = bytes.value(attributes); break;
    case 2:  answer.a = odd_list(bytes).raw; break;
    case 3:  answer.b = size(bytes); break;
    case 4:  answer.c = bytes.value(words); break;
    case 5:  answer.a += bytes.number(2) % abi::page; break;
    default: break;
    }
    return answer;
}

abi::Param HostileGuest::any_param(Bytes& bytes, std::uint32_t n)
{
    auto const attr = bytes.value(attributes);
    if (abi::attr::is_value(attr))
        return {attr, bytes.byte(), bytes.byte(), bytes.byte()};
    if (abi::attr::is_rmem(attr))
        return {attr, bytes.flag() ? bytes.value(words) : 0, size(bytes), cookie(bytes)};
    if (abi::attr::is_tmem(attr)) {
        auto const asked = size(bytes);
        auto const offset = bytes.flag() ? bytes.number(2) % abi::page : 0;
        auto const pages = (offset + asked % (1ull << 23)) / abi::page + 1;
        return {attr, list(bytes, n, pages).raw + offset, asked, cookie(bytes)};
    }
    return {attr, bytes.byte(), bytes.byte(), bytes.byte()};
}

abi::Param HostileGuest::param(Bytes& bytes, std::uint32_t n)
{
    auto value = any_param(bytes, n);
    if (bytes.byte() == 0xff) {
        value.attr |= 1ull << bytes.below(64);
        value.a = bytes.flag() ? odd_list(bytes).raw : value.a;
    }
    return value;
}

void HostileGuest::write_message(Bytes& bytes, Ipa at, std::uint32_t cmd)
{
    auto const put = [&](std::uint32_t offset, std::uint32_t value) { vm_.poke(Ipa{at.raw + offset}, value); };
    auto const put_param = [&](std::uint32_t n, abi::Param const& value) {
        if (n < abi::max_params)
            vm_.poke(Ipa{at.raw + abi::arg::bytes(n)}, value);
    };
    std::uint32_t count = 0;
    put(abi::arg::func, bytes.below(4));
    put(abi::arg::session, session(bytes));
    put(abi::arg::cancel_id, 0);
    put(abi::arg::pad, 0);
    switch (cmd) {
    case abi::cmd::open_session: {
        auto const uuid = tee::uuid_of(static_cast<tee::App>(bytes.below(7)));
        put_param(count++, {abi::attr::value_input | abi::attr::meta, uuid.a, uuid.b, 0});
        put_param(count++, {abi::attr::value_input | abi::attr::meta, 0, 0, 0});
        [[fallthrough]];
    }
    case abi::cmd::invoke_command:
        for (auto more = bytes.below(5); more != 0; --more, ++count)
            put_param(count, param(bytes, count));
        break;
    case abi::cmd::register_shm: {
        auto const asked = size(bytes);
        auto const at_list = list(bytes, 0, asked % (1ull << 23) / abi::page + 2);
        put_param(count++, {abi::attr::tmem_output | abi::attr::noncontig, at_list.raw, asked, cookie(bytes)});
        break;
    }
    case abi::cmd::unregister_shm: put_param(count++, {abi::attr::rmem_input, 0, 0, cookie(bytes)}); break;
    default:                       break;
    }
    auto const odd = bytes.byte();
    if (odd == 1)
        put_param(0, param(bytes, 0));
    put(abi::arg::num_params, odd == 2 ? static_cast<std::uint32_t>(bytes.value(words)) : count);
    put(abi::arg::cmd, cmd);
}

void HostileGuest::call(Bytes& bytes, std::uint32_t vcpu)
{
    static constexpr std::array<std::uint64_t, 8> commands{
        abi::cmd::open_session,
        abi::cmd::invoke_command,
        abi::cmd::register_shm,
        abi::cmd::unregister_shm,
        abi::cmd::close_session,
        abi::cmd::cancel,
        abi::cmd::do_bottom_half,
        abi::cmd::stop_async_notif,
    };
    auto const cmd = static_cast<std::uint32_t>(bytes.value(commands));
    auto at = vm_.ram(0);
    auto form = Form::with_arg;
    if (mixes_ && bytes.flag()) {
        at = vm_.ram(bytes.byte() % Layout::pages);
    } else {
        // One byte, so that scripts from before there were forms mean what they meant.
        auto const choice = bytes.byte();
        static constexpr std::array forms{Form::with_arg, Form::with_arg, Form::with_rpc_arg, Form::with_regd_arg};
        at = vm_.ram(Layout::messages + choice % Layout::message_pages);
        form = forms[choice >> 6];
    }
    write_message(bytes, at, cmd);
    auto const registers = call_registers(bytes, form, at);
    take({{}, at, cmd, form == Form::with_arg ? Ipa{0} : room_behind(at)}, vm_.smc(vcpu, registers));
}

Registers HostileGuest::call_registers(Bytes& bytes, Form form, Ipa at)
{
    switch (form) {
    case Form::with_arg: break;
    case Form::with_rpc_arg:
        return {{abi::smc::call_with_rpc_arg, abi::high(at.raw), abi::low(at.raw), 0, 0, 0, 0, 0}};
    case Form::with_regd_arg: {
        auto const buffer = cookie(bytes);
        auto const place = bytes.byte();
        auto const offset = place % Layout::message_pages * abi::page + 8 * (place / 32);
        return {{abi::smc::call_with_regd_arg, abi::high(buffer), abi::low(buffer), offset, 0, 0, 0, 0}};
    }
    }
    return {{abi::smc::call_with_arg, abi::high(at.raw), abi::low(at.raw), 0, 0, 0, 0, 0}};
}

Ipa HostileGuest::room_behind(Ipa message) const
{
    auto const params = vm_.peek<std::uint32_t>(Ipa{message.raw + abi::arg::num_params});
    return Ipa{message.raw + abi::arg::bytes(std::min(params, abi::max_params))};
}

void HostileGuest::take(OpenCall call, Answer const& answer)
{
    call.asked = answer.registers;
    if (abi::is_rpc(answer.registers.a[0])) {
        open_.push_back(call);
        return;
    }
    auto const ret = vm_.peek<std::uint32_t>(Ipa{call.message.raw + abi::arg::ret});
    if (call.cmd == abi::cmd::open_session && answer.a0() == abi::ret::ok && ret == abi::result::success)
        sessions_.push_back(vm_.peek<std::uint32_t>(Ipa{call.message.raw + abi::arg::session}));
}

void HostileGuest::serve_command(Bytes& bytes, Ipa message)
{
    auto const at = [&](std::uint32_t offset) { return Ipa{message.raw + offset}; };
    auto const asked = vm_.peek<abi::Param>(at(abi::arg::bytes(0)));
    auto const cmd = vm_.peek<std::uint32_t>(at(abi::arg::cmd));
    std::uint32_t ret = abi::result::success;
    if (cmd == abi::rpc_cmd::shm_alloc)
        vm_.poke(at(abi::arg::bytes(0)), memory_for_optee(bytes, asked.b));
    else if (cmd == abi::rpc_cmd::get_time)
        vm_.poke(at(abi::arg::bytes(0)), abi::Param{abi::attr::value_output, bytes.byte(), 0, 0});
    switch (bytes.byte()) {
    case 1:  ret = abi::result::out_of_memory; break;
    case 2:  vm_.poke(at(abi::arg::cmd), bytes.below(8)); break;
    case 3:  vm_.poke(at(abi::arg::num_params), static_cast<std::uint32_t>(bytes.value(words))); break;
    case 4:  vm_.poke(at(abi::arg::bytes(bytes.below(4))), param(bytes, 6)); break;
    default: break;
    }
    vm_.poke(at(abi::arg::ret), ret);
    vm_.poke(at(abi::arg::ret_origin), abi::origin::comms);
}

Registers HostileGuest::serve(Bytes& bytes, OpenCall const& call)
{
    auto registers = call.asked;
    auto const rpc = static_cast<std::uint32_t>(registers.a[0]);
    registers.a[0] = abi::smc::return_from_rpc;
    if (rpc == abi::rpc::alloc) {
        auto const given = page(bytes, Layout::arguments, Layout::argument_pages);
        auto const name = cookie(bytes);
        arguments_[name] = given;
        registers.a[1] = abi::high(given.raw);
        registers.a[2] = abi::low(given.raw);
        registers.a[4] = abi::high(name);
        registers.a[5] = abi::low(name);
    } else if (rpc == abi::rpc::command) {
        auto const found = arguments_.find(abi::joined(registers.a[1], registers.a[2]));
        if (call.room.raw != 0)
            serve_command(bytes, call.room);
        else if (found != arguments_.end())
            serve_command(bytes, found->second);
    }
    if (bytes.byte() == 0xff) {
        auto const which = 1 + bytes.below(7);
        registers.a[which] = bytes.flag() ? bytes.value(words) : any_address(bytes).raw;
    }
    return registers;
}

void HostileGuest::answer(Bytes& bytes, std::uint32_t vcpu)
{
    if (open_.empty())
        return;
    auto const which = bytes.below(static_cast<std::uint32_t>(open_.size()));
    auto const call = open_[which];
    auto const keeps = bytes.byte() == 0xff; // and will answer once more, which is once too often
    auto const registers = serve(bytes, call);
    if (!keeps)
        open_.erase(std::next(open_.begin(), static_cast<std::ptrdiff_t>(which)));
    take(call, vm_.smc(vcpu, registers));
}

void HostileGuest::write_memory(Bytes& bytes)
{
    auto const at = page(bytes, Layout::messages, Layout::message_pages);
    auto const offset = bytes.flag() ? abi::arg::bytes(bytes.below(4)) + 8 * bytes.below(4) : 4 * bytes.below(8);
    if (bytes.flag())
        vm_.poke(Ipa{at.raw + offset}, bytes.value(words));
    else
        vm_.poke(Ipa{at.raw + offset}, static_cast<std::uint32_t>(bytes.value(words)));
}

void HostileGuest::finish_calls(std::uint32_t vcpu)
{
    Bytes fair{{}};
    for (unsigned turn = 0; turn < most_fair_answers && !open_.empty(); ++turn) {
        // The last first: a call that waits for another one would keep the others waiting.
        auto const call = open_.back();
        open_.pop_back();
        take(call, vm_.smc(vcpu, serve(fair, call)));
        if (turn % 8 == 7 && open_.size() > 1)
            std::rotate(open_.begin(), open_.begin() + 1, open_.end());
    }
}

} // namespace sim::fuzz
