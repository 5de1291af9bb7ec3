# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Everything that is fetched and built before a machine can boot, stage by stage, out of the cache where it is there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stack import build_client, build_guest, build_optee, build_tfa, build_xen, newer_linux, rootfs
from stack.cache import Cache
from stack.machine import Images
from stack.packages import Suite
from stack.progress import Progress
from stack.versions import Pin, Wanted

STAGES = ("packages and sources", "OP-TEE", "TF-A", "Xen", "guests' file systems")


@dataclass(frozen=True)
class Parts:
    """What a command needs besides the firmware and the guests."""

    mediators: Sequence[str]
    jobs: int
    measured: bool = False              # a Xen that counts instructions
    hostile: bool = False               # the guest that attacks
    client: bool = False                # our client program
    newer_linux: bool = False           # a second kernel


@dataclass(frozen=True)
class Results:
    """Where the results of the stages are."""

    images: dict[str, Images]           # by mediator
    fetched: tuple[Path, ...]
    hostile: Path | None
    client: Path | None
    newer_linux: tuple[Path, ...]       # its image and its modules


class Stages:
    """Shows a stage while it runs, and whether it had anything to do."""

    def __init__(self, cache: Cache, progress: Progress) -> None:
        self._cache = cache
        self._progress = progress

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        made_before = self._cache.made
        self._progress.begin(name)
        yield
        self._progress.end("" if self._cache.made > made_before else "from the cache")


def prepare(cache: Cache, progress: Progress, parts: Parts, pins: Mapping[Wanted, Pin]) -> Results:
    """Fetches and builds whatever is not in the cache. `pins`: the versions to prefer."""
    bookworm, sid = Suite("bookworm", cache, pins), Suite("sid", cache, pins)
    stages = Stages(cache, progress)
    with stages.stage(STAGES[0]):
        sources = {"optee": sid.source("optee-os"), "tfa": bookworm.source("arm-trusted-firmware"),
                   "xen": bookworm.source("xen")}
        guests = rootfs.fetch(cache, bookworm, sid)
        client_library = build_client.fetch(cache, sid)
        kernels = (newer_linux.fetch(Suite(newer_linux.SUITE, cache, pins)),) if parts.newer_linux else ()
    with stages.stage(STAGES[1]):
        optee = build_optee.build(cache, sources["optee"], parts.jobs)
    with stages.stage(STAGES[2]):
        tfa = build_tfa.build(cache, sources["tfa"], optee, parts.jobs)
    with stages.stage(STAGES[3]):
        xens = {mediator: build_xen.build(cache, bookworm, mediator, "arm64", parts.jobs, parts.measured)
                for mediator in parts.mediators}
    with stages.stage(STAGES[4]):
        files = rootfs.build(cache, *guests)
        hostile = build_guest.build(cache) if parts.hostile else None
        client = build_client.build(cache, client_library) if parts.client else None
        newer = tuple(newer_linux.build(cache, kernel) / name for kernel in kernels
                      for name in (newer_linux.IMAGE, newer_linux.MODULES))
    images = {mediator: Images(tfa / build_tfa.FLASH, xen / build_xen.HYPERVISOR, files) for mediator, xen in xens.items()}
    return Results(images, (*(tree.parent for tree in sources.values()), *guests, client_library, *kernels), hostile, client,
                   newer)
