# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Which cases run, and how xtest is told."""

import unittest

from stack import selection
from stack.errors import StackError

CASES = selection.parse("1001 quick\n1002 normal\n1006 slow waits for threads\n4006_rsa slow makes keys\n")


class ASelection(unittest.TestCase):
    def test_always_names_the_suite(self):
        # Without it, 1001 would also be found in pkcs11_1001, whose TA the packages do not have.
        for chosen in (selection.default(CASES), selection.quick(CASES), selection.full(CASES),
                       selection.matching("1001", CASES)):
            self.assertEqual(chosen.arguments[:4], ("-l", "0", "-t", "regression"))

    def test_by_default_leaves_out_what_is_slow(self):
        chosen = selection.default(CASES)
        self.assertEqual(chosen.arguments[4:], ("-x", "regression_1006", "-x", "regression_4006_rsa"))
        self.assertEqual(chosen.expected, 2)

    def test_may_be_a_pattern_of_several_parts(self):
        chosen = selection.matching("4006,regression_1001", CASES)
        self.assertEqual(chosen.arguments[4:], ("regression_4006", "regression_1001"))
        self.assertEqual(chosen.expected, 2)

    def test_of_an_unknown_pattern_is_left_to_xtest(self):
        self.assertIsNone(selection.matching("9999", CASES).expected)

    def test_of_nothing_is_refused(self):
        with self.assertRaises(StackError):
            selection.matching(",", CASES)


class TheList(unittest.TestCase):
    def test_has_a_reason_for_every_case_that_is_left_out(self):
        with self.assertRaises(StackError):
            selection.parse("1006 slow\n")

    def test_of_the_project_runs_82_of_112_by_default(self):
        cases = selection.load()
        self.assertEqual(len({case.name for case in cases}), 112)
        self.assertEqual(selection.default(cases).expected, 82)

    def test_of_the_project_has_quick_cases_that_are_no_part_of_other_names(self):
        names = [case.name for case in selection.load()]
        for case in selection.load():
            if case.speed == "quick":
                self.assertEqual([name for name in names if name.startswith(case.name)], [case.name])


if __name__ == "__main__":
    unittest.main()
