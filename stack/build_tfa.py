# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""TF-A with OP-TEE as BL32, as one flash image for QEMU. BL33 is Xen, which QEMU loads into RAM itself."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stack import build_optee, edits, machine
from stack.cache import Cache, content_hash
from stack.edits import Edit
from stack.make import Build, copy_tree
from stack.packages import identity

FLASH = "flash.bin"
_SECONDS = 900
_FLASH_BYTES = 64 << 20         # QEMU's virt wants exactly this
_FIP_OFFSET = 256 << 10         # plat/qemu: where BL1 looks for the firmware package
_FLAGS = {
    # gcc 12 takes accesses to fixed low addresses for array overruns; binutils 2.39 and later warns about RWX segments.
    # Both must be in the environment: on make's command line they would replace the makefiles' own flags.
    "CFLAGS": "--param=min-pagesize=0",
    "TF_LDFLAGS": "--no-warn-rwx-segments",
}


@dataclass(frozen=True)
class Variant:
    """Another TF-A than the usual one, for another machine."""

    step: str = "tfa"
    gic_driver: str = "QEMU_GICV3"
    edits: Sequence[Edit] = ()


USUAL = Variant()


def build(cache: Cache, source: Path, optee: Path, jobs: int, variant: Variant = USUAL) -> Path:
    """The folder with the flash image."""
    inputs = {"source": identity(source.parent), "optee": str(optee.relative_to(cache.root)),
              "xen address": hex(machine.XEN_ADDRESS), "variant": repr(variant),
              "recipe": content_hash([Path(__file__)], Path(__file__).parent)}
    return cache.make(variant.step, inputs, lambda folder, log: _build(cache, source, optee, variant, folder, log, jobs))


def _build(cache: Cache, source: Path, optee: Path, variant: Variant, folder: Path, log: Path, jobs: int) -> None:
    tree = folder / "tree"
    copy_tree(source, tree)
    edits.apply(tree, variant.edits)
    header, pager, pageable = (optee / image for image in build_optee.IMAGES)
    tfa = Build(cache, "TF-A", log, _SECONDS, jobs)
    tfa.make(tree, ["PLAT=qemu", "CROSS_COMPILE=aarch64-linux-gnu-", "DEBUG=0", "E=0", "LOG_LEVEL=30",
                    f"QEMU_USE_GIC_DRIVER={variant.gic_driver}", "SPD=opteed", "BL32_RAM_LOCATION=tdram",
                    f"BL32={header}", f"BL32_EXTRA1={pager}", f"BL32_EXTRA2={pageable}",
                    "ARM_LINUX_KERNEL_AS_BL33=1", f"PRELOADED_BL33_BASE={machine.XEN_ADDRESS:#x}",
                    f"BUILD_PLAT={folder}/objects", "all", "fip"], _FLAGS)
    with (folder / FLASH).open("wb") as flash:
        flash.truncate(_FLASH_BYTES)
        flash.write((folder / "objects" / "bl1.bin").read_bytes())
        flash.seek(_FIP_OFFSET)
        flash.write((folder / "objects" / "fip.bin").read_bytes())
    shutil.rmtree(tree)
    shutil.rmtree(folder / "objects")
    tfa.finished()
