# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Edits of somebody else's sources: they fit, or the build ends."""

import tempfile
import unittest
from pathlib import Path

from stack import edits
from stack.edits import Edit
from stack.errors import StackError


class AnEdit(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tree = Path(folder.name)
        self.file = self.tree / "plat" / "setup.c"
        self.file.parent.mkdir()
        self.file.write_text("mode = el2;\nargument = tree;\n")

    def test_replaces_its_text_and_leaves_the_rest(self):
        edits.apply(self.tree, [Edit("plat/setup.c", "el2", "hyp"), Edit("plat/setup.c", "tree", "0")])
        self.assertEqual(self.file.read_text(), "mode = hyp;\nargument = 0;\n")

    def test_that_does_not_fit_ends_the_build(self):
        with self.assertRaisesRegex(StackError, r"plat/setup.c has 'el3' 0 times"):
            edits.apply(self.tree, [Edit("plat/setup.c", "el3", "hyp")])

    def test_that_fits_twice_ends_the_build_and_changes_nothing(self):
        with self.assertRaisesRegex(StackError, r"2 times, not once"):
            edits.apply(self.tree, [Edit("plat/setup.c", " = ", " := ")])
        self.assertEqual(self.file.read_text(), "mode = el2;\nargument = tree;\n")

    def test_of_a_file_that_has_gone_ends_the_build(self):
        with self.assertRaisesRegex(StackError, r"there is no plat/moved.c"):
            edits.apply(self.tree, [Edit("plat/moved.c", "el2", "hyp")])


if __name__ == "__main__":
    unittest.main()
