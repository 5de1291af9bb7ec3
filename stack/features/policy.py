# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""What a VM may use: defaults on Xen's command line, and per VM, by dom0 through hypfs, while the VM runs."""

from __future__ import annotations

import re
from collections.abc import Callable

from stack.features.evidence import Evidence, Fact
from stack.features.row import Feature, Finding, Row

KIND = "policy"
_GUEST = "policy"
# TAs of OP-TEE's test suite, as guests/client knows them: os_test and crypt.
_LISTED = "5b9e0e40-2636-11e1-ad9e-0002a5d5c51b"
_UNLISTED = "cb3e5ba0-adf1-11e0-998b-0002a5d5c51b"
_DOM0 = {"buffers": "600"}
_DOMU = {"threads": "3", "buffers": "500", "pages": "30000", "tas": _LISTED}
# The machine has 6 GiB, from 1 GiB on; OP-TEE is told of all of it by the device tree.
_MEMORY_MIB = 6144
_WINDOW = "4G-7G"
_WITHOUT_RPC_ARG = "0xffffffbf"         # OPTEE_SMC_SEC_CAP_RPC_ARG is bit 6
_DENIED = "0xffff0001"                  # TEEC_ERROR_ACCESS_DENIED
_OPENS = "0"

_SHADOW_PAGES = re.compile(r"optee-mediator: shadow pages from (0x[0-9a-f]+) to (0x[0-9a-f]+)")

_ROWS = (
    Row("policy.defaults", "limits and TAs of dom0 and of domUs are those on Xen's command line, and dom0 can read them"),
    Row("policy.ta_refused", "a TA that is not on the VM's list is refused with TEEC_ERROR_ACCESS_DENIED, one that is on it opens"),
    Row("policy.at_run_time", "dom0 changes the list while the VM runs: the TA opens, then none does, then any"),
    Row("policy.quota", "dom0 raises a quota by 40 buffers while the VM runs: exactly so many more can be shared"),
    Row("policy.threads", "with one thread one of two calls waits for the other, with all of OP-TEE's neither does"),
    Row("policy.capability", "a VM without RPC_ARG works by ALLOC instead; granted again, by registered messages"),
    Row("policy.nonsense", "what makes no sense is refused, and changes nothing"),
    Row("policy.counted", "each refusal is counted, by its reason"),
    Row("policy.secure_time", "the VM's time in the secure world is accounted: it grows with work, and not faster than time"),
    Row("policy.window", "shadow pages come from a window above 4 GiB, and a TA works in shared memory"),
    Row("policy.end", "a VM that is destroyed while it is read and written goes from hypfs, and nobody is harmed"),
)


def _at(evidence: Evidence, step: str, name: str) -> Fact | None:
    """What the guest said at a step: its console says where one begins."""
    now = None
    for fact in evidence.facts:
        if fact.speaker != _GUEST:
            continue
        if fact.name == "policy.at":
            now = fact.values.get("step")
        elif now == step and fact.name == name:
            return fact
    return None


def _opened(evidence: Evidence, step: str) -> str | None:
    fact = _at(evidence, step, "policy.open")
    return None if fact is None else fact.values.get("result")


def _when(evidence: Evidence, name: str, when: str) -> Fact | None:
    return next((fact for fact in evidence.all(name) if fact.values.get("when") == when), None)


def _defaults(evidence: Evidence) -> Finding | None:
    told = {fact.values.get("of"): fact.values for fact in evidence.all("policy.settings")}
    if not {"dom0", "domu"} <= told.keys():
        return None
    wrong = [f"{who}: {name} is {told[who].get(name)}" for who, wanted in (("dom0", _DOM0), ("domu", _DOMU))
             for name, value in wanted.items() if told[who].get(name) != value]
    if told["dom0"].get("tas") != "all":
        wrong.append(f"dom0: tas is {told['dom0'].get('tas')}")
    return Finding(not wrong, "; ".join(wrong) or f"{len(_DOM0)} of dom0, {len(_DOMU)} of the domU, as given", told)


def _ta_refused(evidence: Evidence) -> Finding | None:
    listed, unlisted = _opened(evidence, "listed"), _opened(evidence, "unlisted")
    if listed is None or unlisted is None:
        return None
    return Finding(listed == _OPENS and unlisted == _DENIED, f"on the list: {listed}, not on it: {unlisted}",
                   {"listed": listed, "unlisted": unlisted})


def _at_run_time(evidence: Evidence) -> Finding | None:
    found = {step: _opened(evidence, step) for step in ("added", "none", "all")}
    if None in found.values():
        return None
    return Finding(found == {"added": _OPENS, "none": _DENIED, "all": _OPENS},
                   ", ".join(f"{step}: {result}" for step, result in found.items()), found)


def _quota(evidence: Evidence) -> Finding | None:
    few, more = _at(evidence, "buffers40", "policy.buffers"), _at(evidence, "buffers80", "policy.buffers")
    if few is None or more is None:
        return None
    counts = few.number("count"), more.number("count")
    return Finding(0 < counts[0] < 40 and counts[1] == counts[0] + 40,
                   f"{counts[0]} with a quota of 40, {counts[1]} with 80; the rest is the driver's own",
                   {"with_40": counts[0], "with_80": counts[1]})


def _threads(evidence: Evidence) -> Finding | None:
    waits = {step: _at(evidence, step, "policy.wait") for step in ("threads1", "threads_all")}
    most = {fact.values.get("step"): fact.number("most") for fact in evidence.all("policy.at_once")}
    if None in waits.values() or not waits.keys() <= most.keys():
        return None
    calls = waits["threads1"].number("calls")
    green = (all(wait.number("failed") == 0 for wait in waits.values()) and calls > 1 and most["threads1"] == 1
             and most["threads_all"] == calls)
    return Finding(green, f"of {calls} calls at once {most['threads1']} with one thread, {most['threads_all']} with all", most)


