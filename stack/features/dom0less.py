# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Guests from the device tree: Xen makes them itself, without dom0 and toolstack, and they use OP-TEE."""

from __future__ import annotations

from collections.abc import Sequence

from stack.features.evidence import Evidence, Fact
from stack.features.row import Feature, Finding, Row
from stack.report import guest_facts
from stack.xtest import GuestRun

KIND = "dom0less"
GUESTS = ("domu1", "domu2")
_ROWS = (
    Row("dom0less.found", "guests of the device tree find OP-TEE, without dom0 and toolstack"),
    Row("dom0less.xtest", "all of them pass xtest's quick subset at the same time"),
)


def facts(guests: Sequence[GuestRun], together: bool) -> list[Fact]:
    """What a boot without dom0 has shown; nobody in it tells facts."""
    told = []
    for guest in guests:
        counted = guest_facts(guest)
        told.append(Fact(guest.name, "dom0less.guest", {
            "began": str(int(guest.state in ("running", "ended"))), "tee": str(int(not guest.problems)),
            "passed": str(int(guest.passed)), "tests": str(counted["tests"]), "subtests": str(counted["subtests"]),
            "failures": str(counted["failures"])}))
    return [*told, Fact("stack", "dom0less.together", {"running": str(int(together))})]


def _judge(evidence: Evidence) -> dict[str, Finding]:
    guests = evidence.all("dom0less.guest")
    if not guests:
        return {}
    found = [guest for guest in guests if guest.number("began") == 1 and guest.number("tee") == 1]
    passed = [guest for guest in found if guest.number("passed") == 1]
    together = evidence.last("dom0less.together")
    at_once = together is not None and together.number("running") == 1
    subtests = ", ".join(f"{guest.speaker} {guest.number('tests')} tests with {guest.number('subtests')} subtests"
                         for guest in passed)
    everyone = len(GUESTS) == len(guests)
    return {
        "dom0less.found": Finding(everyone and len(found) == len(guests), f"{len(found)} of {len(GUESTS)} guests",
                                  {guest.speaker: guest.values for guest in guests}),
        "dom0less.xtest": Finding(everyone and at_once and len(passed) == len(guests),
                                  f"{len(passed)} of {len(GUESTS)} guests{f': {subtests}' if subtests else ''}",
                                  {"at_once": at_once}),
    }


FEATURE = Feature(KIND, _ROWS, _judge, seconds=900, guests=GUESTS, boot=KIND)
