// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/upstream/guest_windows.hpp"

#include "sim/machine/machine.hpp"

#include <algorithm>
#include <utility>

namespace sim::upstream {

namespace {

constexpr std::uint32_t word = 4; // what the simulator reads and writes of a guest

} // namespace

void* GuestWindows::map(Entry& entry, Pa page)
{
    auto window = std::make_unique<Window>(Window{&entry, page, {}, {}});
    auto* const address = window->copy.data();
    std::lock_guard const guard{mutex_};
    windows_.push_back(std::move(window));
    return address;
}

bool GuestWindows::unmap(Entry& entry, void const* address)
{
    settle(entry);
    std::lock_guard const guard{mutex_};
    auto const place = std::find_if(
        windows_.begin(), windows_.end(), [&](auto const& window) { return window->copy.data() == address; });
    if (place == windows_.end())
        return false;
    windows_.erase(place);
    return true;
}

void GuestWindows::forget(Entry& entry)
{
    settle(entry);
    auto const left = of(entry);
    if (left.empty())
        return;
    entry.machine().broken(Invariant::port, "an entry ends with a guest's page mapped");
    for (auto const* const window : left)
        unmap(entry, window->copy.data());
}

bool GuestWindows::before_load(Entry& entry, void const* address, std::size_t bytes)
{
    settle(entry);
    auto* const window = find(address);
    if (window == nullptr)
        return false;
    auto const words = words_of(*window, address, bytes);
    entry.read_guest(*entry.vm(), window->page, words.offset, &window->copy[words.offset], words.bytes);
    return true;
}

bool GuestWindows::before_store(Entry& entry, void const* address, std::size_t bytes)
{
    settle(entry);
    auto* const window = find(address);
    if (window == nullptr)
        return false;
    window->stored = words_of(*window, address, bytes);
    // A store of less than a word leaves the rest of it as it is: that is no access of Xen's.
    auto const [offset, size] = window->stored;
    entry.machine().memory().read(Pa{window->page.raw + offset}, &window->copy[offset], size);
    return true;
}

void GuestWindows::settle(Entry& entry)
{
    for (auto* const window : of(entry)) {
        auto const [offset, bytes] = std::exchange(window->stored, {});
        if (bytes != 0)
            entry.write_guest(*entry.vm(), window->page, offset, &window->copy[offset], bytes);
    }
}

GuestWindows::Window* GuestWindows::find(void const* address) const
{
    auto const* const octet = static_cast<std::uint8_t const*>(address);
    std::lock_guard const guard{mutex_};
    auto const place = std::find_if(windows_.begin(), windows_.end(), [&](auto const& window) {
        return octet >= window->copy.data() && octet < window->copy.data() + page_bytes;
    });
    return place == windows_.end() ? nullptr : place->get();
}

std::vector<GuestWindows::Window*> GuestWindows::of(Entry const& entry) const
{
    std::vector<Window*> found;
    std::lock_guard const guard{mutex_};
    for (auto const& window : windows_)
        if (window->entry == &entry)
            found.push_back(window.get());
    return found;
}

GuestWindows::Stored GuestWindows::words_of(Window const& window, void const* address, std::size_t bytes)
{
    auto const first = static_cast<std::uint32_t>(static_cast<std::uint8_t const*>(address) - window.copy.data());
    auto const begin = first / word * word;
    auto const end =
        std::min<std::uint32_t>((first + static_cast<std::uint32_t>(bytes) + word - 1) / word * word, page_bytes);
    return {begin, end - begin};
}

} // namespace sim::upstream
