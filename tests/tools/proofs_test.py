# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""What tools/proofs reads and proves, on functions of a few lines."""

import subprocess
import sys
import unittest

from tests.tools.small_tree import tools

sys.path.insert(0, str(tools))
from check import proof
from check.llvm_code import NotUnderstood, functions

half_of_a_sum = """define dso_local zeroext i1 @claim_half(i32 noundef %0, i32 noundef %1) local_unnamed_addr #0 {
  %3 = add i32 %0, %1
  %4 = lshr i32 %3, 1
  %5 = icmp ule i32 %0, 255
  %6 = icmp ule i32 %1, 255
  %7 = and i1 %5, %6
  br i1 %7, label %8, label %10

8:                                                ; preds = %2
  %9 = icmp ult i32 %4, LIMIT
  br label %10

10:                                               ; preds = %2, %8
  %11 = phi i1 [ %9, %8 ], [ true, %2 ]
  ret i1 %11
}
"""
by_cases = """define i1 @claim_cases(i8 zeroext %0) {
  switch i8 %0, label %3 [
    i8 1, label %2
    i8 -2, label %2
  ]

2:                                                ; preds = %1, %1
  br label %3

3:                                                ; preds = %1, %2
  %4 = phi i8 [ 7, %1 ], [ 9, %2 ]
  %5 = zext i8 %4 to i16
  %6 = select i1 true, i16 %5, i16 0
  %7 = icmp ne i16 %6, 9
  ret i1 %7
}
"""


def only(text):
    found = functions(text, lambda name: name.startswith("claim_"))
    assert len(found) == 1
    return found[0]


class Prover(unittest.TestCase):
    def test_proves_what_is_true(self):
        self.assertTrue(proof.prove(only(half_of_a_sum.replace("LIMIT", "256")), 60).holds)

    def test_finds_where_it_is_not(self):
        function = only(half_of_a_sum.replace("LIMIT", "255"))
        outcome = proof.prove(function, 60)
        self.assertFalse(outcome.holds)
        self.assertEqual(outcome.example, (255, 255))
        self.assertFalse(proof.value_at(function, outcome.example))
        self.assertTrue(proof.value_at(function, (255, 254)))

    def test_takes_each_case_of_a_switch(self):
        function = only(by_cases)
        self.assertEqual([value for value in range(256) if not proof.value_at(function, (value,))], [1, 254])
        self.assertIn(proof.prove(function, 60).example, [(1,), (254,)])

    def test_refuses_a_loop(self):
        text = "define i1 @claim_loop(i8 %0) {\n  br label %2\n\n2:\n  br i1 true, label %2, label %3\n\n3:\n  ret i1 true\n}\n"
        with self.assertRaisesRegex(NotUnderstood, "a loop"):
            proof.prove(only(text), 60)

    def test_refuses_memory_and_calls(self):
        for line in ("%2 = load i8, i8* null", "%2 = call i8 @other(i8 %0)", "%2 = fadd float 1.0, 2.0"):
            with self.assertRaisesRegex(NotUnderstood, "numbers alone"):
                only(f"define i1 @claim_memory(i8 %0) {{\n  {line}\n  ret i1 true\n}}\n")

    def test_refuses_an_argument_that_is_no_number(self):
        with self.assertRaisesRegex(NotUnderstood, "no number"):
            only("define i1 @claim_pointer(i8* %0) {\n  ret i1 true\n}\n")


class Command(unittest.TestCase):
    def test_says_which_files_there_are(self):
        done = subprocess.run([tools / "proofs", "--file", "nothing"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is no tests/proofs/nothing.cpp; there are: arithmetic, ", done.stdout)


if __name__ == "__main__":
    unittest.main()
