# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""versions.lock: which version of each package the stack was last seen to work with.

Debian's sid moves every day and its mirrors keep only the newest version. The lock is therefore a preference: what it
names is taken while the mirror still has it, else the newest, and that is said.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stack.errors import StackError

LOCK_FILE = Path(__file__).resolve().parent / "versions.lock"
_KINDS = ("source", "binary")
_HEADER = """\
# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
#
# Versions that the stack was last seen to work with; written by ./run --update-versions. See docs/stack.md.
# kind    suite     package                        version                            seen
"""


@dataclass(frozen=True, order=True)
class Wanted:
    """A package as we ask for it."""

    kind: str
    suite: str
    package: str


@dataclass(frozen=True)
class Pin:
    """The version that was seen to work, and when."""

    version: str
    seen: str


def parse(text: str) -> dict[Wanted, Pin]:
    """The pins of a lock file. A line that is not understood is an error: a typing mistake must not unpin a package."""
    pins: dict[Wanted, Pin] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split("#", 1)[0].split()
        if not fields:
            continue
        if len(fields) != 5 or fields[0] not in _KINDS:
            raise StackError(f"versions.lock, line {number}: expected 'source|binary suite package version date'",
                             log=None, advice="mend the line, or delete the file and run ./run --update-versions")
        kind, suite, package, version, seen = fields
        wanted = Wanted(kind, suite, package)
        if wanted in pins:
            raise StackError(f"versions.lock, line {number}: {kind} {suite} {package} stands there twice")
        pins[wanted] = Pin(version, _date(seen, number))
    return pins


def _date(text: str, number: int) -> str:
    try:
        return datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        raise StackError(f"versions.lock, line {number}: {text} is not a date (yyyy-mm-dd)") from None


def render(pins: dict[Wanted, Pin]) -> str:
    """The text of a lock file; parse() of it gives the same pins."""
    lines = [f"{wanted.kind:<9} {wanted.suite:<9} {wanted.package:<30} {pin.version:<34} {pin.seen}"
             for wanted, pin in sorted(pins.items())]
    return _HEADER + "\n".join(lines) + "\n"


def load(path: Path = LOCK_FILE) -> dict[Wanted, Pin]:
    """The pins of the project; none when there is no lock file yet."""
    return parse(path.read_text()) if path.is_file() else {}


def choose(pin: Pin | None, offered: Iterable[str]) -> str | None:
    """The version to take out of those that the mirror offers, newest first; None when it offers none."""
    versions = list(offered)
    if pin is not None and pin.version in versions:
        return pin.version
    return versions[0] if versions else None
