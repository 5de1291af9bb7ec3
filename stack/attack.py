# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""./run --attack --mediator both: the same hostile guest under each mediator, and one table of what came of it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stack import report
from stack.boot import HOSTILE, Limits, Outcome
from stack.progress import Progress
from stack.tap import Attack

NOT_REACHED = "not reached"
# What a boot with attacks may take; upstream's mediator hangs in some of them.
LIMITS = Limits(silence=180, xtest=900)


@dataclass(frozen=True)
class Comparison:
    """What each mediator's boot has shown."""

    outcomes: Mapping[str, Outcome]
    selection: str

    @property
    def cases(self) -> list[dict]:
        """One for each attack that began under any mediator, in the order of the guests that report."""
        found: dict[tuple[int, int], dict[str, Attack]] = {}
        for mediator, outcome in self.outcomes.items():
            for place, run in enumerate(outcome.reports.values()):
                for each in run.attacks:
                    found.setdefault((place, each.number), {})[mediator] = each
        cases = []
        for _, by_mediator in sorted(found.items()):
            any_of_them = next(iter(by_mediator.values()))
            results = {mediator: by_mediator[mediator].result if mediator in by_mediator else NOT_REACHED
                       for mediator in self.outcomes}
            details = {mediator: each.details for mediator, each in by_mediator.items()}
            cases.append({"id": any_of_them.id, "title": any_of_them.title, **results, "details": details})
        return cases

    def passed(self, mediator: str) -> bool:
        return self.outcomes[mediator].passed


def _count(cases: Sequence[dict], mediator: str) -> str:
    results = [case[mediator] for case in cases]
    parts = [f"{results.count('ok')} withstood", f"{results.count('not ok')} not"]
    parts += [f"{results.count(kind)} {kind}" for kind in ("skipped", "no result", NOT_REACHED) if kind in results]
    return f"{mediator}: {', '.join(parts)} of {len(results)}"


def text(comparison: Comparison) -> str:
    """The table, and what went wrong in each boot."""
    cases = comparison.cases
    mediators = list(comparison.outcomes)
    rows = [("attack", "", *mediators), *((case["id"], case["title"], *(case[each] for each in mediators)) for case in cases)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  " + "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths)).rstrip() for row in rows]
    lines.append("")
    for mediator, outcome in comparison.outcomes.items():
        lines += [f"  {mediator}: {problem}" for problem in outcome.problems]
        lines += [f"  {mediator}: {guest.name}: {complaint}" for guest in outcome.guests for complaint in guest.complaints()]
    lines += [_count(cases, mediator) for mediator in mediators]
    lines.append("How to read it, and to whom such findings go: docs/security.md.")
    return "\n".join(lines)


def facts(comparison: Comparison) -> dict:
    """The JSON report."""
    return {"cases": comparison.cases,
            "mediators": {mediator: report.facts(outcome, mediator, comparison.selection)
                          for mediator, outcome in comparison.outcomes.items()}}


def finish(comparison: Comparison, where: Path | None, folder: Path, progress: Progress, keep: bool) -> int:
    """Prints, writes the report; the exit status: that ours withstood everything, and that there was something to withstand."""
    progress.close()
    print("\n" + text(comparison))
    if where is not None:
        report.write(where, facts(comparison))
    all_ran = all(outcome.reports[HOSTILE].planned is not None for outcome in comparison.outcomes.values())
    passed = comparison.passed("ours") and all_ran
    if passed and not keep:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"logs: {folder}")
    return 0 if passed else 1
