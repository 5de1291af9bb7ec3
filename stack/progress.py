# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""What a run is doing, and how that is shown: redrawn in place on a terminal, as a plain log elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TextIO

from stack.xtest import GuestRun

_REDRAW_SECONDS = 0.25
_LOG_SECONDS = 20.0             # a plain log gets a line at least this often while something runs
_BAR_CELLS = 20


@dataclass
class Stage:
    """One stage of a run."""

    name: str
    began: float | None = None
    ended: float | None = None
    done: int = 0
    total: int | None = None
    result: str = ""


class Progress:
    """The model. It is the Observer of every step, and tells its view when something has changed."""

    def __init__(self, title: str, stages: Sequence[str], view: View, clock: Callable[[], float] = time.monotonic) -> None:
        self.title = title
        self.clock = clock
        self.began = clock()
        self.stages = [Stage(name) for name in stages]
        self.text = ""
        self.guests: list[GuestRun] = []
        self.expected_cases: int | None = None
        self._view = view

    @property
    def stage(self) -> Stage | None:
        """The stage that runs."""
        return next((stage for stage in self.stages if stage.began is not None and stage.ended is None), None)

    def begin(self, name: str) -> None:
        """Ends the stage that runs and begins another one."""
        self.end()
        stage = next(stage for stage in self.stages if stage.name == name)
        stage.began = self.clock()
        self.text = ""
        self._view.stage_began(self, stage)

    def end(self, result: str = "") -> None:
        """Ends the stage that runs."""
        stage = self.stage
        if stage is not None:
            stage.ended = self.clock()
            stage.result = result
            self._view.stage_ended(self, stage)

    def close(self) -> None:
        """Nothing is shown after this; what is on the screen stays."""
        self._view.close(self)

    # --- Observer

    def doing(self, text: str) -> None:
        self.text = text
        self._view.changed(self)

    def progress(self, done: int, total: int | None) -> None:
        stage = self.stage
        if stage is not None:
            stage.done, stage.total = done, total
        self._view.changed(self)

    def note(self, text: str) -> None:
        self._view.note(self, text)

    def tick(self) -> None:
        self._view.changed(self)


class View:
    """How a Progress is shown; this one shows nothing."""

    def stage_began(self, progress: Progress, stage: Stage) -> None:
        pass

    def stage_ended(self, progress: Progress, stage: Stage) -> None:
        pass

    def changed(self, progress: Progress) -> None:
        pass

    def note(self, progress: Progress, text: str) -> None:
        pass

    def close(self, progress: Progress) -> None:
        pass


def elapsed(seconds: float) -> str:
    """5 s, 1:05, 1:01:05."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def bar(done: int, total: int | None) -> str:
    """A bar, and the numbers that it stands for."""
    if not total:
        return f"{done} done" if done else ""
    cells = min(_BAR_CELLS, _BAR_CELLS * done // total)
    return f"[{'#' * cells}{'.' * (_BAR_CELLS - cells)}] {min(done, total)}/{total}"


def guest_line(guest: GuestRun, expected: int | None) -> str:
    """What one guest is doing."""
    if guest.state == "waiting":
        return "booting" if guest.last_output else "not begun"
    if guest.state == "ready":
        return "up, waiting for the others"
    if guest.state == "ended":
        return f"{guest.done} cases, {'passed' if guest.passed else 'FAILED'} after {guest.seconds:.0f} s"
    failed = f"  {len(guest.failed_cases)} failed" if guest.failed_cases else ""
    return f"{bar(guest.done, expected)}  {guest.case}{failed}"


class Screen(View):
    """For a terminal: the lower part is drawn again and again, notes and finished runs stay above."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._lines = 0
        self._drawn = float("-inf")

    def stage_began(self, progress: Progress, stage: Stage) -> None:
        self._draw(progress)

    def stage_ended(self, progress: Progress, stage: Stage) -> None:
        self._draw(progress)

    def changed(self, progress: Progress) -> None:
        if progress.clock() - self._drawn >= _REDRAW_SECONDS:
            self._draw(progress)

    def note(self, progress: Progress, text: str) -> None:
        self._out.write(self._erase() + text + "\n")
        self._draw(progress)

    def close(self, progress: Progress) -> None:
        self._draw(progress)
        self._lines = 0

    def _erase(self) -> str:
        erase = f"\x1b[{self._lines}A\r\x1b[J" if self._lines else ""
        self._lines = 0
        return erase

    def _draw(self, progress: Progress) -> None:
        self._drawn = progress.clock()
        size = shutil.get_terminal_size()
        # A line that the terminal folds would count as one here and as two there.
        lines = [line[:size.columns - 1] for line in self.render(progress)][-(size.lines - 1):]
        self._out.write(self._erase() + "".join(f"{line}\n" for line in lines))
        self._out.flush()
        self._lines = len(lines)

    @staticmethod
    def render(progress: Progress) -> list[str]:
        """The lines of the lower part."""
        now = progress.clock()
        lines = [f"{progress.title}   {elapsed(now - progress.began)}"]
        for stage in progress.stages:
            if stage.began is None:
                lines.append(f"  -  {stage.name}")
            elif stage.ended is not None:
                lines.append(f"  ok {stage.name:<24} {stage.result or elapsed(stage.ended - stage.began)}"
                             if stage.result != "failed" else f"  !! {stage.name:<24} failed")
            else:
                lines.append(f"  >> {stage.name:<24} {elapsed(now - stage.began):<7} "
                             f"{bar(stage.done, stage.total)} {progress.text}")
                lines += [f"       {guest.name:<8} {guest_line(guest, progress.expected_cases)}"
                          for guest in progress.guests]
        return lines


class PlainLog(View):
    """For a file or a CI log: a line when something begins or ends, and now and then while it runs."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._logged = float("-inf")
        self._text = ""

    def _say(self, progress: Progress, text: str) -> None:
        self._logged = progress.clock()
        self._out.write(f"{elapsed(self._logged - progress.began):>8}  {text}\n")
        self._out.flush()

    def stage_began(self, progress: Progress, stage: Stage) -> None:
        number = progress.stages.index(stage) + 1
        self._say(progress, f"stage {number}/{len(progress.stages)}: {stage.name}")

    def stage_ended(self, progress: Progress, stage: Stage) -> None:
        took = elapsed((stage.ended or 0.0) - (stage.began or 0.0))
        self._say(progress, f"{stage.name}: {stage.result or 'done'} ({took})")

    def changed(self, progress: Progress) -> None:
        if progress.text and progress.text != self._text:
            self._text = progress.text
            self._say(progress, f"  {progress.text}")
        elif progress.clock() - self._logged >= _LOG_SECONDS:
            self._say(progress, "  " + self._state(progress))

    @staticmethod
    def _state(progress: Progress) -> str:
        if progress.guests:
            return " | ".join(f"{guest.name}: {guest_line(guest, progress.expected_cases)}" for guest in progress.guests)
        stage = progress.stage
        return f"still at: {stage.name} {bar(stage.done, stage.total)}" if stage else ""

    def note(self, progress: Progress, text: str) -> None:
        self._say(progress, text)


def make_view(out: TextIO = sys.stdout) -> View:
    """The view that fits to where the output goes."""
    return Screen(out) if out.isatty() else PlainLog(out)
