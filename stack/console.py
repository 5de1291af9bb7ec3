# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""One serial line that Xen, dom0 and, through dom0, the domUs share: who said what.

Xen writes whole lines, but at any place in a line of dom0, whose console driver hands its text over in pieces of 16
bytes. dom0 puts the name of a stream before each line that it passes on:

    @domu1|  regression_1004 OK
    @control|created domu1 1

A line without such a name is dom0's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_XEN = "(XEN) "
_NAMED = re.compile(r"@(\w+)\|(.*)")
OWN = "dom0"


class Console:
    """Takes the bytes as they come, gives lines to whom they belong."""

    def __init__(self, xen: Callable[[str], None], streams: Mapping[str, Callable[[str], None]]) -> None:
        self._xen = xen
        self._streams = streams
        self._bytes = b""
        self._carried = ""              # the beginning of a line that Xen has spoken into

    def feed(self, data: bytes) -> None:
        """More of the console's output."""
        *lines, self._bytes = (self._bytes + data).split(b"\n")
        for line in lines:
            self._line(line.decode(errors="replace").rstrip("\r"))

    def _line(self, line: str) -> None:
        before, xen, said = line.partition(_XEN)
        if xen:
            self._carried += before
            self._xen(xen + said)
            return
        line, self._carried = self._carried + line, ""
        match = _NAMED.fullmatch(line)
        name, text = (match[1], match[2]) if match else (OWN, line)
        if name in self._streams:
            self._streams[name](text)


# What Xen's emulated serial port holds back, without the end of the line.
_PIECE = 126
_OF_GUEST = re.compile(r"\(XEN\) DOM(\d+): (.*)")


class StaticConsole:
    """Lines of guests that have no console but Xen's, which prints them with the number of the domain.

    Xen cuts what is longer than its buffer: a piece that fills it goes on in the guest's next line.
    """

    def __init__(self, guests: Mapping[int, Callable[[str], None]]) -> None:
        self._guests = guests
        self._carried = dict.fromkeys(guests, "")

    def feed(self, line: str) -> bool:
        """One line of Xen's; False when no guest has said it."""
        match = _OF_GUEST.fullmatch(line)
        if match is None or int(match[1]) not in self._guests:
            return False
        number, text = int(match[1]), match[2]
        if len(text) == _PIECE:
            self._carried[number] += text
        else:
            self._guests[number]((self._carried[number] + text).rstrip("\r"))
            self._carried[number] = ""
        return True
