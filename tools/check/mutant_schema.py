# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""All mutants in one program. A function that can be mutated gets one body per mutant beside its own, and the variable
OPTEE_MUTANT in the environment says which of them runs: so a mutant costs no compilation and no link. What is outside of
a function's body is not in it, nor what does not compile; such mutants are compiled one by one (mutant_trial.py)."""

import re

from check import mutator

switch_include = '#include "mutant_switch.hpp"\n'


def body_of(found, mutant):
    """The body that the mutant is in, or None."""
    for body in found:
        if body.begin < mutant.begin and mutant.end < body.end:
            return body
    return None


class Schema:
    """Which mutants are in the program, under which number."""

    def __init__(self, mutants, texts):
        """`texts` by file: the sources that the mutants are of."""
        self.texts = texts
        self.bodies = {name: mutator.bodies(mutator.masked(text)) for name, text in texts.items()}
        self.numbers = {}
        self.lines = {}                 # (file, line of the text that is compiled) to mutant
        for number, mutant in enumerate(mutants, 1):
            body = body_of(self.bodies[mutant.file], mutant)
            if body and not body.only_constant:
                self.numbers[mutant] = number

    def in_constant(self, mutant) -> bool:
        """True when the compiler itself may run the function: only compiling the mutant tells what it says then."""
        return body_of(self.bodies[mutant.file], mutant).in_constant

    def compiled_texts(self) -> dict[str, str]:
        """The sources with all bodies, by file."""
        self.lines = {}
        by_file = {}
        for mutant in self.numbers:
            by_file.setdefault(mutant.file, []).append(mutant)
        return {name: self.compiled(name, of_file) for name, of_file in by_file.items()}

    def compiled(self, name, of_file):
        text = self.texts[name]
        first = re.search(r"^#pragma once\n|^(?=#include)", text, re.MULTILINE)
        out = text[:first.end()] + switch_include
        place = first.end()
        for body in self.bodies[name]:
            inside = [mutant for mutant in of_file if body_of([body], mutant)]
            if not inside:
                continue
            out += text[place:body.begin] + "{ switch (::optee::chosen_mutant()) {\n"
            for mutant in inside:
                line = out.count("\n") + 1
                out += (f"case {self.numbers[mutant]}U: " + text[body.begin:mutant.begin] + mutant.after +
                        text[mutant.end:body.end] + " break;\n")
                self.lines.update({(name, number): mutant for number in range(line, out.count("\n") + 1)})
            out += "default: " + text[body.begin:body.end] + "\n} }"
            place = body.end
        return out + text[place:]

    def drop(self, keys):
        """Drops the mutants that have these keys."""
        self.numbers = {mutant: number for mutant, number in self.numbers.items() if mutant.key not in keys}

    def drop_what_fails(self, messages) -> set[str]:
        """Drops the mutants in whose bodies the compiler found errors; returns their keys."""
        bad = set()
        for found in re.finditer(r"^(?:In file included from |\s+from )?\S*?/core/([\w/.]+):(\d+)(?::\d+)?:\s*(.*)", messages,
                                 re.MULTILINE):
            if mutant := self.lines.get((found[1], int(found[2]))):
                bad.add(mutant.key)
        self.drop(bad)
        return bad
