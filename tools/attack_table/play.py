# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Plays attacks: each in a process of its own, so that a crash or an endless loop is that attack's alone."""

import json
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

attack_id = re.compile(r"[A-Z]{1,2}\d\d")
violation_line = re.compile(r"^((?:I\d+|port|panic): .*) (\(step \d+\))$", re.MULTILINE)
trace_line = re.compile(r"^\S+:\d+: (at moment \d+)$", re.MULTILINE)
last_words = re.compile(r"^(Xen stops: .*|terminate called .*|  what\(\): .*|.*: runtime error: .*|.*ERROR: .*)$", re.MULTILINE)
not_played = "was not played"
characters_of_reason = 240
reasons_kept = 4
seconds_between_lines = 30


@dataclass(frozen=True)
class Outcome:
    """What came of an attack under one schedule: why it failed, or nothing."""

    reasons: tuple

    @property
    def passed(self):
        return not self.reasons


class Program:
    """A program of attacks on one mediator."""

    def __init__(self, path, seconds):
        self._path = path
        self._seconds = seconds

    def list(self) -> dict:
        """GoogleTest's list of what is there."""
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder, "list.json")
            subprocess.run([self._path, "--gtest_list_tests", f"--gtest_output=json:{output}"],
                           stdout=subprocess.DEVNULL, check=True, timeout=self._seconds)
            return json.loads(output.read_text())

    def own_tests(self) -> dict[str, Outcome]:
        """What the program tests of itself: that the words of the scripts, and the shim, can be relied on."""
        names = [f"{suite['name']}.{test['name']}" for suite in self.list()["testsuites"] for test in suite["testsuite"]
                 if not attack_id.fullmatch(suite["name"])]
        played, why = self._run(":".join(names)) if names else ({}, "")
        return {name: played.get(name) or Outcome((why or not_played,)) for name in names}

    def play(self, attack) -> dict[str, Outcome]:
        """Outcome by schedule. All in one process; when it is lost, each in its own."""
        played, why = self._run(f"{attack.id}.*")
        if why:
            played = {}
            for schedule in attack.schedules:
                alone, why = self._run(f"{attack.id}.{schedule}")
                played.update(alone or {f"{attack.id}.{schedule}": Outcome((why,))})
        return {schedule: played.get(f"{attack.id}.{schedule}") or Outcome((not_played,)) for schedule in attack.schedules}

    def _run(self, which) -> tuple[dict, str]:
        """Outcomes of the tests that a filter chooses; none if the process did not come to its end, but why it did not."""
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder, "result.json")
            command = [self._path, f"--gtest_filter={which}", f"--gtest_output=json:{output}"]
            try:
                done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                      errors="replace", check=False, timeout=self._seconds)
            except subprocess.TimeoutExpired:
                return {}, f"does not end within {self._seconds} s"
            if done.returncode not in (0, 1) or not output.exists():
                return {}, end_of(done)
            return outcomes_of(json.loads(output.read_text())), ""


def outcomes_of(result) -> dict[str, Outcome]:
    """By suite and name, what GoogleTest reports. What was skipped, or did not run, did not pass."""
    found = {}
    for suite in result["testsuites"]:
        for test in suite["testsuite"]:
            reasons = tuple(reasons_of(failure["failure"] for failure in test.get("failures", ())))
            if not reasons and (test.get("status") != "RUN" or test.get("result") != "COMPLETED"):
                reasons = (not_played,)
            found[f"{suite['name']}.{test['name']}"] = Outcome(reasons)
    return found


def reasons_of(failures) -> list[str]:
    """Rules that were broken, at the step at which each was first, before expectations that were not met."""
    rules, expectations = {}, {}
    for text in failures:
        where = "".join(f", {moment}" for moment in trace_line.findall(text)[:1])
        broken = violation_line.findall(text)
        for sentence, step in broken:
            rules.setdefault(sentence, f"{sentence} {step}{where}")
        if not broken:
            head = text.split("Google Test trace:")[0]
            expectations.setdefault(head.split("\n")[0], short(head) + where)
    found = [*rules.values(), *expectations.values()]
    more = len(found) - reasons_kept
    return found[:reasons_kept] + ([f"and {more} more"] if more > 0 else [])


def end_of(done) -> str:
    """Why a process ended before its time."""
    how = f"exit status {done.returncode}"
    if done.returncode < 0:
        how = signal.Signals(-done.returncode).name
    words = last_words.findall(done.stdout)
    return f"{words[-1].strip()} ({how})" if words else f"crashes: {how}"


def short(text) -> str:
    words = " ".join(text.split())
    words = re.sub(r"^\S*?([\w.-]+:\d+): Failure ", r"\1: ", words)
    return words if len(words) <= characters_of_reason else words[:characters_of_reason - 3] + "..."


def all_of(programs, attacks, jobs) -> dict:
    """Outcomes by schedule, by mediator and id. Says on stderr how far it is."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    pool = ThreadPoolExecutor(jobs)
    work = {pool.submit(program.play, attack): (name, attack.id)
            for attack in attacks.values() for name, program in programs.items()}
    results = {}
    progress = Progress(len(work))
    try:
        for future in as_completed(work):
            results[work[future]] = future.result()
            progress.show(len(results), " ".join(work[future]))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        progress.end()
    return results


class Progress:
    """One line that changes on a terminal; else a line now and then."""

    def __init__(self, total):
        self._total = total
        self._last = time.monotonic()

    def show(self, done, what):
        text = f"attacks: {done}/{self._total} played, {what}"
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\033[K{text}")
            sys.stderr.flush()
        elif time.monotonic() - self._last > seconds_between_lines:
            self._last = time.monotonic()
            print(text, file=sys.stderr)

    def end(self):
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
