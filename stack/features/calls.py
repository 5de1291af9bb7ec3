# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Calls with RPC argument: an unmodified guest runs OP-TEE's own test suite, and never has to bring or take back a page."""

from __future__ import annotations

from stack import selection
from stack.features.evidence import Evidence
from stack.features.row import Feature, Finding, Row

_GUEST = "calls"
_ROWS = (
    Row("calls.xtest", "an unmodified guest passes a part of xtest that asks for files, time and TAs"),
    Row("calls.with_rpc_argument", "its driver uses CALL_WITH_RPC_ARG and CALL_WITH_REGD_ARG"),
    Row("calls.no_pages", "no RPC asks for a page for its argument, or gives one back"),
)
_WITH = ("with_rpc_arg", "with_regd_arg")
_PAGES = ("rpc_alloc", "rpc_free")


def _xtest(evidence: Evidence) -> Finding | None:
    told = evidence.last("calls.xtest")
    if told is None:
        return None
    green = told.number("status") == 0 and told.number("cases") > 0 and told.number("failed") == 0
    return Finding(green, f"{told.number('cases')} cases, {told.number('failed')} failed, exit status "
                          f"{told.values.get('status')}", told.values)


def _counted(evidence: Evidence) -> dict[str, Finding]:
    if evidence.last("calls.xtest") is None:
        return {}
    counters = evidence.counters_of(_GUEST)
    if not all(name in counters for name in (*_WITH, *_PAGES, "rpc_command")):
        nothing = Finding(False, "this mediator counts no such calls")
        return {"calls.with_rpc_argument": nothing, "calls.no_pages": nothing}
    used = {name: counters[name] for name in _WITH}
    pages = {name: counters[name] for name in _PAGES}
    requests = counters["rpc_command"]
    return {"calls.with_rpc_argument": Finding(all(used.values()), ", ".join(f"{name} {value}" for name, value in used.items()),
                                               used),
            # Without a request there would have been nothing to bring a page for.
            "calls.no_pages": Finding(not any(pages.values()) and requests > 0,
                                      f"{', '.join(f'{name} {value}' for name, value in pages.items())} beside {requests} requests",
                                      {**pages, "rpc_command": requests})}


def judge(evidence: Evidence) -> dict[str, Finding]:
    """A finding for each row of which the guest has told something."""
    xtest = _xtest(evidence)
    return {**({"calls.xtest": xtest} if xtest else {}), **_counted(evidence)}


FEATURE = Feature("calls", _ROWS, judge, seconds=600, guests=(_GUEST,),
                  settings={"CALLS_XTEST": " ".join(selection.quick(selection.load()).arguments)})
