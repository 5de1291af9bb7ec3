# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Sharing and death: which facts make a row green, and which near misses do not."""

import unittest

from stack.features import death, sharing
from stack.tests.test_features import heard

BIG = ("share|fact sharing.buffer bytes=16777216 result=0 blocks=1048576 blocks_changed=1048576 all_back=1 "
       "last_byte_seen=1 register_ms=120")
LARGEST = "share|fact sharing.largest kib=32768 end_found=0"
LIVE = [f"XEN|optee-mediator: d{{0}} {name}=0" for name in sharing.LIVE]


def died(number: int, **counters: int) -> list[str]:
    """What Xen prints when a domain dies, with our mediator in it."""
    lines = [line.format(number) for line in LIVE]
    lines += [f"XEN|optee-mediator: d{number} {name}={value}" for name, value in counters.items()]
    return [*lines, f"XEN|optee-mediator: d{number} end"]


def sharing_of(*lines: str) -> dict:
    return sharing.judge(heard("control|created share 1", *lines))


def death_of(rounds: int, *lines: str) -> dict:
    return death.feature(rounds).judge(heard(*lines))


class OneBigBuffer(unittest.TestCase):
    def test_is_green_when_every_block_and_the_last_byte_came_through(self):
        finding = sharing_of(BIG, LARGEST)["sharing.buffer"]
        self.assertTrue(finding.green)
        self.assertIn("16384 KiB", finding.figure)

    def test_is_not_when_a_single_block_was_not_seen(self):
        for damage in (("changed=1048576", "changed=1048575"), ("all_back=1", "all_back=0"), ("seen=1", "seen=0"),
                       ("result=0", "result=0xffff000c")):
            self.assertFalse(sharing_of(BIG.replace(*damage), LARGEST)["sharing.buffer"].green, damage)

    def test_tells_where_sharing_ends_when_the_end_was_found(self):
        refused = "share|fact sharing.buffer bytes=16777216 result=0xffff000c blocks=1048576 blocks_changed=0"
        finding = sharing_of(refused, "share|fact sharing.largest kib=516 end_found=1")["sharing.buffer"]
        self.assertFalse(finding.green)
        self.assertIn("the largest is 516 KiB", finding.figure)


class ManyBuffers(unittest.TestCase):
    def of(self, at_once: int, wrong: int):
        return sharing_of(f"share|fact sharing.buffers wanted=256 bytes=65536 at_once={at_once} wrong={wrong} result=0",
                          "share|fact sharing.most buffers=300 end_found=0")["sharing.buffers"]

    def test_are_green_when_all_are_there_at_once_and_right(self):
        self.assertTrue(self.of(256, 0).green)

    def test_are_not_when_one_is_missing_or_wrong(self):
        self.assertFalse(self.of(255, 0).green)
        self.assertFalse(self.of(256, 1).green)


class Preemption(unittest.TestCase):
    def of(self, preemptions: int, complaints: int):
        return sharing_of(*died(1, preemptions=preemptions),
                          f"share|fact sharing.kernel complaints={complaints}")["sharing.preempted"]

    def test_is_green_when_it_was_counted_and_the_guest_did_not_notice(self):
        self.assertTrue(self.of(40, 0).green)
        self.assertFalse(self.of(0, 0).green)
        self.assertFalse(self.of(40, 1).green)

    def test_is_not_shown_by_a_mediator_without_counters(self):
        self.assertFalse(sharing_of("share|fact sharing.kernel complaints=0")["sharing.preempted"].green)


class CallsMeanwhile(unittest.TestCase):
    def test_count_only_when_there_was_something_to_be_meanwhile_of(self):
        for rounds, calls, failed, green in ((8, 20, 0, True), (8, 0, 0, False), (0, 0, 0, False), (8, 20, 1, False)):
            line = f"share|fact sharing.meanwhile rounds={rounds} seconds=2 calls={calls} failed={failed}"
            self.assertIs(sharing_of(line)["sharing.meanwhile"].green, green, line)


class WhatAVmHolds(unittest.TestCase):
    def test_must_be_counted_and_zero(self):
        end = "share|fact sharing.end"
        self.assertTrue(sharing_of(end, *died(1))["sharing.released"].green)
        self.assertFalse(sharing_of(end, *died(1, pages_live=3))["sharing.released"].green)
        self.assertFalse(sharing_of(end, "XEN|optee-mediator: d1 smcs=1", "XEN|optee-mediator: d1 end")["sharing.released"].green)
        self.assertFalse(sharing_of(end)["sharing.released"].green)


