// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/machine/entry.hpp"

#include "sim/invariants/leak.hpp"
#include "sim/machine/machine.hpp"
#include "sim/optee/optee.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace sim {

namespace {

thread_local Entry* current_entry = nullptr;

/// What map_page() hands out: a host copy would hide late writes, so it is the frame's own words.
void* host_address(Frame::Contents& contents)
{
    static_assert(sizeof(Frame::Contents) == page_bytes);
    static_assert(sizeof(std::atomic<std::uint32_t>) == 4 && std::atomic<std::uint32_t>::is_always_lock_free);
    return contents.data();
}

} // namespace

void Work::keep_larger(Work const& other)
{
    smcs = std::max(smcs, other.smcs);
    look_ups = std::max(look_ups, other.look_ups);
    pins = std::max(pins, other.pins);
    unpins = std::max(unpins, other.unpins);
    allocations = std::max(allocations, other.allocations);
    guest_reads = std::max(guest_reads, other.guest_reads);
    guest_writes = std::max(guest_writes, other.guest_writes);
}

Entry::Entry(Machine& machine, Vm* vm, std::uint32_t vcpu, Kind kind)
    : machine_{machine}, vm_{vm}, vcpu_{vcpu}, kind_{kind}, previous_{std::exchange(current_entry, this)}
{
    machine_.count_step();
    machine_.at(moment(Point::entry_begins));
}

Entry::~Entry()
{
    current_entry = previous_;
}

Entry* Entry::current()
{
    return current_entry;
}

void Entry::meanwhile(std::function<void()> const& then)
{
    auto* const inside = std::exchange(current_entry, nullptr);
    then();
    current_entry = inside;
}

Moment Entry::moment(Point point, Pa pa, std::uint64_t number) const
{
    return {point, vm_, vcpu_, pa, number};
}

void Entry::broken(Invariant invariant, std::string sentence) const
{
    machine_.broken(invariant, std::move(sentence));
}

void Entry::expect_no_lock(char const* doing) const
{
    if (!ranks_.empty())
        broken(Invariant::i13, std::string{"a lock is held while "} + doing);
}

void Entry::expect_own(Vm& vm, char const* doing) const
{
    if (vm_ != nullptr && &vm != vm_)
        broken(Invariant::i12, std::string{"an entry of another VM is "} + doing);
}

void Entry::smc(optee_smc_frame& frame)
{
    ++work_.smcs;
    expect_no_lock("OP-TEE runs");
    machine_.at(moment(Point::smc, Pa{0}, frame.a[0]));
    machine_.optee().smc(vm_, frame);
    machine_.at(moment(Point::smc_returns, Pa{0}, frame.a[0]));
}

std::uint32_t Entry::pin_run(Vm& vm, Ipa first, std::uint32_t pages, Pa* pa)
{
    return pin_if(vm, first, pages, pa, [](MappingKind kind) { return kind == MappingKind::ram; });
}

std::optional<Mapping> Entry::pin_own_ram(Vm& vm, Ipa page)
{
    Mapping found{MappingKind::ram, Pa{0}};
    auto const is_own = [&found](MappingKind kind) {
        found.kind = kind;
        return kind == MappingKind::ram || kind == MappingKind::read_only;
    };
    return pin_if(vm, page, 1, &found.page, is_own) == 1 ? std::optional{found} : std::nullopt;
}

std::uint32_t Entry::pin_if(
    Vm& vm, Ipa first, std::uint32_t pages, Pa* pa, std::function<bool(MappingKind)> const& qualifies)
{
    ++work_.look_ups;
    expect_no_lock("stage-2 is looked up");
    expect_own(vm, "pinning pages");
    if (pages == 0 || (first.raw & page_mask) != 0) {
        broken(Invariant::port, "a look-up of no pages, or of an address that is not a page's");
        return 0;
    }
    machine_.at(moment(Point::look_up, Pa{0}, first.raw));
    if (machine_.fails(moment(Point::look_up, Pa{0}, first.raw)))
        return 0;

    auto const guard = vm.stage2_.lock();
    std::uint32_t pinned = 0;
    std::uint64_t base = 0;
    for (; pinned < pages; ++pinned) {
        auto const ipa = first.raw + std::uint64_t{pinned} * page_bytes;
        if (ipa < first.raw)
            break;
        auto const mapping = vm.stage2_.look_up_locked(Ipa{ipa});
        if (!mapping || !qualifies(mapping->kind))
            break;
        auto* const frame = machine_.memory().frame(mapping->page.raw);
        if (frame == nullptr || frame->use.load() != FrameUse::guest_ram || frame->owner.load() != vm.index())
            break;
        if (pinned == 0)
            base = mapping->page.raw;
        else if (mapping->page.raw != base + std::uint64_t{pinned} * page_bytes)
            break;
        frame->pins.fetch_add(1);
        vm.pins_.fetch_add(1, std::memory_order_relaxed);
    }
    if (pinned != 0)
        pa->raw = base;
    work_.pins += pinned;
    return pinned;
}

