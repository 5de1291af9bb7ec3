# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Child processes with a log and a time limit, none of which outlives us."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from stack.errors import StackError
from stack.observer import Observer

_POLL_SECONDS = 0.2
_GRACE_SECONDS = 3.0

# A build tool from /usr/local may be another one than the package that we installed: OP-TEE's scripts, for example,
# need the distribution's python3 with pyelftools.
_SYSTEM_PATH = "/usr/bin:/usr/sbin:/bin:/sbin"


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for builds: the distribution's tools first, messages in one language, no flags from outside."""
    environment = {name: value for name, value in os.environ.items()
                   if name not in {"CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "MAKEFLAGS", "MFLAGS", "ARCH",
                                   "CROSS_COMPILE", "PYTHONPATH", "PYTHONHOME"}}
    environment["PATH"] = _SYSTEM_PATH + ":" + environment.get("PATH", "")
    environment["LC_ALL"] = "C.UTF-8"
    environment["DEBIAN_FRONTEND"] = "noninteractive"
    environment.update(extra or {})
    return environment


def start(command: Sequence[str], **arguments) -> subprocess.Popen:
    """Starts a process as leader of a session of its own, which dies with us even when we are killed outright."""
    return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *command], start_new_session=True, **arguments)


def end(process: subprocess.Popen) -> None:
    """Ends the process and everything that it started: politely, then not."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
        except (ProcessLookupError, PermissionError):
            break
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        if not _group_exists(process.pid):
            break
    process.wait()


def _group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def run(command: Sequence[str], *, log: Path, seconds: float, observer: Observer, what: str, advice: str = "",
        cwd: Path | None = None, environment: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] | None = None) -> None:
    """Runs a command to its end; its output is appended to the log. Raises StackError when it fails or takes too long.

    on_line sees each line of output as it comes: that is how far a build has got.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        sink.write(f"\n$ {' '.join(command)}\n".encode())
        sink.flush()
        begin = sink.tell()
        process = start(list(command), cwd=cwd, env=clean_environment(environment), stdin=subprocess.DEVNULL,
                        stdout=sink, stderr=subprocess.STDOUT)
    try:
        status = _wait(process, log, begin, seconds, observer, on_line)
    finally:
        if process.poll() is None or _group_exists(process.pid):
            end(process)
    if status is None:
        raise StackError(f"{what}: not finished after {seconds:.0f} s, ended", log=log,
                         advice=advice or "the machine may be busy: run the same command again")
    if status != 0:
        raise StackError(f"{what}: {command[0]} ended with status {status}", log=log, advice=advice)


def _wait(process: subprocess.Popen, log: Path, begin: int, seconds: float, observer: Observer,
          on_line: Callable[[str], None] | None) -> int | None:
    """The exit status, or None when the time is over."""
    deadline = time.monotonic() + seconds
    with log.open("rb") as source:
        source.seek(begin)
        rest = b""
        while True:
            status = process.poll()
            if on_line is not None:
                *lines, rest = (rest + source.read()).split(b"\n")
                for line in lines:
                    on_line(line.decode(errors="replace"))
            if status is not None:
                return status
            if time.monotonic() > deadline:
                return None
            observer.tick()
            time.sleep(_POLL_SECONDS)


def output(command: Sequence[str], *, seconds: float = 60, environment: Mapping[str, str] | None = None) -> str:
    """Standard output of a short command that only asks something; its complaints are dropped with its failure."""
    result = subprocess.run(list(command), env=clean_environment(environment), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=seconds, check=False)
    return result.stdout.decode(errors="replace") if result.returncode == 0 else ""
