# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Reads functions of whole numbers out of LLVM's text form: what clang makes of tests/proofs. No memory, no calls, no
loops: what it does not know it refuses, so that nothing is proved about half a function."""

import re
from dataclasses import dataclass, field

number_type = re.compile(r"i(\d+)")
header = re.compile(r"^define .*?\bi1 @(\w+)\((.*?)\)")
label = re.compile(r"^(\w+):")
assignment = re.compile(r"^(%\w+) = (.*)$")
flags = r"(?:nuw |nsw |exact )*"
forms = {
    "two": re.compile(rf"(add|sub|mul|and|or|xor|shl|lshr|ashr|udiv|urem) {flags}i(\d+) (\S+), (\S+)$"),
    "compare": re.compile(r"icmp (\w+) i(\d+) (\S+), (\S+)$"),
    "resize": re.compile(r"(zext|sext|trunc) i(\d+) (\S+) to i(\d+)$"),
    "select": re.compile(r"select i1 (\S+), i(\d+) (\S+), i\d+ (\S+)$"),
    "phi": re.compile(r"phi i(\d+) (.*)$"),
    "goto": re.compile(r"br label %(\w+)$"),
    "branch": re.compile(r"br i1 (\S+), label %(\w+), label %(\w+)$"),
    "switch": re.compile(r"switch i(\d+) (\S+), label %(\w+) \[(.*)\]$"),
    "return": re.compile(r"ret i(\d+) (\S+)$"),
}
incoming = re.compile(r"\[ (\S+), %(\w+) \]")
case = re.compile(r"i\d+ (\S+), label %(\w+)")


class NotUnderstood(Exception):
    """The code has something that this reader does not know."""


@dataclass
class Instruction:
    result: str             # "" where there is none
    form: str
    operands: tuple
    text: str


@dataclass
class Function:
    name: str
    arguments: list         # (name, bits)
    blocks: dict = field(default_factory=dict)      # label -> [Instruction], the entry first


def functions(text, wanted):
    """The functions whose name `wanted` accepts, in the order of the text."""
    found, lines = [], iter(text.splitlines())
    for line in lines:
        if (begin := header.match(line)) and wanted(begin[1]):
            body = []
            for inner in lines:
                if inner == "}":
                    break
                body.append(inner)
            found.append(function(begin[1], begin[2], body))
    return found


def function(name, arguments, body):
    parsed = Function(name, [argument(text, name) for text in arguments.split(", ") if text])
    block = parsed.blocks.setdefault(str(len(parsed.arguments)), [])
    for statement in statements(body):
        if begins := label.match(statement):
            block = parsed.blocks.setdefault(begins[1], [])
        else:
            block.append(instruction(statement, name))
    return parsed


def argument(text, name):
    words = text.split()
    bits = number_type.fullmatch(words[0])
    if not bits:
        raise NotUnderstood(f"{name}: an argument that is no number: {text}")
    return words[-1], int(bits[1])


def statements(body):
    """Lines without comments and metadata; a switch, which has many, as one."""
    together = ""
    for line in body:
        text = re.sub(r"(, ![\w.]+ !\d+)+$", "", line.split(";")[0].rstrip()).strip()
        if not text:
            continue
        together = f"{together} {text}".strip()
        if together.startswith("switch") and not together.endswith("]"):
            continue
        yield together
        together = ""


def instruction(text, name):
    named = assignment.match(text)
    result, rest = (named[1], named[2]) if named else ("", text)
    for form, pattern in forms.items():
        if found := pattern.match(rest):
            return Instruction(result, form, found.groups(), text)
    raise NotUnderstood(f"{name}: {text}\nclaims are about numbers alone: no memory, no calls, no loops")
