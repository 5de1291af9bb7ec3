# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Counters out of a console that Xen, its guests and a serial line share."""

import unittest

from stack.counters import CounterReader


def read(text: str) -> CounterReader:
    reader = CounterReader()
    for line in text.splitlines():
        reader.feed(line)
    return reader


class Counters(unittest.TestCase):
    def test_of_each_domain_are_kept_apart(self):
        reader = read("(XEN) optee-mediator: d0 calls=3\n(XEN) optee-mediator: d2 calls=5\n"
                      "(XEN) optee-mediator: d0 end\n(XEN) optee-mediator: d2 end\n")
        self.assertEqual(reader.by_name({0: "dom0", 2: "domu2"}), {"dom0": {"calls": 3}, "domu2": {"calls": 5}})

    def test_may_have_a_time_stamp(self):
        reader = read("(XEN) [   12.345678] optee-mediator: d1 calls=7\n(XEN) [   12.345690] optee-mediator: d1 end\r\n")
        self.assertEqual(reader.complete, {1: {"calls": 7}})

    def test_are_those_of_the_last_complete_set(self):
        reader = read("(XEN) optee-mediator: d1 calls=7\n(XEN) optee-mediator: d1 end\n"
                      "(XEN) optee-mediator: d1 calls=9\n(XEN) optee-mediator: d1 end\n"
                      "(XEN) optee-mediator: d1 calls=11\n")
        self.assertEqual(reader.complete, {1: {"calls": 9}})

    def test_of_a_domain_without_a_name_are_left_out(self):
        self.assertEqual(read("(XEN) optee-mediator: d9 calls=7\n(XEN) optee-mediator: d9 end\n").by_name({0: "dom0"}), {})

    def test_are_not_taken_from_what_a_guest_prints(self):
        self.assertEqual(read("optee-mediator: d1 calls=7\noptee-mediator: d1 end\n").complete, {})

    def test_of_another_mediator_are_none(self):
        self.assertEqual(read("(XEN) Using TEE mediator for OP-TEE\n(XEN) 'T' pressed -> nothing\n").complete, {})


if __name__ == "__main__":
    unittest.main()
