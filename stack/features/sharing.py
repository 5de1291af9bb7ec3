# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Sharing without fixed limits: what a domU's client program could share, and what that cost the others."""

from __future__ import annotations

from stack.features.evidence import Evidence
from stack.features.row import Feature, Finding, Row

_GUEST = "share"
# Counters of what a VM holds; all of them are zero when it is gone.
LIVE = ("calls_live", "buffers_live", "pages_live", "arguments_live", "mediator_pages")

_ROWS = (
    Row("sharing.buffer", "one registered buffer of 16 MiB: a TA sees every block and gives it back, the last byte too"),
    Row("sharing.buffers", "256 registered buffers of 64 KiB at once, a TA works in each"),
    Row("sharing.preempted", "long registrations let others in, and the guest's kernel notices nothing"),
    Row("sharing.meanwhile", "another vCPU's calls go on while 16 MiB come and go"),
    Row("sharing.released", "nothing stays behind when the VM has gone"),
)


def _buffer(evidence: Evidence) -> Finding | None:
    buffer, largest = evidence.last("sharing.buffer"), evidence.last("sharing.largest")
    if buffer is None or largest is None:
        return None
    whole = (buffer.values.get("result") == "0" and buffer.number("all_back") == 1 and buffer.number("last_byte_seen") == 1
             and buffer.number("blocks") > 0 and buffer.number("blocks_changed") == buffer.number("blocks"))
    end = f"the largest is {largest.number('kib')} KiB" if largest.number("end_found") == 1 else \
        f"{largest.number('kib')} KiB and more"
    said = f"{buffer.number('bytes') >> 10} KiB in {buffer.number('register_ms')} ms" if whole else \
        f"refused or damaged ({buffer.values.get('result')})"
    return Finding(whole, f"{said}; {end}", {**buffer.values, "largest_kib": largest.number("kib")})


def _buffers(evidence: Evidence) -> Finding | None:
    many, most = evidence.last("sharing.buffers"), evidence.last("sharing.most")
    if many is None or most is None:
        return None
    green = many.number("at_once") == many.number("wanted") > 0 and many.number("wrong") == 0
    end = f"the most is {most.number('buffers')}" if most.number("end_found") == 1 else f"{most.number('buffers')} and more"
    wrong = f", {many.number('wrong')} of them wrong" if many.number("wrong") else ""
    return Finding(green, f"{many.number('at_once')} of 64 KiB{wrong}; of one page: {end}",
                   {**many.values, "most": most.number("buffers")})


def _preempted(evidence: Evidence) -> Finding | None:
    kernel = evidence.last("sharing.kernel")
    if kernel is None:
        return None
    counters = evidence.counters_of(_GUEST)
    preemptions = counters.get("preemptions", 0)
    figure = f"{preemptions} preemptions" if counters else "no counters"
    return Finding(preemptions > 0 and kernel.number("complaints") == 0,
                   f"{figure}; lines of complaint in the guest's kernel: {kernel.number('complaints')}",
                   {"preemptions": preemptions, **kernel.values})


def _meanwhile(evidence: Evidence) -> Finding | None:
    fact = evidence.last("sharing.meanwhile")
    if fact is None:
        return None
    rounds, calls = fact.number("rounds"), fact.number("calls")
    return Finding(rounds > 0 and calls > 0 and fact.number("failed") == 0,
                   f"{calls} calls during {rounds} registrations ({fact.values.get('seconds')} s)" if rounds > 0 else
                   "16 MiB cannot be registered", fact.values)


def live_counters(counters: dict[str, int]) -> dict[str, int]:
    """What a VM still holds, of what is counted."""
    return {name: counters[name] for name in LIVE if counters.get(name)}


def _released(evidence: Evidence) -> Finding | None:
    counters = evidence.counters_of(_GUEST)
    if not counters:
        return Finding(False, "no counters") if evidence.last("sharing.end") else None
    missing = [name for name in LIVE if name not in counters]
    live = live_counters(counters)
    return Finding(not live and not missing, f"all of {', '.join(LIVE)} are 0" if not live and not missing
                   else f"left: {live or ''}, not counted: {missing or 'none'}", live)


def judge(evidence: Evidence) -> dict[str, Finding]:
    """A finding for each row of which the guest has told something."""
    found = {"sharing.buffer": _buffer(evidence), "sharing.buffers": _buffers(evidence),
             "sharing.preempted": _preempted(evidence), "sharing.meanwhile": _meanwhile(evidence),
             "sharing.released": _released(evidence)}
    return {row: finding for row, finding in found.items() if finding is not None}


FEATURE = Feature("sharing", _ROWS, judge, seconds=900, guests=(_GUEST,))
