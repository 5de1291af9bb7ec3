# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The table of attacks under two mediators."""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path

from stack import attack, cli
from stack.progress import Progress, make_view
from stack.tests.test_report import outcome_of
from stack.tests.test_tap import WITHSTOOD


def comparison_of(ours: str, upstream: str) -> attack.Comparison:
    return attack.Comparison({"ours": outcome_of(ours), "upstream": outcome_of(upstream)}, "a few cases")


def finish(comparison: attack.Comparison) -> tuple[int, dict]:
    """The exit status and the report."""
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(io.StringIO()):
        folder = Path(name)
        (folder / "logs").mkdir()
        progress = Progress("", [], make_view(io.StringIO()))
        status = attack.finish(comparison, folder / "report.json", folder / "logs", progress, keep=True)
        return status, json.loads((folder / "report.json").read_text())


BROKEN = WITHSTOOD.replace("ok 2", "not ok 2")
SHORT = "".join(WITHSTOOD.splitlines(keepends=True)[:4])


class AComparison(unittest.TestCase):
    def test_has_a_row_for_each_attack_and_a_column_for_each_mediator(self):
        cases = comparison_of(WITHSTOOD, BROKEN).cases
        self.assertEqual([(each["id"], each["ours"], each["upstream"]) for each in cases],
                         [("F01", "ok", "ok"), ("B07", "ok", "not ok"), ("R06", "skipped", "skipped"), ("HX02", "ok", "ok")])

    def test_says_which_attacks_one_of_them_did_not_come_to(self):
        text = attack.text(comparison_of(WITHSTOOD, SHORT))
        self.assertIn(attack.NOT_REACHED, text)
        self.assertIn("ours: 3 withstood, 0 not, 1 skipped of 4", text)

    def test_passes_when_ours_withstands_whatever_upstream_does(self):
        status, facts = finish(comparison_of(WITHSTOOD, BROKEN))
        self.assertEqual(status, 0)
        self.assertEqual(facts["mediators"]["upstream"]["passed"], False)
        self.assertEqual(len(facts["cases"]), 4)

    def test_fails_when_ours_does_not_withstand(self):
        self.assertEqual(finish(comparison_of(BROKEN, WITHSTOOD))[0], 1)

    def test_fails_when_there_was_no_attacker_under_one_of_them(self):
        self.assertEqual(finish(comparison_of(WITHSTOOD, ""))[0], 1)


class TheCommandLine(unittest.TestCase):
    def test_lets_attacks_be_compared_but_not_xtest(self):
        self.assertEqual(cli.parse_arguments(["--attack", "--mediator", "both"]).mediator, "both")
        self.assertEqual(cli.boot_stages(cli.parse_arguments(["--attack", "--mediator", "both"])),
                         ["attacks under ours", "attacks under upstream"])
        with contextlib.redirect_stderr(io.StringIO()), self.assertRaises(SystemExit):
            cli.parse_arguments(["--quick", "--mediator", "both"])
