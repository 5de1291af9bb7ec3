# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""tools/core_instructions: what is between the marks counts, and a case over its budget fails."""

import tempfile
import unittest
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

path = Path(__file__).resolve().parents[2] / "tools" / "core_instructions"
loader = SourceFileLoader("core_instructions", str(path))
core_instructions = module_from_spec(spec_from_loader("core_instructions", loader))
loader.exec_module(core_instructions)

MARK = 0x1000


class WhatIsExecuted(unittest.TestCase):
    def test_counts_between_the_marks_and_nowhere_else(self):
        counted = core_instructions.between_marks([0x10, MARK, 0x10, 0x14, 0x10, MARK, 0x14], MARK)
        self.assertEqual(counted, {0x10: 2, 0x14: 1})

    def test_is_not_believed_when_the_program_did_not_come_to_its_end(self):
        self.assertRaisesRegex(core_instructions.Failed, "1 marks, not 2", core_instructions.between_marks, [MARK, 0x10], MARK)


class TheBudget(unittest.TestCase):
    def problems(self, text, **totals):
        with tempfile.TemporaryDirectory() as folder:
            budget = Path(folder) / "budget.csv"
            budget.write_text(text)
            return [problem.removeprefix(f"{budget}:") for problem in core_instructions.over_budget(totals, budget)]

    def test_is_kept_by_what_takes_as_much_or_less(self):
        self.assertEqual(self.problems("case,instructions\none,10\nother,10\n", one=10, other=9), [])

    def test_is_broken_by_one_instruction_more(self):
        (problem,) = self.problems("case,instructions\none,10\n", one=11)
        self.assertIn("one takes 11 instructions, more than 10", problem)

    def test_has_a_line_for_each_case(self):
        (problem,) = self.problems("case,instructions\n", one=11)
        self.assertIn('no line for one: add "one",11', problem)

    def test_has_no_line_for_a_case_that_is_gone(self):
        (problem,) = self.problems("case,instructions\none,10\n")
        self.assertIn("there is no one any more", problem)

    def test_says_what_its_first_line_is(self):
        (problem,) = self.problems("one,10\n", one=10)
        self.assertIn("the first line is case,instructions", problem)


if __name__ == "__main__":
    unittest.main()
