# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The mediator's own counters, read out of Xen's console.

The mediator prints, for debug key T and when a domain dies, one line per counter and a line that ends the set:

    (XEN) optee-mediator: d1 calls_with_arg=42
    (XEN) optee-mediator: d1 end
"""

from __future__ import annotations

import re

_LINE = re.compile(r"\(XEN\).*?\boptee-mediator: d(\d+) (?:(end)|(\w+)=(\d+))\s*$")


class CounterReader:
    """Keeps the last complete set of every domain: a set that was cut off must not replace a whole one."""

    def __init__(self) -> None:
        self._open: dict[int, dict[str, int]] = {}
        self.complete: dict[int, dict[str, int]] = {}

    def feed(self, line: str) -> None:
        """One line of the console."""
        match = _LINE.search(line)
        if match is None:
            return
        domain = int(match[1])
        if match[2]:
            self.complete[domain] = self._open.pop(domain, {})
        else:
            self._open.setdefault(domain, {})[match[3]] = int(match[4])

    def by_name(self, names: dict[int, str]) -> dict[str, dict[str, int]]:
        """The counters of the domains that have a name for us."""
        return {names[domain]: counters for domain, counters in sorted(self.complete.items()) if domain in names}
