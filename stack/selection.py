# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Which of xtest's cases run, and how xtest is told so.

xtest takes what it is given as parts of names: regression_1001 would also be found in a case of another suite, so the
suite is always named, and what is left out is named rather than what is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stack.errors import StackError

CASES_FILE = Path(__file__).resolve().parent / "xtest_cases.txt"
_SUITE = "regression"
_SPEEDS = ("quick", "normal", "slow")


@dataclass(frozen=True)
class Case:
    """One line of the list."""

    name: str
    speed: str
    why: str


@dataclass(frozen=True)
class Selection:
    """What to run; how many cases that will be, when that is known."""

    title: str
    arguments: tuple[str, ...]
    expected: int | None


def parse(text: str) -> list[Case]:
    """The list of cases: name, speed, and for slow ones the reason why they are not run by default."""
    cases = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, rest = line.strip().partition(" ")
        speed, _, why = rest.strip().partition(" ")
        if speed not in _SPEEDS or (speed == "slow" and not why.strip()):
            raise StackError(f"xtest_cases.txt, line {number}: expected 'case quick|normal|slow reason'")
        cases.append(Case(name, speed, why.strip()))
    return cases


def load() -> list[Case]:
    """The project's list."""
    return parse(CASES_FILE.read_text())


def _arguments(*more: str) -> tuple[str, ...]:
    return ("-l", "0", "-t", _SUITE, *more)


def default(cases: list[Case]) -> Selection:
    """Everything but what is slow; a case that is new in xtest, and not in our list, runs."""
    slow = [case for case in cases if case.speed == "slow"]
    excluded = [word for case in slow for word in ("-x", f"{_SUITE}_{case.name}")]
    return Selection("the cases under 2 s", _arguments(*excluded), len(cases) - len(slow))


def quick(cases: list[Case]) -> Selection:
    """A few cases that use every kind of call."""
    chosen = [case for case in cases if case.speed == "quick"]
    return Selection("a quick subset", _arguments(*(f"{_SUITE}_{case.name}" for case in chosen)), len(chosen))


def full(cases: list[Case]) -> Selection:
    """The whole suite."""
    return Selection("the whole regression suite", _arguments(), len(cases))


def matching(pattern: str, cases: list[Case]) -> Selection:
    """Cases whose names contain one of the parts, which are separated by commas."""
    parts = [part.removeprefix(f"{_SUITE}_") for part in pattern.split(",") if part]
    if not parts:
        raise StackError("--tests names no case", advice="for example --tests 1004 or --tests 1001,4006")
    known = [case for case in cases if any(f"{_SUITE}_{case.name}".find(f"{_SUITE}_{part}") >= 0 for part in parts)]
    return Selection(f"cases {pattern}", _arguments(*(f"{_SUITE}_{part}" for part in parts)), len(known) or None)
