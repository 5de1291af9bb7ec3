# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Which attacks there must be, and which there are."""

from dataclasses import dataclass

from attack_table.play import attack_id

# Attacks by their first letter: F01 to F17, and so on. What has another id comes on top.
group_sizes = {"F": 17, "B": 18, "P": 21, "N": 13, "S": 13, "R": 32, "L": 16, "Q": 11, "D": 11, "T": 16, "X": 7}


@dataclass(frozen=True)
class Attack:
    """One attack: what is tried, what must come of it, and under which schedules it is played."""

    id: str
    title: str
    required: str
    schedules: tuple


def wanted() -> list[str]:
    return [f"{group}{number:02d}" for group, size in group_sizes.items() for number in range(1, size + 1)]


def missing(attacks) -> list[str]:
    """The ids of the catalogue that are not among these."""
    return [one for one in wanted() if one not in attacks]


def attacks_of(programs) -> dict[str, Attack]:
    """All attacks of these programs, by id, in the order of the catalogue; what it does not have comes last."""
    found = {}
    for program in programs:
        for suite in program.list()["testsuites"]:
            if attack_id.fullmatch(suite["name"]):
                found.setdefault(suite["name"], attack_of(suite))
    order = {one: place for place, one in enumerate(wanted())}
    return dict(sorted(found.items(), key=lambda pair: (order.get(pair[0], len(order)), pair[0])))


def attack_of(suite) -> Attack:
    # attack.hpp puts the title and the outcome where GoogleTest has a type and a value.
    tests = suite["testsuite"]
    return Attack(suite["name"], tests[0].get("type_param", ""), tests[0].get("value_param", ""),
                  tuple(test["name"] for test in tests))
