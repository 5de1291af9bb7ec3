# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""OP-TEE with virtualization, rebuilt since the package's binary is made for two guests with two threads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stack import edits
from stack.cache import Cache, content_hash
from stack.edits import Edit
from stack.errors import StackError
from stack.make import Build, copy_tree
from stack.packages import identity

GUESTS = 4                      # dom0 and three domUs share QEMU's 16 MiB of secure RAM
THREADS = 4                     # per guest, since every guest has its own set
# Per guest, for what it shares: OP-TEE keeps 8 bytes per page, twice while it takes the list. 16 MiB beside 256 buffers of
# 64 KiB want about 150 KiB more than the platform's 192 KiB leave free.
_HEAP_BYTES = 384 << 10
# 4 KiB per 2 MiB that TAs of a guest see at a moment; a buffer of 16 MiB needs nine of them, the platform has eight.
_PAGE_TABLES = 24
# With CFG_DYN_CONFIG, its default, OP-TEE 4.10 loses six translation tables for each VM: core_mmu_xlat_table_alloc() takes
# them from the memory of all VMs, 4 KiB and 48 bytes of heap each, and core_free_mmu_prtn() gives none back. After about 30 VMs
# there is no room for the fourth VM at a time. Without it OP-TEE asks for an area that it then does not have.
_FIXED_TABLES = {"CFG_DYN_CONFIG": "n"}
_FIXED_TABLES_EDITS = (
    Edit("core/arch/arm/kernel/virtualization.c", "\tpage_alloc_init();\n",
         "\tif (IS_ENABLED(CFG_DYN_CONFIG))\n\t\tpage_alloc_init();\n"),
)
IMAGES = ("tee-header_v2.bin", "tee-pager_v2.bin", "tee-pageable_v2.bin")
_SECONDS = 1800
_SETTINGS = {
    "PLATFORM": "vexpress-qemu_armv8a",
    "CROSS_COMPILE": "aarch64-linux-gnu-",
    "CROSS_COMPILE64": "aarch64-linux-gnu-",
    "CFG_ARM64_core": "y",
    "CFG_ARM_GICV3": "y",
    "CFG_NS_VIRTUALIZATION": "y",
    "CFG_VIRT_GUEST_COUNT": str(GUESTS),
    "CFG_NUM_THREADS": str(THREADS),
    "CFG_CORE_HEAP_SIZE": str(_HEAP_BYTES),
    "CFG_PGT_CACHE_ENTRIES": str(_PAGE_TABLES),
    "CFG_USER_TA_TARGETS": "ta_arm64",
    "CFG_TEE_CORE_LOG_LEVEL": "1",
    "DEBUG": "0",
}


@dataclass(frozen=True)
class Variant:
    """Another OP-TEE than the usual one, for another machine."""

    step: str = "optee"
    settings: Mapping[str, str] = field(default_factory=dict)       # instead of, and besides, the usual ones


USUAL = Variant()


def build(cache: Cache, source: Path, jobs: int, variant: Variant = USUAL) -> Path:
    """The folder with OP-TEE's three images."""
    inputs = {"source": identity(source.parent), "settings": json.dumps(dict(variant.settings), sort_keys=True),
              "recipe": content_hash([Path(__file__)], Path(__file__).parent)}
    return cache.make(variant.step, inputs,
                      lambda folder, log: _build(cache, source, {**_SETTINGS, **variant.settings}, folder, log, jobs))


def _build(cache: Cache, source: Path, settings: Mapping[str, str], folder: Path, log: Path, jobs: int) -> None:
    tree = folder / "tree"
    objects = folder / "objects"
    copy_tree(source, tree)
    settings = {**settings, **_fixed_tables(cache, tree)}
    optee = Build(cache, "OP-TEE", log, _SECONDS, jobs)
    # Python's cryptography needs no OpenSSL legacy provider here, and Debian 12's complains when it is missing.
    optee.make(tree, [f"O={objects}", *(f"{name}={value}" for name, value in settings.items()),
                      *(f"{objects}/core/{image}" for image in IMAGES)],
               {"CRYPTOGRAPHY_OPENSSL_NO_LEGACY": "1", "PYTHONDONTWRITEBYTECODE": "1"})
    for image in IMAGES:
        shutil.copy(objects / "core" / image, folder / image)
    shutil.copy(objects / "conf.mk", folder / "conf.mk")
    shutil.rmtree(tree)
    shutil.rmtree(objects)
    optee.finished()


def _fixed_tables(cache: Cache, tree: Path) -> Mapping[str, str]:
    """The settings that keep the memory of VMs that have gone, in a tree that they fit."""
    try:
        edits.apply(tree, _FIXED_TABLES_EDITS)
    except StackError:
        cache.observer.note("this OP-TEE is another one than the one whose loss of memory was mended (stack/build_optee.py): built "
                            "with its own way to keep translation tables")
        return {}
    return _FIXED_TABLES
