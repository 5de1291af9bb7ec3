# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Runs checks: several at a time, each with a log and a time limit, and nothing of them left when it ends."""

import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

poll_seconds = 0.1
seconds_to_die = 20     # between SIGTERM and SIGKILL: ./run stops its machines in that time


@dataclass(frozen=True)
class Check:
    """One check. It passes when every step, a command with its arguments, ends with exit status 0."""

    name: str
    what: str                           # one line for --list
    steps: tuple                        # of tuples of strings; {jobs} becomes the number of parallel jobs
    seconds: int                        # time limit
    packages: tuple = ()                # Debian packages
    fast: bool = False                  # part of ./check --fast
    fast_steps: tuple = ()              # what --fast runs instead of steps, if it is not the same
    uses: frozenset = frozenset()       # what no other check may use meanwhile: a build folder, a cache
    background: bool = False            # waits for others most of the time: starts at once, beside everything
    alone: bool = False                 # measures time or needs the machine: nothing runs beside it
    fact: str = ""                      # pattern with one group; its last match in the log is shown with the result
    skip_status: int = 0                # exit status of a step that says: not to be had at the moment, for no fault of ours


@dataclass
class Running:
    """A check that has been started."""

    check: Check
    steps: list
    log_path: Path
    started: float
    process: subprocess.Popen = None
    deadline: float = 0.0
    killed_because: str = ""

    def seconds(self) -> float:
        return time.monotonic() - self.started

    def last_line(self) -> str:
        """What the check wrote last, for the progress line."""
        try:
            with open(self.log_path, "rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 400))
                lines = log.read().decode(errors="replace").replace("\r", "\n").split("\n")
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


@dataclass
class Outcome:
    """How a check ended."""

    check: Check
    passed: bool
    seconds: float
    log_path: Path
    fact: str = ""
    why: str = ""
    skipped: bool = False


@dataclass
class Runner:
    """Holds the queue. `screen` is told what happens; see screen.py."""

    checks: list
    root: Path
    logs: Path
    jobs: int
    screen: object
    fast: bool = False
    stop_at_failure: bool = False
    outcomes: list = field(default_factory=list)
    interrupted: bool = False
    _waiting: list = field(default_factory=list)
    _running: list = field(default_factory=list)

    def run(self) -> list:
        """Runs all checks; returns their outcomes in the order in which they ended."""
        self.logs.mkdir(parents=True, exist_ok=True)
        self._waiting = list(self.checks)
        before = {number: signal.signal(number, self._interrupt)
                  for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            while (self._waiting or self._running) and not self.interrupted:
                self._start_what_fits()
                time.sleep(poll_seconds)
                self._look_after_running()
                self.screen.tick(self._running)
        finally:
            self._kill(self._running, "interrupted")
            for number, handler in before.items():
                signal.signal(number, handler)
        return self.outcomes

    def _interrupt(self, _number, _frame):
        self.interrupted = True

    def _start_what_fits(self):
        for check in list(self._waiting):
            if not self._fits(check):
                # Order is kept among checks that share something; others may overtake.
                if check.alone:
                    return
                continue
            self._waiting.remove(check)
            self._start(check)

    def _fits(self, check) -> bool:
        running = [other.check for other in self._running]
        if any(other.alone for other in running) or (check.alone and running):
            return False
        if any(check.uses & other.uses for other in running):
            return False
        return check.background or sum(not other.background for other in running) < self.jobs

    def _start(self, check):
        steps = check.fast_steps if self.fast and check.fast_steps else check.steps
        log_path = self.logs / f"{check.name}.log"
        log_path.write_bytes(b"")
        now = time.monotonic()
        running = Running(check, [list(step) for step in steps], log_path, now, deadline=now + check.seconds)
        self._running.append(running)
        self.screen.started(running)
        self._next_step(running)

    def _next_step(self, running):
        command = [word.replace("{jobs}", str(self.jobs)) for word in running.steps.pop(0)]
        with open(running.log_path, "ab") as log:
            log.write(f"$ {' '.join(command)}\n".encode())
            log.flush()
            try:
                # A session of its own: the whole family can be stopped, and the terminal's Ctrl-C comes to us alone.
                running.process = subprocess.Popen(command, cwd=self.root, stdin=subprocess.DEVNULL, stdout=log,
                                                   stderr=subprocess.STDOUT, start_new_session=True,
                                                   env=environment())
            except OSError as error:
                log.write(f"cannot start: {error}\n".encode())
                self._end(running, False, f"cannot start {command[0]}: {error.strerror}")

    def _look_after_running(self):
        for running in list(self._running):
            status = running.process.poll()
            if status is None:
                if time.monotonic() > running.deadline:
                    self._kill([running], f"took longer than {running.check.seconds} s")
                continue
            if status and status == running.check.skip_status:
                self._end(running, False, f"not to be had: {running.last_line()}", skipped=True)
            elif status != 0:
                self._end(running, False, f"exit status {status}")
            elif running.steps:
                self._next_step(running)
            else:
                self._end(running, True, "")

    def _end(self, running, passed, why, skipped=False):
        if running in self._running:
            self._running.remove(running)
        outcome = Outcome(running.check, passed, running.seconds(), running.log_path,
                          fact_of(running.check, running.log_path), why, skipped)
        self.outcomes.append(outcome)
        self.screen.ended(outcome)
        if not passed and not skipped and self.stop_at_failure:
            self._waiting.clear()

    def _kill(self, victims, why):
        victims = list(victims)
        for running in victims:
            signal_family(running.process, signal.SIGTERM)
        limit = time.monotonic() + seconds_to_die
        while any(family_lives(running.process) for running in victims) and time.monotonic() < limit:
            for running in victims:
                running.process.poll()
            time.sleep(poll_seconds)
        for running in victims:
            signal_family(running.process, signal.SIGKILL)
            running.process.wait()
            self._end(running, False, why)


def environment() -> dict:
    """The distribution's own python3 and no translated messages, whatever the user's shell has."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**kept, "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin:" + kept.get("PATH", "")}


def fact_of(check, log_path) -> str:
    """The last match of the check's pattern in its log."""
    if not check.fact:
        return ""
    found = re.findall(check.fact, log_path.read_text(errors="replace"), re.MULTILINE)
    return found[-1] if found else ""


def signal_family(process, number):
    """Sends a signal to the process and all that it started."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


def family_lives(process) -> bool:
    """True while a process of that session's group exists."""
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True
