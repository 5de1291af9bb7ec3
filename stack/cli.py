# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""./run: the whole way from nothing to a verdict."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from stack import attack, build_optee, build_xen, command, report, selection, shell, trace, versions
from stack.arm32 import command as arm32
from stack.boot import HOSTILE, VICTIM, Boot, Limits, Outcome
from stack.cache import Cache
from stack.errors import StackError
from stack.features import command as features
from stack.features import plan
from stack.machine import Images, Job, Machine
from stack.packages import got_versions
from stack.prepare import STAGES, Parts, Results, prepare
from stack.progress import Progress, make_view
from stack.selection import Selection
from stack.static_boot import StaticBoot
from stack.static_machine import StaticMachine
from stack.tap import TapRun
from stack.xtest import GuestRun

MOST_GUESTS = build_optee.GUESTS - 1
BOOT_STAGE = "guests run xtest"
BOTH = "both"
_TRACED_PACKAGES = ("optee-os", "linux-image-arm64", "optee-client", "optee-test")    # as far as they are in use
_FULL = Limits(silence=1500, xtest=5400)


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="./run", allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Boots OP-TEE, Xen with our mediator, dom0 and domUs in QEMU, and runs OP-TEE's own test suite xtest\n"
                    "in all of them at the same time. Fetches and builds what is missing, from Debian packages only.",
        epilog="Everything fetched or built is in ${XDG_CACHE_HOME:-$HOME/.cache}/optee-mediator and is used again; it\n"
               "may be deleted at any time. How it works, and what to do when it does not: docs/stack.md.\n\n"
               "Exit status: 0 only if every guest passed and the machine powered off cleanly, and with --attack if our\n"
               "mediator withstood every attack (what upstream's does is for information), with --arm32 if every step was\n"
               "reached; 1 something failed; 2 wrong use; 130 interrupted.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--quick", action="store_true", help="a few test cases, under a minute once built")
    what.add_argument("--full", action="store_true", help="the whole regression suite, a quarter of an hour or more")
    what.add_argument("--tests", metavar="PATTERN",
                      help="cases whose names contain PATTERN; several with commas: --tests 1004,4006")
    what.add_argument("--attack", action="store_true",
                      help="a bare-metal hostile guest attacks while an innocent one runs a few test cases")
    what.add_argument("--features", metavar="NAMES", nargs="?", const="all",
                      help="a table of what ours can do and what upstream's can; only some: --features sharing,death")
    what.add_argument("--arm32", action="store_true",
                      help="32-bit Xen with 32-bit guests of its device tree over a 64-bit OP-TEE: how far it comes")
    what.add_argument("--shell", action="store_true", help="no tests: a console in dom0 (xl create /etc/xen/domu1.cfg)")
    what.add_argument("--prepare", action="store_true", help="fetch and build only")
    what.add_argument("--update-versions", action="store_true",
                      help="fetch the newest packages, build, and write stack/versions.lock")
    parser.add_argument("--dom0less", action="store_true",
                        help="no dom0 and no toolstack: Xen makes the domUs that its device tree describes")
    parser.add_argument("--mediator", choices=(*build_xen.MEDIATORS, BOTH),
                        help="default: ours; patched is upstream's, with our patches to the rest of Xen, which --dom0less "
                             "needs; with --features or --attack: both ours and upstream's, each in a boot of its own")
    parser.add_argument("--guests", type=int, default=2, metavar="N",
                        help=f"domUs beside dom0, 0 to {MOST_GUESTS}; default 2; --attack has its own")
    parser.add_argument("--rounds", type=int, default=features.DEFAULT_ROUNDS, metavar="N",
                        help=f"VMs that --features destroys at work, default {features.DEFAULT_ROUNDS}")
    parser.add_argument("--keep", action="store_true", help="keep the logs of a run that passed, too")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the result as JSON")
    parser.add_argument("--trace", type=Path, metavar="DIR",
                        help="record what passes between our mediator and OP-TEE, as DIR/GUEST.trace for tools/replay")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes of a build")
    parsed = parser.parse_args(arguments)
    if parsed.dom0less and (parsed.attack or parsed.shell or parsed.features):
        parser.error("--dom0less runs xtest: no --attack, --shell or --features goes with it")
    if parsed.arm32 and (parsed.dom0less or parsed.trace or parsed.mediator not in (None, "ours")):
        parser.error("--arm32 is without dom0 anyway, and with our mediator: no --dom0less, --mediator or --trace goes with it")
    if (parsed.dom0less or parsed.arm32) and parsed.guests == 0:
        parser.error("--guests 0 without dom0: there would be no guest at all")
    if not 0 <= parsed.guests <= MOST_GUESTS:
        parser.error(f"--guests {parsed.guests}: OP-TEE is built for dom0 and up to {MOST_GUESTS} domUs")
    if parsed.mediator is None:
        parsed.mediator = BOTH if parsed.features else "ours"
    if parsed.mediator == BOTH and not (parsed.features or parsed.attack):
        parser.error("--mediator both: only --features and --attack compare them; for anything else name one")
    if parsed.rounds < 1:
        parser.error(f"--rounds {parsed.rounds}: at least one")
    if parsed.trace is not None and (parsed.mediator != "ours" or parsed.dom0less):
        parser.error("--trace: only our mediator records, and not with --dom0less")
    return parsed


