# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Mutants: what is made of a source, and what is left alone."""

import json
import sys
import unittest

from tests.tools.small_tree import SmallTree, tools

sys.path.insert(0, str(tools))
from check import mutator
from check.mutant_schema import Schema


class Mutants(SmallTree):
    def of(self, text):
        """All mutants of a text, as they would stand there."""
        return {mutant.apply(text) for mutant in mutator.mutants_of("pin.cpp", text)}

    def test_moves_the_boundary_of_a_comparison(self):
        found = self.of("bool f(int a, int b) { return a < b; }")
        self.assertIn("bool f(int a, int b) { return a <= b; }", found)
        self.assertIn("bool f(int a, int b) { return a >= b; }", found)

    def test_leaves_a_template_alone(self):
        self.assertEqual(self.of("std::optional<Pa> f(Result<int> a);"), set())

    def test_leaves_comments_strings_and_proofs_alone(self):
        self.assertEqual(self.of('// a + b == 1\n/* c - 2 */\nstatic_assert(sizeof(int) == 4, "1 < 2");\n'
                                 "#define X(a) ((a) + 1)\n"), set())

    def test_drops_each_side_of_a_conjunction(self):
        found = self.of("bool f()\n{\n    return a(1) && b::c(x, y);\n}\n")
        self.assertIn("bool f()\n{\n    return b::c(x, y);\n}\n", found)
        self.assertIn("bool f()\n{\n    return a(1);\n}\n", found)
        self.assertIn("bool f()\n{\n    return a(1) || b::c(x, y);\n}\n", found)

    def test_drops_a_check_and_its_negation(self):
        text = "int f()\n{\n    if (!ok())\n        return 7;\n    return go();\n}\n"
        found = self.of(text)
        self.assertIn(text.replace("!ok", "ok"), found)
        self.assertIn(text.replace("return 7;", ";"), found)
        self.assertIn(text.replace("7", "8"), found)

    def test_removes_calls_and_assignments_but_no_declaration(self):
        text = "void f()\n{\n    int a = 0;\n    Guard const guard{lock_};\n    if (x)\n        call(a);\n    a_ = y;\n}\n"
        found = self.of(text)
        self.assertIn(text.replace("call(a);", ";"), found)
        self.assertIn(text.replace("a_ = y;", ";"), found)
        self.assertFalse([one for one in found if "Guard" not in one or "int a" not in one])

    def test_keeps_the_key_while_the_line_is(self):
        keys = [{mutant.key for mutant in mutator.mutants_of("a.cpp", before + "int f() { return a + b; }\n")}
                for before in ("", "\n\n// more\n")]
        self.assertEqual(*keys)

    def test_refuses_a_stale_entry_of_the_equivalent(self):
        self.write("core/pin.cpp", "int f() { return a + b; }\n")
        entry = '[[mutant]]\nfile = "pin.cpp"\nline = "int f() { return a + b"\nchange = ["CHANGE"]\nreason = "no matter"\n'
        self.write("tests/mutants/equivalent.toml", entry.replace("CHANGE", "+ -> -"))
        self.assert_passes("mutants", "--list")
        self.write("tests/mutants/equivalent.toml", entry.replace("CHANGE", "+ -> *"))
        self.assert_finds("no such mutant", "mutants", "--list")

    def test_says_that_not_all_were_tried(self):
        self.write("core/pin.cpp", "int f() { return a + b; }\n")
        self.write("build/mutants/state.json", "{}")
        output = self.assert_passes("mutants", "--table")
        self.assertIn("0 of 1 others were tried", output)
        self.assertIn("no verdict yet", output)

    def test_is_below_the_bar_when_all_were_tried_and_one_survived(self):
        self.write("core/pin.cpp", "int f() { return a + b; }\n")
        self.outcomes("core/pin.cpp", "survived")
        output = self.assert_finds("survived  core/pin.cpp:1: + -> -  (operator)", "mutants", "--table")
        self.assertIn("0 killed, 1 survived: 0.0 %", output)
        self.outcomes("core/pin.cpp", "killed")
        self.assertIn("1 killed, 0 survived: 100.0 %", self.assert_passes("mutants", "--table"))

    def outcomes(self, name, outcome):
        """As if all mutants of the file had been tried, with this outcome."""
        mutants = mutator.mutants_of(name.removeprefix("core/"), (self.root / name).read_text())
        self.write("build/mutants/state.json", json.dumps({mutant.key: [outcome, "unit: A.Test"] for mutant in mutants}))


class Bodies(unittest.TestCase):
    def of(self, text):
        return [text[body.begin:body.end] for body in mutator.bodies(text)]

    def test_are_those_of_functions(self):
        self.assertEqual(self.of("namespace a {\nint f(int b)\n{\n    if (b) { g(); }\n    return 1;\n}\n} // namespace a\n"),
                         ["{\n    if (b) { g(); }\n    return 1;\n}"])

    def test_are_those_of_members_and_constructors(self):
        self.assertEqual(self.of("struct A {\n    A() : b_{1}, c_{f(2)} { g(); }\n    int h() const { return 3; }\n"
                                 "    int b_ = {4};\n    enum class E { x, y };\n};\n"), ["{ g(); }", "{ return 3; }"])

    def test_are_no_initializers(self):
        self.assertEqual(self.of("int const a{f(1)};\nauto const b = [](int c) { return c; };\nint d[] = {1, 2};\n"), [])

    def test_know_what_the_compiler_may_run(self):
        found = mutator.bodies("constexpr int f() { return 1; }\nint g() { return 2; }\n")
        self.assertEqual([body.in_constant for body in found], [True, False])


class ASchema(unittest.TestCase):
    text = "#include \"a.hpp\"\n\nint const c = 3 + 4;\n\nint f(int a)\n{\n    return a + 1;\n}\n"

    def setUp(self):
        self.mutants = mutator.mutants_of("a.cpp", self.text)
        self.schema = Schema(self.mutants, {"a.cpp": self.text})

    def test_holds_the_function_once_for_each_of_its_mutants_and_as_it_is(self):
        compiled = self.schema.compiled_texts()["a.cpp"]
        self.assertEqual(compiled.count("case "), len(self.schema.numbers))
        self.assertIn("default: {\n    return a + 1;\n}", compiled)
        self.assertIn("{\n    return a - 1;\n}", compiled)
        self.assertTrue(compiled.startswith('#include "mutant_switch.hpp"\n#include "a.hpp"\n'))

    def test_leaves_out_what_is_in_no_function(self):
        self.assertEqual({self.text[mutant.begin] for mutant in self.mutants if mutant not in self.schema.numbers},
                         {"3", "4", "+"})
        self.assertIn("int const c = 3 + 4;", self.schema.compiled_texts()["a.cpp"])

    def test_drops_the_mutant_that_the_compiler_refuses(self):
        compiled = self.schema.compiled_texts()["a.cpp"].splitlines()
        refused = next(number for number, line in enumerate(compiled, 1) if "a - 1" in line)
        before = len(self.schema.numbers)
        self.assertEqual(len(self.schema.drop_what_fails(f"/x/core/a.cpp:{refused}:14: error: no such thing\n")), 1)
        self.assertEqual(len(self.schema.numbers), before - 1)
        self.assertNotIn("a - 1", self.schema.compiled_texts()["a.cpp"])
        self.assertEqual(self.schema.drop_what_fails("/x/core/a.cpp:1:1: error: not in a mutant\n"), set())
