# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The table of features, for people and as JSON. A row that nobody measured is not green."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stack.features.row import Feature, Finding, Row, not_measured

_NOTHING = not_measured("this mediator was not booted")


@dataclass
class Results:
    """What each mediator that was booted has shown, by mediator and row."""

    features: Sequence[Feature]
    findings: dict[str, dict[str, Finding]] = field(default_factory=dict)
    problems: dict[str, list[str]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, mediator: str, feature: Feature, found: Mapping[str, Finding]) -> None:
        """A judge may leave out what it found no facts about; that is no pass."""
        rows = self.findings.setdefault(mediator, {})
        for row in feature.rows:
            rows[row.id] = found.get(row.id, not_measured("the guests said nothing about it"))

    def finding(self, mediator: str, row: Row) -> Finding:
        return self.findings.get(mediator, {}).get(row.id, _NOTHING)

    @property
    def rows(self) -> list[Row]:
        return [row for feature in self.features for row in feature.rows]

    @property
    def passed(self) -> bool:
        """Every row is green for ours, and our machine was well; upstream's is for information."""
        if "ours" not in self.findings:
            return False
        return all(self.finding("ours", row).green for row in self.rows) and not self.problems.get("ours")


def _cell(finding: Finding) -> str:
    return f"{'yes' if finding.green else 'NO '}  {finding.figure}"


def text(results: Results) -> str:
    """One block per row: what is asked for, and below it what each mediator did."""
    lines = []
    for feature in results.features:
        lines.append(f"{feature.name}")
        for row in feature.rows:
            lines.append(f"  {row.title}  [{row.id}]")
            lines += [f"    {mediator:<9} {_cell(results.finding(mediator, row))}" for mediator in results.findings]
        lines.append("")
    for mediator, problems in results.problems.items():
        lines += [f"problem with {mediator}: {problem}" for problem in problems]
    green = {mediator: sum(results.finding(mediator, row).green for row in results.rows) for mediator in results.findings}
    counted = ", ".join(f"{mediator} {count} of {len(results.rows)} ({results.seconds.get(mediator, 0):.0f} s)"
                        for mediator, count in green.items())
    lines.append(f"{'PASSED' if results.passed else 'FAILED'}: rows that are green: {counted}")
    return "\n".join(lines)


def facts(results: Results) -> dict:
    """The JSON report."""
    def of(mediator: str, row: Row) -> dict | None:
        if mediator not in results.findings:
            return None
        finding = results.finding(mediator, row)
        return {"green": finding.green, "figure": finding.figure, "facts": dict(finding.facts)}

    return {"passed": results.passed, "problems": results.problems,
            "seconds": {mediator: round(seconds, 1) for mediator, seconds in results.seconds.items()},
            "rows": [{"feature": feature.name, "id": row.id, "title": row.title, "ours": of("ours", row),
                      "upstream": of("upstream", row)} for feature in results.features for row in feature.rows]}
