# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""One way to run make: out of the pristine source, with a log, a limit, and a count of what was compiled."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from stack import process
from stack.cache import Cache

_COMPILED = re.compile(r"\s+(CC|CXX|AS|LD|CPP|AR|GEN)\s")


def copy_tree(source: Path, target: Path) -> None:
    """A tree of our own to build in: several of these builds write beside their sources."""
    shutil.copytree(source, target, symlinks=True)


class Build:
    """One build of one thing, in a step of the cache."""

    def __init__(self, cache: Cache, name: str, log: Path, seconds: float, jobs: int) -> None:
        self._cache = cache
        self._name = name
        self._log = log
        self._seconds = seconds
        self._jobs = jobs
        self._compiled = 0

    def make(self, folder: Path, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Runs make in a folder."""
        total = self._expected()

        def count(line: str) -> None:
            if _COMPILED.match(line):
                self._compiled += 1
                self._cache.observer.progress(self._compiled, total)

        process.run(["make", "-C", str(folder), f"-j{self._jobs}", *arguments], log=self._log, seconds=self._seconds,
                    observer=self._cache.observer, what=f"building {self._name}", environment=environment,
                    on_line=count, advice="the first error in the log tells why; a changed compiler or source package "
                                          "is the usual reason (docs/stack.md)")

    def finished(self) -> None:
        """Remembers how much there was to compile: only an earlier build can know it."""
        self._totals_file().parent.mkdir(parents=True, exist_ok=True)
        most = max(self._compiled, self._expected() or 0)       # a build of what changed tells nothing about all
        self._totals_file().write_text(json.dumps({"compiled": most}))

    def _expected(self) -> int | None:
        try:
            return int(json.loads(self._totals_file().read_text())["compiled"])
        except (OSError, ValueError, KeyError):
            return None

    def _totals_file(self) -> Path:
        return self._cache.root / "expected" / f"{self._name.replace(' ', '-')}.json"
