# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Who said what on the line that all share."""

import unittest

from stack.console import Console, StaticConsole


class TheConsole(unittest.TestCase):
    def setUp(self):
        self.said = {"xen": [], "dom0": [], "domu1": [], "control": []}
        streams = {name: lines.append for name, lines in self.said.items() if name != "xen"}
        self.console = Console(self.said["xen"].append, streams)

    def test_keeps_the_guests_apart(self):
        self.console.feed(b"* regression_1001 a\r\n@domu1|* regression_1004 b\r\n@control|created domu1 1\r\n")
        self.assertEqual(self.said, {"xen": [], "dom0": ["* regression_1001 a"], "domu1": ["* regression_1004 b"],
                                     "control": ["created domu1 1"]})

    def test_mends_a_line_that_xen_spoke_into(self):
        self.console.feed(b"@domu1|13 subtests of w(XEN) d1v0 something\n(XEN) more\nhich 0 failed\n")
        self.assertEqual(self.said["domu1"], ["13 subtests of which 0 failed"])
        self.assertEqual(self.said["xen"], ["(XEN) d1v0 something", "(XEN) more"])

    def test_does_not_depend_on_where_the_bytes_are_cut(self):
        data = b"@domu1|one\r\n@dom(XEN) x\nu1|two\r\nthree\r\n"
        for piece in range(1, len(data)):
            self.setUp()
            for begin in range(0, len(data), piece):
                self.console.feed(data[begin:begin + piece])
            self.assertEqual((self.said["domu1"], self.said["dom0"], self.said["xen"]),
                             (["one", "two"], ["three"], ["(XEN) x"]))

    def test_drops_streams_that_nobody_asked_for(self):
        self.console.feed(b"@domu7|x\n")
        self.assertEqual([line for lines in self.said.values() for line in lines], [])


class TheConsoleOfStaticGuests(unittest.TestCase):
    def setUp(self):
        self.said = {1: [], 2: []}
        self.console = StaticConsole({number: lines.append for number, lines in self.said.items()})

    def test_keeps_the_guests_apart_from_each_other_and_from_xen(self):
        lines = ("(XEN) DOM1: a\r", "(XEN) d1v0 b", "(XEN) DOM2: c", "(XEN) DOM3: d", "(XEN) DOM1: ")
        self.assertEqual([self.console.feed(line) for line in lines], [True, False, True, False, True])
        self.assertEqual(self.said, {1: ["a", ""], 2: ["c"]})

    def test_joins_what_xen_has_cut(self):
        text = "".join(chr(ord("a") + number % 26) for number in range(300))
        for begin in range(0, len(text), 126):
            self.console.feed(f"(XEN) DOM1: {text[begin:begin + 126]}")
            self.console.feed("(XEN) DOM2: between")
        self.assertEqual(self.said, {1: [text], 2: ["between"] * 3})

    def test_a_line_that_just_fits_is_followed_by_its_empty_rest(self):
        self.console.feed(f"(XEN) DOM1: {'x' * 126}")
        self.console.feed("(XEN) DOM1: ")
        self.assertEqual(self.said[1], ["x" * 126])


if __name__ == "__main__":
    unittest.main()
