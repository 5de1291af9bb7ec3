# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""What counts as a guest that passed, and above all what does not."""

import unittest

from stack.xtest import GuestRun

PASSED = """\
@guest ready
go\r
@guest begin 33.08
Test ID: regression_1001
Run test suite with level=0

TEE test application started over default TEE instance
######################################################
#
# regression
#
######################################################
 
* regression_1001 Core self tests
o regression_1001.1 Core self tests
  regression_1001.1 OK
  regression_1001 OK
 
* regression_4006_rsa Test TEE Internal API Asymmetric Cipher RSA operations
o regression_4006_rsa.1 Asym Crypto case 0 algo 0x60000030 line 2943
  regression_4006_rsa.1 OK
  regression_4006_rsa OK
+-----------------------------------------------------
Result of testsuite regression filtered by "regression_1001":
regression_1001 OK
regression_4006_rsa OK
+-----------------------------------------------------
13 subtests of which 0 failed
2 test cases of which 0 failed
110 test cases were skipped
TEE test application done!
@guest end 40.31 0
"""


def guest_after(text: str) -> GuestRun:
    """A guest that has printed this."""
    guest = GuestRun("domu1")
    for line in text.split("\n"):
        guest.feed(line)
    return guest


class AGuestThatPassed(unittest.TestCase):
    def test_has_the_numbers_of_the_summary(self):
        guest = guest_after(PASSED)
        self.assertEqual(guest.complaints(), [])
        self.assertTrue(guest.passed)
        self.assertEqual((guest.cases.total, guest.subtests.total, guest.failures), (2, 13, 0))

    def test_has_the_time_of_its_own_clock(self):
        self.assertAlmostEqual(guest_after(PASSED).seconds, 40.31 - 33.08)

    def test_may_use_carriage_returns_and_colours(self):
        self.assertTrue(guest_after(PASSED.replace("\n", "\r\n").replace("regression_1001 OK", "\x1b[32mregression_1001 OK"))
                        .listed_results["regression_1001"])

    def test_does_not_take_a_sub_case_for_a_case(self):
        self.assertEqual(list(guest_after(PASSED).case_results), ["regression_1001", "regression_4006_rsa"])

    def test_may_have_one_test_only(self):
        text = PASSED.replace("  regression_4006_rsa OK\n", "").replace("\nregression_4006_rsa OK\n", "\n")
        text = text.replace("13 subtests", "1 subtest").replace("2 test cases of", "1 test case of")
        self.assertTrue(guest_after(text).passed)


class AGuestHasFailed(unittest.TestCase):
    def assert_failed(self, text: str, expected: str) -> None:
        guest = guest_after(text)
        self.assertFalse(guest.passed)
        self.assertGreaterEqual(guest.failures, 1)
        self.assertIn(expected, "; ".join(guest.complaints()))

    def test_when_it_printed_nothing(self):
        self.assert_failed("", "never began")

    def test_when_it_only_became_ready(self):
        self.assert_failed("@guest ready\n", "never began")

    def test_when_its_output_ends_in_a_case(self):
        self.assert_failed(PASSED[:PASSED.index("o regression_4006_rsa.1")], "did not end xtest, last in regression_4006_rsa")

    def test_when_there_is_no_summary(self):
        text = PASSED[:PASSED.index("+---")] + "@guest end 40.31 0\n"
        self.assert_failed(text, "no summary")

    def test_when_xtest_was_killed(self):
        text = PASSED[:PASSED.index("o regression_4006_rsa.1")] + "@guest end 90.00 137\n"
        self.assert_failed(text, "took too long")

    def test_when_no_test_ran(self):
        text = "@guest begin 1.0\n0 subtests of which 0 failed\n0 test cases of which 0 failed\n@guest end 2.0 0\n"
        self.assert_failed(text, "no test ran")

    def test_when_a_subtest_failed(self):
        guest = guest_after(PASSED.replace("13 subtests of which 0", "13 subtests of which 3"))
        self.assertFalse(guest.passed)
        self.assertEqual(guest.failures, 3)

    def test_when_a_case_failed_and_xtest_still_says_status_0(self):
        text = PASSED.replace("regression_1001 OK\nregression_4006",
                              "regression_1001 FAILED first error at regression_1000.c:1\nregression_4006")
        self.assert_failed(text, "regression_1001 first error at regression_1000.c:1")

    def test_when_the_list_lacks_a_case_that_ran(self):
        self.assert_failed(PASSED.replace("\nregression_1001 OK\n", "\n"), "summary says 2 cases, the list has 1")

    def test_when_the_status_is_not_0(self):
        self.assert_failed(PASSED.replace("@guest end 40.31 0", "@guest end 40.31 1"), "status 1")

    def test_when_it_tells_a_problem(self):
        self.assert_failed(PASSED.replace("@guest begin", "@guest problem no /dev/tee0\n@guest begin"), "no /dev/tee0")

    def test_when_the_end_is_garbled(self):
        self.assert_failed(PASSED.replace("@guest end 40.31 0", "@guest end 40."), "garbled")


class WhatAGuestIsDoing(unittest.TestCase):
    def test_is_the_case_that_began_last(self):
        guest = guest_after(PASSED[:PASSED.index("o regression_4006_rsa.1")])
        self.assertEqual((guest.state, guest.case, guest.done), ("running", "regression_4006_rsa", 1))

    def test_is_nothing_when_it_has_ended(self):
        guest = guest_after(PASSED)
        self.assertEqual((guest.state, guest.case, guest.done), ("ended", "", 2))


if __name__ == "__main__":
    unittest.main()
