# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Xen out of a Debian source package: as it is with upstream's mediator, with our patches, or with our mediator laid over it."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from stack import process, versions
from stack.cache import Cache, content_hash, default_root
from stack.errors import StackError
from stack.make import Build, copy_tree
from stack.observer import StderrObserver
from stack.packages import NotServed, Suite, identity

TOP = Path(__file__).resolve().parent.parent
OVERLAY = TOP / "ports" / "xen" / "overlay"
MEASURE = TOP / "ports" / "xen" / "measure" / "lay"
# As it is; upstream's mediator with the patches of ports/xen/patches; ours, with the patches, too.
MEDIATORS = ("upstream", "patched", "ours")
HYPERVISOR = "xen"
_NOT_SERVED_STATUS = 3
_SECONDS = 1800
_OVERLAY_SECONDS = 120
# What is laid over Xen; a change here rebuilds Xen and nothing else.
_PATCHES = "ports/xen/patches"
_OUR_SOURCES = {"upstream": (), "patched": ("ports/xen/overlay", _PATCHES), "ours": ("core", "include", "ports/xen")}


@dataclass(frozen=True)
class Architecture:
    """How Xen's build calls an architecture, and which Debian packages compile for it."""

    xen_name: str
    cross: str
    packages: tuple[str, ...]
    early_console: bool


ARCHITECTURES = {
    "arm64": Architecture("arm64", "aarch64-linux-gnu-", ("gcc-aarch64-linux-gnu", "g++-aarch64-linux-gnu"), True),
    "arm32": Architecture("arm32", "arm-linux-gnueabihf-", ("gcc-arm-linux-gnueabihf", "g++-arm-linux-gnueabihf"),
                          False),
}
_MEDIATOR_OPTIONS = {"upstream": "CONFIG_OPTEE", "patched": "CONFIG_OPTEE", "ours": "CONFIG_OPTEE_MEDIATOR"}
# Nothing of the building machine in the binary.
_ANONYMOUS = ("XEN_BUILD_DATE=-", "XEN_BUILD_TIME=-", "XEN_BUILD_HOST=-", "XEN_DOMAIN=-", "XEN_WHOAMI=-")


def build(cache: Cache, suite: Suite, mediator: str, architecture: str, jobs: int, measured: bool = False) -> Path:
    """The folder with xen, xen-syms and the configuration that was used. `measured`: it counts instructions, for ./bench."""
    if mediator != "upstream" and not OVERLAY.is_file():
        raise StackError("our mediator has no port to Xen in this tree: ports/xen/overlay is missing",
                         advice="use --mediator upstream")
    source = suite.source("xen")
    inputs = {"source": identity(source.parent),
              "recipe": content_hash([Path(__file__)], Path(__file__).parent)}
    if ours := _OUR_SOURCES[mediator]:
        inputs["mediator"] = content_hash([TOP / name for name in ours], TOP)
    if measured:
        inputs["measure"] = content_hash([MEASURE.parent], TOP)
    name = f"xen-{suite.name}-{architecture}-{mediator}{'-measured' if measured else ''}"

    def make(folder: Path, log: Path) -> None:
        with _WorkTree(cache.root / "work" / name, _tree_identity(inputs, mediator)).open(source) as tree:
            if measured:
                process.run([str(MEASURE), str(tree)], log=log, seconds=_OVERLAY_SECONDS, observer=cache.observer,
                            what="laying the counting of instructions over Xen's source")
            _build(cache, tree, mediator, architecture, folder, log, jobs)

    return cache.make(name, inputs, make)


def _tree_identity(inputs: Mapping[str, str], mediator: str) -> str:
    """A tree may be used again while only contents of our files change; which files there are must be the same, and so
    must the patches, since a patched file cannot be patched again."""
    ours = _OUR_SOURCES[mediator]
    names = sorted(str(path.relative_to(TOP)) for folder in ours for path in (TOP / folder).rglob("*")
                   if "__pycache__" not in path.parts)
    patches = [content_hash([TOP / _PATCHES], TOP)] if ours else []
    return json.dumps([inputs["source"], inputs["recipe"], names, *patches])


class _WorkTree:
    """A tree that is kept between builds, since after a change of the core all the rest of Xen stays as it is.

    Used under the lock of its step. A build that was interrupted may have left half an object file that looks new, so the
    mark of a tree that is whole is only there between builds.
    """

    def __init__(self, folder: Path, identity_text: str) -> None:
        self._folder = folder
        self._mark = folder.with_name(folder.name + ".whole")
        self._identity = identity_text

    @contextlib.contextmanager
    def open(self, source: Path) -> Iterator[Path]:
        whole = self._mark.is_file() and self._mark.read_text() == self._identity
        self._mark.unlink(missing_ok=True)
        if not whole:
            shutil.rmtree(self._folder, ignore_errors=True)
            copy_tree(source, self._folder)
        yield self._folder
        self._mark.write_text(self._identity)


