# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The kernel of the Debian after ours, and its OP-TEE driver, for a domU: a driver knows more of the ABI every few years."""

from __future__ import annotations

import lzma
import shutil
from pathlib import Path

from stack import process, rootfs
from stack.cache import Cache, content_hash
from stack.packages import Suite, identity

SUITE = "trixie"
IMAGE = "newer.Image"
MODULES = "newer.cpio"              # its driver, to be unpacked over that of the base
_PACKAGE = "linux-image-arm64"
_DRIVERS = ("tee/tee", "tee/optee/optee")
_SECONDS = 300


def fetch(suite: Suite) -> Path:
    """The package."""
    return suite.binaries("kernel", (_PACKAGE,))


def build(cache: Cache, package: Path) -> Path:
    """The folder with the image and the archive of its modules."""
    inputs = {"package": identity(package), "recipe": content_hash([Path(__file__)], Path(__file__).parent)}
    return cache.make("newer-linux", inputs, lambda folder, log: _build(cache, package, folder, log))


def _build(cache: Cache, package: Path, folder: Path, log: Path) -> None:
    unpacked = folder / "unpacked"
    process.run(["dpkg-deb", "--extract", str(package / f"{_PACKAGE}.deb"), str(unpacked)], log=log, seconds=_SECONDS,
                observer=cache.observer, what=f"unpacking {_PACKAGE} of {SUITE}")
    shutil.copy(rootfs.the_one(unpacked / "boot", "vmlinuz-*", log), folder / IMAGE)
    drivers = rootfs.the_one(unpacked / "usr" / "lib" / "modules", "*", log) / "kernel" / "drivers"
    modules = folder / "modules" / "usr" / "lib" / "modules"
    modules.mkdir(parents=True)
    for driver in _DRIVERS:
        packed = rootfs.the_one(drivers, f"{driver}.ko.xz", log)
        (modules / packed.stem).write_bytes(lzma.decompress(packed.read_bytes()))
    rootfs.archive(folder / "modules", folder / MODULES, log, cache.observer)
    for used in (unpacked, folder / "modules"):
        shutil.rmtree(used)
