// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// A part of the core alone in a simulated machine: a VM's memory and its accounts, and one CPU inside the mediator, but no
// mediator around it and nothing that OP-TEE was told.

#include "abi/message.hpp"
#include "base/address.hpp"
#include "sim/machine/machine.hpp"
#include "vm_context.hpp"

#include <cstdint>
#include <gtest/gtest.h>
#include <optional>
#include <vector>

namespace optee {

class CoreTest : public testing::Test {
protected:
    static constexpr std::uint64_t ram_pages = 4096;

    explicit CoreTest(sim::Placement placement = sim::Placement::scattered)
        : machine_{sim::Machine::with_one_vm().ram_pages(ram_pages).placement(placement).power_on()}
    {
        vm_.policy.set(Policy::defaults());
        begin_entry();
    }
    ~CoreTest() override
    {
        end_entry();
        EXPECT_TRUE(machine_.invariants_hold()) << machine_.violations();
    }

    /// One CPU enters the mediator; what is bounded or read once is so for each entry.
    void begin_entry() { entry_.emplace(machine_, &guest_, 0U, sim::Entry::Kind::smc); }
    void end_entry()
    {
        if (entry_)
            entry_->finish();
        entry_.reset();
    }
    void next_entry()
    {
        end_entry();
        begin_entry();
    }

    /// Page `number` of the guest's RAM.
    Ipa ram(std::uint64_t number) const { return Ipa::from_raw(guest_.ram(number).raw); }
    Pa pa_of(Ipa page) const { return Pa::from_raw(guest_.pa_of(to_c(page)).raw); }
    std::uint32_t pins_of(Ipa page) const { return guest_.pins_of(to_c(page)); }

    template <typename T>
    void poke(Ipa at, T const& value)
    {
        guest_.poke(to_c(at), value);
    }
    template <typename T>
    T peek(Ipa at) const
    {
        return guest_.peek<T>(to_c(at));
    }
    template <typename T>
    T read_page_of_ours(Pa at) const
    {
        T value;
        machine_.memory().read(to_c(at), &value, sizeof value);
        return value;
    }

    /// Writes a page list into the guest's RAM, from page `first_list_page` of it on.
    Ipa write_list(std::uint64_t first_list_page, std::vector<std::uint64_t> const& pages)
    {
        auto list_page = first_list_page;
        for (std::size_t i = 0; i != pages.size(); ++i) {
            auto const entry = static_cast<std::uint32_t>(i % abi::PageListPage::entries);
            if (i != 0 && entry == 0) {
                poke(ram(list_page).plus(abi::PageListPage::entries * 8), ram(list_page + 1).raw());
                ++list_page;
            }
            poke(ram(list_page).plus(entry * 8), pages[i]);
        }
        return ram(first_list_page);
    }

    std::uint64_t count(Counter counter) const { return vm_.statistics.value(counter); }
    /// No page of the guest is pinned, and none is held on its behalf.
    bool nothing_is_held() const
    {
        return guest_.pins() == 0 && guest_.mediator_pages() == 0 && count(Counter::buffers_live) == 0 &&
               count(Counter::pages_live) == 0 && count(Counter::arguments_live) == 0 &&
               count(Counter::mediator_pages) == 0;
    }

    sim::Machine machine_;
    sim::Vm& guest_ = machine_.vm(0);
    VmContext vm_{&guest_, ClientId{1}, 4};

private:
    std::optional<sim::Entry> entry_;
};

/// Lets the allocation number `nth` from now on fail, and all behind it, for as long as it lives.
class FailingAllocation {
public:
    FailingAllocation(sim::Machine& machine, std::uint32_t nth)
        : machine_{machine}, failure_{sim::Point::allocate_page, nth, sim::Failure::Extent::from_then_on}
    {
        machine_.add(failure_);
    }
    ~FailingAllocation() { machine_.remove(failure_); }
    FailingAllocation(FailingAllocation const&) = delete;
    FailingAllocation& operator=(FailingAllocation const&) = delete;

private:
    sim::Machine& machine_;
    sim::Failure failure_;
};

} // namespace optee
