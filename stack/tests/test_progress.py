# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The model of what a run does, and its two views."""

import io
import unittest

from stack import progress
from stack.progress import PlainLog, Progress, Screen, View
from stack.xtest import GuestRun


class Clock:
    """Time that moves when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class AProgress(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        self.model = Progress("a run", ("fetch", "build", "boot"), View(), self.clock)

    def test_has_one_stage_at_a_time(self):
        self.model.begin("fetch")
        self.clock.now += 5
        self.model.begin("build")
        self.assertEqual(self.model.stage.name, "build")
        self.assertEqual(self.model.stages[0].ended - self.model.stages[0].began, 5)

    def test_counts_in_the_stage_that_runs(self):
        self.model.begin("build")
        self.model.progress(3, 10)
        self.assertEqual((self.model.stages[1].done, self.model.stages[1].total), (3, 10))

    def test_forgets_the_text_of_the_stage_before(self):
        self.model.begin("fetch")
        self.model.doing("fetching xen")
        self.model.begin("build")
        self.assertEqual(self.model.text, "")


class TheScreen(unittest.TestCase):
    def test_shows_every_stage_and_what_each_guest_does(self):
        clock = Clock()
        model = Progress("a run", ("build", "boot", "more"), View(), clock)
        model.begin("build")
        clock.now += 65
        model.begin("boot")
        clock.now += 4
        guest = GuestRun("domu1", clock)
        for line in ("@guest begin 1.0", "* regression_1001 x", "  regression_1001 OK", "* regression_1004 x"):
            guest.feed(line)
        model.guests = [guest]
        model.expected_cases = 4
        lines = Screen.render(model)
        self.assertEqual(lines[0], "a run   1:09")
        self.assertRegex(lines[1], "ok build +1:05")
        self.assertRegex(lines[2], ">> boot +4 s")
        self.assertRegex(lines[3], r"domu1 +\[#####\.{15}\] 1/4  regression_1004")
        self.assertRegex(lines[4], "-  more")

    def test_takes_back_exactly_what_it_drew(self):
        out = io.StringIO()
        model = Progress("a run", ("build",), Screen(out), Clock())
        model.begin("build")
        self.assertEqual(out.getvalue().count("\n"), 2)
        model.note("something")
        self.assertIn("\x1b[2A\r\x1b[Jsomething\n", out.getvalue())


class ThePlainLog(unittest.TestCase):
    def test_says_when_a_stage_begins_and_ends(self):
        out = io.StringIO()
        clock = Clock()
        model = Progress("a run", ("build", "boot"), PlainLog(out), clock)
        model.begin("build")
        clock.now += 7
        model.end()
        self.assertIn("stage 1/2: build", out.getvalue())
        self.assertIn("build: done (7 s)", out.getvalue())

    def test_is_not_silent_for_long_and_does_not_repeat_itself(self):
        out = io.StringIO()
        clock = Clock()
        model = Progress("a run", ("build",), PlainLog(out), clock)
        model.begin("build")
        for _ in range(600):
            clock.now += 0.1
            model.tick()
        self.assertIn(out.getvalue().count("\n"), range(3, 5))


class Words(unittest.TestCase):
    def test_for_elapsed_time(self):
        self.assertEqual([progress.elapsed(seconds) for seconds in (0.4, 59.9, 65, 3665)], ["0 s", "59 s", "1:05", "1:01:05"])

    def test_for_a_total_that_was_too_small(self):
        self.assertEqual(progress.bar(12, 10), f"[{'#' * 20}] 10/10")

    def test_for_an_unknown_total(self):
        self.assertEqual(progress.bar(12, None), "12 done")


if __name__ == "__main__":
    unittest.main()
