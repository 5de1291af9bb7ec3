# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""How a step tells somebody what it does, without knowing whether there is a terminal."""

from __future__ import annotations

import sys
from typing import Protocol


class Observer(Protocol):
    """Whoever watches a step."""

    def doing(self, text: str) -> None:
        """What goes on at this moment; replaces the text before it."""

    def progress(self, done: int, total: int | None) -> None:
        """How far the step is; the total is None while nobody knows it."""

    def note(self, text: str) -> None:
        """Something that a user must find again later; stays on the screen."""

    def tick(self) -> None:
        """Called often while a step waits for a process, so that elapsed time moves on the screen."""


class StderrObserver:
    """For the small commands, whose standard output carries only their result."""

    def doing(self, text: str) -> None:
        print(f"  {text}", file=sys.stderr, flush=True)

    def progress(self, done: int, total: int | None) -> None:
        pass

    def note(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def tick(self) -> None:
        pass
