# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The runner of ./check, and the plan that it runs."""

import io
import os
import signal
import subprocess
import sys
import threading
import time

from tests.tools.small_tree import SmallTree, tools

sys.path.insert(0, str(tools))
from check import plan, runner, screen


class Runs(SmallTree):
    def run_checks(self, *checks, jobs=2, **more):
        self.out = io.StringIO()
        shown = screen.Screen(len(checks), self.out)
        self.runner = runner.Runner(list(checks), self.root, self.root / "logs", jobs, shown, **more)
        outcomes = self.runner.run()
        shown.summary(outcomes, [])
        return {outcome.check.name: outcome for outcome in outcomes}

    @staticmethod
    def shell(name, *scripts, seconds=30, **more):
        return runner.Check(name, "a check", tuple(("bash", "-c", script) for script in scripts), seconds, **more)

    def test_counts_what_passed_and_what_failed(self):
        outcomes = self.run_checks(self.shell("good", "true"), self.shell("bad", "echo the reason; exit 3"))
        self.assertTrue(outcomes["good"].passed)
        self.assertFalse(outcomes["bad"].passed)
        text = self.out.getvalue()
        self.assertEqual(text.splitlines()[-1], "1 passed, 1 failed")
        self.assertIn("the reason", text)
        self.assertIn("./check --only bad", text)

    def test_stops_a_check_at_its_first_failing_step(self):
        self.run_checks(self.shell("bad", "false", f"touch {self.root}/reached"))
        self.assertFalse((self.root / "reached").exists())

    def test_fails_a_check_whose_command_does_not_exist(self):
        outcomes = self.run_checks(runner.Check("gone", "a check", (("./gone",),), 30))
        self.assertFalse(outcomes["gone"].passed)
        self.assertIn("cannot start ./gone", outcomes["gone"].why)

    def test_ends_a_check_that_takes_too_long_with_all_its_children(self):
        outcomes = self.run_checks(self.shell("slow", f"sleep 600 & echo $! > {self.root}/pid; wait", seconds=1))
        self.assertIn("took longer than 1 s", outcomes["slow"].why)
        self.assert_gone(int((self.root / "pid").read_text()))

    def test_leaves_nothing_behind_when_interrupted(self):
        def interrupt():
            while not (self.root / "pid").exists() or not (self.root / "pid").read_text().strip():
                time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        outcomes = self.run_checks(self.shell("slow", f"sleep 600 & echo $! > {self.root}/pid; wait"),
                                   self.shell("later", "true"), jobs=1)
        thread.join()
        self.assertTrue(self.runner.interrupted)
        self.assertNotIn("later", outcomes)
        self.assert_gone(int((self.root / "pid").read_text()))

    def test_never_runs_two_that_use_the_same_thing(self):
        script = f"mkdir {self.root}/thing && sleep 0.3 && rmdir {self.root}/thing"
        uses = frozenset({"thing"})
        outcomes = self.run_checks(*(self.shell(name, script, uses=uses) for name in "abc"), jobs=3)
        self.assertTrue(all(outcome.passed for outcome in outcomes.values()), self.out.getvalue())

    def test_runs_what_must_be_alone_when_nothing_else_runs(self):
        script = f"mkdir {self.root}/thing && sleep 0.3 && rmdir {self.root}/thing"
        outcomes = self.run_checks(self.shell("a", script), self.shell("b", script, alone=True),
                                   self.shell("c", f"test ! -e {self.root}/thing", background=True), jobs=3)
        self.assertTrue(outcomes["b"].passed, self.out.getvalue())

    def test_shows_a_fact_from_the_log(self):
        outcomes = self.run_checks(self.shell("good", "echo Ran 7 tests", fact=r"^Ran (\d+ tests)"))
        self.assertEqual(outcomes["good"].fact, "7 tests")

    def test_starts_nothing_after_a_failure_when_told_to_stop(self):
        outcomes = self.run_checks(self.shell("bad", "false"), self.shell("later", "true"), jobs=1, stop_at_failure=True)
        self.assertNotIn("later", outcomes)

    def test_counts_apart_what_is_not_to_be_had(self):
        outcomes = self.run_checks(self.shell("a", "echo no mirror; exit 3", skip_status=3), self.shell("b", "exit 3"))
        self.assertTrue(outcomes["a"].skipped)
        self.assertIn("no mirror", outcomes["a"].why)
        self.assertFalse(outcomes["b"].skipped)
        self.assertEqual(self.out.getvalue().splitlines()[-1], "0 passed, 1 failed, 1 skipped")

    def test_gives_fast_steps_to_a_fast_run(self):
        check = self.shell("lint", "false", fast_steps=(("true",),))
        self.assertFalse(self.run_checks(check)["lint"].passed)
        self.assertTrue(self.run_checks(check, fast=True)["lint"].passed)

    def assert_gone(self, pid):
        for _ in range(50):
            state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
            if state.stdout.strip() in ("", "Z"):
                return
            time.sleep(0.1)
        self.fail(f"process {pid} lives")


class Plan(SmallTree):
    def test_has_a_different_name_for_each_check(self):
        names = [check.name for check in plan.all_checks()]
        self.assertEqual(len(names), len(set(names)))

    def test_ends_with_the_real_stack(self):
        self.assertTrue(plan.all_checks()[-1].alone)

    def test_has_a_fast_part(self):
        self.assertTrue(any(check.fast for check in plan.all_checks()))

    def test_command_line_refuses_a_check_that_does_not_exist(self):
        done = subprocess.run([tools.parent / "check", "--only", "nothing"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("no check is called nothing", done.stderr)


class PythonTests(SmallTree):
    def test_finds_a_folder_without_tests(self):
        self.write("empty/__init__.py", "")
        status, output = self.run_tool("python_tests", str(self.root / "empty"))
        self.assertNotEqual(status, 0, output)
