# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""A result is complete or absent, and made once."""

import tempfile
import unittest
from pathlib import Path

from stack.cache import Cache, content_hash


class Silent:
    """An observer that does not look."""

    def doing(self, text):
        pass

    def progress(self, done, total):
        pass

    def note(self, text):
        pass

    def tick(self):
        pass


class TheCache(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.cache = Cache(Path(self.folder.name) / "cache", Silent())
        self.times_made = 0

    def build(self, folder: Path, log: Path) -> None:
        self.times_made += 1
        (folder / "result").write_text("made")

    def test_makes_a_result_once(self):
        first = self.cache.make("step", {"input": "1"}, self.build)
        second = self.cache.make("step", {"input": "1"}, self.build)
        self.assertEqual((first, self.times_made, self.cache.made), (second, 1, 1))
        self.assertEqual((first / "result").read_text(), "made")

    def test_makes_another_result_of_another_input(self):
        first = self.cache.make("step", {"input": "1"}, self.build)
        second = self.cache.make("step", {"input": "2"}, self.build)
        self.assertNotEqual(first, second)
        self.assertTrue(first.is_dir() and second.is_dir())

    def test_keeps_nothing_of_a_build_that_failed(self):
        def interrupted(folder: Path, log: Path) -> None:
            (folder / "half").write_text("made")
            raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            self.cache.make("step", {"input": "1"}, interrupted)
        self.assertEqual(list((self.cache.root / "step").iterdir()), [])
        self.assertTrue((self.cache.make("step", {"input": "1"}, self.build) / "result").is_file())

    def test_clears_away_what_a_killed_run_left(self):
        left = self.cache.root / "step" / "unfinished-1"
        left.mkdir(parents=True)
        self.cache.make("step", {"input": "1"}, self.build)
        self.assertFalse(left.exists())

    def test_forgets_results_that_are_old(self):
        for number in range(9):
            last = self.cache.make("step", {"input": str(number)}, self.build)
        self.assertLess(len(list((self.cache.root / "step").iterdir())), 9)
        self.assertTrue(last.is_dir())


class AContentHash(unittest.TestCase):
    def test_depends_on_names_and_contents_only(self):
        with tempfile.TemporaryDirectory() as folder:
            top = Path(folder)
            (top / "core").mkdir()
            (top / "core" / "a.cpp").write_text("1")
            before = content_hash([top / "core", top / "absent"], top)
            (top / "core" / "a.cpp").write_text("1")
            self.assertEqual(content_hash([top / "core", top / "absent"], top), before)
            (top / "core" / "a.cpp").write_text("2")
            changed = content_hash([top / "core"], top)
            (top / "core" / "a.cpp").rename(top / "core" / "b.cpp")
            self.assertEqual(len({before, changed, content_hash([top / "core"], top)}), 3)


if __name__ == "__main__":
    unittest.main()
