# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""A boot without dom0: the guests' lines come from Xen, and the machine's end is asked for by Xen's debug keys."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from pathlib import Path

from stack.boot import Boot, Limits
from stack.console import StaticConsole
from stack.machine import Machine
from stack.progress import Progress
from stack.static_machine import KEYBOARD
from stack.xtest import GuestRun

_COUNTERS_KEY, _REBOOT_KEY = b"T", b"R"     # QEMU ends where the machine would begin again
_COUNTERS_SECONDS = 2                       # other mediators than ours know no such key and print nothing
_GUEST_OFF_SECONDS = 60
_OFF_SECONDS = 30
_REBOOTING = re.compile(r"\(XEN\) 'R' pressed -> rebooting machine")
_GUEST_IS_OFF = re.compile(r"reboot: Power down")


class Keyboard:
    """The input of Xen's console. What Xen prints is read out of the log, but has to be taken here, too."""

    def __init__(self, folder: Path) -> None:
        # A socket's path may have 107 bytes at most, and nobody knows how deep the cache lies.
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._channel = socket.socket(socket.AF_UNIX)
            self._channel.connect(f"/proc/self/fd/{descriptor}/{KEYBOARD}")
        finally:
            os.close(descriptor)
        self._channel.setblocking(False)

    def press(self, key: bytes) -> None:
        """One key."""
        self._channel.sendall(key)

    def drain(self) -> None:
        """Or QEMU would wait for us."""
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while self._channel.recv(65536):
                pass


class StaticBoot(Boot):
    """Every guest begins by itself, as soon as Xen has made it."""

    work = "xtest"                              # what it runs

    def __init__(self, machine: Machine, guests: list[GuestRun], limits: Limits, progress: Progress) -> None:
        super().__init__(machine, guests, limits, progress)
        names = dict(enumerate((guest.name for guest in guests), start=1))
        self._outcome.domains = names
        self._static = StaticConsole({number: self._line_of(name) for number, name in names.items()})
        self._off: set[str] = set()
        self._ended_at: float | None = None
        self._keyboard: Keyboard | None = None
        self.ran_together = False               # there was a moment at which every guest ran xtest

    def _line_of(self, name: str):
        def consume(line: str) -> None:
            if _GUEST_IS_OFF.search(line):
                self._off.add(name)
            self._guest_streams[name](line)

        return consume

    def _xen_line(self, line: str) -> None:
        if self._static.feed(line):
            return
        super()._xen_line(line)
        if _REBOOTING.search(line):
            self._halted = True

    def _act(self, now: float) -> None:
        """When all guests are off: first the counters, then the end."""
        guests = self._outcome.guests
        if self._ended_at is None:
            running = [guest.name for guest in guests if guest.state == "running"]
            if running:
                self._progress.doing(f"{self.work} runs in {', '.join(running)}")
            self.ran_together |= len(running) == len(guests)
            if all(guest.state == "ended" for guest in guests):
                self._ended_at = now
        elif self._keyboard is None:
            if len(self._off) == len(guests):
                self._press(_COUNTERS_KEY)
                self._ended_at = now
        elif self._done_at is None and now - self._ended_at > _COUNTERS_SECONDS:
            self._done_at = now
            self._progress.doing("powering off")
            self._press(_REBOOT_KEY)
        if self._keyboard is not None:
            self._keyboard.drain()

    def _press(self, key: bytes) -> None:
        if self._keyboard is None:
            self._keyboard = Keyboard(self._machine.folder)
        self._keyboard.press(key)

    def _overdue(self, now: float) -> str:
        limits = self._limits
        age = now - self._begin
        late = [guest.name for guest in self._outcome.guests if guest.state in ("waiting", "ready")]
        if late and age > limits.domus_ready:
            return f"{', '.join(late)} did not begin to run {self.work} after {limits.domus_ready} s: see console.log"
        if age > limits.domus_ready + limits.xtest:
            return f"the machine was not done after {limits.domus_ready + limits.xtest} s"
        if self._ended_at is not None and self._keyboard is None and now - self._ended_at > _GUEST_OFF_SECONDS:
            return f"a guest was done, but not off {_GUEST_OFF_SECONDS} s later: see its log"
        if self._done_at is not None and now - self._done_at > _OFF_SECONDS:
            return f"Xen did not end the machine {_OFF_SECONDS} s after it was told to: see console.log"
        return self._silent_guest(now)
