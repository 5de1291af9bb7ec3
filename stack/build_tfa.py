# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""TF-A with OP-TEE as BL32, as one flash image for QEMU. BL33 is Xen, which QEMU loads into RAM itself."""

from __future__ import annotations

import shutil
from pathlib import Path

from stack import build_optee, machine
from stack.cache import Cache, content_hash
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


def build(cache: Cache, source: Path, optee: Path, jobs: int) -> Path:
    """The folder with the flash image."""
    inputs = {"source": identity(source.parent), "optee": str(optee.relative_to(cache.root)),
              "xen address": hex(machine.XEN_ADDRESS),
              "recipe": content_hash([Path(__file__)], Path(__file__).parent)}
    return cache.make("tfa", inputs, lambda folder, log: _build(cache, source, optee, folder, log, jobs))


def _build(cache: Cache, source: Path, optee: Path, folder: Path, log: Path, jobs: int) -> None:
    tree = folder / "tree"
    copy_tree(source, tree)
    header, pager, pageable = (optee / image for image in build_optee.IMAGES)
    tfa = Build(cache, "TF-A", log, _SECONDS, jobs)
    tfa.make(tree, ["PLAT=qemu", "CROSS_COMPILE=aarch64-linux-gnu-", "DEBUG=0", "E=0", "LOG_LEVEL=30",
                    "QEMU_USE_GIC_DRIVER=QEMU_GICV3", "SPD=opteed", "BL32_RAM_LOCATION=tdram",
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
