# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The guests' file systems: initramfs archives made of unchanged Debian packages and our init.

Three archives, which the kernel unpacks one over the other: base (every guest: C library, shell, OP-TEE's client side and
xtest), toolstack (dom0 only: xl and its daemons, and what domUs boot from) and, per run, the job (machine.py).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from stack import process
from stack.cache import Cache, content_hash
from stack.errors import StackError
from stack.observer import Observer
from stack.packages import Suite, identity

GUEST_FILES = Path(__file__).resolve().parent / "guest"
BASE = "base.cpio"
TOOLSTACK = "toolstack.cpio"
KERNEL = "Image"

# sid's C library runs everything, since OP-TEE's client side exists only in sid and needs it.
SID_PACKAGES = ("libc6", "libgcc-s1", "busybox-static", "tee-supplicant", "libteec2", "libckteec0t64", "optee-test-qemu",
                "libssl3t64", "libzstd1")
KERNEL_PACKAGES = ("linux-image-arm64",)
TOOLSTACK_PACKAGES = ("xen-utils-4.17", "xen-utils-common", "xenstore-utils", "libxenmisc4.17", "libxentoolcore1",
                      "libxentoollog1", "libxencall1", "libxendevicemodel1", "libxenevtchn1", "libxenforeignmemory1",
                      "libxengnttab1", "libxenhypfs1", "libxenstore4", "libyajl2", "libfdt1", "libuuid1", "liblzma5",
                      "zlib1g", "libbz2-1.0")

_LIBRARIES = Path("usr/lib/aarch64-linux-gnu")
_C_LIBRARY = ("ld-linux-aarch64.so.1", "libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1",
              "libutil.so.1")
_GUEST_MODULES = ("tee/tee.ko", "tee/optee/optee.ko")
_DOM0_MODULES = ("xen/xen-evtchn.ko", "xen/xen-gntdev.ko", "xen/xen-gntalloc.ko", "xen/xen-privcmd.ko",
                 "xen/xenfs/xenfs.ko")
_SECONDS = 300


def build(cache: Cache, sid: Path, kernel: Path, toolstack: Path) -> Path:
    """The folder with the kernel and the archives, out of three folders of fetched packages."""
    inputs = {name: identity(folder)
              for name, folder in (("sid", sid), ("kernel", kernel), ("toolstack", toolstack))}
    inputs["recipe"] = content_hash([Path(__file__), GUEST_FILES], Path(__file__).resolve().parent)
    return cache.make("rootfs", inputs,
                      lambda folder, log: _Builder(cache.observer, folder, log).build(sid, kernel, toolstack))


def fetch(cache: Cache, bookworm: Suite, sid: Suite) -> tuple[Path, Path, Path]:
    """The packages of the guests, in the order that build() takes."""
    return (sid.binaries("guests", SID_PACKAGES), bookworm.binaries("kernel", KERNEL_PACKAGES),
            bookworm.binaries("toolstack", TOOLSTACK_PACKAGES))


def archive(root: Path, target: Path, log: Path, observer: Observer) -> None:
    """An uncompressed cpio archive of a folder, its files owned by root whoever we are."""
    process.run(["sh", "-c", 'cd "$1" && find . | LC_ALL=C sort | cpio --quiet -o -H newc --owner 0:0 > "$2"', "archive",
                 str(root), str(target)], log=log, seconds=_SECONDS, observer=observer,
                what=f"making {target.name}", advice="is the disk full?")