def _capability(evidence: Evidence) -> Finding | None:
    at = {when: _when(evidence, "policy.statistics", when) for when in ("masked", "after_masked", "granted", "after_granted")}
    opened = _opened(evidence, "masked"), _opened(evidence, "granted")
    if None in at.values() or None in opened:
        return None

    def between(name: str, first: str, last: str) -> int:
        return at[last].number(name) - at[first].number(name)

    counted = ("with_rpc_arg", "with_regd_arg", "rpc_alloc", "open_session")
    masked = {name: between(name, "masked", "after_masked") for name in counted}
    granted = {name: between(name, "granted", "after_granted") for name in counted}
    green = (opened == (_OPENS, _OPENS) and masked["with_rpc_arg"] == masked["with_regd_arg"] == 0 and masked["rpc_alloc"] > 0
             and masked["open_session"] > 0 and granted["with_regd_arg"] > 0 and granted["rpc_alloc"] == 0)
    return Finding(green, f"without: {masked['rpc_alloc']} ALLOC, {masked['with_regd_arg']} registered messages; granted again: "
                   f"{granted['rpc_alloc']} and {granted['with_regd_arg']}", {"masked": masked, "granted": granted})


def _nonsense(evidence: Evidence) -> Finding | None:
    told = evidence.last("policy.nonsense")
    if told is None:
        return None
    return Finding(told.number("tried") == told.number("refused") > 0 and told.number("unchanged") == 1,
                   f"{told.number('refused')} of {told.number('tried')} refused", told.values)


def _counted(evidence: Evidence) -> Finding | None:
    counters = evidence.counters_of(_GUEST)
    if not counters:
        return None
    found = {name: counters.get(name, 0) for name in ("ta_refused", "over_quota", "thread_limit")}
    # Two sessions were refused on purpose; the ends of two quotas were looked for; calls waited for the only thread.
    return Finding(found["ta_refused"] >= 2 and found["over_quota"] >= 2 and found["thread_limit"] > 0,
                   ", ".join(f"{name} {count}" for name, count in found.items()), found)


def _secure_time(evidence: Evidence) -> Finding | None:
    before, after = _when(evidence, "policy.time", "before"), _when(evidence, "policy.time", "after")
    if before is None or after is None:
        return None
    spent = (after.number("ns") - before.number("ns")) / 1e6
    passed = (after.number("hundredths") - before.number("hundredths")) * 10
    vcpus = 2
    return Finding(before.number("ns") > 0 and 0 < spent <= passed * vcpus, f"{spent:.1f} ms of {passed} ms in which the VM worked",
                   {"before_ns": before.number("ns"), "after_ns": after.number("ns"), "passed_ms": passed})


def _window(evidence: Evidence) -> Finding | None:
    once = _at(evidence, "work", "once")
    if once is None:
        return None
    told = next((match for line in evidence.xen_lines if (match := _SHADOW_PAGES.search(line))), None)
    first, last = (int(told[1], 16), int(told[2], 16)) if told else (0, 0)
    return Finding(once.number("ok") == 1 and first == 4 << 30 and last == (7 << 30) - 1,
                   f"{once.number('bytes') >> 10} KiB worked in, shadow pages from {first:#x} to {last:#x}",
                   {"first": first, "last": last, **once.values})


def _end(evidence: Evidence) -> Finding | None:
    alive, gone = _when(evidence, "policy.listed", "alive"), _when(evidence, "policy.listed", "gone")
    reads = evidence.last("policy.read_meanwhile")
    if alive is None or gone is None or reads is None:
        return None
    def listed(fact: Fact) -> list[str]:
        return fact.values.get("domains", "").split(",")

    vm = alive.values.get("vm", "?")
    green = listed(alive) == ["0", vm] and listed(gone) == ["0"] and reads.number("times") > 0
    return Finding(green, f"listed: {alive.values.get('domains')}, then {gone.values.get('domains')}; read and written "
                   f"{reads.number('times')} times meanwhile", {"alive": listed(alive), "gone": listed(gone)})


_JUDGES: dict[str, Callable[[Evidence], Finding | None]] = {
    "policy.defaults": _defaults, "policy.ta_refused": _ta_refused, "policy.at_run_time": _at_run_time, "policy.quota": _quota,
    "policy.threads": _threads, "policy.capability": _capability, "policy.nonsense": _nonsense, "policy.counted": _counted,
    "policy.secure_time": _secure_time, "policy.window": _window, "policy.end": _end}


def judge(evidence: Evidence) -> dict[str, Finding]:
    """A finding for each row of which something was told. Upstream has none of this."""
    if evidence.last("policy.absent"):
        return {row.id: Finding(False, "has no such interface") for row in _ROWS}
    found = {row: of(evidence) for row, of in _JUDGES.items()}
    return {row: finding for row, finding in found.items() if finding is not None}


def _option(kind: str, settings: dict[str, str]) -> str:
    return f"optee-mediator-{kind}=" + ",".join(f"{name}={value}" for name, value in settings.items())


FEATURE = Feature("policy", _ROWS, judge, seconds=900, guests=(_GUEST,), boot=KIND,
                  memory_mib=_MEMORY_MIB, xen=f"{_option('dom0', _DOM0)} {_option('domu', _DOMU)} optee-mediator-memory={_WINDOW}",
                  settings={"POLICY_LISTED": _LISTED, "POLICY_UNLISTED": _UNLISTED, "POLICY_CAPABILITIES": _WITHOUT_RPC_ARG})
