# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""./bench: what calls cost, with our mediator and with upstream's: in the real stack, and on this machine."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from stack import command, report, selection, versions
from stack.bench import host, host_table, table
from stack.bench.calls import Counts
from stack.boot import Boot, Limits
from stack.build_xen import TOP
from stack.cache import Cache
from stack.errors import StackError
from stack.machine import Images, Job, Machine
from stack.packages import Suite
from stack.prepare import STAGES, Parts, prepare
from stack.progress import Progress, make_view
from stack.xtest import GuestRun

# Sessions, invocations, cancellation, storage, memory of many sizes, concurrent sessions.
TESTS = "1001,1002,1003,1004,1005,1006,1007,1008,1009,1012,1013,1015,1016,4001,6001,6002"
BOTH = ("ours", "upstream")
HOST_STAGE = "both on this machine"
CURVES = TOP / "build" / "bench"
_GUEST = "dom0"
_LIMITS = Limits(silence=900, xtest=3600)


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="./bench", allow_abbrev=False,
        description="What calls cost, with our mediator and with upstream's. In the real stack: instructions that Xen executes "
                    "at EL2 for every entry into the mediator while dom0 runs xtest, in a machine of one processor, in which a "
                    "second run counts the same. On this machine: both in one process over a hypervisor that does nothing, "
                    "with curves of what grows. docs/performance.md tells how to read it.",
        epilog="Exit status: 0 measured, also when goals were missed: they are listed; 1 something failed; 2 wrong use; "
               "130 interrupted.")
    half = parser.add_mutually_exclusive_group()
    half.add_argument("--stack", action="store_true", help="only what the real stack shows")
    half.add_argument("--host", action="store_true", help="only what this machine shows; boots nothing")
    parser.add_argument("--curves", type=Path, metavar="DIR", default=CURVES,
                        help="where the curves go, as PNG and SVG (default: build/bench in the clone)")
    parser.add_argument("--mediator", choices=(*BOTH, "both"), default="both",
                        help="in the real stack; default: both, one after the other")
    parser.add_argument("--tests", metavar="PATTERN", default=TESTS, help="cases of xtest, with commas (default: %(default)s)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the tables as JSON")
    parser.add_argument("--keep", action="store_true", help="keep the logs of a run that passed, too")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes of a build")
    return parser.parse_args(arguments)


def measure(folder: Path, progress: Progress, images: Images, chosen: selection.Selection) -> Counts:
    """One boot. What failed in it is an error: figures of half a run compare with nothing."""
    folder.mkdir()
    counts, guests = Counts(), [GuestRun(_GUEST)]
    progress.guests = guests
    progress.expected_cases = chosen.expected
    job = Job((), chosen.arguments, _LIMITS.xtest, _LIMITS.domus_ready, counted=True)
    outcome = Boot(Machine(folder, images, job, progress), guests, _LIMITS, progress, xen=counts.feed).run()
    if not outcome.passed:
        problems = outcome.problems or [f"xtest failed in {guest.name}" for guest in guests if not guest.passed]
        raise StackError("; ".join(problems) or "the machine did not end well", log=folder / "console.log")
    if not counts.calibrated or not counts.complete or not counts.costs:
        raise StackError("Xen's counter does not count instructions" if not counts.calibrated else "Xen printed no counts",
                         log=folder / "console.log", advice="docs/stack.md, 'Counting instructions'")
    return counts


def count(cache: Cache, progress: Progress, arguments: argparse.Namespace, folder: Path) -> tuple[str, dict[str, object]]:
    """The half of the real stack: builds, boots with each mediator; what is printed, and what is reported."""
    chosen = selection.matching(arguments.tests, selection.load())
    mediators = mediators_of(arguments)
    images = prepare(cache, progress, Parts(mediators, arguments.jobs, measured=True), versions.load()).images
    counts = {}
    for mediator in mediators:
        progress.begin(stage(mediator))
        counts[mediator] = measure(folder / mediator, progress, images[mediator], chosen)
        progress.end("")
    return table.text(counts, _GUEST, arguments.tests), table.facts(counts, _GUEST, arguments.tests)


def time_here(cache: Cache, progress: Progress, arguments: argparse.Namespace, folder: Path) -> tuple[str, dict[str, object]]:
    """The half of this machine."""
    progress.begin(HOST_STAGE)
    source = Suite("bookworm", cache, versions.load()).source("xen")
    results = host.measure(cache, source, folder, arguments.jobs)
    pictures = host_table.draw(results, arguments.curves)
    progress.end("")
    return host_table.text(results, pictures), host_table.facts(results)


def work(cache: Cache, progress: Progress, arguments: argparse.Namespace) -> int:
    """Both halves, or the one that was asked for."""
    folder, texts, facts = command.run_folder(cache), [], {}
    if not arguments.stack:
        text, facts["host"] = time_here(cache, progress, arguments, folder)
        texts.append(text)
    if not arguments.host:
        text, more = count(cache, progress, arguments, folder)
        texts.append(text)      # last: it ends with the goals that were missed
        facts |= more
    progress.close()
    print("\n" + "\n".join(texts), end="")
    if arguments.report is not None:
        report.write(arguments.report, facts)
    if arguments.keep:
        print(f"logs: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def mediators_of(arguments: argparse.Namespace) -> Sequence[str]:
    """Whose figures are wanted of the real stack."""
    return BOTH if arguments.mediator == "both" else (arguments.mediator,)


def stage(mediator: str) -> str:
    """The name of a mediator's stage on the screen."""
    return f"counting with {mediator}"


def main() -> int:
    arguments = parse_arguments(sys.argv[1:])
    stages = [] if arguments.stack else [HOST_STAGE]
    if not arguments.host:
        stages += [*STAGES, *map(stage, mediators_of(arguments))]
    progress = Progress("optee-mediator: what calls cost", stages, make_view())
    return command.run(progress, lambda cache: work(cache, progress, arguments), () if arguments.stack else host.PACKAGES)


if __name__ == "__main__":
    sys.exit(main())
