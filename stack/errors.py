# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The one exception of the stack: what happened, where to read more, what to do."""

from __future__ import annotations

from pathlib import Path


class StackError(Exception):
    """A failure that a user can act on. Anything else that escapes is a bug of ours and keeps its traceback."""

    def __init__(self, what: str, *, log: Path | None = None, advice: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.log = log
        self.advice = advice

    def explain(self) -> str:
        """The message as the user sees it, one line per question: what, where, what now."""
        lines = [f"failed: {self.what}"]
        if self.log is not None:
            lines += [f"  | {line}" for line in last_lines(self.log)]
            lines.append(f"log:    {self.log}")
        if self.advice:
            lines.append(f"advice: {self.advice}")
        return "\n".join(lines)


def last_lines(log: Path, count: int = 12) -> list[str]:
    """The end of a log, for the terminal; nothing when there is no log yet."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()][-count:]
