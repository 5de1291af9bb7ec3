// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/bench/cases.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>

namespace bench {

namespace {

constexpr std::uint64_t own_pages = 65536; ///< of the machine, beyond those of the VMs: for the mediator
constexpr std::uint64_t some_pages = 128;  ///< that a VM can share, where no more is needed
constexpr std::uint64_t first_cookie = 0x1000;
constexpr std::uint64_t cookie_stride = 0x40; ///< names are addresses of objects in Linux's heap

std::unique_ptr<Stage> stage(Subject const& subject,
                             std::uint64_t vms = 1,
                             std::uint64_t shared = some_pages,
                             Layout layout = Layout::contiguous,
                             std::uint64_t threads = NullMachine::most_threads)
{
    auto result = std::make_unique<Stage>();
    // A cookie for each buffer, a page list for each: the machine must hold what the largest curve asks for.
    result->machine = std::make_unique<NullMachine>(vms * Guest::pages_for(shared) + own_pages * 4, threads);
    if (!subject.probe())
        throw std::runtime_error{"the mediator does not find OP-TEE"};
    for (std::uint64_t n = 0; n < vms; ++n)
        result->guests.push_back(
            std::make_unique<Guest>(subject, *result->machine, static_cast<std::uint16_t>(n + 1), shared, layout));
    return result;
}

/// A case with one guest: `prepare` once, `again` as often as it is measured.
template <typename Prepare, typename Again>
auto with_guest(Prepare prepare, Again again, std::uint64_t shared = some_pages, Layout layout = Layout::contiguous)
{
    return [=](Subject const& subject) {
        auto result = stage(subject, 1, shared, layout);
        auto& guest = *result->guests.front();
        prepare(guest);
        result->again = [&guest, again](std::uint64_t thread) mutable { again(guest, thread); };
        return result;
    };
}

constexpr auto anybody = [](Subject const&) { return true; };
constexpr auto nothing = [](Guest&) {};

void register_many(Guest& guest, std::uint64_t buffers)
{
    for (std::uint64_t n = 0; n < buffers; ++n)
        guest.register_memory(first_cookie + n * cookie_stride, 1);
}

auto registers(std::uint64_t pages)
{
    return [pages](Guest& guest, std::uint64_t) {
        guest.register_memory(1, pages);
        guest.unregister_memory(1);
    };
}

auto waits(Wish wish)
{
    return [wish](Guest& guest) { guest.start(0, wish); };
}

constexpr auto goes_on = [](Guest& guest, std::uint64_t) { guest.go_on(0); };

void add_calls(std::vector<Case>& all)
{
    auto const add = [&](char const* name, auto make) {
        all.push_back({.curve = "call", .name = name, .fits = anybody, .make = make});
    };
    add("fast call", with_guest(nothing, [](Guest& guest, std::uint64_t) { guest.ask_revision(); }));
    add("INVOKE_COMMAND without memory", with_guest(nothing, [](Guest& guest, std::uint64_t) { guest.invoke(0); }));
    add("INVOKE_COMMAND without memory, as Linux calls",
        with_guest([](Guest& guest) { register_many(guest, 1); },
                   [](Guest& guest, std::uint64_t) { guest.invoke_as_linux(first_cookie); }));
    add("OPEN_SESSION and CLOSE_SESSION",
        with_guest(nothing, [](Guest& guest, std::uint64_t) { guest.open_and_close(); }));
    add("INVOKE_COMMAND with a registered buffer",
        with_guest([](Guest& guest) { register_many(guest, 1); },
                   [](Guest& guest, std::uint64_t) { guest.invoke_with(0, first_cookie); }));
    add("return from a foreign interrupt", with_guest(waits(Wish::foreign_interrupts), goes_on));
    add("return from RPC GET_TIME", with_guest(waits(Wish::requests), goes_on));
    add("REGISTER_SHM and UNREGISTER_SHM of 1 page", with_guest(nothing, registers(1)));
    add("REGISTER_SHM and UNREGISTER_SHM of 128 pages", with_guest(nothing, registers(128)));
    add("REGISTER_SHM and UNREGISTER_SHM of 128 scattered pages",
        with_guest(nothing, registers(128), some_pages, Layout::scattered));
}

void add_buffers(std::vector<Case>& all, std::uint64_t buffers)
{
    auto const fits = [buffers](Subject const& subject) { return buffers < subject.most_buffers; };
    auto const prepare = [buffers](Guest& guest) { register_many(guest, buffers); };
    all.push_back({.curve = "registered buffers",
                   .name = "INVOKE_COMMAND with one of them",
                   .x = buffers,
                   .fits = fits,
                   .make = with_guest(prepare, [buffers, n = std::uint64_t{0}](Guest& guest, std::uint64_t) mutable {
                       n = (n + 7919) % buffers;
                       guest.invoke_with(0, first_cookie + n * cookie_stride);
                   })});
    all.push_back({.curve = "registered buffers",
                   .name = "one more comes and goes",
                   .x = buffers,
                   .fits = fits,
                   .make = with_guest(prepare, registers(1))});
}

void add_calls_in_flight(std::vector<Case>& all, std::uint64_t calls)
{
    all.push_back({.curve = "calls in flight",
                   .name = "one of them goes on",
                   .x = calls,
                   .fits = [calls](Subject const& subject) { return calls <= subject.most_calls; },
                   .make = with_guest(
                       [calls](Guest& guest) {
                           for (std::uint64_t n = 0; n < calls; ++n)
                               guest.start(n, Wish::foreign_interrupts);
                       },
                       [calls, n = std::uint64_t{0}](Guest& guest, std::uint64_t) mutable {
                           guest.go_on(n);
                           n = (n + 1) % calls;
                       })});
}

void add_vms(std::vector<Case>& all, std::uint64_t vms)
{
    all.push_back({.curve = "VMs",
                   .name = "INVOKE_COMMAND in one of them",
                   .x = vms,
                   .fits = anybody,
                   .make = [vms](Subject const& subject) {
                       auto result = stage(subject, vms);
                       result->again = [&guests = result->guests, n = std::size_t{0}](std::uint64_t) mutable {
                           guests.at(n)->invoke(0);
                           n = (n + 1) % guests.size();
                       };
                       return result;
                   }});
}

void add_pages(std::vector<Case>& all, std::uint64_t pages)
{
    auto const fits = [pages](Subject const& subject) { return pages <= subject.most_pages; };
    all.push_back({.curve = "pages",
                   .name = "one buffer comes and goes, contiguous",
                   .x = pages,
                   .fits = fits,
                   .make = with_guest(nothing, registers(pages), pages)});
    all.push_back({.curve = "pages",
                   .name = "one buffer comes and goes, scattered",
                   .x = pages,
                   .fits = fits,
                   .make = with_guest(nothing, registers(pages), pages, Layout::scattered)});
}

void add_threads(std::vector<Case>& all, std::uint64_t threads)
{
    all.push_back({.curve = "threads",
                   .name = "INVOKE_COMMAND by all of them in one VM",
                   .x = threads,
                   .with_threads = true,
                   .fits = anybody,
                   .make = with_guest(nothing, [](Guest& guest, std::uint64_t thread) { guest.invoke(thread); })});
}

} // namespace

std::uint64_t Stage::take_entries()
{
    return std::accumulate(guests.begin(), guests.end(), std::uint64_t{0}, [](std::uint64_t sum, auto const& guest) {
        return sum + guest->take_entries();
    });
}

std::string Case::title(Subject const& subject) const
{
    return curve + "/" + name + "/" + std::to_string(x) + "/" + std::string{subject.name};
}

std::vector<Case> cases(bool large)
{
    std::vector<Case> all;
    add_calls(all);
    for (std::uint64_t const buffers : {1u, 4u, 15u, 100u, 1000u, 10'000u, 100'000u})
        if (large || buffers <= 1000)
            add_buffers(all, buffers);
    for (std::uint64_t const calls : {1u, 4u, 16u, 64u, 256u})
        add_calls_in_flight(all, calls);
    for (std::uint64_t const vms : {1u, 4u, 16u, 64u})
        add_vms(all, vms);
    for (std::uint64_t const pages : {1u, 8u, 32u, 128u, 512u, 4096u, 32768u, 262'144u})
        if (large || pages <= 4096)
            add_pages(all, pages);
    if (large)
        for (std::uint64_t const threads : {1u, 2u, 4u, 8u})
            add_threads(all, threads);
    return all;
}

Memory memory_of(Subject const& subject)
{
    constexpr std::uint64_t buffers = 15;
    constexpr std::uint64_t calls = 4; // what a board's OP-TEE usually has threads for
    constexpr std::uint64_t many_pages = 10 * sim::abi::entries_per_list;
    auto const pages = std::min(subject.most_pages, many_pages);
    auto const held = [](Stage const& on) { return static_cast<double>(on.machine->held().bytes); };

    auto const result = stage(subject, 1, pages, Layout::contiguous, calls);
    auto& guest = *result->guests.front();
    auto const idle = held(*result);
    guest.register_memory(1, pages);
    auto const with_pages = held(*result);
    guest.unregister_memory(1);
    auto const without = held(*result);
    register_many(guest, buffers);
    auto const with_buffers = held(*result);
    for (std::uint64_t n = 0; n < calls; ++n)
        guest.start(n, Wish::foreign_interrupts);
    return {.vm = idle,
            .call = (held(*result) - with_buffers) / calls,
            .buffer = (with_buffers - without) / buffers,
            .page = (with_pages - idle) / static_cast<double>(pages)};
}

} // namespace bench