class Rounds(unittest.TestCase):
    def test_count_when_the_vm_was_at_work_and_is_gone(self):
        good = "control|fact death.round number={} way=wait at_work=1 gone=1"
        self.assertTrue(death_of(2, good.format(1), good.format(2))["death.rounds"].green)
        self.assertFalse(death_of(2, good.format(1))["death.rounds"].green)
        for bad in ("at_work=0 gone=1", "at_work=1 gone=0"):
            self.assertFalse(death_of(2, good.format(1), f"control|fact death.round number=2 way=load {bad}")
                             ["death.rounds"].green)

    def test_are_not_measured_when_there_were_none(self):
        self.assertNotIn("death.rounds", death_of(2))


class XensMemory(unittest.TestCase):
    def dump(self, pages: int, when: str) -> list[str]:
        return ["XEN|'H' pressed -> dumping heap info (now = 1)", f"XEN|heap[node=0][zone=14] -> {pages} pages",
                "XEN|heap[node=0][zone=15] -> 100 pages", f"control|fact death.memory when={when} free_mib=2"]

    def test_is_counted_by_page_over_all_zones_at_each_moment(self):
        finding = death_of(1, *self.dump(500, "before"), *self.dump(500, "after"))["death.xen_memory"]
        self.assertTrue(finding.green)
        self.assertEqual(finding.facts, {"before": 600, "after": 600})

    def test_is_lost_when_a_page_is_missing(self):
        self.assertFalse(death_of(1, *self.dump(500, "before"), *self.dump(499, "after"))["death.xen_memory"].green)

    def test_is_not_green_when_xen_printed_nothing(self):
        self.assertFalse(death_of(1, "control|fact death.memory when=before", "control|fact death.memory when=after")
                         ["death.xen_memory"].green)


class OpteesMemory(unittest.TestCase):
    def of(self, *at: dict[str, int], rounds: int = 2):
        lines = [f"control|fact death.round number={number} way=wait at_work=1 gone=1" for number in range(rounds + 1)]
        for when, pools in zip(("start", "before", "after"), at):
            lines += [f"control|fact optee.memory when={when} pool={pool} allocated={used}" for pool, used in pools.items()]
        return death_of(rounds, "control|fact death.calm ok=1", *lines).get("death.optee_memory")

    def test_may_not_grow(self):
        same = {"heap": 5000, "nexus": 4000}
        self.assertTrue(self.of(same, same, same).green)
        self.assertFalse(self.of(same, same, same | {"heap": 5008}).green)
        self.assertFalse(self.of(same, same, {"heap": 5000}).green)

    def test_may_grow_by_what_a_vm_costs_that_ends_in_good_order(self):
        self.assertTrue(self.of({"nexus": 4000}, {"nexus": 4288}, {"nexus": 4288 + 2 * 288}).green)
        self.assertFalse(self.of({"nexus": 4000}, {"nexus": 4288}, {"nexus": 4288 + 3 * 288}).green)

    def test_is_not_measured_without_a_vm_to_compare_with(self):
        self.assertIsNone(self.of({"nexus": 4000}, {"nexus": 4000}))


class TheDead(unittest.TestCase):
    def test_hold_nothing_and_had_calls_that_were_drained(self):
        two = ("control|created death 1", *died(1, calls_drained=0), "control|created death 2")
        self.assertTrue(death_of(1, *two, *died(2, calls_drained=4))["death.nothing_held"].green)
        self.assertFalse(death_of(1, *two, *died(2, calls_drained=0))["death.nothing_held"].green)
        self.assertFalse(death_of(2, *two, *died(2, calls_drained=4))["death.nothing_held"].green)
        self.assertFalse(death_of(1, *two, *died(2, calls_drained=4, buffers_live=1))["death.nothing_held"].green)
        self.assertFalse(death_of(1, *two)["death.nothing_held"].green)


class Afterwards(unittest.TestCase):
    def test_every_partition_can_be_used(self):
        asked = "control|fact death.partitions guests=2"
        self.assertTrue(death_of(1, asked, "last1|fact once ok=1", "last2|fact once ok=1")["death.all_partitions"].green)
        for second in ("last2|fact once ok=0", "last1|fact once ok=1", "again|fact once ok=1"):
            self.assertFalse(death_of(1, asked, "last1|fact once ok=1", second)["death.all_partitions"].green)

    def test_a_vm_lives_again_in_another_domain(self):
        again = "control|fact death.again how=reboot first={} second={} worked={}"
        self.assertTrue(death_of(1, again.format(5, 6, 2))["death.reboot"].green)
        self.assertFalse(death_of(1, again.format(5, 5, 2))["death.reboot"].green)
        self.assertFalse(death_of(1, again.format(5, 6, 1))["death.reboot"].green)
        self.assertNotIn("death.crash", death_of(1, again.format(5, 6, 2)))

    def test_a_driver_that_is_loaded_anew_works_as_before(self):
        self.assertTrue(death_of(1, "control|fact death.driver before=1 after=1")["death.driver"].green)
        self.assertFalse(death_of(1, "control|fact death.driver before=1 after=0")["death.driver"].green)


if __name__ == "__main__":
    unittest.main()
