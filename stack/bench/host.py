# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Both mediators in one process on this machine, over a hypervisor and an OP-TEE that do nothing: tests/bench."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stack import process
from stack.build_xen import TOP
from stack.cache import Cache
from stack.errors import StackError

PACKAGES = ("cmake", "ninja-build", "g++", "googletest", "libbenchmark-dev", "valgrind", "gnuplot-nox")
_PRESET, _PROGRAM = "release", "host_bench"
_BUILD_SECONDS, _RUN_SECONDS = 3600, 3600
_TRIGGER = re.compile(r"^desc: Trigger: Client Request: (.+)$", re.MULTILINE)
_TOTALS = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)
_MEMORY = re.compile(r"^(\w+) vm=([\d.]+) call=([\d.]+) buffer=([\d.]+) page=([\d.]+)$", re.MULTILINE)
WORK = ("look_ups", "pages_pinned", "bytes_copied", "pages_allocated", "blocks_allocated", "locks", "smcs", "entries")


@dataclass(frozen=True, order=True)
class What:
    """A case of tests/bench: what grows in it, what is done, and how far it has grown."""

    curve: str
    name: str
    x: int

    @staticmethod
    def parse(title: str) -> tuple[What, str]:
        """Of curve/name/x/mediator, with more behind it when several threads did it."""
        curve, name, x, mediator, *_ = title.split("/")
        return What(curve, name, int(x)), mediator


@dataclass
class Figures:
    """What one mediator needed for it, each time."""

    nanoseconds: float | None = None
    per_second: float | None = None
    instructions: float | None = None
    work: dict[str, float] = field(default_factory=dict)


@dataclass
class Results:
    """Everything that was measured."""

    figures: dict[What, dict[str, Figures]] = field(default_factory=dict)
    memory: dict[str, dict[str, float]] = field(default_factory=dict)      # bytes, by mediator

    def of(self, title: str) -> Figures:
        what, mediator = What.parse(title)
        return self.figures.setdefault(what, {}).setdefault(mediator, Figures())

    def add_times(self, report: Mapping) -> None:
        """What Google Benchmark wrote."""
        for row in report["benchmarks"]:
            figures = self.of(row["name"])
            if "items_per_second" in row:
                figures.per_second = row["items_per_second"]
            else:
                figures.nanoseconds = row["cpu_time"]
                figures.work = {name: row[name] for name in WORK if name in row}

    def add_instructions(self, dumps: Iterable[str], repeated: int) -> None:
        """What callgrind wrote, one dump for each case."""
        for dump in dumps:
            title, total = _TRIGGER.search(dump), _TOTALS.search(dump)
            if title and total:
                self.of(title[1]).instructions = int(total[1]) / repeated

    def add_memory(self, text: str) -> None:
        """What the program prints about memory."""
        for name, *numbers in _MEMORY.findall(text):
            self.memory[name] = dict(zip(("vm", "call", "buffer", "page"), map(float, numbers)))


def measure(cache: Cache, source: Path, folder: Path, jobs: int) -> Results:
    """Builds the program and runs it: for memory, for times, and under valgrind. `folder` gets what it writes."""
    program = _build(cache, source, folder, jobs)
    results = Results()
    results.add_memory(_run([str(program), "--memory"], folder))
    times = folder / "times.json"
    _run([str(program), "--benchmark_min_time=0.1", f"--benchmark_out={times}", "--benchmark_out_format=json"], folder)
    results.add_times(json.loads(times.read_text()))
    repeated = _run(["valgrind", "--tool=callgrind", "--collect-atstart=no", "--callgrind-out-file=callgrind.out",
                     str(program), "--instructions"], folder)
    results.add_instructions((path.read_text(errors="replace") for path in sorted(folder.glob("callgrind.out.*"))),
                             int(repeated.split()[-1]))
    if not results.memory or not all(each.instructions for what, by in results.figures.items() if what.curve == "call"
                                     for each in by.values()):
        raise StackError("the program on this machine did not measure everything", log=folder / "host.log")
    return results


def _build(cache: Cache, source: Path, folder: Path, jobs: int) -> Path:
    log = folder / "host.log"
    for command in (["cmake", "--preset", _PRESET, f"-DMEDIATOR_UPSTREAM_SOURCE={source}"],
                    ["cmake", "--build", "--preset", _PRESET, "-j", str(jobs), "--target", _PROGRAM]):
        process.run(command, log=log, seconds=_BUILD_SECONDS, observer=cache.observer, cwd=TOP,
                    what="building the program that measures on this machine")
    return TOP / "build" / _PRESET / _PROGRAM


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_RUN_SECONDS, check=False,
                          env={**os.environ, "LC_ALL": "C.UTF-8"})
    with (folder / "host.log").open("a") as log:
        log.write(f"$ {' '.join(command)}\n{done.stdout}{done.stderr}\n")
    if done.returncode:
        raise StackError(f"{Path(command[0]).name} ended with status {done.returncode}", log=folder / "host.log")
    return done.stdout
