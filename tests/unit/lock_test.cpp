// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "base/lock.hpp"
#include "tests/unit/core_fixture.hpp"

#include <thread>
#include <vector>

namespace optee {
namespace {

class ALock : public CoreTest {
protected:
    ALock()
    {
        table_.prepare();
        registry_.prepare();
    }

    RankedLock<LockRank::vm_table> table_;
    RankedLock<LockRank::shm_registry> registry_;
};

TEST_F(ALock, IsReleasedAtTheEndOfItsGuardsScope)
{
    for (int i = 0; i != 3; ++i) {
        LockGuard const guard{registry_};
    }
    next_entry(); // an entry that ends with a lock held is reported
    EXPECT_TRUE(machine_.invariants_hold()) << machine_.violations();
}

TEST_F(ALock, OfAHigherRankIsTakenUnderOneOfALowerRank)
{
    LockGuard const outer{table_};
    LockGuard const inner{registry_};
    EXPECT_TRUE(machine_.invariants_hold()) << machine_.violations();
}

TEST_F(ALock, TellsThePortItsRank)
{
    {
        LockGuard const outer{registry_};
        LockGuard const inner{table_}; // the wrong order, which the simulator's port sees by the ranks
    }
    EXPECT_TRUE(machine_.violates(sim::Invariant::i13));
    machine_.log().clear();
}

TEST_F(ALock, LetsOneCpuInAtATime)
{
    int counter = 0;
    std::vector<std::thread> cpus;
    for (std::uint32_t cpu = 1; cpu != 4; ++cpu) {
        cpus.emplace_back([this, cpu, &counter] {
            sim::Entry entry{machine_, &guest_, cpu, sim::Entry::Kind::smc};
            for (int i = 0; i != 500; ++i) {
                LockGuard const guard{registry_};
                ++counter;
            }
            entry.finish();
        });
    }
    for (auto& cpu : cpus)
        cpu.join();
    EXPECT_EQ(counter, 3 * 500);
}

} // namespace
} // namespace optee
