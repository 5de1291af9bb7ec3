# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Everything fetched or built, outside the clone; each result is complete or absent.

A result lives in <cache>/<step>/<key>/, where the key is a hash of all that went into it. It is made in a folder of
another name and renamed when it is complete, so that an interrupted run leaves nothing that a later one would trust.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from stack.errors import StackError
from stack.observer import Observer

_RESULTS_KEPT = 4               # per step: switching between branches or mediators need not rebuild
_LOCK_SECONDS = 3600            # longer than the longest step that another run may be in


def default_root() -> Path:
    """$XDG_CACHE_HOME/optee-mediator, as the XDG base directory specification has it."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "optee-mediator"


def content_hash(paths: Iterable[Path], root: Path) -> str:
    """One hash over names and contents of files and of all files below folders; absent paths count as absent."""
    digest = hashlib.sha256()
    for path in sorted(_files(paths)):
        digest.update(f"{path.relative_to(root)}\0{os.access(path, os.X_OK)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_file():
            yield path
        elif path.is_dir():
            yield from (file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)


class Cache:
    """Results of steps, their logs and their locks."""

    def __init__(self, root: Path, observer: Observer) -> None:
        self.root = root
        self.observer = observer
        self.made = 0                   # results that had to be made, by this process
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise StackError(f"cannot make the cache {root}: {problem.strerror}",
                             advice="choose another place with XDG_CACHE_HOME=folder") from problem

    def log(self, step: str) -> Path:
        """The log of the last time that a step was made."""
        return self.root / "log" / f"{step}.log"

    def result(self, step: str, inputs: Mapping[str, str]) -> Path:
        """Where the result of a step with these inputs is, or will be."""
        key = hashlib.sha256(json.dumps(dict(inputs), sort_keys=True).encode()).hexdigest()[:16]
        return self.root / step / key

    def make(self, step: str, inputs: Mapping[str, str], build: Callable[[Path, Path], None]) -> Path:
        """The folder with the result of a step; build(folder, log) fills it when it is not there yet."""
        target = self.result(step, inputs)
        with self.lock(step):
            if not target.is_dir():
                self._build(step, inputs, target, build)
            os.utime(target)
            self._forget_old(target)
        return target

    def _build(self, step: str, inputs: Mapping[str, str], target: Path, build: Callable[[Path, Path], None]) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        for abandoned in target.parent.glob("unfinished-*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        unfinished = target.parent / f"unfinished-{os.getpid()}"
        unfinished.mkdir()
        log = self.log(step)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")
        try:
            build(unfinished, log)
            (unfinished / "inputs.json").write_text(json.dumps(dict(inputs), indent=2, sort_keys=True) + "\n")
            unfinished.rename(target)
            self.made += 1
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    @staticmethod
    def _forget_old(target: Path) -> None:
        results = sorted((folder for folder in target.parent.iterdir() if not folder.name.startswith("unfinished-")),
                         key=lambda folder: folder.stat().st_mtime, reverse=True)
        for folder in results[_RESULTS_KEPT:]:
            shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Keeps a second run out while a step is made; the kernel drops the lock when its owner dies."""
        path = self.root / "lock" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+") as file:
            self._acquire(file, name)
            file.seek(0)
            file.truncate()
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield

    def _acquire(self, file, name: str) -> None:
        deadline = time.monotonic() + _LOCK_SECONDS
        said = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                file.seek(0)
                owner = file.read().strip() or "unknown"
            if not said:
                self.observer.note(f"waiting: another run (process {owner}) is at step {name}")
                said = True
            if time.monotonic() > deadline:
                raise StackError(f"step {name} is locked by process {owner} for more than {_LOCK_SECONDS} s",
                                 advice=f"end process {owner}, then run the same command again")
            self.observer.tick()
            time.sleep(0.3)
