# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""What stays of a run with a hostile guest: the table and the report."""

import unittest

from stack import report
from stack.boot import HOSTILE, VICTIM, Outcome
from stack.tests.test_tap import WITHSTOOD, run_of
from stack.tests.test_xtest import PASSED, guest_after

UNHARMED = """\
TAP version 14
1..1
# ready
# attack 1 - HX02 the memory of another guest stays as it was
ok 1 - HX02 the memory of another guest stays as it was
"""


def outcome_of(hostile: str, victim: str = UNHARMED, innocent: str = PASSED) -> Outcome:
    """A machine that went off cleanly, and whose guests have printed this."""
    return Outcome([guest_after(innocent)], {HOSTILE: run_of(hostile), VICTIM: run_of(victim)}, clean_poweroff=True)


class ARunWithAHostileGuest(unittest.TestCase):
    def test_passes_when_every_attack_was_withstood(self):
        outcome = outcome_of(WITHSTOOD)
        self.assertTrue(outcome.passed)
        text = report.text(outcome, "ours", "a few cases")
        self.assertIn("PASSED: 3 of 4 attacks withstood, 1 skipped, innocent guests: 1, hostile guests one after the other: 1",
                      text)
        self.assertNotIn("What went wrong", text)

    def test_fails_when_one_succeeded_and_tells_what_the_guest_said(self):
        outcome = outcome_of(WITHSTOOD.replace("ok 2", "not ok 2").replace("# took 1500 ms", "# a0: 0x0, required 0x4"))
        self.assertFalse(outcome.passed)
        text = report.text(outcome, "ours", "a few cases")
        self.assertIn("B07 more parameters than the page has:\n    a0: 0x0, required 0x4", text)
        self.assertIn("hostile: 1 of 3 attacks succeeded: B07", text)
        self.assertIn("FAILED: 2 of 4", text)

    def test_fails_when_another_guest_was_harmed(self):
        self.assertFalse(outcome_of(WITHSTOOD, UNHARMED.replace("ok 1", "not ok 1")).passed)
        self.assertFalse(outcome_of(WITHSTOOD, "").passed)
        self.assertFalse(outcome_of(WITHSTOOD, innocent="").passed)

    def test_has_each_attack_in_its_report(self):
        facts = report.facts(outcome_of(WITHSTOOD), "ours", "a few cases")
        self.assertEqual([(each["id"], each["ok"], each["result"]) for each in facts["attacks"]],
                         [("F01", True, "ok"), ("B07", True, "ok"), ("R06", True, "skipped"), ("HX02", True, "ok")])
        self.assertEqual(facts["lives"], 1)


class ARunWithoutOne(unittest.TestCase):
    def test_has_no_attacks_in_its_report(self):
        outcome = Outcome([guest_after(PASSED)], clean_poweroff=True)
        self.assertNotIn("attacks", report.facts(outcome, "ours", "a few cases"))
        self.assertIn("PASSED: 1 guests at once", report.text(outcome, "ours", "a few cases"))


if __name__ == "__main__":
    unittest.main()
