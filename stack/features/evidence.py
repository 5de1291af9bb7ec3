# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""What a boot has shown about features: facts that guests and dom0 print, and the mediator's counters.

    @control|fact death.memory when=before free_mib=2201         from dom0
    @share|fact share.buffer bytes=16777216 last_byte=reached    from a domU named share
    @control|created share 3                                     dom0 names a domain
"""

from __future__ import annotations

from dataclasses import dataclass, field

from stack.counters import CounterReader


@dataclass(frozen=True)
class Fact:
    """One line `fact NAME KEY=VALUE ...`: who said it, and what."""

    speaker: str
    name: str
    values: dict[str, str]
    xen_lines_before: int = 0           # how many lines Xen had printed by then

    def number(self, key: str) -> int:
        """A value as a number; absent, or not a number, is -1: it fails whatever is asked of it."""
        try:
            return int(self.values[key])
        except (KeyError, ValueError):
            return -1


@dataclass
class Evidence:
    """Everything that judges may look at. Feed lines with hear() and hear_xen()."""

    facts: list[Fact] = field(default_factory=list)
    domains: list[tuple[str, int]] = field(default_factory=list)    # name and number, in the order of creation
    problems: list[str] = field(default_factory=list)               # of the boot as a whole
    xen_lines: list[str] = field(default_factory=list)
    counters: CounterReader = field(default_factory=CounterReader)

    def hear(self, speaker: str, line: str) -> None:
        """A line of a guest, or of dom0's control stream."""
        words = line.strip().split()
        if len(words) >= 2 and words[0] == "fact":
            values = dict(word.split("=", 1) for word in words[2:] if "=" in word)
            self.facts.append(Fact(speaker, words[1], values, len(self.xen_lines)))
        elif speaker == "control" and len(words) == 3 and words[0] == "created" and words[2].isdigit():
            self.domains.append((words[1], int(words[2])))

    def hear_xen(self, line: str) -> None:
        """A line of Xen."""
        self.counters.feed(line)
        self.xen_lines.append(line)

    def all(self, name: str) -> list[Fact]:
        """The facts of a name, in the order in which they came."""
        return [fact for fact in self.facts if fact.name == name]

    def last(self, name: str) -> Fact | None:
        """The newest fact of a name."""
        found = self.all(name)
        return found[-1] if found else None

    def counters_of(self, name: str) -> dict[str, int]:
        """The counters of the newest domain of a name; none for a mediator that has none."""
        numbers = [number for known, number in self.domains if known == name]
        return self.counters.complete.get(numbers[-1], {}) if numbers else {}
