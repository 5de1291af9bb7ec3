# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""What one sees of a run: on a terminal a line that lives, in a log plain lines."""

import shutil
import sys
import time

seconds_between_reminders = 60      # in a log: what is still running
lines_of_a_failure = 25


class Screen:
    """Told by the runner what happens. Lines of ended checks stay, the progress line below them is replaced."""

    def __init__(self, total, out=sys.stdout):
        self._out = out
        self._live = out.isatty()
        self._total = total
        self._done = 0
        self._started = time.monotonic()
        self._reminded = self._started

    def started(self, running):
        if not self._live:
            self._line(f"{self._clock()}  start  {running.check.name}: {running.check.what}")

    def ended(self, outcome):
        self._done += 1
        word = "ok   " if outcome.passed else "skip " if outcome.skipped else "FAIL "
        note = outcome.fact if outcome.passed else outcome.why
        self._line(f"{self._clock()}  {self._colour(word, outcome.passed)}  {outcome.check.name:<22}"
                   f"{outcome.seconds:7.1f} s  {note}".rstrip())
        if not outcome.passed and not outcome.skipped:
            self._failure(outcome)

    def tick(self, running):
        """Called some times a second with what runs."""
        if not running:
            return
        if self._live:
            parts = [f"{one.check.name} {one.seconds():.0f} s" for one in running]
            text = f"{self._clock()}  {self._done}/{self._total}  {', '.join(parts)}  | {running[-1].last_line()}"
            self._out.write("\r\033[K" + text[:shutil.get_terminal_size().columns - 1])
            self._out.flush()
        elif time.monotonic() - self._reminded > seconds_between_reminders:
            self._reminded = time.monotonic()
            for one in running:
                if one.seconds() > seconds_between_reminders:
                    self._line(f"{self._clock()}  ...    {one.check.name} for {one.seconds():.0f} s: "
                               f"{one.last_line()[:90]}")

    def summary(self, outcomes, left_out):
        """The closing lines; the last one is the result."""
        skipped = [outcome for outcome in outcomes if outcome.skipped]
        failed = [outcome for outcome in outcomes if not outcome.passed and not outcome.skipped]
        self._line("")
        for outcome in failed:
            self._line(f"failed: {outcome.check.name} ({outcome.why}); log {outcome.log_path};"
                       f" again: ./check --only {outcome.check.name}")
        if left_out:
            self._line(f"not run: {' '.join(check.name for check in left_out)}")
        for outcome in skipped:
            self._line(f"skipped: {outcome.check.name} ({outcome.why})")
        passed = len(outcomes) - len(failed) - len(skipped)
        self._line(f"{passed} passed, {len(failed)} failed" + (f", {len(skipped)} skipped" if skipped else ""))

    def _failure(self, outcome):
        lines = outcome.log_path.read_text(errors="replace").rstrip().split("\n")
        for line in lines[-lines_of_a_failure:]:
            self._line(f"    | {line}")
        self._line(f"    log:   {outcome.log_path}")
        self._line(f"    again: ./check --only {outcome.check.name}")

    def _line(self, text):
        self._out.write(("\r\033[K" if self._live else "") + text + "\n")
        self._out.flush()

    def _clock(self):
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        return f"{minutes:3d}:{seconds:02d}"

    def _colour(self, word, passed):
        return f"\033[{32 if passed else 31}m{word}\033[0m" if self._live else word
