# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""One boot of the machine, watched from the outside until dom0 powers it off or a limit is passed."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stack import monitor, process
from stack.console import Console
from stack.counters import CounterReader
from stack.errors import StackError
from stack.machine import Machine
from stack.progress import Progress
from stack.tap import TapRun
from stack.trace import TraceReader
from stack.xtest import GuestRun

HOSTILE, VICTIM = "hostile", "victim"       # their names in dom0 and of their logs
_POLL_SECONDS = 0.15
_POWER_OFF_SECONDS = 60
_XEN_DIED = re.compile(r"\(XEN\).*(Panic on CPU|Xen BUG at|Assertion '.*' failed|Unexpected Trap|Unhandled Trap)")
_POWERED_OFF = re.compile(r"\(XEN\) Hardware Dom0 halted: halting machine")
_MEDIATOR = re.compile(r"\(XEN\).*Using TEE mediator for (.+?)\s*$")
_XEN_VERSION = re.compile(r"\(XEN\) Xen version (\S+)")


@dataclass(frozen=True)
class Limits:
    """How long things may take, in seconds; generous, since the machine may have other work."""

    dom0_up: int = 180
    domus_ready: int = 420
    silence: int = 300          # a guest that runs xtest and prints nothing for so long hangs
    xtest: int = 1800

    @property
    def whole(self) -> int:
        """The machine as a whole; the parts are watched too."""
        return self.dom0_up + self.domus_ready + self.xtest + _POWER_OFF_SECONDS


