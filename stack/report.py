# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The end of a run: a table for people, the same facts as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from stack.boot import HOSTILE, Outcome
from stack.errors import StackError
from stack.tap import Attack
from stack.xtest import GuestRun

_DETAILS_SHOWN = 4
_ZERO_IS_NOT_SHOWN = "counters that are zero everywhere are left out"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows under a head; the first column to the left, numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                       for column, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(f"  {line}" for line in lines)


def guests_table(guests: Sequence[GuestRun]) -> str:
    """Per guest: tests, subtests, failures, seconds."""
    rows = [("guest", "tests", "subtests", "failures", "seconds", "")]
    for guest in guests:
        facts = guest_facts(guest)
        rows.append((guest.name, str(facts["tests"]), str(facts["subtests"]), str(facts["failures"]),
                     f"{facts['seconds']:.1f}", "passed" if guest.passed else "FAILED"))
    return table(rows)


def counters_table(counters: dict[str, dict[str, int]]) -> str:
    """One row per counter, one column per guest."""
    guests = list(counters)
    names = list(dict.fromkeys(name for guest in guests for name in counters[guest]))
    shown = [name for name in names if any(counters[guest].get(name) for guest in guests)]
    if not shown:
        return ""
    rows = [("mediator's counters", *guests)]
    rows += [(name, *(str(counters[guest].get(name, "-")) for guest in guests)) for name in shown]
    left_out = f"\n  ({_ZERO_IS_NOT_SHOWN})" if len(shown) < len(names) else ""
    return table(rows) + left_out


def attacks_of(outcome: Outcome) -> list[Attack]:
    """Of all guests that report some."""
    return [attack for report in outcome.reports.values() for attack in report.attacks]


def attacks_table(attacks: Sequence[Attack]) -> str:
    """One row per attack; what the guest said about those that succeeded below."""
    rows = [("attack", "", "result")] + [(each.id, each.title, each.result) for each in attacks]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    lines = [f"  {name:{widths[0]}}  {title:{widths[1]}}  {result}" for name, title, result in rows]
    for each in (attack for attack in attacks if not attack.ok):
        lines += ["", f"  {each.id} {each.title}:"] + [f"    {detail}" for detail in each.details[:_DETAILS_SHOWN]]
        if len(each.details) > _DETAILS_SHOWN:
            lines.append(f"    and {len(each.details) - _DETAILS_SHOWN} lines more: guest-hostile.log")
    return "\n".join(lines)


def attack_facts(attacks: Sequence[Attack]) -> list[dict]:
    """The cases, as they stand in the JSON report."""
    return [{"number": each.number, "id": each.id, "title": each.title, "ok": each.ok, "result": each.result,
             "skipped": each.skipped, "seconds": each.seconds, "details": each.details} for each in attacks]


def guest_facts(guest: GuestRun) -> dict:
    """One guest, as it stands in the table and in the JSON report."""
    return {"name": guest.name, "tests": guest.cases.total if guest.cases else guest.done,
            "subtests": guest.subtests.total if guest.subtests else 0, "failures": guest.failures,
            "seconds": round(guest.seconds, 2), "passed": guest.passed, "complaints": guest.complaints(),
            "case_seconds": {name: round(seconds, 1) for name, seconds in guest.case_seconds.items()}}


def facts(outcome: Outcome, mediator: str, selection: str) -> dict:
    """The JSON report."""
    return {"mediator": mediator, "mediator_banner": outcome.mediator_banner, "xen": outcome.xen_version,
            "selection": selection, "passed": outcome.passed, "clean_poweroff": outcome.clean_poweroff,
            "problems": outcome.problems, "seconds": round(outcome.seconds, 1),
            "guests": [guest_facts(guest) for guest in outcome.guests], "counters": outcome.counters,
            **({"attacks": attack_facts(attacks_of(outcome)), "lives": outcome.reports[HOSTILE].lives}
               if outcome.reports else {})}


def write(path: Path, report: dict) -> None:
    """Writes the JSON report where the user wants it."""
    try:
        path.write_text(json.dumps(report, indent=2) + "\n")
    except OSError as problem:
        raise StackError(f"cannot write the report {path}: {problem.strerror}") from problem


def _what_ran(outcome: Outcome) -> str:
    if not outcome.reports:
        return f"{len(outcome.guests)} guests at once"
    attacks = attacks_of(outcome)
    planned = sum(report.planned or 0 for report in outcome.reports.values())
    skipped = sum(bool(attack.skipped) for attack in attacks)
    return (f"{sum(attack.withstood for attack in attacks)} of {planned} attacks withstood, "
            f"{f'{skipped} skipped, ' if skipped else ''}innocent guests: {len(outcome.guests)}, "
            f"hostile guests one after the other: {outcome.reports[HOSTILE].lives}")


def text(outcome: Outcome, mediator: str, selection: str) -> str:
    """What stays on the terminal."""
    parts = [f"Xen {outcome.xen_version or '?'}, mediator {mediator} ({outcome.mediator_banner or 'not announced'}); "
             f"xtest: {selection}", *([attacks_table(attacks_of(outcome))] if outcome.reports else []),
             guests_table(outcome.guests)]
    counted = counters_table(outcome.counters)
    if counted:
        parts.append(counted)
    complaints = [f"  {guest.name}: {complaint}" for guest in outcome.guests for complaint in guest.complaints()]
    complaints += [f"  {name}: {complaint}" for name, report in outcome.reports.items() for complaint in report.complaints()]
    complaints += [f"  {problem}" for problem in outcome.problems]
    if complaints:
        parts.append("What went wrong:\n" + "\n".join(complaints))
    power = "clean power-off" if outcome.clean_poweroff else "NO clean power-off"
    parts.append(f"{'PASSED' if outcome.passed else 'FAILED'}: {_what_ran(outcome)}, {power}, "
                 f"{outcome.seconds:.0f} s from power-on to power-off")
    return "\n\n".join(parts)