void Entry::unpin_run(Vm& vm, Pa first, std::uint32_t pages)
{
    expect_own(vm, "unpinning pages");
    machine_.at(moment(Point::unpin, first, pages));
    for (std::uint32_t page = 0; page < pages; ++page)
        unpin(vm, Pa{first.raw + std::uint64_t{page} * page_bytes});
    work_.unpins += pages;
}

void Entry::unpin(Vm& vm, Pa page)
{
    auto* const frame = machine_.memory().frame(page.raw);
    if (frame == nullptr || (page.raw & page_mask) != 0 || frame->use.load() != FrameUse::guest_ram ||
        frame->owner.load() != vm.index()) {
        broken(Invariant::port, "unpinned what is no page of this VM");
        return;
    }
    auto pins = frame->pins.load();
    do {
        if (pins == 0) {
            broken(Invariant::i4, "a page is unpinned more often than it was pinned");
            return;
        }
    } while (!frame->pins.compare_exchange_weak(pins, pins - 1));
    vm.pins_.fetch_sub(1, std::memory_order_relaxed);
    if (pins - 1 < frame->secure_references.load())
        broken(kind_ == Kind::destroy ? Invariant::i14 : Invariant::i3,
               "a page is unpinned that OP-TEE may still access");
    if (pins == 1) {
        // Whoever gives the page away does so with the same lock held, so that one of the two frees the frame.
        auto const guard = vm.stage2_.lock();
        if (frame->removed.load() && frame->pins.load() == 0)
            machine_.memory().free_frame(page);
    }
}

Frame* Entry::expect_pinned(Vm& vm, Pa page, std::uint32_t offset, std::uint32_t bytes, char const* doing) const
{
    if (offset > page_bytes || bytes > page_bytes - offset || offset % 4 != 0 || bytes % 4 != 0) {
        broken(Invariant::port, std::string{doing} + " a guest with a bad offset or size");
        return nullptr;
    }
    auto* const frame = machine_.memory().frame(page.raw);
    if (frame == nullptr || (page.raw & page_mask) != 0 || frame->use.load() != FrameUse::guest_ram ||
        frame->owner.load() != vm.index()) {
        broken(Invariant::i8, std::string{doing} + " what is no page of this VM");
        return nullptr;
    }
    if (frame->pins.load() == 0) {
        broken(Invariant::i8, std::string{doing} + " a page that is not pinned");
        return nullptr;
    }
    return frame;
}

void Entry::read_guest(Vm& vm, Pa page, std::uint32_t offset, void* to, std::uint32_t bytes)
{
    ++work_.guest_reads;
    expect_no_lock("a guest is read");
    expect_own(vm, "reading a guest");
    machine_.at(moment(Point::read_guest, page, offset));
    if (expect_pinned(vm, page, offset, bytes, "read") == nullptr)
        return;
    auto& seen = words_read_[page.raw];
    bool again = false;
    for (auto word = offset / 4; word < (offset + bytes) / 4; ++word) {
        again = again || seen.test(word);
        seen.set(word);
    }
    if (again)
        broken(Invariant::i9, "bytes of a guest are read a second time in one entry");
    machine_.memory().read(Pa{page.raw + offset}, to, bytes);
}

void Entry::write_guest(Vm& vm, Pa page, std::uint32_t offset, void const* from, std::uint32_t bytes)
{
    ++work_.guest_writes;
    expect_no_lock("a guest is written");
    expect_own(vm, "writing a guest");
    machine_.at(moment(Point::write_guest, page, offset));
    if (expect_pinned(vm, page, offset, bytes, "wrote") == nullptr)
        return;
    auto const* const octets = static_cast<std::uint8_t const*>(from);
    if (auto const leak = find_address(machine_.memory(), octets, bytes))
        broken(Invariant::i1, "the mediator wrote into a guest: " + *leak);
    writes_.push_back({page, offset, {octets, octets + bytes}});
    machine_.memory().write(Pa{page.raw + offset}, from, bytes);
}

