# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""A boot of 32-bit Xen and its guests; what they tell is kept as facts."""

from __future__ import annotations

from dataclasses import dataclass, field

from stack.boot import Limits
from stack.features.evidence import Evidence
from stack.machine import Machine
from stack.progress import Progress
from stack.static_boot import StaticBoot
from stack.xtest import GuestRun

LIMITS = Limits(domus_ready=300, xtest=1200)


@dataclass
class ClientRun(GuestRun):
    """A guest that runs our client program instead of xtest."""

    evidence: Evidence = field(default_factory=Evidence)

    def feed(self, line: str) -> None:
        super().feed(line)
        self.evidence.hear(self.name, line)

    def complaints(self) -> list[str]:
        """How far it has come is judged step by step: stack/arm32/steps.py."""
        return list(self.problems)


class Arm32Boot(StaticBoot):
    """Also keeps what Xen says."""

    work = "the client program"

    def __init__(self, machine: Machine, guests: list[ClientRun], progress: Progress, evidence: Evidence) -> None:
        super().__init__(machine, list(guests), LIMITS, progress)
        self._evidence = evidence

    def _xen_line(self, line: str) -> None:
        self._evidence.hear_xen(line)
        super()._xen_line(line)
