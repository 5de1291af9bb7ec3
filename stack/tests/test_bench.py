# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""./bench's figures: out of Xen's console, into a table."""

import unittest

from stack.bench import goals, table
from stack.bench.calls import FOREIGN_INTERRUPT, Counts, Kind, name_of
from stack.errors import StackError

BEGIN = "(XEN) measured: begin overhead=2 ten=10"


def row(function: str, request: str, count: int, total: int, pages: int = 0, answer: str = "00000000",
        least: int | None = None) -> str:
    mean = total // count
    return (f"(XEN) measured: function={function} request={request} answer={answer} pages={pages} count={count} sum={total} "
            f"min={mean if least is None else least} max={mean}")


def counts(*rows: str, end: str | None = None) -> Counts:
    read = Counts()
    for line in (BEGIN, *rows, end or f"(XEN) measured: end rows={len(rows)} lost=0"):
        read.feed(line)
    return read


class Names(unittest.TestCase):
    def test_are_those_of_the_headers(self):
        self.assertEqual(name_of(0x32000004, 0), "OPEN_SESSION")
        self.assertEqual(name_of(0x32000012, 1), "INVOKE_COMMAND")
        self.assertEqual(name_of(0x32000003, 0x205), "return from RPC FS")
        self.assertEqual(name_of(0x32000003, 0x605), "return from RPC SHM_ALLOC")
        self.assertEqual(name_of(0x32000003, 0), "return from ALLOC")
        self.assertEqual(name_of(0x32000003, 4), FOREIGN_INTERRUPT)
        self.assertEqual(name_of(0xb2000009, 0xffffffff), "fast call 0xb2000009")

    def test_tell_what_is_not_known(self):
        self.assertEqual(name_of(0x32000004, 9), "command 0x9")
        self.assertEqual(name_of(0x32000003, 0xffffffff), "return from nothing")
        self.assertEqual(name_of(0x32000099, 0), "yielding call 0x32000099")


class Reading(unittest.TestCase):
    def test_puts_rows_of_one_kind_together(self):
        read = counts(row("32000004", "1", 2, 200), row("32000012", "1", 3, 900), row("32000004", "1", 1, 50, answer="ffff0005"))
        cost = read.costs[Kind("INVOKE_COMMAND", 0)]
        self.assertEqual((cost.count, cost.total, cost.least, cost.most), (6, 1150, 50, 300))
        self.assertEqual(read.all.count, 6)
        self.assertTrue(read.complete and read.calibrated)

    def test_knows_a_counter_that_counts_something_else(self):
        read = Counts()
        read.feed("(XEN) measured: begin overhead=31 ten=160")
        self.assertFalse(read.calibrated)

    def test_refuses_what_is_not_whole(self):
        for end in ("(XEN) measured: end rows=2 lost=0", "(XEN) measured: end rows=1 lost=3"):
            with self.assertRaises(StackError):
                counts(row("32000004", "1", 1, 100), end=end)

    def test_counts_what_an_interrupt_ended(self):
        read = counts(row("32000004", "1", 2, 200, answer="ffff0004"), row("32000004", "1", 3, 300))
        self.assertEqual(read.interrupted.count, 2)


class Goals(unittest.TestCase):
    ours = counts(row("32000004", "1", 4, 3600), row("32000003", "4", 2, 1000), row("32000004", "4", 1, 1100, pages=1),
                  row("32000004", "4", 1, 2000, pages=10))
    upstream = counts(row("32000004", "1", 4, 16000))

    def verdicts(self):
        return {goal.title: goal.line(self.ours, self.upstream)[2:] for goal in goals.GOALS}

    def test_are_met_missed_or_not_measured(self):
        verdicts = self.verdicts()
        self.assertEqual(verdicts["OPEN_SESSION, INVOKE_COMMAND, CLOSE_SESSION without memory, the dearest"], ("900", "met"))
        self.assertEqual(verdicts["return from a foreign interrupt"], ("500", "missed"))
        self.assertEqual(verdicts["fast call"], ("no such call", "not measured"))
        self.assertEqual(verdicts["the whole run, of upstream's"], ("0.48125", "missed"))

    def test_take_the_slope_from_all_sizes(self):
        self.assertEqual(goals.slope(self.ours.costs, "REGISTER_SHM"), (1000, 100))
        self.assertIsNone(goals.slope(self.upstream.costs, "REGISTER_SHM"))

    def test_that_are_not_met_close_the_text(self):
        shown = table.text({"ours": self.ours, "upstream": self.upstream}, "dom0", "1001")
        self.assertIn("  not met: return from a foreign interrupt", shown)
        self.assertIn("  not met: fast call", shown)
        self.assertNotIn("not met: REGISTER_SHM, fixed part", shown)

    def test_are_in_the_report(self):
        facts = table.facts({"ours": self.ours, "upstream": self.upstream}, "dom0", "1001")
        invoke = next(call for call in facts["calls"] if call["call"] == "INVOKE_COMMAND")
        self.assertEqual((invoke["count"], invoke["ours"], invoke["upstream"], invoke["ratio"]), (4, 900, 4000, 0.225))
        self.assertEqual(len(facts["goals"]), len(goals.GOALS))


class OneMediator(unittest.TestCase):
    def test_has_a_table_without_goals(self):
        shown = table.text({"ours": Goals.ours}, "dom0", "1001")
        self.assertIn("INVOKE_COMMAND", shown)
        self.assertNotIn("goals:", shown)


if __name__ == "__main__":
    unittest.main()
