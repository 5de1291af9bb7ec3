# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The result of ./bench: tables for people, the same facts as JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping

from stack import report
from stack.bench.calls import Cost, Counts, Kind
from stack.bench.goals import GOALS, slope

_SIZED = ("REGISTER_SHM", "UNREGISTER_SHM", "return from RPC SHM_ALLOC")


def _cell(cost: Cost | None) -> str:
    return f"{cost.mean:.0f}" if cost else "-"


def _count(cost: Cost | None) -> str:
    return str(cost.count) if cost else "-"


def _ratio(ours: Cost | None, upstream: Cost | None) -> str:
    return f"{ours.mean / upstream.mean:.2f}" if ours and upstream else "-"


def text(counts: Mapping[str, Counts], guest: str, tests: str) -> str:
    """Everything that was measured, and the goals that were missed."""
    ours, upstream = counts.get("ours", Counts()), counts.get("upstream", Counts())
    kinds = sorted(ours.costs.keys() | upstream.costs.keys())
    rows = [("EL2 instructions of one entry, mean", "pages", "count", "ours", "count", "upstream", "ratio")]
    for kind in kinds:
        mine, theirs = ours.costs.get(kind), upstream.costs.get(kind)
        rows.append((kind.call, str(kind.pages), _count(mine), _cell(mine), _count(theirs), _cell(theirs), _ratio(mine, theirs)))
    both = [each if each.count else None for each in (ours.all, upstream.all)]
    rows.append(("all", "", _count(both[0]), _cell(both[0]), _count(both[1]), _cell(both[1]), _ratio(*both)))
    parts = [f"{guest}: xtest {tests}", report.table(rows), _slopes(counts)]
    if len(counts) == 2:
        parts.append(_goals(ours, upstream))
    return "\n\n".join(part for part in parts if part) + "\n"


def _slopes(counts: Mapping[str, Counts]) -> str:
    rows = [("by size: cheapest entries", "mediator", "fixed", "per page")]
    for call in _SIZED:
        for mediator, each in counts.items():
            if line := slope(each.costs, call):
                rows.append((call, mediator, f"{line[0]:.0f}", f"{line[1]:.1f}"))
    return report.table(rows) if len(rows) > 1 else ""


def _goals(ours: Counts, upstream: Counts) -> str:
    lines = [goal.line(ours, upstream) for goal in GOALS]
    missed = [line[0] for line in lines if line[3] != "met"]
    closing = f"goals: {len(lines) - len(missed)} of {len(lines)} met" + "".join(f"\n  not met: {title}" for title in missed)
    return report.table([("goal", "at most", "measured", ""), *lines]) + "\n\n" + closing


def facts(counts: Mapping[str, Counts], guest: str, tests: str) -> dict[str, object]:
    """The report of --report."""
    ours, upstream = counts.get("ours", Counts()), counts.get("upstream", Counts())

    def call(kind: Kind) -> dict[str, object]:
        mine, theirs = ours.costs.get(kind), upstream.costs.get(kind)
        return {"call": kind.call, "pages": kind.pages, "count": mine.count if mine else 0,
                "count_upstream": theirs.count if theirs else 0,
                "ours": mine.mean if mine else None, "upstream": theirs.mean if theirs else None,
                "ratio": mine.mean / theirs.mean if mine and theirs else None}

    goals = [{"goal": title, "at_most": float(most), "measured": measured, "verdict": verdict}
             for title, most, measured, verdict in (goal.line(ours, upstream) for goal in GOALS)] if len(counts) == 2 else []
    return {"guest": guest, "tests": tests, "calls": [call(kind) for kind in sorted(ours.costs.keys() | upstream.costs.keys())],
            "sum": {mediator: each.all.total for mediator, each in counts.items()}, "goals": goals}
