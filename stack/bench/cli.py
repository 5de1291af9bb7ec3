# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""./bench: boots the same machine with each mediator, and counts the instructions of every entry."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from stack import command, report, selection, versions
from stack.bench import table
from stack.bench.calls import Counts
from stack.boot import Boot, Limits
from stack.cache import Cache
from stack.errors import StackError
from stack.machine import Images, Job, Machine
from stack.prepare import STAGES, Parts, prepare
from stack.progress import Progress, make_view
from stack.xtest import GuestRun

# Sessions, invocations, cancellation, storage, memory of many sizes, concurrent sessions.
TESTS = "1001,1002,1003,1004,1005,1006,1007,1008,1009,1012,1013,1015,1016,4001,6001,6002"
BOTH = ("ours", "upstream")
_GUEST = "dom0"
_LIMITS = Limits(silence=900, xtest=3600)


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="./bench", allow_abbrev=False,
        description="Counts the instructions that Xen executes at EL2 for every entry into the TEE mediator while dom0 runs "
                    "xtest, with our mediator and with upstream's, in the same machine of one processor, in which a second run "
                    "counts the same.",
        epilog="Exit status: 0 measured, also when goals were missed: they are listed; 1 something failed; 2 wrong use; "
               "130 interrupted.")
    parser.add_argument("--mediator", choices=(*BOTH, "both"), default="both", help="default: both, one after the other")
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


def work(cache: Cache, progress: Progress, arguments: argparse.Namespace, mediators: Sequence[str]) -> int:
    """Builds, boots with each, prints."""
    chosen = selection.matching(arguments.tests, selection.load())
    images = prepare(cache, progress, Parts(mediators, arguments.jobs, measured=True), versions.load()).images
    folder, counts = command.run_folder(cache), {}
    for mediator in mediators:
        progress.begin(stage(mediator))
        counts[mediator] = measure(folder / mediator, progress, images[mediator], chosen)
        progress.end("")
    progress.close()
    print("\n" + table.text(counts, _GUEST, arguments.tests), end="")
    if arguments.report is not None:
        report.write(arguments.report, table.facts(counts, _GUEST, arguments.tests))
    if arguments.keep:
        print(f"logs: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def stage(mediator: str) -> str:
    """The name of a mediator's stage on the screen."""
    return f"counting with {mediator}"


def main() -> int:
    arguments = parse_arguments(sys.argv[1:])
    mediators = BOTH if arguments.mediator == "both" else (arguments.mediator,)
    progress = Progress("optee-mediator: instructions at EL2", [*STAGES, *map(stage, mediators)], make_view())
    return command.run(progress, lambda cache: work(cache, progress, arguments, mediators))


if __name__ == "__main__":
    sys.exit(main())