@dataclass
class Outcome:
    """What a boot has shown."""

    guests: list[GuestRun]
    reports: dict[str, TapRun] = field(default_factory=dict)     # of the guests that attack, and are attacked
    counters: dict[str, dict[str, int]] = field(default_factory=dict)
    trace: TraceReader = field(default_factory=TraceReader)
    domains: dict[int, str] = field(default_factory=dict)        # their names
    problems: list[str] = field(default_factory=list)
    clean_poweroff: bool = False
    mediator_banner: str = ""
    xen_version: str = ""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Every guest passed, nothing else went wrong, and the machine went off as it should."""
        return (self.clean_poweroff and not self.problems and all(guest.passed for guest in self.guests)
                and all(report.passed for report in self.reports.values()))


class _Follower:
    """What another process has added to a file since the last look."""

    def __init__(self, path: Path, consume: Callable[[bytes], None]) -> None:
        self._path = path
        self._consume = consume
        self._offset = 0

    def poll(self) -> None:
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return
        self._offset += len(data)
        self._consume(data)


def _logged(consume: Callable[[str], None], log: Path) -> Callable[[str], None]:
    """Also writes the lines of a stream into a log of their own."""
    file = log.open("w", buffering=1)

    def both(line: str) -> None:
        file.write(line + "\n")
        consume(line)

    return both


class Boot:
    """Runs QEMU and watches what the machine prints."""

    def __init__(self, machine: Machine, guests: list[GuestRun], limits: Limits, progress: Progress,
                 reports: dict[str, TapRun] | None = None, listeners: Mapping[str, Callable[[str], None]] | None = None,
                 xen: Callable[[str], None] = lambda _: None) -> None:
        """listeners also hear the lines of their stream, dom0's `control` among them; xen hears Xen's."""
        self._machine = machine
        self._limits = limits
        self._progress = progress
        self._outcome = Outcome(guests, reports or {})
        self._counters = CounterReader()
        self._outcome.domains[0] = "dom0"
        self._begin = 0.0
        self._xen_died = ""
        self._dom0_is_up = False
        self._guests_ready_at: float | None = None
        self._done_at: float | None = None
        self._halted = False
        self._guest_streams = {guest.name: _logged(guest.feed, machine.guest_log(guest.name)) for guest in guests}
        streams = dict(self._guest_streams)
        for name, report in self._outcome.reports.items():
            streams[name] = _logged(self._shown(report), machine.guest_log(name))
        self._listeners = dict(listeners or {})
        self._xen_listener = xen
        for name in self._listeners.keys() - {"control"}:
            streams[name] = _logged(self._listeners[name], machine.guest_log(name))
        streams["control"] = _logged(self._control_line, machine.control)
        self._follower = _Follower(machine.console, Console(self._xen_line, streams).feed)

    def run(self) -> Outcome:
        """Boots, watches, and tells. Whatever happens, no QEMU is left behind."""
        command = self._machine.command()
        log = self._machine.folder / "qemu.log"
        self._begin = time.monotonic()
        with log.open("ab") as sink:
            sink.write(f"$ {' '.join(command)}\n".encode())
            sink.flush()
            qemu = process.start(command, cwd=self._machine.folder, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT)
        self._progress.doing("booting TF-A, OP-TEE, Xen, dom0")
        try:
            stopped_by_us = self._watch(qemu)
        finally:
            process.end(qemu)
        self._follower.poll()
        return self._judge(qemu.returncode, stopped_by_us, log)

    def _watch(self, qemu: subprocess.Popen) -> bool:
        """Returns when the machine is off (False) or has to be ended (True)."""
        while qemu.poll() is None:
            self._follower.poll()
            self._act(time.monotonic())
            reason = self._xen_died or self._overdue(time.monotonic())
            if reason:
                self._outcome.problems.append(reason)
                monitor.save_state(self._machine.folder, self._machine.folder / "processors.log")
                return True
            self._progress.tick()
            time.sleep(_POLL_SECONDS)
        return False

    def _act(self, now: float) -> None:
        """What has to be done from outside, looked at with every poll; dom0 does everything itself."""

    # --- what the machine prints

    def _xen_line(self, line: str) -> None:
        self._counters.feed(line)
        self._xen_listener(line)
        self._outcome.trace.feed(line)
        if _XEN_DIED.search(line):
            self._xen_died = f"Xen died: {line.strip()}"
        if _POWERED_OFF.search(line):
            self._halted = True
        if match := _MEDIATOR.search(line):
            self._outcome.mediator_banner = match[1]
        if match := _XEN_VERSION.search(line):
            self._outcome.xen_version = match[1]

    def _shown(self, report: TapRun) -> Callable[[str], None]:
        def consume(line: str) -> None:
            report.feed(line)
            hostile = self._outcome.reports[HOSTILE]
            self._progress.progress(sum(attack.ended for attack in hostile.attacks), hostile.planned)

        return consume

    def _control_line(self, line: str) -> None:
        if listener := self._listeners.get("control"):
            listener(line)
        word, _, rest = line.strip().partition(" ")
        if word == "dom0":
            self._dom0_is_up = True
            self._progress.doing("starting xenstored and the domUs")
        elif word == "created":
            name, _, domain = rest.partition(" ")
            self._outcome.domains[int(domain)] = name
            self._progress.doing(f"{name} is created")
        elif word == "go":
            self._guests_ready_at = time.monotonic()
            self._progress.doing(rest or "xtest runs in all guests")
        elif word == "doing":
            self._progress.doing(rest)
        elif word in self._outcome.reports:
            self._outcome.reports[word].ended_in(rest)
        elif word == "problem":
            self._outcome.problems.append(rest)
            self._progress.note(f"problem: {rest}")
        elif word == "done":
            self._done_at = time.monotonic()
            self._progress.doing("powering off")

    # --- limits

    def _overdue(self, now: float) -> str:
        """Why the machine must be ended; empty when there is no reason."""
        limits = self._limits
        age = now - self._begin
        if age > limits.whole:
            return f"the machine was not done after {limits.whole} s"
        if not self._dom0_is_up and age > limits.dom0_up:
            return f"dom0 was not up after {limits.dom0_up} s: see console.log"
        if self._dom0_is_up and self._guests_ready_at is None and age > limits.dom0_up + limits.domus_ready:
            return f"the domUs were not up after {limits.domus_ready} s: see control.log and the guests' logs"
        if self._done_at is not None and now - self._done_at > _POWER_OFF_SECONDS:
            return f"dom0 was done, but the machine was not off {_POWER_OFF_SECONDS} s later: see console.log"
        return self._silent_guest(now)

    def _silent_guest(self, now: float) -> str:
        silence = self._limits.silence
        for guest in self._outcome.guests:
            if guest.state == "running" and now - guest.last_output > silence:
                return f"{guest.name} hangs: no output for {silence} s{f', in {guest.case}' if guest.case else ''}"
        return ""

    # --- verdict

    def _judge(self, status: int | None, stopped_by_us: bool, log: Path) -> Outcome:
        outcome = self._outcome
        outcome.seconds = time.monotonic() - self._begin
        outcome.counters = self._counters.by_name(outcome.domains)
        outcome.clean_poweroff = not stopped_by_us and status == 0 and self._all_done()
        if not stopped_by_us and not outcome.clean_poweroff:
            if not self._machine.console.exists() or not self._machine.console.stat().st_size:
                raise StackError(f"QEMU ended at once with status {status}", log=log,
                                 advice="is there enough memory? the machine needs 3 GiB")
            outcome.problems.append(f"the machine ended without a clean power-off (QEMU status {status}, "
                                    f"{'after' if self._all_done() else 'before'} its end was announced)")
        outcome.problems += _different_cases(outcome.guests)
        return outcome

    def _all_done(self) -> bool:
        """The machine itself has said that it is done."""
        return self._halted and self._done_at is not None


def _different_cases(guests: list[GuestRun]) -> list[str]:
    """All guests were told the same; one that ran something else has lost a part of its order."""
    ran = {guest.name: frozenset(guest.listed_results) for guest in guests if guest.passed}
    return ["the guests ran different cases"] if len(set(ran.values())) > 1 else []
