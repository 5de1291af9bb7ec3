# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""What the commands share: packages of this machine, its limits, a folder for logs, and how a command ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from stack import process
from stack.build_xen import TOP
from stack.cache import Cache, default_root
from stack.errors import StackError
from stack.progress import Progress

_HOST_PACKAGES = ("qemu-system-arm", "device-tree-compiler", "dpkg-dev", "make", "gcc", "libc6-dev", "libssl-dev",
                  "gcc-aarch64-linux-gnu", "g++-aarch64-linux-gnu", "bison", "flex", "cpio", "xz-utils", "python3",
                  "python3-pyelftools", "python3-cryptography", "util-linux")
_CACHE_BYTES = 3 << 30
_MEMORY_KIB = 3 << 20
_RUNS_KEPT = 8


def run_folder(cache: Cache) -> Path:
    """A folder for the logs of this run; the oldest ones go."""
    runs = cache.root / "run"
    runs.mkdir(parents=True, exist_ok=True)
    for old in sorted(runs.iterdir(), key=lambda folder: folder.stat().st_mtime, reverse=True)[_RUNS_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
    folder = runs / f"{time.strftime('%Y-%m-%d-%H%M%S')}-{os.getpid()}"
    folder.mkdir()
    return folder


def _check_machine(cache: Cache) -> None:
    """What cannot be installed: memory and disk."""
    available = next((int(line.split()[1]) for line in Path("/proc/meminfo").read_text().splitlines()
                      if line.startswith("MemAvailable:")), _MEMORY_KIB)
    if available < _MEMORY_KIB:
        raise StackError(f"the machine has {available >> 10} MiB of memory to give; QEMU's guest needs {_MEMORY_KIB >> 10}",
                         advice="end what uses memory, then run the same command again")
    free = shutil.disk_usage(cache.root).free
    if free < _CACHE_BYTES:
        raise StackError(f"{cache.root} has {free >> 20} MiB left; the stack needs up to {_CACHE_BYTES >> 20}",
                         advice="free some, or choose another disk with XDG_CACHE_HOME=folder")


@contextlib.contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Being asked to end is the same as Ctrl-C: every child is ended on the way out."""
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    # Also SIGINT: a shell starts what it puts into the background with that signal ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    yield


def install(packages: Sequence[str]) -> None:
    """Packages of this machine: before anything is drawn, since apt-get and sudo want the terminal for themselves."""
    tool = TOP / "tools" / "require_packages"
    if subprocess.run([str(tool), *packages], check=False, env=process.clean_environment()).returncode != 0:
        raise StackError("packages of this machine are missing", advice="see the message above")


def run(progress: Progress, work: Callable[[Cache], int], packages: Sequence[str] = ()) -> int:
    """Does a command's work on a machine that has what it needs, `packages` too; its exit status, whatever happens."""
    try:
        with _signals_interrupt():
            install((*_HOST_PACKAGES, *packages))
            cache = Cache(default_root(), progress)
            _check_machine(cache)
            return work(cache)
    except StackError as problem:
        progress.end("failed")
        progress.close()
        print(problem.explain(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        progress.close()
        print("interrupted: everything that was started has been ended", file=sys.stderr)
        return 130