std::optional<Pa> Entry::allocate_page(Vm& vm)
{
    ++work_.allocations;
    expect_own(vm, "allocating a page");
    machine_.at(moment(Point::allocate_page));
    if (machine_.fails(moment(Point::allocate_page)))
        return std::nullopt;
    auto const page = machine_.memory().allocate_mediator_frame(vm.index());
    if (page)
        vm.held_.fetch_add(1);
    return page;
}

void Entry::free_page(Vm& vm, Pa page)
{
    expect_own(vm, "freeing a page");
    machine_.at(moment(Point::free_page, page));
    auto* const frame = machine_.memory().frame(page.raw);
    if (frame == nullptr || frame->use.load() != FrameUse::mediator || (page.raw & page_mask) != 0) {
        broken(Invariant::port, "freed what is no page of the mediator");
        return;
    }
    if (frame->owner.load() != vm.index())
        broken(Invariant::i12, "a page is freed that is held for another VM");
    if (frame->mapped.load() != 0)
        broken(Invariant::port, "a page is freed while it is mapped");
    if (frame->secure_references.load() != 0)
        broken(kind_ == Kind::destroy ? Invariant::i14 : Invariant::i3,
               "a shadow page is freed that OP-TEE may still access");
    if (!machine_.memory().is_zero(page))
        broken(Invariant::i15, "a page is freed that was not scrubbed");
    vm.held_.fetch_sub(1);
    machine_.memory().free_mediator_frame(page);
}

void* Entry::map_page(Pa page)
{
    machine_.at(moment(Point::map_page, page));
    auto* const frame = machine_.memory().frame(page.raw);
    if (frame == nullptr || frame->use.load() != FrameUse::mediator || (page.raw & page_mask) != 0) {
        broken(Invariant::port, "mapped what is no page of the mediator");
        return nullptr;
    }
    if (vm_ != nullptr && frame->owner.load() != vm_->index())
        broken(Invariant::i12, "a page is mapped that is held for another VM");
    if (mapped_.size() == most_mapped)
        broken(Invariant::port, "more than four pages are mapped at a time");
    mapped_.push_back(page);
    frame->mapped.fetch_add(1);
    return host_address(machine_.memory().materialised(page));
}

void Entry::unmap_page(void* mapped)
{
    auto const place = std::find_if(mapped_.begin(), mapped_.end(), [&](Pa page) {
        return host_address(machine_.memory().materialised(page)) == mapped;
    });
    if (place == mapped_.end()) {
        broken(Invariant::port, "unmapped what is not mapped on this CPU");
        return;
    }
    machine_.memory().frame(place->raw)->mapped.fetch_sub(1);
    mapped_.erase(place);
}

void Entry::lock_taken(std::uint32_t rank)
{
    if (!ranks_.empty() && ranks_.back() >= rank)
        broken(Invariant::i13,
               "a lock of rank " + std::to_string(rank) + " is taken under one of rank " +
                   std::to_string(ranks_.back()));
    ranks_.push_back(rank);
}

void Entry::lock_released(std::uint32_t rank)
{
    auto const place = std::find(ranks_.rbegin(), ranks_.rend(), rank);
    if (place == ranks_.rend())
        broken(Invariant::i13, "a lock is released that this CPU does not hold");
    else
        ranks_.erase(std::next(place).base());
}

bool Entry::preemption_pending()
{
    return machine_.preemption_pending(++preemption_queries_);
}

// Generous: a mediator that works in portions stays far below, one that does as much as a guest asks for does not.
// Entries of tests that have a part of the core in hand, and no VM that is inside, may do as much as they like.
void Entry::expect_bounded() const
{
    if (vm_ == nullptr || vm_->entries_.load() == 0)
        return;
    constexpr std::uint32_t most_smcs = 256; // what teardown issues in one step
    constexpr std::uint32_t most_pages = 4096;
    constexpr std::uint32_t most_look_ups = 1024;
    constexpr std::uint32_t most_allocations = 1024;
    if (work_.smcs > most_smcs || work_.look_ups > most_look_ups || work_.pins > most_pages ||
        work_.unpins > 2 * most_pages || work_.allocations > most_allocations)
        broken(Invariant::i13, "an entry does more than a bounded amount of work");
}

void Entry::finish()
{
    expect_bounded();
    if (!ranks_.empty())
        broken(Invariant::i13, "an entry ends with a lock held");
    if (!mapped_.empty())
        broken(Invariant::port, "an entry ends with a page mapped");
    for (auto const page : mapped_)
        machine_.memory().frame(page.raw)->mapped.fetch_sub(1);
    mapped_.clear();
    machine_.account(work_);
    machine_.at(moment(Point::entry_ends));
}

} // namespace sim
