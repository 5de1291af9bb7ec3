# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""What a 32-bit boot needs, stage by stage; the stages have the names of stack/prepare.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stack import build_client, build_optee, build_tfa, build_xen
from stack.arm32 import driver, firmware, rootfs
from stack.cache import Cache
from stack.machine import Images
from stack.packages import Suite
from stack.prepare import STAGES, Stages
from stack.progress import Progress
from stack.versions import Pin, Wanted


@dataclass(frozen=True)
class Results:
    """What is booted, and what the guests run."""

    images: Images
    client: Path


def prepare(cache: Cache, progress: Progress, jobs: int, pins: Mapping[Wanted, Pin]) -> Results:
    """Fetches and builds whatever is not in the cache."""
    bookworm, sid = Suite("bookworm", cache, pins), Suite("sid", cache, pins)
    stages = Stages(cache, progress)
    with stages.stage(STAGES[0]):
        optee_source, tfa_source = sid.source("optee-os"), bookworm.source("arm-trusted-firmware")
        bookworm.source("xen")
        guest_packages, driver_packages = rootfs.fetch(bookworm, sid), driver.fetch(bookworm)
        client_library = build_client.fetch(cache, sid, build_client.ARMHF)
    with stages.stage(STAGES[1]):
        optee = build_optee.build(cache, optee_source, jobs, firmware.OPTEE)
    with stages.stage(STAGES[2]):
        tfa = build_tfa.build(cache, tfa_source, optee, jobs, firmware.TFA)
    with stages.stage(STAGES[3]):
        xen = build_xen.build(cache, bookworm, "ours", "arm32", jobs)
    with stages.stage(STAGES[4]):
        modules = driver.build(cache, guest_packages.kernel, driver_packages, jobs)
        files = rootfs.build(cache, guest_packages, modules)
        client = build_client.build(cache, client_library, build_client.ARMHF)
    return Results(Images(tfa / build_tfa.FLASH, xen / build_xen.HYPERVISOR, files), client)
