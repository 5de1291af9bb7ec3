# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Calls with RPC argument, and interrupts in place: which facts make a row green."""

import unittest

from stack.features import calls, interrupts
from stack.tests.test_features import heard
from stack.tests.test_features_judged import died

XTEST = "calls|fact calls.xtest status=0 cases=18 failed=0"
GOOD = {"with_rpc_arg": 4, "with_regd_arg": 90, "rpc_alloc": 0, "rpc_free": 0, "rpc_command": 60}


def calls_of(*lines: str, **counters: int) -> dict:
    return calls.judge(heard("control|created calls 1", *lines, *(died(1, **counters) if counters else ())))


class CallsWithRpcArgument(unittest.TestCase):
    def test_are_green_when_they_were_used_and_no_page_was_asked_for(self):
        found = calls_of(XTEST, **GOOD)
        self.assertEqual(set(found), {row.id for row in calls.FEATURE.rows})
        self.assertTrue(all(finding.green for finding in found.values()))

    def test_are_not_when_one_form_was_never_used(self):
        self.assertFalse(calls_of(XTEST, **GOOD | {"with_regd_arg": 0})["calls.with_rpc_argument"].green)

    def test_are_not_when_a_page_was_asked_for_or_nothing_was_ever_requested(self):
        for other in ({"rpc_alloc": 1}, {"rpc_free": 1}, {"rpc_command": 0}):
            self.assertFalse(calls_of(XTEST, **GOOD | other)["calls.no_pages"].green, other)

    def test_are_not_shown_by_a_mediator_that_counts_none(self):
        found = calls_of(XTEST)
        self.assertFalse(found["calls.with_rpc_argument"].green or found["calls.no_pages"].green)

    def test_need_an_xtest_that_ran_and_passed(self):
        for line in ("status=1 cases=18 failed=0", "status=0 cases=18 failed=1", "status=0 cases=0 failed=0"):
            self.assertFalse(calls_of(f"calls|fact calls.xtest {line}", **GOOD)["calls.xtest"].green, line)
        self.assertEqual(calls_of(**GOOD), {})


def late(name: str, median: int, done: int = 50) -> str:
    return (f"timer|fact interrupts.timer while={name} samples=400 done={done} median_us={median} "
            f"p99_us={4 * median} max_us={8 * median}")


def interrupts_of(*lines: str, **counters: int) -> dict:
    return interrupts.judge(heard("control|created timer 1", *lines, *(died(1, **counters) if counters else ())))


class Interrupts(unittest.TestCase):
    def test_are_in_place_when_some_were_counted(self):
        lines = (late("computing", 100), late("calling", 120))
        counted = {"foreign_interrupts": 30, "foreign_interrupts_over_bound": 0, "foreign_interrupts_resumed_in_place": 400}
        found = interrupts_of(*lines, **counted)
        self.assertTrue(found["interrupts.in_place"].green)
        self.assertIn("400 resumed in place; 30 sent to the guest, 30 of them", found["interrupts.in_place"].figure)
        for wrong in ({"foreign_interrupts_resumed_in_place": 0}, {"foreign_interrupts_over_bound": 1}):
            self.assertFalse(interrupts_of(*lines, **counted | wrong)["interrupts.in_place"].green)
        self.assertFalse(interrupts_of(*lines)["interrupts.in_place"].green)

    def test_leave_the_timer_as_punctual_as_it_was(self):
        for calling, done, green in ((120, 50, True), (4100, 50, True), (4101, 50, False), (120, 0, False)):
            found = interrupts_of(late("computing", 100), late("calling", calling, done))
            self.assertIs(found["interrupts.timer"].green, green, (calling, done))

    def test_are_not_measured_by_half_of_the_story(self):
        self.assertNotIn("interrupts.timer", interrupts_of(late("computing", 100)))
        self.assertEqual(interrupts_of(), {})
