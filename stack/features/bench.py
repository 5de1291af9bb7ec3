# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Boots a machine in which features are measured, and collects what it shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stack import selection
from stack.boot import Boot, Limits
from stack.errors import StackError
from stack.features import dom0less, kernels, policy
from stack.features.evidence import Evidence
from stack.features.row import Feature
from stack.machine import Extras, Images, Job, Machine
from stack.progress import Progress
from stack.static_boot import StaticBoot
from stack.static_machine import StaticMachine
from stack.xtest import GuestRun

GUEST_FILES = Path(__file__).resolve().parent / "guest"
_DOMU_BOOT_SECONDS = 180
_CONTROL = "control"


@dataclass(frozen=True)
class Shown:
    """A boot that has ended."""

    evidence: Evidence
    seconds: float


@dataclass(frozen=True)
class Bench:
    """What a boot needs, whichever mediator is in it."""

    images: Images
    client: Path                # the client program (guests/client)
    folder: Path                # for the logs
    progress: Progress
    newer_linux: Sequence[Path] = ()    # image and modules, for features that want it


def boot(kind: str, bench: Bench, features: Sequence[Feature]) -> Shown:
    """One boot of a kind with all features that want it."""
    known: dict[str, Callable[[Bench, Sequence[Feature]], Shown]] = {"toolstack": _with_toolstack,
                                                                                policy.KIND: _with_toolstack,
                                                                                kernels.KIND: _with_toolstack,
                                                                                dom0less.KIND: _without_dom0}
    if kind not in known:
        raise StackError(f"no kind of boot is named {kind}", advice="stack/features/bench.py has them")
    return known[kind](bench, features)


def _with_toolstack(bench: Bench, features: Sequence[Feature]) -> Shown:
    """dom0 with xl, which measures one feature after the other in domUs of its own."""
    settings = {"FEATURES": " ".join(feature.name for feature in features)}
    for feature in features:
        settings.update(feature.settings)
    files = [*sorted(GUEST_FILES.iterdir()), bench.client]
    xen = " ".join(feature.xen for feature in features if feature.xen)
    newer_linux = bench.newer_linux if any(feature.newer_linux for feature in features) else ()
    job = Job((), (), 0, _DOMU_BOOT_SECONDS, extras=Extras(files, settings, newer_linux), xen=xen,
              memory_mib=max(feature.memory_mib for feature in features))
    guests = dict.fromkeys(guest for feature in features for guest in feature.guests)
    limits = Limits(xtest=sum(feature.seconds for feature in features))
    return watch(Machine(bench.folder, bench.images, job, bench.progress), limits, bench.progress, list(guests))


def _without_dom0(bench: Bench, features: Sequence[Feature]) -> Shown:
    """Guests of the device tree, which run xtest."""
    guests = [GuestRun(name) for feature in features for name in feature.guests]
    seconds = sum(feature.seconds for feature in features)
    job = Job([guest.name for guest in guests], selection.quick(selection.load()).arguments, seconds, _DOMU_BOOT_SECONDS)
    machine = StaticMachine(bench.folder, bench.images, job, bench.progress)
    boot = StaticBoot(machine, guests, Limits(xtest=seconds), bench.progress)
    outcome = boot.run()
    return Shown(Evidence(dom0less.facts(guests, boot.ran_together), problems=outcome.problems), outcome.seconds)


def watch(machine: Machine, limits: Limits, progress: Progress, guests: Sequence[str]) -> Shown:
    """Runs the machine and listens to dom0, to the guests and to Xen."""
    evidence = Evidence()

    def listener(name: str) -> Callable[[str], None]:
        return lambda line: evidence.hear(name, line)

    listeners = {name: listener(name) for name in (_CONTROL, *guests)}
    outcome = Boot(machine, [], limits, progress, listeners=listeners, xen=evidence.hear_xen).run()
    evidence.problems += outcome.problems
    return Shown(evidence, outcome.seconds)
