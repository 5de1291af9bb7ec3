# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The file system of a 32-bit guest: armhf packages, our init, and the same TAs as everywhere.

A TA runs in OP-TEE, which has 64 bits here, and is nothing but data to the guest's tee-supplicant: so the TAs of the arm64
package will do.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from stack import process, rootfs
from stack.arm32 import driver
from stack.cache import Cache, content_hash
from stack.packages import Suite, identity

_ARMHF_PACKAGES = ("libc6", "busybox-static", "tee-supplicant", "libteec2")
_TA_PACKAGES = ("optee-test-qemu",)
_KERNEL_PACKAGES = ("linux-image-armmp",)
_LIBRARIES = Path("usr/lib/arm-linux-gnueabihf")
_LOADER = "ld-linux-armhf.so.3"
_C_LIBRARY = (_LOADER, "libc.so.6", "libm.so.6", "libpthread.so.0")
_TAS = "usr/lib/optee_armtz"
_SECONDS = 300


@dataclass(frozen=True)
class Packages:
    """Folders of fetched packages."""

    guest: Path
    tas: Path
    kernel: Path

    @property
    def all(self) -> tuple[Path, ...]:
        return self.guest, self.tas, self.kernel


def fetch(bookworm: Suite, sid: Suite) -> Packages:
    """What the guest is made of, but for the driver."""
    return Packages(sid.binaries("guests-armhf", _ARMHF_PACKAGES, "armhf"), sid.binaries("tas", _TA_PACKAGES),
                    bookworm.binaries("kernel-armhf", _KERNEL_PACKAGES, "armhf"))


def build(cache: Cache, packages: Packages, modules: Path) -> Path:
    """The folder with the kernel and the archive, named as in stack/rootfs.py."""
    here = Path(__file__).resolve().parent
    inputs = {**{name: identity(folder) for name, folder in zip(("guest", "tas", "kernel"), packages.all)},
              "modules": str(modules.relative_to(cache.root)),
              "recipe": content_hash([Path(__file__), rootfs.GUEST_FILES], here.parent)}
    return cache.make("rootfs-armhf", inputs, lambda folder, log: _build(cache, packages, modules, folder, log))


def _build(cache: Cache, packages: Packages, modules: Path, folder: Path, log: Path) -> None:
    guest, tas, kernel = (_unpack(cache, packages_of, folder, log) for packages_of in packages.all)
    shutil.copy(rootfs.the_one(kernel / "boot", "vmlinuz-*", log), folder / rootfs.KERNEL)
    root = folder / "base"
    rootfs.skeleton(root, _LIBRARIES)
    for name in _C_LIBRARY:
        shutil.copy(guest / _LIBRARIES / name, root / _LIBRARIES / name)
    os.symlink(f"{_LIBRARIES.name}/{_LOADER}", root / "usr" / "lib" / _LOADER)
    rootfs.copy_all((guest / _LIBRARIES).glob("libteec.so*"), root / _LIBRARIES)
    for program in ("usr/bin/busybox", "usr/sbin/tee-supplicant"):
        shutil.copy(guest / program, root / program)
    shutil.copytree(tas / _TAS, root / _TAS)
    for module in driver.MODULES:
        shutil.copy(modules / module, root / "usr" / "lib" / "modules" / module)
    shutil.copy(rootfs.GUEST_FILES / "init", root / "init")
    rootfs.archive(root, folder / rootfs.BASE, log, cache.observer)
    for used in (root, guest, tas, kernel):
        shutil.rmtree(used)


def _unpack(cache: Cache, packages: Path, folder: Path, log: Path) -> Path:
    target = folder / f"unpacked-{packages.parent.name}"
    for package in sorted(packages.glob("*.deb")):
        process.run(["dpkg-deb", "--extract", str(package), str(target)], log=log, seconds=_SECONDS,
                    observer=cache.observer, what=f"unpacking {package.name}")
    return target
