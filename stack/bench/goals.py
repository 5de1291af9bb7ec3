# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""What a call should cost at most, in instructions at EL2, and whether it does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from stack.bench.calls import FOREIGN_INTERRUPT, Cost, Counts, Kind

_WITHOUT_MEMORY = ("INVOKE_COMMAND", "OPEN_SESSION", "CLOSE_SESSION")
_MEMORY_RPCS = ("return from RPC SHM_ALLOC", "return from RPC SHM_FREE")


@dataclass(frozen=True)
class Goal:
    """An upper bound, and what it bounds. `measure` gives None where a run has no such call."""

    title: str
    most: float
    measure: Callable[[Counts, Counts], float | None]       # ours, upstream

    def line(self, ours: Counts, upstream: Counts) -> tuple[str, str, str, str]:
        """Title, bound, measured, verdict."""
        value = self.measure(ours, upstream)
        if value is None:
            return self.title, f"{self.most:g}", "no such call", "not measured"
        return self.title, f"{self.most:g}", f"{value:.6g}", "met" if value <= self.most else "missed"


def _mean(costs: Mapping[Kind, Cost], wanted: Callable[[Kind], bool]) -> float | None:
    whole = Cost()
    for kind, cost in costs.items():
        if wanted(kind):
            whole.add(cost.count, cost.total, cost.least, cost.most)
    return whole.mean if whole.count else None


def _worst_mean(calls: Iterable[str]) -> Callable[[Counts, Counts], float | None]:
    def measure(ours: Counts, _: Counts) -> float | None:
        means = [_mean(ours.costs, lambda kind, call=call: kind == Kind(call, 0)) for call in calls]
        present = [mean for mean in means if mean is not None]
        return max(present) if present else None
    return measure


def slope(costs: Mapping[Kind, Cost], call: str) -> tuple[float, float] | None:
    """(fixed part, per page), by least squares over the sizes that occurred; the cheapest entry of each size, since that one
    was not interrupted."""
    points = [(kind.pages, cost.least) for kind, cost in costs.items() if kind.call == call and kind.pages]
    if len({pages for pages, _ in points}) < 2:
        return None
    middle = sum(pages for pages, _ in points) / len(points)
    height = sum(least for _, least in points) / len(points)
    rise = (sum((pages - middle) * (least - height) for pages, least in points)
            / sum((pages - middle) ** 2 for pages, _ in points))
    return height - rise * middle, rise


def _part(call: str, index: int) -> Callable[[Counts, Counts], float | None]:
    def measure(ours: Counts, _: Counts) -> float | None:
        line = slope(ours.costs, call)
        return line[index] if line else None
    return measure


def _rpc(ours: Counts, _: Counts) -> float | None:
    return _mean(ours.costs, lambda kind: kind.call.startswith("return from RPC ") and kind.call not in _MEMORY_RPCS)


def _fast(ours: Counts, _: Counts) -> float | None:
    return _mean(ours.costs, lambda kind: kind.call.startswith("fast call"))


def _whole(ours: Counts, upstream: Counts) -> float | None:
    return ours.all.total / upstream.all.total if upstream.all.total else None


GOALS = (
    Goal("OPEN_SESSION, INVOKE_COMMAND, CLOSE_SESSION without memory, the dearest", 1000, _worst_mean(_WITHOUT_MEMORY)),
    Goal("return from an RPC of the supplicant", 700, _rpc),
    Goal("return from a foreign interrupt", 250, _worst_mean((FOREIGN_INTERRUPT,))),
    Goal("REGISTER_SHM, fixed part", 1500, _part("REGISTER_SHM", 0)),
    Goal("REGISTER_SHM, per page, as scattered as the guest's memory is", 300, _part("REGISTER_SHM", 1)),
    Goal("UNREGISTER_SHM, fixed part", 1000, _part("UNREGISTER_SHM", 0)),
    Goal("UNREGISTER_SHM, per page", 27, _part("UNREGISTER_SHM", 1)),
    Goal("fast call", 160, _fast),
    Goal("longest entry", 20000, lambda ours, _: ours.all.most),
    Goal("the whole run, of upstream's", 0.25, _whole),
)
