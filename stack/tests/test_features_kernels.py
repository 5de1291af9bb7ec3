# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Two kernels: which facts make a row green."""

import unittest

from stack.features import kernels
from stack.tests.test_features import heard
from stack.tests.test_features_judged import died

OLDER = "older|fact kernels.xtest linux=6.1.0 status=0 cases=18 failed=0"
NEWER = "newer|fact kernels.xtest linux=6.12.117 status=0 cases=18 failed=0"
CREATED = ("control|created older 1", "control|created newer 2")


def of(*lines: str, older: int | None = None, newer: int | None = None) -> dict:
    counted = [line for domain, thread_limit in ((1, older), (2, newer)) if thread_limit is not None
               for line in died(domain, thread_limit=thread_limit, invoke_command=200)]
    return kernels.judge(heard(*CREATED, *lines, *counted))


class TwoKernels(unittest.TestCase):
    def test_are_green_when_only_the_older_one_was_turned_away(self):
        found = of(OLDER, NEWER, older=23, newer=0)
        self.assertEqual(set(found), {row.id for row in kernels.FEATURE.rows})
        self.assertTrue(all(finding.green for finding in found.values()))
        self.assertIn("older kernel: 23 of 200 calls turned away", found["kernels.thread_count"].figure)

    def test_show_nothing_when_the_newer_one_was_turned_away_or_nobody_was(self):
        for older, newer in ((23, 1), (0, 0)):
            self.assertFalse(of(OLDER, NEWER, older=older, newer=newer)["kernels.thread_count"].green, (older, newer))

    def test_show_nothing_without_counters(self):
        self.assertFalse(of(OLDER, NEWER)["kernels.thread_count"].green)
        self.assertFalse(of(OLDER, NEWER, older=23)["kernels.thread_count"].green)

    def test_must_be_two_and_pass(self):
        for good, bad in (("6.12.117", "6.1.0"), ("failed=0", "failed=1"), ("cases=18", "cases=0"), ("status=0", "status=137")):
            newer = NEWER.replace(good, bad)
            self.assertFalse(of(OLDER, newer, older=23, newer=0)["kernels.xtest"].green, newer)
        self.assertNotIn("kernels.xtest", of(OLDER, older=23))
        self.assertEqual(of(), {})
