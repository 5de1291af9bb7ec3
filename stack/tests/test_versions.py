# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The lock file of versions, and what is taken when a suite has moved."""

import unittest

from stack import versions
from stack.errors import StackError
from stack.versions import Pin, Wanted

XEN = Wanted("source", "bookworm", "xen")
LIBC = Wanted("binary", "sid", "libc6")
PINS = {XEN: Pin("4.17.5+72-g01140da4e8-1", "2026-11-24"), LIBC: Pin("2.43-7", "2026-11-24")}


class TheLock(unittest.TestCase):
    def test_reads_what_it_writes(self):
        self.assertEqual(versions.parse(versions.render(PINS)), PINS)

    def test_may_have_comments_and_empty_lines(self):
        self.assertEqual(versions.parse("# words\n\nbinary sid libc6 2.43-7 2026-11-24  # why\n"), {LIBC: PINS[LIBC]})

    def test_refuses_what_it_does_not_understand(self):
        for line in ("binary sid libc6 2.43-7", "binaries sid libc6 2.43-7 2026-11-24", "binary sid libc6 2.43-7 yesterday"):
            with self.assertRaises(StackError, msg=line):
                versions.parse(line)

    def test_refuses_a_package_that_stands_there_twice(self):
        with self.assertRaises(StackError):
            versions.parse("binary sid libc6 2.43-7 2026-11-24\nbinary sid libc6 2.43-8 2026-11-24\n")

    def test_of_the_project_is_well_formed(self):
        versions.load()


class TheVersionThatIsTaken(unittest.TestCase):
    def test_is_the_locked_one_while_it_is_offered(self):
        self.assertEqual(versions.choose(PINS[LIBC], ["2.44-1", "2.43-7"]), "2.43-7")

    def test_is_the_newest_when_the_locked_one_has_gone(self):
        self.assertEqual(versions.choose(PINS[LIBC], ["2.44-1", "2.44-0"]), "2.44-1")

    def test_is_the_newest_when_nothing_is_locked(self):
        self.assertEqual(versions.choose(None, ["2.44-1"]), "2.44-1")

    def test_is_none_when_nothing_is_offered(self):
        self.assertIsNone(versions.choose(PINS[LIBC], []))


if __name__ == "__main__":
    unittest.main()