def _build(cache: Cache, tree: Path, mediator: str, architecture: str, folder: Path, log: Path, jobs: int) -> None:
    if mediator != "upstream":
        only = ["--only-patches"] if mediator == "patched" else []
        process.run([str(OVERLAY), *only, str(tree)], log=log, seconds=_OVERLAY_SECONDS, observer=cache.observer,
                    what="changing Xen's source to ours", advice="ports/xen/README.md")
    arch = ARCHITECTURES[architecture]
    config = tree / "xen" / ".config"
    arguments = [f"XEN_TARGET_ARCH={arch.xen_name}", f"CROSS_COMPILE={arch.cross}", *_ANONYMOUS]
    xen = Build(cache, f"Xen {architecture} {mediator}", log, _SECONDS, jobs)
    if not config.is_file():                # written anew it would be newer than every object
        config.write_text("".join(f"{line}\n" for line in configuration(mediator, arch)))
        xen.make(tree / "xen", [*arguments, "olddefconfig"])
    check_configuration(config.read_text(), mediator, log)
    xen.make(tree / "xen", arguments)
    shutil.copy(tree / "xen" / "xen", folder / HYPERVISOR)
    shutil.copy(tree / "xen" / "xen-syms", folder / "xen-syms")
    shutil.copy(config, folder / "config")
    xen.finished()


def configuration(mediator: str, arch: Architecture) -> list[str]:
    """The options that differ from Xen's defaults."""
    lines = ["CONFIG_EXPERT=y", "CONFIG_UNSUPPORTED=y", "CONFIG_TEE=y"]
    wanted = _MEDIATOR_OPTIONS[mediator]
    for option in sorted(set(_MEDIATOR_OPTIONS.values())):
        lines.append(f"{option}=y" if option == wanted else f"# {option} is not set")
    if arch.early_console:
        lines += ["CONFIG_EARLY_UART_CHOICE_PL011=y", "CONFIG_EARLY_UART_PL011=y", "CONFIG_EARLY_PRINTK=y",
                  "CONFIG_EARLY_UART_BASE_ADDRESS=0x09000000"]
    return lines


def check_configuration(text: str, mediator: str, log: Path) -> None:
    """Kconfig drops, without a word, what it does not know or cannot satisfy."""
    options = set(_MEDIATOR_OPTIONS.values())
    chosen = [option for option in sorted(options) if re.search(rf"^{option}=y$", text, re.MULTILINE)]
    if chosen != [_MEDIATOR_OPTIONS[mediator]]:
        raise StackError(f"Xen's configuration has {chosen or 'no mediator'}, asked for: {mediator}", log=log,
                         advice="see Kconfig in the overlay (ports/xen)")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="stack/xen_build",
        description="Builds Xen from a Debian source package and prints the path of the hypervisor's image.",
        epilog=f"Exit status: 0 built; 1 failed, with a message; {_NOT_SERVED_STATUS} the mirror lists the source "
               "package but does not serve it at the moment.")
    parser.add_argument("--suite", default="bookworm", help="bookworm (default), sid, ...")
    parser.add_argument("--mediator", choices=MEDIATORS, default="ours", help="which mediator (default: ours)")
    parser.add_argument("--arch", choices=sorted(ARCHITECTURES), default="arm64", help="default: arm64")
    parser.add_argument("--out", type=Path, metavar="DIR", help="also copy xen, xen-syms and config there")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="default: one per core")
    arguments = parser.parse_args()
    try:
        install_compilers(arguments.arch)
        cache = Cache(default_root(), StderrObserver())
        suite = Suite(arguments.suite, cache, versions.load())
        result = build(cache, suite, arguments.mediator, arguments.arch, arguments.jobs)
        if arguments.out is not None:
            arguments.out.mkdir(parents=True, exist_ok=True)
            result = Path(shutil.copytree(result, arguments.out, dirs_exist_ok=True))
        print(result / HYPERVISOR)
    except StackError as problem:
        print(problem.explain(), file=sys.stderr)
        return _NOT_SERVED_STATUS if isinstance(problem, NotServed) else 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def install_compilers(architecture: str) -> None:
    """The cross compilers are installed here, since each architecture needs others."""
    status = os.spawnv(os.P_WAIT, TOP / "tools" / "require_packages",
                       ["require_packages", *ARCHITECTURES[architecture].packages])
    if status != 0:
        raise StackError("the compilers are missing", advice="see the message above")


if __name__ == "__main__":
    sys.exit(main())
