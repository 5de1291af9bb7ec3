# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""tools/entry_bounds: a figure is printed only when its test has passed."""

import json
import unittest
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

path = Path(__file__).resolve().parents[2] / "tools" / "entry_bounds"
loader = SourceFileLoader("entry_bounds", str(path))
entry_bounds = module_from_spec(spec_from_loader("entry_bounds", loader))
loader.exec_module(entry_bounds)


def report(**case):
    return json.dumps({"testsuites": [{"testsuite": [{"name": "Bounded/OfPages", "result": "COMPLETED", **case}]}]})


class TheFigures(unittest.TestCase):
    def test_are_each_beside_their_limit(self):
        self.assertEqual(entry_bounds.rows(report(pins="64", pins_at_most="104")), [("OfPages", "pins", 64, 104)])

    def test_are_none_when_the_test_failed(self):
        failed = report(pins="400", pins_at_most="104", failures=[{"failure": "400 is not at most 104"}])
        self.assertRaisesRegex(ValueError, "OfPages failed: 400 is not", entry_bounds.rows, failed)

    def test_are_missed_when_the_test_recorded_none(self):
        self.assertRaisesRegex(ValueError, "OfPages has recorded no figures", entry_bounds.rows, report(pins="64"))

    def test_are_missed_when_no_test_ran(self):
        self.assertRaisesRegex(ValueError, "no test", entry_bounds.rows, json.dumps({"testsuites": []}))


if __name__ == "__main__":
    unittest.main()
