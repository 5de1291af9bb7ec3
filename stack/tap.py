# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Reads what the hostile guest reports: TAP, the Test Anything Protocol, version 14.

A guest that the mediator does not serve any more ends, and a new one goes on behind the case that broke it, so the output
may have several beginnings; the plan is the same in each. Nothing passes by silence: a case that began and has no result is
one in which the guest died or hung.

    TAP version 14
    1..85
    # attack 1 - F01 VM_CREATED and VM_DESTROYED by a guest
    # a0 of VM_CREATED: 0x0, required 0xffffffff
    not ok 1 - F01 VM_CREATED and VM_DESTROYED by a guest
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_PLAN = re.compile(r"1\.\.(\d+)")
_BEGIN = re.compile(r"# attack (\d+) - (\w+) (.*)")
_RESULT = re.compile(r"(not )?ok (\d+) - (\w+) (.*?)(?: # (SKIP)\b ?(.*))?")
_TOOK = re.compile(r"# took (\d+) ms")
_DIAGNOSTIC = re.compile(r"# ?(.*)")


@dataclass
class Attack:
    """One case: how it went, and what the guest said about it."""

    number: int
    id: str
    title: str
    ok: bool = False
    ended: bool = False
    skipped: str = ""
    seconds: float = 0.0            # by the guest's own clock
    details: list[str] = field(default_factory=list)

    @property
    def withstood(self) -> bool:
        """It was played, and came to nothing."""
        return self.ok and not self.skipped

    @property
    def result(self) -> str:
        """In a word."""
        if not self.ended:
            return "no result"
        if self.skipped:
            return "skipped"
        return "ok" if self.ok else "not ok"


class TapRun:
    """The hostile guest, through all its lives."""

    def __init__(self) -> None:
        self.planned: int | None = None
        self.lives = 0
        self.problems: list[str] = []
        self._attacks: dict[int, Attack] = {}
        self._running: Attack | None = None

    def feed(self, line: str) -> None:
        """One line of the guest's output."""
        line = line.rstrip("\r\n")
        if line.startswith("TAP version"):
            self.lives += 1
            self._running = None
        elif match := _PLAN.fullmatch(line):
            self._plan(int(match[1]))
        elif match := _BEGIN.fullmatch(line):
            self._running = self._attack(int(match[1]), match[2], match[3])
        elif match := _RESULT.fullmatch(line):
            self._end(match)
        elif line.startswith("Bail out!"):
            self.problems.append(f"the hostile guest gave up: {line.removeprefix('Bail out!').strip()}")
        elif (match := _TOOK.fullmatch(line)) and self._running is not None:
            self._running.seconds = int(match[1]) / 1000
        elif (match := _DIAGNOSTIC.fullmatch(line)) and self._running is not None:
            self._running.details.append(match[1].strip())

    def _plan(self, count: int) -> None:
        if self.planned not in (None, count):
            self.problems.append(f"the plan changed from {self.planned} to {count}")
        self.planned = count

    def _attack(self, number: int, name: str, title: str) -> Attack:
        return self._attacks.setdefault(number, Attack(number, name, title))

    def _end(self, match: re.Match[str]) -> None:
        attack = self._attack(int(match[2]), match[3], match[4])
        if attack.ended:
            self.problems.append(f"two results of attack {attack.number}")
        attack.ended = True
        attack.ok = match[1] is None
        if match[5]:
            attack.skipped = match[6] or "no reason given"
        self._running = None

    def ended_in(self, how: str) -> None:
        """dom0 saw the guest end in the middle of a case: it died, or hung and was destroyed."""
        if self._running is not None:
            self._running.details.append(how)

    # --- verdict

    @property
    def running(self) -> Attack | None:
        """The case that runs at this moment."""
        return self._running

    @property
    def attacks(self) -> list[Attack]:
        """All that began, in their order."""
        return [self._attacks[number] for number in sorted(self._attacks)]

    @property
    def succeeded(self) -> list[Attack]:
        """The attacks that the mediator did not withstand."""
        return [attack for attack in self.attacks if not attack.ok]

    def complaints(self) -> list[str]:
        """Why not all is well; empty when the mediator withstood everything."""
        if self.planned is None:
            return [*self.problems, "the hostile guest told no plan: it did not run"]
        reasons = list(self.problems)
        missing = [number for number in range(1, self.planned + 1) if number not in self._attacks]
        if missing:
            reasons.append(f"{len(missing)} of {self.planned} attacks never began: {', '.join(map(str, missing))}")
        if beyond := [number for number in self._attacks if not 1 <= number <= self.planned]:
            reasons.append(f"attacks beyond the plan: {', '.join(map(str, beyond))}")
        if self.succeeded:
            reasons.append(f"{len(self.succeeded)} of {self.planned} attacks succeeded: "
                           f"{', '.join(dict.fromkeys(attack.id for attack in self.succeeded))}")
        return reasons

    @property
    def passed(self) -> bool:
        """Every attack of the plan was played, or skipped with a reason, and none succeeded."""
        return not self.complaints()
