# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Interrupts in place: what Xen has handled, and is nothing to the guest, does not send a call out to the guest."""

from __future__ import annotations

from stack.features.evidence import Evidence
from stack.features.row import Feature, Finding, Row

_GUEST = "timer"
_ROWS = (
    Row("interrupts.in_place", "interrupts of others do not send a guest's call out of OP-TEE and into the guest"),
    Row("interrupts.timer", "the guest's own timer is as punctual during calls as it is during its own programs"),
)
# What the timer's way through OP-TEE and Xen may add, besides what the emulated machine takes for anything: a tick of the
# guest's kernel at 250 Hz. An interrupt that waits for a call's end would be later by the length of the call.
_MAY_ADD_US = 4000


def _in_place(evidence: Evidence) -> Finding | None:
    if not evidence.all("interrupts.timer"):
        return None
    counters = evidence.counters_of(_GUEST)
    if "foreign_interrupts" not in counters:
        return Finding(False, "this mediator counts none: every one goes to the guest")
    in_place, sent = counters.get("foreign_interrupts_resumed_in_place", 0), counters["foreign_interrupts"]
    in_vain = counters.get("foreign_interrupts_over_bound", -1)
    return Finding(in_place > 0 and in_vain == 0,
                   f"{in_place} resumed in place; {sent} sent to the guest, {sent - in_vain} of them with something to do for it",
                   {"in_place": in_place, "sent": sent, "in_vain": in_vain})


def _timer(evidence: Evidence) -> Finding | None:
    told = {fact.values.get("while"): fact for fact in evidence.all("interrupts.timer")}
    if not {"computing", "calling"} <= told.keys():
        return None
    computing, calling = told["computing"], told["calling"]
    measured = all(fact.number(key) >= 0 for fact in (computing, calling) for key in ("median_us", "p99_us", "max_us"))
    worked = computing.number("done") > 0 and calling.number("done") > 0
    green = measured and worked and calling.number("median_us") <= computing.number("median_us") + _MAY_ADD_US
    figures = ", ".join(f"{name}: median {fact.number('median_us')} us, 99 % {fact.number('p99_us')} us, "
                        f"max {fact.number('max_us')} us" for name, fact in told.items())
    return Finding(green, f"late while {figures}", {str(name): fact.values for name, fact in told.items()})


def judge(evidence: Evidence) -> dict[str, Finding]:
    """A finding for each row of which the guest has told something."""
    found = {"interrupts.in_place": _in_place(evidence), "interrupts.timer": _timer(evidence)}
    return {row: finding for row, finding in found.items() if finding is not None}


FEATURE = Feature("interrupts", _ROWS, judge, seconds=300, guests=(_GUEST,))
