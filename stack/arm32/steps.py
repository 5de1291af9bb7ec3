# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""How far 32-bit Arm has come: the steps, each judged by what Xen and the guests have printed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from stack.features.evidence import Evidence, Fact

_XEN = re.compile(r"\(XEN\) Xen version (\S+).*\(arm-linux-gnueabihf-")
_PROCESSORS = re.compile(r"\(XEN\) Brought up (\d+) CPUs")
_MEDIATOR = re.compile(r"\(XEN\).*\boptee-mediator: version (\S+), (\d+) threads per domain")
_IN_USE = re.compile(r"\(XEN\).*Using TEE mediator for OP-TEE \(optee-mediator\)")
# What a client cannot do without; each must have been counted.
_SERVED = ("open_session", "invoke_command", "close_session", "register_shm", "unregister_shm", "rpc_command")
# What the mediator holds of a guest. Its own pages are not among it: a guest that is off is still there, since nobody destroys
# a domain where there is no toolstack, and keeps its call slots.
_HELD = ("calls_live", "buffers_live", "pages_live", "arguments_live")
_KIB = 1 << 10


@dataclass(frozen=True)
class Step:
    """One line of the table."""

    title: str
    reached: bool
    figure: str                 # what was seen, in a few words


@dataclass(frozen=True)
class Shown:
    """What a boot has shown."""

    evidence: Evidence
    guests: Sequence[str]
    counters: Mapping[str, Mapping[str, int]]
    clean_end: bool
    problems: Sequence[str]

    def facts(self, name: str) -> dict[str, Fact]:
        """The newest fact of a name of each guest that told one."""
        return {fact.speaker: fact for fact in self.evidence.all(name)}


def judge(shown: Shown) -> list[Step]:
    """The steps in the order in which they are gone."""
    return [_xen(shown), _mediator(shown),
            _in_all("32-bit Linux is up in each guest", shown, _linux),
            _in_all("its kernel's OP-TEE driver is bound", shown, _driver),
            _in_all("the client program has opened a session; a TA has worked in its memory", shown, _session),
            _in_all("the TA has seen and changed every block of a buffer of 16 MiB and of 256 of 64 KiB", shown, _sharing),
            _in_all("the guest's kernel has nothing to complain of", shown, _kernel),
            _in_all("the mediator has counted it, and holds nothing of a guest when its driver is gone", shown, _counters),
            Step("the guests powered themselves off, and nothing else went wrong", shown.clean_end and not shown.problems,
                 "clean end" if shown.clean_end and not shown.problems else "; ".join(shown.problems) or "no clean end")]


def all_reached(steps: Sequence[Step]) -> bool:
    return bool(steps) and all(step.reached for step in steps)


def text(steps: Sequence[Step]) -> str:
    """The table, and the verdict below it."""
    width = max(len(step.title) for step in steps)
    lines = [f"  {'yes' if step.reached else 'NO ':4}{step.title:{width}}  {step.figure}" for step in steps]
    reached = sum(step.reached for step in steps)
    return "\n".join([*lines, "", f"{'PASSED' if all_reached(steps) else 'FAILED'}: {reached} of {len(steps)} steps reached"])


def facts(steps: Sequence[Step], shown: Shown) -> dict:
    """The JSON report."""
    return {"passed": all_reached(steps), "counters": {name: dict(counted) for name, counted in shown.counters.items()},
            "steps": [{"title": step.title, "reached": step.reached, "figure": step.figure} for step in steps]}


# --- the steps

def _found(pattern: re.Pattern, lines: Sequence[str]) -> re.Match | None:
    return next((match for match in map(pattern.search, lines) if match), None)


def _xen(shown: Shown) -> Step:
    version, up = (_found(pattern, shown.evidence.xen_lines) for pattern in (_XEN, _PROCESSORS))
    figure = f"Xen {version[1]}, {up[1]} processors" if version and up else "no 32-bit Xen has said that it is up"
    return Step("TF-A has entered Xen for 32-bit Arm in Hyp mode, and it is up", bool(version and up), figure)


