# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""./run --arm32: builds what is needed, boots it, and tells how far it came."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from stack import build_xen, command, report, versions
from stack.arm32 import boot, driver, machine, steps
from stack.arm32.prepare import prepare
from stack.cache import Cache
from stack.features.evidence import Evidence
from stack.machine import Extras, Job
from stack.progress import Progress

STAGE = "32-bit guests"
_BOOT_SECONDS = 300


def run(cache: Cache, progress: Progress, guests: Sequence[str], jobs: int, where: Path | None, keep: bool) -> int:
    """The exit status of the command."""
    # Before anything is drawn.
    build_xen.install_compilers("arm32")
    command.install(driver.HOST_PACKAGES)
    results = prepare(cache, progress, jobs, versions.load())
    folder = command.run_folder(cache)
    progress.begin(STAGE)
    evidence = Evidence()
    runs = [boot.ClientRun(name, evidence=evidence) for name in guests]
    extras = Extras([*sorted(machine.GUEST_FILES.iterdir()), results.client], {})
    job = Job(guests, (), boot.LIMITS.xtest, _BOOT_SECONDS, extras=extras)
    outcome = boot.Arm32Boot(machine.Arm32Machine(folder, results.images, job, progress), runs, progress, evidence).run()
    problems = [*outcome.problems, *(f"{run.name}: {problem}" for run in runs for problem in run.problems)]
    shown = steps.Shown(evidence, guests, outcome.counters, outcome.clean_poweroff, problems)
    table = steps.judge(shown)
    passed = steps.all_reached(table)
    progress.end("" if passed else "failed")
    progress.close()
    counted = report.counters_table(outcome.counters)
    print(f"\n{steps.text(table)}, {outcome.seconds:.0f} s from power-on to power-off" + (f"\n\n{counted}" if counted else ""))
    if where is not None:
        report.write(where, steps.facts(table, shown))
    if passed and not keep:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"logs: {folder}")
    return 0 if passed else 1
