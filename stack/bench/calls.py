# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""What ports/xen/measure prints, one line for each kind of entry into the mediator, put together under names of calls."""

from __future__ import annotations

import re
from dataclasses import dataclass

from stack.errors import StackError

_LINE = re.compile(r"\(XEN\).*?\bmeasured: function=(\w+) request=(\w+) answer=(\w+) pages=(\d+) "
                   r"count=(\d+) sum=(\d+) min=(\d+) max=(\d+)\s*$")
_BEGIN = re.compile(r"\(XEN\).*?\bmeasured: begin overhead=(\d+) ten=(\d+)\s*$")
_END = re.compile(r"\(XEN\).*?\bmeasured: end rows=(\d+) lost=(\d+)\s*$")

# optee_smc.h
_CALL_WITH_ARG, _RETURN_FROM_RPC, _CALL_WITH_RPC_ARG, _CALL_WITH_REGD_ARG = 0x32000004, 0x32000003, 0x32000012, 0x32000013
_RPC_PREFIX = 0xffff0000
_ALLOC, _FREE, _FOREIGN_INTERRUPT, _RPC_COMMAND = 0, 2, 4, 5
_YIELDING_BIT = 0x80000000      # clear in a yielding call
FOREIGN_INTERRUPT = "return from FOREIGN_INTR"
_COMMANDS = ("OPEN_SESSION", "INVOKE_COMMAND", "CLOSE_SESSION", "CANCEL", "REGISTER_SHM", "UNREGISTER_SHM")
# optee_rpc_cmd.h
_RPC_COMMANDS = {0: "LOAD_TA", 1: "RPMB", 2: "FS", 3: "GET_TIME", 4: "WAIT_QUEUE", 5: "SUSPEND", 6: "SHM_ALLOC", 7: "SHM_FREE",
                 10: "SOCKET"}


@dataclass(frozen=True, order=True)
class Kind:
    """A row of the table."""

    call: str
    pages: int


@dataclass
class Cost:
    """Instructions at EL2 of all entries of a kind."""

    count: int = 0
    total: int = 0
    least: int = 0
    most: int = 0

    def add(self, count: int, total: int, least: int, most: int) -> None:
        """More entries of the same kind."""
        self.least = min(self.least, least) if self.count else least
        self.most = max(self.most, most)
        self.count += count
        self.total += total

    @property
    def mean(self) -> float:
        return self.total / self.count


def name_of(function: int, request: int) -> str:
    """What an entry was for, in the words of OP-TEE's headers."""
    if function in (_CALL_WITH_ARG, _CALL_WITH_RPC_ARG, _CALL_WITH_REGD_ARG):
        return _COMMANDS[request] if request < len(_COMMANDS) else f"command {request:#x}"
    if function == _RETURN_FROM_RPC:
        if request & 0xff == _RPC_COMMAND:
            command = request >> 8
            return f"return from RPC {_RPC_COMMANDS.get(command, hex(command))}"
        return {_ALLOC: "return from ALLOC", _FREE: "return from FREE",
                _FOREIGN_INTERRUPT: FOREIGN_INTERRUPT}.get(request, "return from nothing")
    return f"fast call {function:#010x}" if function & _YIELDING_BIT else f"yielding call {function:#010x}"


class Counts:
    """The last complete set that Xen printed."""

    def __init__(self) -> None:
        self._open: dict[Kind, Cost] = {}
        self._rows = 0
        self.costs: dict[Kind, Cost] = {}
        self.interrupted = Cost()       # entries that a foreign interrupt ended, of all kinds
        self.complete = False
        self.calibrated = False

    def feed(self, line: str) -> None:
        """One line of Xen's console."""
        if match := _BEGIN.search(line):
            self.calibrated = int(match[2]) == 10       # ten instructions count as ten, or it is no count of instructions
        elif match := _LINE.search(line):
            self._row(*(int(word, 16) for word in match.groups()[:3]), *(int(word) for word in match.groups()[3:]))
        elif match := _END.search(line):
            if int(match[1]) != self._rows or int(match[2]):
                raise StackError(f"Xen counted {match[1]} kinds of entries and lost {match[2]}; {self._rows} arrived",
                                 advice="the tables of ports/xen/measure/measure.c may be too small")
            self.costs, self._open, self._rows, self.complete = self._open, {}, 0, True

    def _row(self, function: int, request: int, answer: int, pages: int, count: int, total: int, least: int, most: int) -> None:
        self._rows += 1
        self._open.setdefault(Kind(name_of(function, request), pages), Cost()).add(count, total, least, most)
        if answer == _RPC_PREFIX | _FOREIGN_INTERRUPT:
            self.interrupted.add(count, total, least, most)

    @property
    def all(self) -> Cost:
        """Every entry."""
        whole = Cost()
        for cost in self.costs.values():
            whole.add(cost.count, cost.total, cost.least, cost.most)
        return whole
