# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Traces out of Xen's console: numbers that are missing, names of a guest that become words."""

import tempfile
import unittest
from pathlib import Path

from stack.errors import StackError
from stack.trace import TraceReader, write


def read(*lines: str) -> TraceReader:
    reader = TraceReader()
    for line in lines:
        reader.feed(f"(XEN) optee-mediator: {line}\r")
    return reader


def body(reader: TraceReader, domain: int = 0) -> list[str]:
    return [line for line in reader.text(domain, {}).splitlines() if not line.startswith("#")]


class Lines(unittest.TestCase):
    def test_of_each_domain_are_kept_apart_and_in_the_order_of_their_numbers(self):
        reader = read("d0 record 1 of 0 ends a0=0", "d0 record 0 fast function=0x1", "d3 record 0 fast function=0x2")
        self.assertEqual(body(reader), ["0 fast function=0x1", "1 of 0 ends a0=0"])
        self.assertEqual(body(reader, 3), ["0 fast function=0x2"])

    def test_that_are_missing_are_told(self):
        reader = read("d0 record 1 x", "d0 record 2 x", "d0 record 4 x", "d0 record 8 x")
        self.assertEqual(reader.missing(0), ["0", "3", "5 to 7"])
        self.assertEqual(read("d0 record 0 x", "d0 record 1 x").missing(0), [])

    def test_are_not_taken_from_what_a_guest_prints(self):
        reader = TraceReader()
        reader.feed("optee-mediator: d0 record 0 fast function=0x1")
        self.assertEqual(reader.lines, {})


class Names(unittest.TestCase):
    def test_of_buffers_become_words_and_stay_the_same(self):
        reader = read("d0 record 0 call with_arg cmd=4 func=0 session=0 cancel=0 p=0x20a,0x10,0x1000,0xffff000003a2c180",
                      "d0 record 1 of 0 ends a0=0 ret=0 origin=0 session=0",
                      "d0 record 2 call with_arg cmd=1 func=0x2 session=0x1 cancel=0x9 p=0x5,0,0x20,0xffff000003a2c180 p=0x1")
        self.assertEqual(body(reader)[0], "0 call with_arg cmd=4 func=0 session=0 cancel=0 p=0x20a,0x10,0x1000,m1")
        self.assertEqual(body(reader)[2], "2 call with_arg cmd=1 func=0x2 session=0x1 cancel=m2 p=0x5,0,0x20,m1 p=0x1")

    def test_are_found_where_op_tee_gives_a_buffer_back(self):
        reader = read("d0 record 0 back thread=0 ret=0 p=0xa,0,0x1000,0xabc",
                      "d0 record 1 of 0 asks cmd thread=0 argument=0xdef cmd=7 p=0x1,0,0xabc,0",
                      "d0 record 2 back thread=0 ret=0 p=0x1,0,0xabc,0",
                      "d0 record 3 of 2 asks free thread=0 argument=0xdef")
        self.assertEqual(body(reader), ["0 back thread=0 ret=0 p=0xa,0,0x1000,m1",
                                        "1 of 0 asks cmd thread=0 argument=m2 cmd=7 p=0x1,0,m1,0",
                                        "2 back thread=0 ret=0",
                                        "3 of 2 asks free thread=0 argument=m2"])

    def test_are_not_made_of_values_and_of_nothing(self):
        line = "of 1 asks cmd thread=1 argument=0 cmd=2 p=0x1,0x3,0x5,0x1000 p=0xa,null,0,0 p=0"
        self.assertEqual(body(read(f"d0 record 2 {line}")), [f"2 {line}"])


class Answers(unittest.TestCase):
    def test_in_which_nothing_was_changed_have_no_parameters(self):
        reader = read("d0 record 0 of 0 asks cmd thread=1 argument=0 cmd=3 p=0x2,0,0,0",
                      "d0 record 1 of 0 asks cmd thread=0 argument=0 cmd=2 p=0x1,0x4,0x6,0",
                      "d0 record 2 back thread=1 ret=0 p=0x2,0x5,0x6,0", "d0 record 3 back thread=0 ret=0x7 p=0x1,0x4,0x6,0")
        self.assertEqual(body(reader)[2:], ["2 back thread=1 ret=0 p=0x2,0x5,0x6,0", "3 back thread=0 ret=0x7"])


class Writing(unittest.TestCase):
    def test_makes_a_file_for_each_guest_and_tells_what_is_wrong(self):
        reader = read("d0 record 0 fast function=0x1", "d1 record 1 of 0 ends a0=0", "d7 record 0 fast function=0x1")
        with tempfile.TemporaryDirectory() as folder:
            problems = write(reader, {0: "dom0", 1: "domu1", 2: "domu2"}, Path(folder) / "new", {"recorded on": "Xen 4.17"})
            text = (Path(folder) / "new" / "dom0.trace").read_text()
            files = sorted(path.name for path in (Path(folder) / "new").iterdir())
        self.assertEqual(files, ["dom0.trace", "domu1.trace"])
        self.assertTrue(text.endswith("# trace of: dom0\n# recorded on: Xen 4.17\n0 fast function=0x1\n"))
        self.assertEqual(problems, ["the trace of domu1 lacks 0", "Xen has recorded nothing of domu2"])

    def test_says_what_is_wrong_with_the_folder(self):
        with tempfile.NamedTemporaryFile() as file, self.assertRaises(StackError):
            write(read("d0 record 0 x"), {0: "dom0"}, Path(file.name) / "below", {})


if __name__ == "__main__":
    unittest.main()
