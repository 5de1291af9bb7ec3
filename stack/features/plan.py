# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Which features there are, in the order of the table, and how each kind of boot is done."""

from __future__ import annotations

from collections.abc import Sequence

from stack.errors import StackError
from stack.features import calls, death, dom0less, interrupts, kernels, policy, sharing
from stack.features.row import Feature


def features(rounds: int) -> list[Feature]:
    """All of them. A feature that may take the machine down comes last in its boot."""
    return [calls.FEATURE, interrupts.FEATURE, sharing.FEATURE, death.feature(rounds), policy.FEATURE, kernels.FEATURE,
            dom0less.FEATURE]


def chosen(names: str, rounds: int) -> list[Feature]:
    """Those that the command line names, with commas; `all` is all."""
    known = features(rounds)
    if names == "all":
        return known
    wanted = names.split(",")
    unknown = sorted(set(wanted) - {feature.name for feature in known})
    if unknown:
        raise StackError(f"no feature is named {', '.join(unknown)}",
                         advice=f"there are: {', '.join(feature.name for feature in known)}")
    return [feature for feature in known if feature.name in wanted]


def boots(wanted: Sequence[Feature]) -> list[tuple[str, list[Feature]]]:
    """The boots that are needed, and what runs in each."""
    kinds = dict.fromkeys(feature.boot for feature in wanted)
    return [(kind, [feature for feature in wanted if feature.boot == kind]) for kind in kinds]
