# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Reads a guest's output while it comes: what xtest is doing, and at the end whether everything passed.

Nothing passes by silence: a guest that prints no summary, or a summary that does not fit to what it printed before, has
failed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_CASE_BEGINS = re.compile(r"\* (regression_\w+)(?: |$)")
_CASE_ENDS = re.compile(r"  (regression_\w+) (OK|FAILED)\b")
_RESULT = re.compile(r"(regression_\w+) (OK|FAILED)\b(.*)")
_SUBTESTS = re.compile(r"(\d+) subtests? of which (\d+) failed")
_CASES = re.compile(r"(\d+) test cases? of which (\d+) failed")
_RULE = re.compile(r"\+-{20,}")
_GUEST = re.compile(r"@guest (ready|begin|end|problem)\b ?(.*)")
_CONTROL_CHARACTERS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class Counts:
    """A line 'N things of which M failed'."""

    total: int
    failed: int


@dataclass
class GuestRun:
    """One guest, from its first line of output to its verdict."""

    name: str
    clock: Callable[[], float] = time.monotonic
    state: str = "waiting"                      # waiting, ready, running, ended
    case: str = ""                              # the test case that runs at this moment
    case_results: dict[str, bool] = field(default_factory=dict)     # as each case ended
    case_seconds: dict[str, float] = field(default_factory=dict)    # as seen from outside, to a tenth of a second or so
    listed_results: dict[str, bool] = field(default_factory=dict)   # as xtest lists them at its end
    first_errors: list[str] = field(default_factory=list)
    subtests: Counts | None = None
    cases: Counts | None = None
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0                        # by the guest's own clock
    last_output: float = 0.0
    _status: int | None = None
    _began: float = 0.0
    _case_began: float = 0.0
    _in_list: bool = False
    _case_at_end: str = ""                      # the case that xtest was in when it ended; of use when it was killed

    def feed(self, line: str) -> None:
        """One line of the guest's output."""
        line = _CONTROL_CHARACTERS.sub("", line.rstrip("\r\n"))
        self.last_output = self.clock()
        if match := _GUEST.match(line):
            self._protocol(match[1], match[2])
        elif _RULE.match(line):
            self._in_list = not self._in_list
        elif match := _CASE_BEGINS.match(line):
            self.case = match[1]
            self._case_began = self.clock()
        elif match := _CASE_ENDS.match(line):
            self.case_results[match[1]] = match[2] == "OK"
            self.case_seconds[match[1]] = self.clock() - self._case_began
            self.case = ""
        elif self._in_list and (match := _RESULT.fullmatch(line)):
            self.listed_results[match[1]] = match[2] == "OK"
            if match[2] != "OK":
                self.first_errors.append(f"{match[1]}{match[3]}")
        elif match := _SUBTESTS.fullmatch(line):
            self.subtests = Counts(int(match[1]), int(match[2]))
        elif match := _CASES.fullmatch(line):
            self.cases = Counts(int(match[1]), int(match[2]))

    def _protocol(self, word: str, rest: str) -> None:
        fields = rest.split()
        try:
            if word == "ready":
                self.state = "ready"
            elif word == "problem":
                self.problems.append(rest)
            elif word == "begin":
                self.state = "running"
                self._began = float(fields[0])
            else:
                self.seconds = float(fields[0]) - self._began
                self._status = int(fields[1])
                self.state = "ended"
                self._case_at_end, self.case = self.case, ""
        except (IndexError, ValueError):
            self.problems.append(f"garbled line: @guest {word} {rest}")

    # --- verdict

    @property
    def done(self) -> int:
        """Test cases that have ended. A sub-case, regression_1001.1, is not one: its dot ends the match."""
        return len(self.case_results)

    @property
    def failed_cases(self) -> list[str]:
        """Every case that failed, by either of the two places that tell."""
        names = {**self.case_results, **self.listed_results}
        return [name for name in names
                if not (self.case_results.get(name, True) and self.listed_results.get(name, True))]

    def complaints(self) -> list[str]:
        """Why this guest has not passed; empty when it has."""
        reasons = list(self.problems)
        if self.state in ("waiting", "ready"):
            return reasons + ["never began to run xtest"]
        if self._status is None:
            return reasons + [f"did not end xtest{f', last in {self.case}' if self.case else ''}"]
        if self._status == 137:
            reasons.append(f"xtest took too long and was killed{f', in {self._case_at_end}' if self._case_at_end else ''}")
        elif self._status != 0:
            reasons.append(f"xtest ended with status {self._status}")
        reasons += self._summary_complaints()
        return reasons

    def _summary_complaints(self) -> list[str]:
        if self.cases is None or self.subtests is None:
            return ["no summary of xtest in its output"]
        reasons = []
        if self.cases.total == 0 or self.subtests.total == 0:
            reasons.append("no test ran: does the pattern fit any case?")
        if self.cases.total != len(self.listed_results) or set(self.listed_results) != set(self.case_results):
            reasons.append(f"summary says {self.cases.total} cases, the list has {len(self.listed_results)}, "
                           f"{len(self.case_results)} were seen to end")
        failed = self.failed_cases
        if self.cases.failed or self.subtests.failed or failed:
            reasons.append(f"{max(self.cases.failed, len(failed))} of {self.cases.total} cases failed: "
                           f"{', '.join(self.first_errors or failed)}")
        return reasons

    @property
    def passed(self) -> bool:
        """Everything ran, and nothing failed."""
        return not self.complaints()

    @property
    def failures(self) -> int:
        """Failed subtests; at least one when the guest has not passed, for whatever reason."""
        counted = self.subtests.failed if self.subtests else 0
        return counted if self.passed else max(counted, 1)
