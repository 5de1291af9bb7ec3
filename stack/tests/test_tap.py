# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""When a mediator has withstood the hostile guest, and above all when not."""

import unittest

from stack.tap import TapRun

WITHSTOOD = """\
TAP version 14
1..3
# attack 1 - F01 VM_CREATED by a guest
# took 12 ms
ok 1 - F01 VM_CREATED by a guest
# attack 2 - B07 more parameters than the page has
# took 1500 ms
ok 2 - B07 more parameters than the page has
# attack 3 - R06 go on after an interrupt
# took 7 ms
ok 3 - R06 go on after an interrupt # SKIP no interrupt came
# done
"""


def run_of(text: str) -> TapRun:
    """A run in which the guest has printed this."""
    run = TapRun()
    for line in text.splitlines():
        run.feed(line)
    return run


class AMediatorThatWithstood(unittest.TestCase):
    def test_has_a_result_of_every_attack(self):
        run = run_of(WITHSTOOD)
        self.assertEqual(run.complaints(), [])
        self.assertTrue(run.passed)
        self.assertEqual([(each.number, each.id, each.result) for each in run.attacks],
                         [(1, "F01", "ok"), (2, "B07", "ok"), (3, "R06", "skipped")])

    def test_has_the_title_and_the_time_of_every_attack(self):
        attack = run_of(WITHSTOOD).attacks[1]
        self.assertEqual((attack.title, attack.seconds), ("more parameters than the page has", 1.5))

    def test_keeps_what_the_guest_said(self):
        run = run_of(WITHSTOOD.replace("# took 1500 ms", "# buffers: 16\n# took 1500 ms"))
        self.assertEqual(run.attacks[1].details, ["buffers: 16"])

    def test_may_have_carriage_returns(self):
        self.assertTrue(run_of(WITHSTOOD.replace("\n", "\r\n")).passed)

    def test_may_have_used_two_guests(self):
        text = WITHSTOOD.replace("# attack 2", "# lost: goes on in a new guest\nTAP version 14\n1..3\n# attack 2")
        run = run_of(text)
        self.assertTrue(run.passed)
        self.assertEqual(run.lives, 2)


class AMediatorHasNotWithstood(unittest.TestCase):
    def assert_failed(self, run: TapRun, expected: str) -> None:
        self.assertFalse(run.passed)
        self.assertIn(expected, "; ".join(run.complaints()))

    def test_when_the_guest_printed_nothing(self):
        self.assert_failed(run_of(""), "told no plan")

    def test_when_an_attack_succeeded(self):
        run = run_of(WITHSTOOD.replace("ok 2", "not ok 2").replace("# took 1500 ms", "# a0: 0x0, required 0x4"))
        self.assert_failed(run, "1 of 3 attacks succeeded: B07")
        self.assertEqual(run.succeeded[0].details, ["a0: 0x0, required 0x4"])

    def test_when_the_output_ends_in_an_attack(self):
        run = run_of(WITHSTOOD[:WITHSTOOD.index("ok 2")])
        self.assert_failed(run, "1 of 3 attacks never began: 3")
        self.assert_failed(run, "1 of 3 attacks succeeded: B07")
        self.assertEqual(run.attacks[1].result, "no result")

    def test_when_the_guest_died_in_an_attack_and_another_one_went_on(self):
        run = run_of(WITHSTOOD[:WITHSTOOD.index("ok 2")])
        run.ended_in("died")
        for line in ("TAP version 14", "1..3", "# attack 3 - R06 go on after an interrupt", "ok 3 - R06 go on after an interrupt"):
            run.feed(line)
        self.assert_failed(run, "1 of 3 attacks succeeded: B07")
        self.assertEqual(run.attacks[1].details, ["died"])

    def test_when_the_plan_changes(self):
        self.assert_failed(run_of(WITHSTOOD + "TAP version 14\n1..4\n"), "the plan changed from 3 to 4")

    def test_when_there_are_more_attacks_than_planned(self):
        self.assert_failed(run_of(WITHSTOOD + "ok 4 - X07 one more\n"), "attacks beyond the plan: 4")

    def test_when_an_attack_has_two_results(self):
        self.assert_failed(run_of(WITHSTOOD + "ok 3 - R06 go on after an interrupt\n"), "two results of attack 3")

    def test_when_the_guest_gave_up(self):
        self.assert_failed(run_of(WITHSTOOD + "Bail out! no pages\n"), "the hostile guest gave up: no pages")


class WhatTheGuestIsDoing(unittest.TestCase):
    def test_is_the_attack_that_began_last(self):
        self.assertEqual(run_of(WITHSTOOD[:WITHSTOOD.index("ok 2")]).running.id, "B07")

    def test_is_nothing_when_all_have_ended(self):
        self.assertIsNone(run_of(WITHSTOOD).running)


if __name__ == "__main__":
    unittest.main()
