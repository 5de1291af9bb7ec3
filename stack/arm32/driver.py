# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Linux's driver of OP-TEE for Debian's 32-bit kernel, which is built without it: tee.ko and optee.ko.

Unchanged, out of Debian's own source of the same version, with the headers of the very kernel that boots. Debian's modpost
for other machines than this one takes 32-bit structures to be as long as those of 64 bits (and stops at the driver's table of
devices), so it comes out of the same source, too, and takes that one's place.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stack import process
from stack.cache import Cache, content_hash
from stack.errors import StackError
from stack.make import Build
from stack.packages import Suite, got_versions, identity

MODULES = ("tee.ko", "optee.ko")
HOST_PACKAGES = ("linux-kbuild-6.1",)           # the kernel's build scripts, which are programs of this machine
_KBUILD = Path("/usr/lib") / HOST_PACKAGES[0]
_HEADERS, _SOURCE = "linux-headers-armmp", "linux-source-6.1"
_DRIVER, _MODPOST = "drivers/tee", "scripts/mod"
_NEEDED = (_DRIVER, _MODPOST, "include/linux/license.h", "include/linux/mod_devicetable.h")
_ARGUMENTS = ("ARCH=arm", "CROSS_COMPILE=arm-linux-gnueabihf-")
_SECONDS = 900


@dataclass(frozen=True)
class Packages:
    """Folders of fetched packages."""

    headers: Path               # of this kernel
    common: Path                # of all kernels of this version
    source: Path

    @property
    def all(self) -> tuple[Path, ...]:
        return self.headers, self.common, self.source


def fetch(bookworm: Suite) -> Packages:
    """What the modules are built of; the headers name the package of those that they share with other kernels."""
    headers = bookworm.binaries("headers-armhf", (_HEADERS,), "armhf")
    depends = process.output(["dpkg-deb", "--field", str(headers / f"{_HEADERS}.deb"), "Depends"])
    return Packages(headers, bookworm.binaries("headers-common", (common_headers(depends),)),
                    bookworm.binaries("linux-source", (_SOURCE,)))


def common_headers(depends: str) -> str:
    """The package of the common headers, out of the dependencies of a kernel's own."""
    match = re.search(r"\b(linux-headers-[\w.+-]+-common)\b", depends)
    if match is None:
        raise StackError(f"{_HEADERS} depends on no common headers: {depends.strip() or 'nothing'}",
                         advice="Debian has changed the packages of its kernel: stack/arm32/driver.py must follow")
    return match[1]


def require_one_version(folders: Iterable[Path]) -> None:
    """A kernel takes modules of its own version only."""
    found = {f"{wanted.package} {pin.version}" for folder in folders for wanted, pin in got_versions(folder).items()}
    if len({each.split()[1] for each in found}) != 1:
        raise StackError(f"kernel, headers and source are not of one version: {', '.join(sorted(found))}",
                         advice="the mirror is between two versions: wait until it is in order again")


def build(cache: Cache, kernel: Path, packages: Packages, jobs: int) -> Path:
    """The folder with the modules for the kernel of a fetched package."""
    require_one_version((kernel, *packages.all))
    inputs = {**{name: identity(folder) for name, folder in zip(("headers", "common", "source"), packages.all)},
              "kbuild": process.output(["dpkg-query", "--show", *HOST_PACKAGES]).strip(),
              "recipe": content_hash([Path(__file__)], Path(__file__).parent)}
    return cache.make("tee-driver-armhf", inputs, lambda folder, log: _Builder(cache, packages, folder, log, jobs).build())


class _Builder:
    def __init__(self, cache: Cache, packages: Packages, folder: Path, log: Path, jobs: int) -> None:
        self._cache = cache
        self._packages = packages
        self._folder = folder
        self._log = log
        self._kernel = Build(cache, "Linux's OP-TEE driver", log, _SECONDS, jobs)

    def build(self) -> None:
        unpacked, tree = self._folder / "unpacked", self._folder / "linux"
        headers = self._unpack_headers(unpacked)
        self._unpack_source(unpacked, tree)
        scripts = unpacked / "usr" / "lib" / _KBUILD.name / "scripts"
        self._kernel.make(headers, [*_ARGUMENTS, f"M={tree / _MODPOST}", "modules"])
        shutil.copy(tree / _MODPOST / "modpost", scripts / "mod" / "modpost")
        self._kernel.make(headers, [*_ARGUMENTS, f"M={tree / _DRIVER}", "CONFIG_TEE=m", "CONFIG_OPTEE=m", "modules"])
        for module, place in zip(MODULES, ("", "optee")):
            shutil.copy(tree / _DRIVER / place / module, self._folder / module)
        for folder in (unpacked, tree):
            shutil.rmtree(folder)
        self._kernel.finished()

    def _unpack_headers(self, target: Path) -> Path:
        """The headers as they would be installed, but here: they know each other by absolute names."""
        for package in (*self._packages.headers.glob("*.deb"), *self._packages.common.glob("*.deb")):
            self._run(f"unpacking {package.name}", "dpkg-deb", "--extract", str(package), str(target))
        shutil.copytree(_KBUILD, target / "usr" / "lib" / _KBUILD.name, symlinks=True)
        common, own = (self._one(target / "usr" / "src", pattern)
                       for pattern in ("linux-headers-*-common", "linux-headers-*-armmp"))
        (own / "Makefile").write_text(f"include {common}/Makefile\n")
        return own

    def _unpack_source(self, unpacked: Path, target: Path) -> None:
        """Only what is built, out of an archive in an archive."""
        self._run(f"unpacking {_SOURCE}", "dpkg-deb", "--extract", str(self._packages.source / f"{_SOURCE}.deb"), str(unpacked))
        archive = unpacked / "usr" / "src" / f"{_SOURCE}.tar.xz"
        target.mkdir()
        self._run(f"unpacking {archive.name}", "tar", "-xJf", str(archive), "-C", str(target), "--strip-components=1",
                  *(f"{_SOURCE}/{name}" for name in _NEEDED))

    def _one(self, folder: Path, pattern: str) -> Path:
        found = list(folder.glob(pattern))
        if len(found) != 1:
            raise StackError(f"expected one {pattern} among the unpacked packages, found {len(found)}", log=self._log,
                             advice="a package has changed its layout: stack/arm32/driver.py must follow")
        return found[0]

    def _run(self, what: str, *command: str) -> None:
        self._cache.observer.doing(what)
        process.run(command, log=self._log, seconds=_SECONDS, observer=self._cache.observer, what=what)
