# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The words of the table of features: a row asks for something, a finding says whether it was so and by which figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from stack.features.evidence import Evidence
from stack.machine import MEMORY_MIB


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    id: str                     # feature.aspect, as in the JSON report
    title: str                  # what is asked for, as a reader sees it


@dataclass(frozen=True)
class Finding:
    """What one mediator did about a row."""

    green: bool
    figure: str                 # the number behind it, in a few words
    facts: Mapping[str, object] = field(default_factory=dict)


def not_measured(why: str) -> Finding:
    """Nothing passes by silence."""
    return Finding(False, f"not measured: {why}")


@dataclass(frozen=True)
class Feature:
    """A feature: its rows, what runs in the machine for it, and who judges what that has shown.

    In dom0, `guest/NAME` is sourced and its function feature_NAME is called; in the domUs that it creates with
    `create_for NAME ...` the script `guest/NAME.domu` does the work. Both tell facts: evidence.py has the form.
    """

    name: str
    rows: Sequence[Row]
    judge: Callable[[Evidence], Mapping[str, Finding]]      # a finding for each row's id
    seconds: int                                            # how long it may take in the machine, generously
    guests: Sequence[str] = ()                              # names of its domUs: each has its own stream of output
    boot: str = "toolstack"                                 # features of the same boot run in it one after the other
    xen: str = ""                                           # for Xen's command line: such a feature has a boot of its own
    newer_linux: bool = False                               # its dom0 gets a second kernel (stack/newer_linux.py)
    memory_mib: int = MEMORY_MIB                            # of the machine; the most that a feature of a boot wants
    settings: Mapping[str, str] = field(default_factory=dict)   # for the guests' scripts, as shell variables
