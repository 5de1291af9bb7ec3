# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Small changes to somebody else's sources, each of which must fit at exactly one place, or the build ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stack.errors import StackError


@dataclass(frozen=True)
class Edit:
    """One text in one file, and what stands there instead."""

    file: str
    before: str
    after: str


def apply(tree: Path, edits: Sequence[Edit]) -> None:
    """Makes the edits in a tree of ours. A source that has moved on is no longer the one that they were made for."""
    for edit in edits:
        path = tree / edit.file
        if not path.is_file():
            raise StackError(f"an edit does not fit: there is no {edit.file}", advice=_ADVICE)
        text = path.read_text()
        if (found := text.count(edit.before)) != 1:
            raise StackError(f"an edit does not fit: {edit.file} has {edit.before!r} {found} times, not once", advice=_ADVICE)
        path.write_text(text.replace(edit.before, edit.after))


_ADVICE = "the source package has changed: the edits of this variant must follow (docs/stack.md, 'When sid moves')"
