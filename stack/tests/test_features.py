# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Features: from what a boot has said to a row of the table, and to the exit status."""

import unittest

from stack.errors import StackError
from stack.features import dom0less, plan, table
from stack.features.evidence import Evidence
from stack.features.row import Feature, Finding, Row
from stack.xtest import GuestRun


def heard(*lines: str) -> Evidence:
    """Lines `speaker|text`; those of Xen have the speaker XEN."""
    evidence = Evidence()
    for line in lines:
        speaker, _, text = line.partition("|")
        if speaker == "XEN":
            evidence.hear_xen(f"(XEN) {text}")
        else:
            evidence.hear(speaker, text)
    return evidence


def results(**findings: Finding) -> table.Results:
    found = table.Results([Feature("speed", (Row("speed.top", "goes fast"), Row("speed.low", "goes slowly")), lambda _: {}, 1)])
    for mediator, finding in findings.items():
        found.add(mediator, found.features[0], {"speed.top": finding, "speed.low": finding})
    return found


class AFact(unittest.TestCase):
    def test_has_a_speaker_a_name_and_values(self):
        fact = heard("share|fact sharing.largest kib=516 end_found=1").last("sharing.largest")
        self.assertEqual((fact.speaker, fact.number("kib"), fact.number("end_found")), ("share", 516, 1))

    def test_whose_number_is_missing_or_no_number_satisfies_nobody(self):
        fact = heard("share|fact a b=many").last("a")
        self.assertEqual((fact.number("b"), fact.number("c")), (-1, -1))

    def test_that_nobody_told_is_none(self):
        self.assertIsNone(heard("share|other words", "share|fact").last("other"))

    def test_knows_what_xen_had_said_before(self):
        evidence = heard("XEN|one", "control|fact a", "XEN|two", "control|fact b")
        self.assertEqual([fact.xen_lines_before for fact in evidence.facts], [1, 2])


class Counters(unittest.TestCase):
    def test_are_those_of_the_newest_domain_of_a_name(self):
        evidence = heard("control|created share 1", "XEN|optee-mediator: d1 smcs=3", "XEN|optee-mediator: d1 end",
                         "control|created share 2", "XEN|optee-mediator: d2 smcs=5", "XEN|optee-mediator: d2 end")
        self.assertEqual(evidence.counters_of("share"), {"smcs": 5})
        self.assertEqual(evidence.counters_of("other"), {})

    def test_belong_to_a_domain_that_dom0_has_named_and_not_a_guest(self):
        evidence = heard("share|created share 1", "XEN|optee-mediator: d1 smcs=3", "XEN|optee-mediator: d1 end")
        self.assertEqual(evidence.counters_of("share"), {})


class TheTable(unittest.TestCase):
    def test_passes_when_ours_is_green_whatever_upstream_does(self):
        self.assertTrue(results(ours=Finding(True, "9"), upstream=Finding(False, "1")).passed)

    def test_fails_when_one_row_of_ours_is_not_green(self):
        found = results(ours=Finding(True, "9"))
        found.findings["ours"]["speed.low"] = Finding(False, "0")
        self.assertFalse(found.passed)

    def test_fails_when_a_judge_says_nothing_about_a_row(self):
        found = results()
        found.add("ours", found.features[0], {"speed.top": Finding(True, "9")})
        self.assertFalse(found.passed)
        self.assertIn("not measured", table.text(found))

    def test_fails_when_ours_was_not_booted_or_had_a_problem(self):
        self.assertFalse(results(upstream=Finding(True, "9")).passed)
        found = results(ours=Finding(True, "9"))
        found.problems["ours"] = ["Xen died"]
        self.assertFalse(found.passed)

    def test_has_the_same_facts_as_the_report(self):
        found = results(ours=Finding(True, "9 m/s", {"speed": 9}), upstream=Finding(False, "1 m/s"))
        report = table.facts(found)
        self.assertEqual([row["id"] for row in report["rows"]], ["speed.top", "speed.low"])
        self.assertEqual(report["rows"][0]["ours"], {"green": True, "figure": "9 m/s", "facts": {"speed": 9}})
        self.assertIn("9 m/s", table.text(found))

    def test_says_none_of_a_mediator_that_was_not_booted(self):
        self.assertIsNone(table.facts(results(ours=Finding(True, "9")))["rows"][0]["upstream"])


class ThePlan(unittest.TestCase):
    def test_has_each_row_once_and_named_after_its_feature(self):
        ids = [row.id for feature in plan.features(1) for row in feature.rows]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertTrue(all(row.id.startswith(f"{feature.name}.") for feature in plan.features(1) for row in feature.rows))

    def test_keeps_its_order_whatever_the_command_line_says(self):
        self.assertEqual([feature.name for feature in plan.chosen("death,sharing", 1)], ["sharing", "death"])

    def test_knows_what_it_does_not_know(self):
        with self.assertRaisesRegex(StackError, "speed"):
            plan.chosen("sharing,speed", 1)

    def test_puts_features_of_one_kind_into_one_boot(self):
        some = [Feature(name, (), lambda _: {}, 1, boot=boot) for name, boot in (("a", "x"), ("b", "y"), ("c", "x"))]
        self.assertEqual([(kind, [each.name for each in together]) for kind, together in plan.boots(some)],
                         [("x", ["a", "c"]), ("y", ["b"])])


XTEST_PASSED = ("@guest ready", "@guest begin 1.0", "* regression_1001 a", "  regression_1001 OK", "+" + "-" * 30,
                "regression_1001 OK", "+" + "-" * 30, "3 subtests of which 0 failed", "1 test case of which 0 failed",
                "@guest end 2.0 0")


class GuestsOfTheDeviceTree(unittest.TestCase):
    def judged(self, *outputs, together=True):
        guests = [GuestRun(name) for name, _ in zip(dom0less.GUESTS, outputs)]
        for guest, output in zip(guests, outputs):
            for line in output:
                guest.feed(line)
        evidence = Evidence(dom0less.facts(guests, together))
        return {row: finding.green for row, finding in dom0less.FEATURE.judge(evidence).items()}

    def test_are_green_when_all_of_them_passed_at_the_same_time(self):
        self.assertEqual(self.judged(XTEST_PASSED, XTEST_PASSED), {"dom0less.found": True, "dom0less.xtest": True})
        self.assertEqual(self.judged(XTEST_PASSED, XTEST_PASSED, together=False),
                         {"dom0less.found": True, "dom0less.xtest": False})

    def test_are_not_green_when_one_is_missing_silent_or_has_no_op_tee(self):
        without = ("@guest ready", "@guest problem no /dev/tee0: OP-TEE did not answer this guest", "@guest begin 1.0",
                   "@guest end 2.0 255")
        for output in ((), ("@guest ready",), without):
            self.assertEqual(self.judged(XTEST_PASSED, output), {"dom0less.found": False, "dom0less.xtest": False})
        self.assertEqual(self.judged(XTEST_PASSED), {"dom0less.found": False, "dom0less.xtest": False})

    def test_that_nobody_booted_are_not_judged(self):
        self.assertEqual(dom0less.FEATURE.judge(Evidence()), {})



if __name__ == "__main__":
    unittest.main()