def choose_tests(arguments: argparse.Namespace) -> tuple[Selection, Limits]:
    """What runs, and how long it may take."""
    cases = selection.load()
    if arguments.attack:
        return selection.quick(cases), attack.LIMITS
    if arguments.quick:
        return selection.quick(cases), Limits(xtest=900)
    if arguments.full:
        return selection.full(cases), _FULL
    if arguments.tests:
        return selection.matching(arguments.tests, cases), _FULL
    return selection.default(cases), Limits()


def mediators(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Which are built; ours first, since it is ours that must pass."""
    return ("ours", "upstream") if arguments.mediator == BOTH else (arguments.mediator,)


def update_lock(fetched: tuple[Path, ...]) -> None:
    """Writes down what was fetched, as the versions to prefer from now on."""
    pins = {}
    for result in fetched:
        pins.update(got_versions(result))
    versions.LOCK_FILE.write_text(versions.render(pins))


def guest_names(count: int) -> list[str]:
    """domu1, domu2, ..."""
    return [f"domu{number}" for number in range(1, count + 1)]


def boot(folder: Path, progress: Progress, arguments: argparse.Namespace, results: Results, mediator: str) -> Outcome:
    """One boot: xtest in every guest, or a hostile guest beside one."""
    chosen, limits = choose_tests(arguments)
    names = guest_names(1 if arguments.attack else arguments.guests)
    reports = {HOSTILE: TapRun(), VICTIM: TapRun()} if arguments.attack else {}
    job = Job(names, chosen.arguments, limits.xtest, limits.domus_ready, record=arguments.trace is not None,
              hostile=results.hostile if reports else None)
    guests = [GuestRun(name) for name in (names if reports or arguments.dom0less else ("dom0", *names))]
    progress.begin(boot_stage(arguments, mediator))
    progress.guests = guests
    progress.expected_cases = chosen.expected
    images = results.images[mediator]
    if arguments.dom0less:
        return StaticBoot(StaticMachine(folder, images, job, progress), guests, limits, progress).run()
    return Boot(Machine(folder, images, job, progress), guests, limits, progress, reports).run()


def compare_attacks(cache: Cache, progress: Progress, arguments: argparse.Namespace, results: Results) -> int:
    """The hostile guest under each mediator, one after the other."""
    folder = command.run_folder(cache)
    outcomes = {}
    for mediator in mediators(arguments):
        logs = folder / mediator
        logs.mkdir()
        outcomes[mediator] = boot(logs, progress, arguments, results, mediator)
        progress.end("" if outcomes[mediator].passed else "failed")
    chosen, _ = choose_tests(arguments)
    return attack.finish(attack.Comparison(outcomes, chosen.title), arguments.report, folder, progress, arguments.keep)


def test(cache: Cache, progress: Progress, arguments: argparse.Namespace, results: Results) -> int:
    """Boots, runs xtest in every guest, or attacks beside one, and tells the result."""
    chosen, _ = choose_tests(arguments)
    folder = command.run_folder(cache)
    outcome = boot(folder, progress, arguments, results, arguments.mediator)
    if arguments.trace is not None:
        outcome.problems += trace.write(outcome.trace, outcome.domains, arguments.trace, trace_head(outcome, chosen, results))
    progress.end("" if outcome.passed else "failed")
    progress.close()
    print("\n" + report.text(outcome, arguments.mediator, chosen.title))
    if arguments.report is not None:
        report.write(arguments.report, report.facts(outcome, arguments.mediator, chosen.title))
    if outcome.passed and not arguments.keep:
        shutil.rmtree(folder, ignore_errors=True)
        return 0
    print(f"logs: {folder}")
    if arguments.attack and arguments.mediator != "ours":
        # What another mediator does not withstand is no failure of ours.
        return 0 if outcome.reports[HOSTILE].planned is not None else 1
    if not outcome.passed:
        print("advice: read guest-NAME.log of the guest that failed, console.log for Xen and dom0's kernel; "
              "docs/stack.md, 'When a run fails'")
    return 0 if outcome.passed else 1


def trace_head(outcome: Outcome, chosen: Selection, results: Results) -> dict[str, str]:
    """What a trace was recorded on."""
    fetched = {wanted.package: pin.version for result in results.fetched for wanted, pin in got_versions(result).items()}
    on = [f"{package} {fetched[package]}" for package in _TRACED_PACKAGES if package in fetched]
    return {"recorded on": ", ".join([f"Xen {outcome.xen_version}", *on]), "xtest": " ".join(chosen.arguments)}


def open_shell(cache: Cache, progress: Progress, arguments: argparse.Namespace, images: Images) -> int:
    """A console in dom0."""
    if not sys.stdin.isatty():
        raise StackError("--shell needs a terminal")
    progress.close()
    folder = command.run_folder(cache)
    _, limits = choose_tests(arguments)
    job = Job(guest_names(arguments.guests), selection.default(selection.load()).arguments, limits.xtest,
              limits.domus_ready, shell=True)
    return shell.run(Machine(folder, images, job, progress))


def boot_stage(arguments: argparse.Namespace, mediator: str) -> str:
    """The name of a boot's stage on the screen."""
    return f"attacks under {mediator}" if arguments.attack else BOOT_STAGE


def boot_stages(arguments: argparse.Namespace) -> list[str]:
    """The stages after the preparation."""
    if arguments.prepare or arguments.update_versions or arguments.shell:
        return []
    if arguments.arm32:
        return [arm32.STAGE]
    stage = features.stage if arguments.features else lambda mediator: boot_stage(arguments, mediator)
    return [stage(mediator) for mediator in mediators(arguments)]


def main() -> int:
    arguments = parse_arguments(sys.argv[1:])
    progress = Progress(f"optee-mediator: {arguments.mediator} mediator in Xen", [*STAGES, *boot_stages(arguments)], make_view())
    return command.run(progress, lambda cache: work(cache, progress, arguments))


def work(cache: Cache, progress: Progress, arguments: argparse.Namespace) -> int:
    """What the command line asks for."""
    if arguments.arm32:
        return arm32.run(cache, progress, guest_names(arguments.guests), arguments.jobs, arguments.report, arguments.keep)
    measured = plan.chosen(arguments.features, arguments.rounds) if arguments.features else []
    parts = Parts(mediators(arguments), arguments.jobs, hostile=arguments.attack or arguments.prepare,
                  client=bool(measured) or arguments.prepare,
                  newer_linux=arguments.update_versions or any(feature.newer_linux for feature in measured))
    results = prepare(cache, progress, parts, {} if arguments.update_versions else versions.load())
    if arguments.update_versions:
        update_lock(results.fetched)
    if arguments.prepare or arguments.update_versions:
        progress.close()
        return 0
    if arguments.shell:
        return open_shell(cache, progress, arguments, results.images[arguments.mediator])
    if measured:
        return features.run(command.run_folder(cache), progress, results, measured, arguments.report, arguments.keep)
    if arguments.mediator == BOTH:
        return compare_attacks(cache, progress, arguments, results)
    return test(cache, progress, arguments, results)


if __name__ == "__main__":
    sys.exit(main())
