# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""ports/xen/overlay: a patch is applied once, the same however often it is asked for, and never by a guess."""

import importlib.machinery
import importlib.util
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
script = Path(__file__).resolve().parents[2] / "ports/xen/overlay"
loader = importlib.machinery.SourceFileLoader("overlay", str(script))
overlay = importlib.util.module_from_spec(importlib.util.spec_from_loader("overlay", loader))
loader.exec_module(overlay)

source = "one\ntwo\nthree\nfour\nfive\nsix\n"
patch = """Subject: [PATCH] a title

- a list in the message is not a part of a block
---
 a.c | 3 ++-
 1 file changed, 2 insertions(+), 1 deletion(-)

diff --git a/a.c b/a.c
index 1..2 100644
--- a/a.c
+++ b/a.c
@@ -1,2 +1,3 @@ somewhere
 one
+one and a half
 two
@@ -4,2 +5,2 @@
 four
-five
+FIVE
"""
result = "one\none and a half\ntwo\nthree\nfour\nFIVE\nsix\n"


class Patches(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tree = Path(folder.name)
        self.file = self.tree / "a.c"
        self.patch = self.tree / "a.patch"
        self.patch.write_text(patch)

    def patched(self, text):
        self.file.write_text(text)
        (path, after), = overlay.patched(self.tree, self.patch).items()
        self.assertEqual((str(path), self.file.read_text()), ("a.c", text), "the tree itself is not written to")
        return after

    def test_is_applied(self):
        self.assertEqual(self.patched(source), result)

    def test_is_applied_wherever_its_lines_are(self):
        self.assertEqual(self.patched("zero\n" * 9 + source), "zero\n" * 9 + result)

    def test_applied_already_changes_nothing(self):
        self.assertEqual(self.patched(result), result)

    def test_half_applied_is_completed(self):
        self.assertEqual(self.patched(source.replace("five", "FIVE")), result)

    def test_is_refused_where_its_lines_are_not_there_or_there_twice(self):
        for text in (source.replace("two", "2"), source + source):
            with self.subTest(text), self.assertRaisesRegex(overlay.Refused, "a.patch does not fit a.c"):
                self.patched(text)

    def test_that_was_cut_off_is_refused(self):
        for length in (patch.index("+FIVE"), patch.index("@@ -1"), patch.index("+++ b/")):
            self.patch.write_text(patch[:length])
            with self.subTest(length), self.assertRaises(overlay.Refused):
                self.patched(source)

    def test_with_a_line_lost_in_the_middle_is_refused(self):
        self.patch.write_text(patch.replace("+one and a half\n", ""))
        with self.assertRaisesRegex(overlay.Refused, "the block ends early"):
            self.patched(source)


class ShippedPatches(unittest.TestCase):
    def test_fit_a_tree_that_has_their_lines(self):
        shipped = sorted(overlay.PATCHES.rglob("*.patch"))
        self.assertTrue(shipped)
        for each in shipped:
            with self.subTest(each.name), tempfile.TemporaryDirectory() as folder:
                blocks = list(overlay.blocks_of(each))
                before, after = {}, {}
                for path, old, new in blocks:
                    before[path] = before.get(path, "") + "".join(f"{line}\n" for line in old)
                    after[path] = after.get(path, "") + "".join(f"{line}\n" for line in new)
                for path, text in before.items():
                    (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
                    (Path(folder) / path).write_text(text)
                self.assertEqual(overlay.patched(Path(folder), each), after)


if __name__ == "__main__":
    unittest.main()
