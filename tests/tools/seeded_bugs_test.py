# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Seeded bugs: which are refused, and how one is planted."""

from tests.tools.small_tree import SmallTree

bug = '''[{name}]
what = "a defect"
breaks = {breaks}
test = "{test}"
change = [ {{ file = "pin.cpp", before = "{before}", after = "{after}" }} ]
'''


class SeededBugs(SmallTree):
    def setUp(self):
        super().setUp()
        self.write("core/pin.cpp", "void gone();\nvoid unpin(int = 0), lock(int = 0);\n"
                                   "void f()\n{\n    unpin();\n    lock();\n    lock();\n}\n")

    def seed(self, before="unpin();", breaks='["I1"]', test="unit: Pin.*", name="forgets", after="gone();"):
        self.write("tests/seeded_bugs/a.toml", bug.format(name=name, breaks=breaks, test=test, before=before, after=after))

    def all_invariants(self):
        return str([f"I{number}" for number in range(1, 18)]).replace("'", '"')

    def test_passes_a_defect_that_fits(self):
        self.seed(breaks=self.all_invariants())
        self.assert_passes("seeded_bugs", "--check")

    def test_finds_a_defect_that_does_not_compile(self):
        self.seed(breaks=self.all_invariants(), after="nobody_has_this();")
        self.assert_finds("forgets does not compile", "seeded_bugs", "--check")

    def test_finds_an_invariant_that_nothing_breaks(self):
        self.seed()
        self.assert_finds("no defect breaks I2 I3", "seeded_bugs", "--check")

    def test_finds_a_text_that_is_not_there(self):
        self.seed(before="release();")
        self.assert_finds("0 times, not once", "seeded_bugs", "--check")

    def test_finds_a_text_that_is_there_twice(self):
        self.seed(before="lock();")
        self.assert_finds("2 times, not once", "seeded_bugs", "--check")

    def test_finds_an_invariant_that_does_not_exist(self):
        self.seed(breaks='["I18"]')
        self.assert_finds("I1 to I17", "seeded_bugs", "--check")

    def test_finds_a_test_without_program(self):
        self.seed(test="Pin.*")
        self.assert_finds("program: filter", "seeded_bugs", "--check")

    def test_finds_that_there_are_none(self):
        self.assert_finds("no defect in", "seeded_bugs", "--check")

    def test_plants_a_copy_and_touches_only_what_changes(self):
        self.seed()
        self.write("core/rpc.cpp", "int other;\n")
        copy = self.root / "copy"
        self.assert_passes("seeded_bugs", "--plant", "none", "--into", copy)
        before = (copy / "rpc.cpp").stat().st_mtime_ns
        self.assertIn("unpin();", (copy / "pin.cpp").read_text())
        self.assert_passes("seeded_bugs", "--plant", "forgets", "--into", copy)
        self.assertIn("gone();", (copy / "pin.cpp").read_text())
        self.assertEqual((copy / "rpc.cpp").stat().st_mtime_ns, before)

    def test_refuses_a_defect_that_nobody_knows(self):
        self.seed()
        status, output = self.run_tool("seeded_bugs", "--plant", "unheard_of", "--into", self.root / "copy")
        self.assertEqual(status, 2)
        self.assertIn("there is no defect unheard_of", output)
