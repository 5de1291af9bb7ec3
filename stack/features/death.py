# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The end of VMs: destroyed in the middle of calls and RPCs, round after round, and what that leaves behind."""

from __future__ import annotations

import re

from stack.features.evidence import Evidence, Fact
from stack.features.row import Feature, Finding, Row
from stack.features.sharing import LIVE, live_counters

_GUEST = "death"
_ROWS = (
    Row("death.rounds", "VMs destroyed in the midst of calls, RPCs and registrations; the next one works"),
    Row("death.xen_memory", "Xen has as many free pages after them as before"),
    Row("death.optee_memory", "OP-TEE loses no more memory by them than by a VM that ends in good order"),
    Row("death.nothing_held", "every dead VM holds nothing, and its suspended calls were led to their end"),
    Row("death.all_partitions", "afterwards as many VMs work at once as OP-TEE has room for"),
    Row("death.reboot", "a VM that reboots works with OP-TEE again"),
    Row("death.crash", "a VM whose kernel crashes works with OP-TEE again"),
    Row("death.driver", "a VM that stays, but loads its OP-TEE driver anew, works with OP-TEE again"),
)
_HEAP = re.compile(r"heap\[node=\d+\]\[zone=\d+\] -> (\d+) pages")
_ROUND_SECONDS = 40


def _rounds(evidence: Evidence, wanted: int) -> Finding | None:
    rounds = evidence.all("death.round")
    if not rounds:
        return None
    began = [fact for fact in rounds if fact.number("number") > 0 and fact.number("at_work") == 1 and fact.number("gone") == 1]
    ways = dict.fromkeys(fact.values.get("way", "?") for fact in began)
    return Finding(len(began) == wanted, f"{len(began)} of {wanted} ({', '.join(ways)})",
                   {"rounds": len(began), "wanted": wanted, "ways": list(ways)})


def free_pages(lines: list[str]) -> int:
    """The newest heap dump of Xen (debug key H): pages that are free; -1 when there is none."""
    pages = -1
    for line in lines:
        if "'H' pressed" in line:
            pages = 0
        elif (match := _HEAP.search(line)) and pages >= 0:
            pages += int(match[1])
    return pages


def _xen_memory(evidence: Evidence) -> Finding | None:
    at = {fact.values.get("when"): free_pages(evidence.xen_lines[:fact.xen_lines_before])
          for fact in evidence.all("death.memory")}
    if not {"before", "after"} <= at.keys():
        return None
    lost = at["before"] - at["after"]
    return Finding(at["after"] > 0 and lost <= 0, f"{at['before']} free pages before, {at['after']} after", dict(at))


def _optee_memory(evidence: Evidence) -> Finding | None:
    in_use: dict[str, dict[str, int]] = {}
    for fact in evidence.all("optee.memory"):
        in_use.setdefault(fact.values.get("when", ""), {})[fact.values.get("pool", "")] = fact.number("allocated")
    start, before, after = in_use.get("start"), in_use.get("before"), in_use.get("after")
    calm, rounds = len(evidence.all("death.calm")), sum(fact.number("number") > 0 for fact in evidence.all("death.round"))
    if not start or not before or not after or not calm or rounds < 1:
        return None
    figures, green = [], before.keys() == after.keys() == start.keys()
    for pool in before.keys() & after.keys() & start.keys():
        calm_loss, loss = (before[pool] - start[pool]) / calm, (after[pool] - before[pool]) / rounds
        green = green and loss <= max(calm_loss, 0)
        figures.append(f"{pool} {before[pool]} to {after[pool]} bytes" + (f" ({loss:g} per VM; by one that ends in good order: "
                                                                         f"{calm_loss:g})" if loss else ""))
    return Finding(green, ", ".join(sorted(figures)), {"start": start, "before": before, "after": after, "rounds": rounds})


def _nothing_held(evidence: Evidence, wanted: int) -> Finding | None:
    dead = [number for name, number in evidence.domains if name == _GUEST]
    counted = [evidence.counters.complete[number] for number in dead if number in evidence.counters.complete]
    if not dead:
        return None
    if not counted:
        return Finding(False, "no counters")
    complete = len(counted) == len(dead) > wanted and all(name in counters for counters in counted for name in LIVE)
    held = [live_counters(counters) for counters in counted]
    drained = sum(counters.get("calls_drained", 0) for counters in counted)
    return Finding(complete and not any(held) and drained > 0,
                   f"{sum(not each for each in held)} of {len(dead)} VMs hold nothing, {drained} calls drained",
                   {"dead": len(dead), "counted": len(counted), "calls_drained": drained})


def _all_partitions(evidence: Evidence) -> Finding | None:
    asked = evidence.last("death.partitions")
    if asked is None:
        return None
    worked = {fact.speaker: fact.number("bytes") >> 10 for fact in evidence.all("once")
              if fact.number("ok") == 1 and fact.speaker.startswith("last")}
    return Finding(len(worked) == asked.number("guests") > 0, f"{len(worked)} of {asked.number('guests')} at once, with "
                   f"{', '.join(str(kib) for kib in worked.values()) or 'no'} KiB shared", {"worked": worked})


def _lives(evidence: Evidence, how: str) -> Finding | None:
    """The VM worked before and after; `lives` counts its domains."""
    told: Fact | None = next((fact for fact in evidence.all("death.again") if fact.values.get("how") == how), None)
    if told is None:
        return None
    green = told.number("worked") == 2 and 0 < told.number("first") < told.number("second")
    return Finding(green, f"worked in {max(told.number('worked'), 0)} of 2 lives (domains {told.values.get('first')} and "
                          f"{told.values.get('second')})", told.values)


def _driver(evidence: Evidence) -> Finding | None:
    told = evidence.last("death.driver")
    if told is None:
        return None
    return Finding(told.number("before") == 1 and told.number("after") == 1,
                   f"worked before: {told.values.get('before')}, after: {told.values.get('after')}", told.values)


def feature(rounds: int) -> Feature:
    """Its rows and how to judge them, for a number of rounds."""
    def judge(evidence: Evidence) -> dict[str, Finding]:
        found = {"death.rounds": _rounds(evidence, rounds), "death.xen_memory": _xen_memory(evidence),
                 "death.optee_memory": _optee_memory(evidence), "death.nothing_held": _nothing_held(evidence, rounds),
                 "death.all_partitions": _all_partitions(evidence), "death.reboot": _lives(evidence, "reboot"),
                 "death.crash": _lives(evidence, "crash"), "death.driver": _driver(evidence)}
        return {row: finding for row, finding in found.items() if finding is not None}

    return Feature("death", _ROWS, judge, seconds=900 + rounds * _ROUND_SECONDS, guests=("last1", "last2", "last3", "again"),
                   settings={"DEATH_ROUNDS": str(rounds)})
