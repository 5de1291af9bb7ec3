# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Coverage: what must not pass without a reason."""

import importlib.machinery
import importlib.util
import sys

from tests.tools.small_tree import SmallTree, tools


def tool(name):
    """A tool as a module."""
    loader = importlib.machinery.SourceFileLoader(name, str(tools / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    sys.modules[name] = module
    loader.exec_module(module)
    return module


class Coverage(SmallTree):
    def judge(self, source, lines, branches=()):
        coverage = tool("coverage")
        return coverage.judge(coverage.File("core/pin.cpp", source.splitlines(), lines=lines, branches=dict(branches)))

    def test_finds_a_line_without_a_reason(self):
        problems, _ = self.judge("a();\nb();\n", {1: 1, 2: 0})
        self.assertEqual(problems, ["core/pin.cpp:2: line"])

    def test_passes_a_line_with_a_reason_behind_or_above_it(self):
        problems, excused = self.judge("a(); // not covered: why\n// not covered: why,\n// in two lines\nb();\n", {1: 0, 4: 0})
        self.assertEqual(problems, [])
        self.assertEqual([entry["line"] for entry in excused], [1, 4])

    def test_finds_a_reason_for_what_is_covered(self):
        problems, _ = self.judge("a(); // not covered: why\n", {1: 1})
        self.assertIn("a reason for what is covered", problems[0])

    def test_finds_a_branch_that_is_never_taken(self):
        problems, _ = self.judge("if (a)\n    b();\n", {1: 1, 2: 0},
                                 {(1, (1, 5, 1, 6), "true"): 0, (1, (1, 5, 1, 6), "false"): 1}.items())
        self.assertIn("core/pin.cpp:1: never true: a", problems)

    def test_needs_no_reason_where_reaching_the_line_is_the_defect(self):
        problems, excused = self.judge('if (a)\n    invariant_broken("I3");\n', {1: 1, 2: 0},
                                       {(1, (1, 5, 1, 6), "true"): 0}.items())
        self.assertEqual(problems, [])
        self.assertEqual(len(excused), 2)