class _Builder:
    def __init__(self, observer: Observer, folder: Path, log: Path) -> None:
        self._observer = observer
        self._folder = folder
        self._log = log

    def build(self, sid: Path, kernel: Path, toolstack: Path) -> None:
        parts = {name: self._unpack(name, packages)
                 for name, packages in (("sid", sid), ("kernel", kernel), ("toolstack", toolstack))}
        image = the_one(parts["kernel"] / "boot", "vmlinuz-*", self._log)
        shutil.copy(image, self._folder / KERNEL)
        drivers = the_one(parts["kernel"] / "lib" / "modules", "*", self._log) / "kernel" / "drivers"
        base = self._folder / "base"
        self._base(base, parts["sid"], parts["toolstack"], drivers)
        archive(base, self._folder / BASE, self._log, self._observer)
        dom0 = self._folder / "dom0"
        self._toolstack(dom0, parts["toolstack"], drivers)
        archive(dom0, self._folder / TOOLSTACK, self._log, self._observer)
        for folder in (base, dom0, *parts.values()):
            shutil.rmtree(folder)

    def _unpack(self, name: str, packages: Path) -> Path:
        target = self._folder / f"unpacked-{name}"
        for package in sorted(packages.glob("*.deb")):
            self._observer.doing(f"unpacking {package.stem}")
            process.run(["dpkg-deb", "--extract", str(package), str(target)], log=self._log, seconds=_SECONDS,
                        observer=self._observer, what=f"unpacking {package.name}")
        return target

    def _base(self, root: Path, sid: Path, toolstack: Path, drivers: Path) -> None:
        skeleton(root, _LIBRARIES)
        libraries = root / _LIBRARIES
        for name in _C_LIBRARY:
            shutil.copy(sid / _LIBRARIES / name, libraries / name)      # the file itself, whatever it links to
        os.symlink(f"aarch64-linux-gnu/{_C_LIBRARY[0]}", root / "usr" / "lib" / _C_LIBRARY[0])
        for pattern in ("libteec.so*", "libckteec.so*", "libcrypto.so*", "libzstd.so*", "libgcc_s.so*"):
            # libgcc_s is loaded by name when a thread is cancelled: xl aborts at its end without it.
            copy_all((sid / _LIBRARIES).glob(pattern), libraries)
        copy_all(toolstack.rglob("libz.so*"), libraries)
        for program in ("usr/bin/busybox", "usr/bin/xtest", "usr/sbin/tee-supplicant"):
            shutil.copy(sid / program, root / program)
        for folder in ("usr/lib/optee_armtz", "usr/lib/tee-supplicant"):
            shutil.copytree(sid / folder, root / folder, symlinks=True)
        self._modules(root, drivers, _GUEST_MODULES)
        shutil.copy(GUEST_FILES / "init", root / "init")
        (root / "guest").mkdir()
        for script in ("xtest", "dom0", "attack"):
            shutil.copy(GUEST_FILES / script, root / "guest" / script)

    def _toolstack(self, root: Path, toolstack: Path, drivers: Path) -> None:
        for folder in (_LIBRARIES, Path("boot"), Path("etc"), Path("usr/bin"), Path("usr/lib/modules")):
            (root / folder).mkdir(parents=True)
        copy_all((file for file in toolstack.rglob("*.so*") if "aarch64-linux-gnu" in file.parts), root / _LIBRARIES)
        versioned = the_one(toolstack / "usr" / "lib", "xen-4.*", self._log)
        shutil.copytree(versioned / "bin", root / "usr" / "lib" / versioned.name / "bin", symlinks=True,
                        ignore=shutil.ignore_patterns("oxenstored"))
        os.symlink(f"{versioned.name}/bin", root / "usr" / "lib" / "xen-tools")     # a name without the version, for init
        shutil.copytree(toolstack / "etc" / "xen", root / "etc" / "xen", symlinks=True)
        copy_all((toolstack / "usr" / "bin").glob("xenstore*"), root / "usr" / "bin")
        shutil.copy(toolstack / "usr" / "sbin" / "xenhypfs", root / "usr" / "bin" / "xenhypfs")
        self._modules(root, drivers, _DOM0_MODULES)
        os.link(self._folder / KERNEL, root / "boot" / KERNEL)
        os.link(self._folder / BASE, root / "boot" / BASE)

    def _modules(self, root: Path, drivers: Path, names: Iterable[str]) -> None:
        for name in names:
            if not (drivers / name).is_file():
                raise StackError(f"the kernel package has no module {name}", log=self._log,
                                 advice="the kernel has changed: stack/rootfs.py must follow")
            shutil.copy(drivers / name, root / "usr" / "lib" / "modules" / Path(name).name)


def the_one(folder: Path, pattern: str, log: Path) -> Path:
    """What a package has exactly once, under a name that has a version in it."""
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise StackError(f"expected one {pattern} among the unpacked packages, found {len(found)}", log=log,
                         advice="a package has changed its layout: what unpacks it must follow (stack/rootfs.py and its users)")
    return found[0]


def skeleton(root: Path, libraries: Path) -> None:
    """The folders of a guest, and the names that its kernel and its scripts look for."""
    for folder in (libraries, Path("etc"), Path("root"), Path("usr/bin"), Path("usr/sbin"), Path("usr/lib/modules")):
        (root / folder).mkdir(parents=True)
    for name in ("bin", "sbin", "lib"):
        os.symlink(f"usr/{name}", root / name)
    os.symlink("busybox", root / "usr" / "bin" / "sh")


def copy_all(files: Iterable[Path], folder: Path) -> None:
    """Copies files and links as they are: a library's names are links to each other."""
    for file in files:
        shutil.copy(file, folder / file.name, follow_symlinks=False)
