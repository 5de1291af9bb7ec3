# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Two kernels: Linux 6.1 learns by being turned away that its VM has no thread left, Linux 6.12 asks how many there are."""

from __future__ import annotations

from stack import selection
from stack.features.evidence import Evidence
from stack.features.row import Feature, Finding, Row

KIND = "kernels"
THREADS = 2                         # of each domU; OP-TEE has more
_OLDER, _NEWER = "older", "newer"
_ROWS = (
    Row("kernels.xtest", "unmodified guests of two generations of Linux pass a part of xtest, with two threads each"),
    Row("kernels.thread_count", "the newer one asks how many threads its VM has, and none of its calls is turned away"),
)


def _xtest(evidence: Evidence) -> Finding | None:
    told = {fact.speaker: fact for fact in evidence.all("kernels.xtest")}
    if not {_OLDER, _NEWER} <= told.keys():
        return None
    green = all(fact.number("status") == 0 and fact.number("cases") > 0 and fact.number("failed") == 0
                for fact in told.values()) and told[_OLDER].values.get("linux") != told[_NEWER].values.get("linux")
    return Finding(green, "; ".join(f"Linux {fact.values.get('linux')}: {fact.number('cases')} cases, {fact.number('failed')} "
                                    f"failed" for fact in told.values()),
                   {speaker: fact.values for speaker, fact in told.items()})


def _thread_count(evidence: Evidence) -> Finding | None:
    if not evidence.all("kernels.xtest"):
        return None
    counters = {guest: evidence.counters_of(guest) for guest in (_OLDER, _NEWER)}
    if not all("thread_limit" in each for each in counters.values()):
        return Finding(False, "this mediator does not know the question, and counts nothing")
    turned_away = {guest: each["thread_limit"] for guest, each in counters.items()}
    calls = {guest: each.get("invoke_command", 0) for guest, each in counters.items()}
    # The older one shows that there were more calls at once than threads.
    green = turned_away[_OLDER] > 0 and turned_away[_NEWER] == 0 and min(calls.values()) > 0
    return Finding(green, ", ".join(f"{guest} kernel: {turned_away[guest]} of {calls[guest]} calls turned away"
                                    for guest in counters), {"turned_away": turned_away, "calls": calls})


def judge(evidence: Evidence) -> dict[str, Finding]:
    """A finding for each row of which both guests have told something."""
    found = {"kernels.xtest": _xtest(evidence), "kernels.thread_count": _thread_count(evidence)}
    return {row: finding for row, finding in found.items() if finding is not None}


FEATURE = Feature("kernels", _ROWS, judge, seconds=900, guests=(_OLDER, _NEWER), boot=KIND, newer_linux=True,
                  xen=f"optee-mediator-domu=threads={THREADS}",
                  settings={"KERNELS_XTEST": " ".join(selection.quick(selection.load()).arguments)})
