# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""tools/attacks, with programs that behave as GoogleTest's would: what counts as passed, and what never does."""

import json
import sys

from tests.tools.small_tree import SmallTree, tools

sys.path.insert(0, str(tools))
from attack_table import catalogue, play

# A program of attacks: `tests` says what each does. Options as GoogleTest has them.
program = '''#!/usr/bin/python3
import json, os, sys, time
tests = {tests}
options = dict(one.lstrip("-").partition("=")[::2] for one in sys.argv[1:])
output = options["gtest_output"].removeprefix("json:")
chosen = options.get("gtest_filter", "*").split(":")
suites = {{}}
for name, does in tests.items():
    suite, schedule = name.split(".")
    if not ({{"*", name, suite + ".*"}} & set(chosen)):
        continue
    record = {{"name": schedule, "status": "RUN", "result": "COMPLETED", "type_param": "tries " + suite,
              "value_param": "is refused"}}
    if "gtest_list_tests" not in options:
        if does == "crash":
            print("Xen stops: a reason", flush=True)
            os.abort()
        if does == "hang":
            time.sleep(60)
        if does == "leave":
            sys.exit(0)
        if does == "skip":
            record["result"] = "SKIPPED"
        elif does:
            record["failures"] = [{{"failure": does}}]
    suites.setdefault(suite, []).append(record)
with open(output, "w") as file:
    json.dump({{"testsuites": [{{"name": name, "testsuite": all}} for name, all in suites.items()]}}, file)
sys.exit(any("failures" in one for all in suites.values() for one in all))
'''

broken_rules = """tests/scenario/scenario.cpp:103: Failure
Value of: machine.invariants_hold()
  Actual: false
Expected: true
I4: 1 pins are left of a VM that is gone (step 77)
I4: 1 pins are left of a VM that is gone (step 99)
I1: a guest gets a physical address in a2 (step 12)
"""


class Attacks(SmallTree):
    def play(self, ours, upstream=None, arguments=("--only", "F01")):
        """Exit status, output and report of the tool, with programs that do this."""
        for name, tests in (("attack_tests", ours), ("attack_tests_upstream", upstream)):
            if tests is not None:
                self.write(name, program.format(tests=repr(tests))).chmod(0o755)
        status, output = self.run_tool("attacks", "--build", str(self.root), "--report", str(self.root / "r/report.json"),
                                       *arguments)
        report = self.root / "r/report.json"
        return status, output, json.loads(report.read_text()) if report.exists() else None

    def detail(self, does):
        """Why an attack failed that does this under its second schedule."""
        status, _, report = self.play({"F01.straight": "", "F01.interrupted": does},
                                      arguments=("--only", "F01", "--seconds", "2", "--mediator", "ours"))
        self.assertEqual(status, 1)
        self.assertEqual(report["cases"][0]["ours"], "fail")
        self.assertEqual(report["cases"][0]["schedules"]["ours"], {"straight": "pass", "interrupted": "fail"})
        return report["cases"][0]["detail"]

    def test_says_what_came_of_an_attack_on_both(self):
        status, output, report = self.play({"F01.straight": ""}, {"F01.straight": broken_rules})
        self.assertEqual(status, 0, output)
        self.assertIn("ours: 1 pass, 0 fail\nupstream: 0 pass, 1 fail", output)
        case = report["cases"][0]
        self.assertEqual([case[key] for key in ("id", "title", "required", "ours", "upstream")],
                         ["F01", "tries F01", "is refused", "pass", "fail"])
        self.assertEqual(case["detail"], "upstream, straight: I4: 1 pins are left of a VM that is gone (step 77)")
        self.assertEqual(case["details"]["upstream"][1], "straight: I1: a guest gets a physical address in a2 (step 12)")

    def test_fails_when_ours_fails(self):
        self.assertEqual(self.detail(broken_rules),
                         "ours, interrupted: I4: 1 pins are left of a VM that is gone (step 77)")

    def test_says_which_expectation_was_not_met_and_when(self):
        self.assertEqual(self.detail("tests/attack/rpc_test.cpp:54: Failure\nExpected equality:\n  1\n  2\n"
                                     "Google Test trace:\n../attack.cpp:9: at moment 3\n"),
                         "ours, interrupted: rpc_test.cpp:54: Expected equality: 1 2, at moment 3")

    def test_a_crash_is_a_failure_of_that_schedule_alone(self):
        self.assertEqual(self.detail("crash"), "ours, interrupted: Xen stops: a reason (SIGABRT)")

    def test_a_hang_is_a_failure(self):
        self.assertEqual(self.detail("hang"), "ours, interrupted: does not end within 2 s")

    def test_an_attack_that_leaves_without_a_result_is_a_failure(self):
        self.assertIn("exit status 0", self.detail("leave"))

    def test_what_was_skipped_did_not_pass(self):
        self.assertIn("was not played", self.detail("skip"))

    def test_says_and_counts_that_upstream_is_not_there(self):
        status, output, report = self.play({"F01.straight": ""})
        self.assertEqual(status, 0, output)
        self.assertIn("upstream: 0 pass, 0 fail, 1 missing", output)
        self.assertEqual(report["missing_mediators"], ["upstream"])

    def test_finds_ids_of_the_catalogue_without_an_attack(self):
        status, output, report = self.play({"F01.straight": ""}, arguments=("--mediator", "ours"))
        self.assertEqual(status, 1)
        self.assertIn("missing in tests/attack: F02 F03 ", output)
        self.assertEqual(report["missing_cases"], catalogue.wanted()[1:])

    def test_an_attack_beyond_the_catalogue_counts_like_the_others(self):
        status, output, _ = self.play({"F01.straight": "", "FX01.straight": "a.cpp:1: Failure\nno\n"},
                                      arguments=("--mediator", "ours", "--only", "F01", "FX01"))
        self.assertEqual(status, 1)
        self.assertIn("ours: 1 pass, 1 fail", output)

    def test_relies_on_nothing_when_a_program_fails_its_own_tests(self):
        status, output, report = self.play({"F01.straight": "", "Shim.Sees": "a.cpp:1: Failure\nblind\n"})
        self.assertEqual(status, 1)
        self.assertIn("Shim.Sees fails", output)
        self.assertIsNone(report)

    def test_refuses_an_attack_that_does_not_exist(self):
        status, output, _ = self.play({"F01.straight": ""}, arguments=("--only", "F99"))
        self.assertEqual(status, 2)
        self.assertIn("no attack is called F99", output)

    def test_the_catalogue_is_whole(self):
        self.assertEqual(len(catalogue.wanted()), 175)
        everything = dict.fromkeys(catalogue.wanted())
        self.assertEqual(catalogue.missing(everything), [])
        del everything["R17"]
        self.assertEqual(catalogue.missing(everything), ["R17"])

    def test_keeps_the_reasons_short(self):
        failures = [f"a.cpp:{line}: Failure\n{'long ' * 100}\n" for line in range(9)]
        reasons = play.reasons_of(failures)
        self.assertEqual(reasons[-1], "and 5 more")
        self.assertTrue(all(len(reason) <= play.characters_of_reason for reason in reasons))