def _mediator(shown: Shown) -> Step:
    said, in_use = (_found(pattern, shown.evidence.xen_lines) for pattern in (_MEDIATOR, _IN_USE))
    reached = bool(said and in_use and int(said[2]) > 0)
    figure = f"version {said[1]}, {said[2]} threads for each guest" if said and reached else "it has not said so"
    return Step("the mediator has found OP-TEE and is in use", reached, figure)


def _in_all(title: str, shown: Shown, one: Callable[[Shown, str], tuple[bool, str]]) -> Step:
    """A step that every guest must have gone; with one guest or more."""
    results = {name: one(shown, name) for name in shown.guests}
    figures = dict.fromkeys(figure for _, figure in results.values())
    figure = next(iter(figures)) if len(figures) == 1 else "; ".join(f"{name}: {said}" for name, (_, said) in results.items())
    return Step(title, bool(results) and all(reached for reached, _ in results.values()), figure)


def _linux(shown: Shown, guest: str) -> tuple[bool, str]:
    up = shown.facts("arm32.up").get(guest)
    if up is None:
        return False, "not up"
    machine = up.values.get("machine", "")
    return machine.startswith("armv7"), f"Linux {up.values.get('kernel')} on {machine}"


def _driver(shown: Shown, guest: str) -> tuple[bool, str]:
    driver = shown.facts("arm32.driver").get(guest)
    if driver is None:
        return False, "nothing is known of it"
    return driver.number("bound") == 1, f"OP-TEE {driver.values.get('revision')}" if driver.number("bound") == 1 else "not bound"


def _session(shown: Shown, guest: str) -> tuple[bool, str]:
    once = shown.facts("once").get(guest)
    if once is None:
        return False, "not run"
    reached = once.number("ok") == 1 and once.number("bytes") > 0
    return reached, f"{once.number('bytes') // _KIB} KiB registered" if reached else f"result {once.values.get('result')}"


def _sharing(shown: Shown, guest: str) -> tuple[bool, str]:
    one, many, end = (shown.facts(f"sharing.{name}").get(guest) for name in ("buffer", "buffers", "end"))
    if one is None or many is None:
        return False, "not run"
    blocks = one.number("blocks")
    whole = (one.values.get("result") == "0" and one.number("all_back") == 1 and one.number("last_byte_seen") == 1
             and one.number("blocks_changed") == blocks > 0)
    all_of_many = many.number("at_once") == many.number("wanted") > 0 and many.number("wrong") == 0
    shared = one.number("bytes") + many.number("at_once") * many.number("bytes")
    return whole and all_of_many and end is not None, (
        f"{shared} bytes shared" if whole and all_of_many else
        f"16 MiB: result {one.values.get('result')}, {one.number('blocks_changed')} of {blocks} blocks changed; "
        f"{many.number('at_once')} of 64 KiB, {many.number('wrong')} of them wrong")


def _kernel(shown: Shown, guest: str) -> tuple[bool, str]:
    kernel = shown.facts("arm32.kernel").get(guest)
    complaints = kernel.number("complaints") if kernel else -1
    return complaints == 0, f"{complaints} lines of complaint" if kernel else "not known"


def _counters(shown: Shown, guest: str) -> tuple[bool, str]:
    counted = shown.counters.get(guest, {})
    if not counted:
        return False, "no counters"
    held = {name: counted[name] for name in _HELD if counted.get(name)}
    missing = [name for name in _HELD if name not in counted] + [name for name in _SERVED if not counted.get(name)]
    if held or missing:
        return False, f"left: {held or 'nothing'}; not counted: {', '.join(missing) or 'none'}"
    return True, f"{counted['register_shm']} buffers, {counted['invoke_command']} commands, {counted['rpc_command']} RPCs"
