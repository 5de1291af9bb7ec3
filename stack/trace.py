# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""What passed between the mediator and OP-TEE, read out of Xen's console, as one trace per guest.

With optee-mediator-record on its command line our Xen prints a line for each SMC to OP-TEE and one for each answer; the lines
of a guest are numbered, so that a lost one is noticed (ports/xen/README.md):

    (XEN) optee-mediator: d0 record 17 call with_arg cmd=2 func=0x0 session=0x3 cancel=0x0
    (XEN) optee-mediator: d0 record 18 of 17 ends a0=0 ret=0 origin=3 session=0x3

A trace has the same lines without what stands before the number. What a guest chose as the name of something (the cookie of a
buffer, mostly an address of its kernel) has become m1, m2, ...; an answer to a request in which the guest has changed no
parameter has none. tools/replay plays traces against the model of OP-TEE.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from stack.errors import StackError

_LINE = re.compile(r"\(XEN\).*?\boptee-mediator: d(\d+) record (\d+) (.*?)\s*$")
_NAME = re.compile(r"\b(argument|cancel)=(0x[0-9a-f]+)")
_MEMORY = re.compile(r"\bp=(0x[0-9a-f]*[5679ab]),([^,\s]+),([^,\s]+),(0x[0-9a-f]+)")
_SHM_FREE = re.compile(r"(\basks cmd thread=\d+ argument=\S+ cmd=7 p=0x1,[^,]+),(0x[0-9a-f]+),")
_REQUEST = re.compile(r"of \d+ asks cmd thread=(\d+) .*?( p=.*)")
_BACK = re.compile(r"(back thread=(\d+) ret=\S+)( p=.*)")
_GAPS_SHOWN = 3


class _Names:
    """One word for each name that a guest chose, the same wherever it stands."""

    def __init__(self) -> None:
        self._known: dict[int, str] = {}

    def word(self, raw: str) -> str:
        value = int(raw, 16)
        return self._known.setdefault(value, f"m{len(self._known) + 1}") if value else "0"

    def replace(self, text: str) -> str:
        text = _NAME.sub(lambda found: f"{found[1]}={self.word(found[2])}", text)
        text = _SHM_FREE.sub(lambda found: f"{found[1]},{self.word(found[2])},", text)
        return _MEMORY.sub(lambda found: f"p={found[1]},{found[2]},{found[3]},{self.word(found[4])}", text)


class _Answers:
    """Leaves out the parameters of an answer to a request when the guest has changed none of them."""

    def __init__(self) -> None:
        self._asked: dict[str, str] = {}        # by thread

    def shorten(self, text: str) -> str:
        if match := _REQUEST.fullmatch(text):
            self._asked[match[1]] = match[2]
        elif match := _BACK.fullmatch(text):
            return match[1] if self._asked.get(match[2]) == match[3] else text
        return text


class TraceReader:
    """Collects the lines of every domain. They may come in another order than their numbers say."""

    def __init__(self) -> None:
        self.lines: dict[int, dict[int, str]] = {}

    def feed(self, line: str) -> None:
        """One line of the console."""
        if match := _LINE.search(line):
            self.lines.setdefault(int(match[1]), {})[int(match[2])] = match[3]

    def missing(self, domain: int) -> list[str]:
        """The numbers that never came, as ranges."""
        numbers = sorted(self.lines[domain])
        ranges = []
        for before, after in zip([-1, *numbers], numbers):
            if after != before + 1:
                ranges.append(f"{before + 1}" if after == before + 2 else f"{before + 1} to {after - 1}")
        return ranges

    def text(self, domain: int, head: Mapping[str, str]) -> str:
        """The trace of one domain."""
        names, answers = _Names(), _Answers()
        lines = ["# SPDX" "-License-Identifier: BSD-2-Clause", "# SPDX" "-FileCopyrightText: optee-mediator contributors", "#"]
        lines += [f"# {key}: {value}" for key, value in head.items()]
        lines += [f"{number} {names.replace(answers.shorten(text))}" for number, text in sorted(self.lines[domain].items())]
        return "\n".join(lines) + "\n"


def write(reader: TraceReader, names: Mapping[int, str], folder: Path, head: Mapping[str, str]) -> list[str]:
    """Writes NAME.trace for every guest; returns what is wrong with them, each as a sentence."""
    problems = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for domain, name in sorted(names.items()):
            if domain not in reader.lines:
                problems.append(f"Xen has recorded nothing of {name}")
                continue
            if gaps := reader.missing(domain):
                more = f" and {len(gaps) - _GAPS_SHOWN} more" if len(gaps) > _GAPS_SHOWN else ""
                problems.append(f"the trace of {name} lacks {', '.join(gaps[:_GAPS_SHOWN])}{more}")
            (folder / f"{name}.trace").write_text(reader.text(domain, {"trace of": name, **head}))
    except OSError as error:
        raise StackError(f"cannot write the traces to {folder}: {error.strerror}") from error
    return problems
