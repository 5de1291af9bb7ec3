# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Asks the solver Z3 whether a function that llvm_code.py read returns true for all arguments."""

from dataclasses import dataclass

import z3

from check.llvm_code import NotUnderstood, case, incoming

comparisons = {
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b,
    "ult": z3.ULT, "ule": z3.ULE, "ugt": z3.UGT, "uge": z3.UGE,
    "slt": lambda a, b: a < b, "sle": lambda a, b: a <= b, "sgt": lambda a, b: a > b, "sge": lambda a, b: a >= b,
}
operations = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
    "and": lambda a, b: a & b, "or": lambda a, b: a | b, "xor": lambda a, b: a ^ b,
    "shl": lambda a, b: a << b, "lshr": z3.LShR, "ashr": lambda a, b: a >> b,
    "udiv": z3.UDiv, "urem": z3.URem,
}


@dataclass
class Outcome:
    holds: bool
    example: tuple = ()         # arguments for which it does not hold


class Meaning:
    """What a function returns, as a formula over its arguments. Numbers are bit vectors; an i1 has one bit."""

    def __init__(self, function):
        self.function = function
        self.values = {name: z3.BitVec(name, bits) for name, bits in function.arguments}
        self.arguments = [self.values[name] for name, _ in function.arguments]
        self.reached_by = {label: [] for label in function.blocks}     # label -> [(from, condition)]
        self.reached = {}
        self.returned = []              # (condition, value)
        for label in self.in_order():
            self.block(label)

    def formula(self):
        """True where it returns true; a way that returns nothing does not count as true."""
        return z3.Or([z3.And(condition, value == 1) for condition, value in self.returned])

    def in_order(self):
        """Blocks, each after all that lead to it."""
        order, state = [], {}

        def visit(label):
            if state.get(label) == "open":
                raise NotUnderstood(f"{self.function.name}: a loop; claims have none")
            if label not in state:
                state[label] = "open"
                for target in targets(self.function.blocks[label][-1]):
                    visit(target)
                state[label] = "done"
                order.append(label)

        visit(next(iter(self.function.blocks)))
        return reversed(order)

    def block(self, label):
        ways = self.reached_by[label]
        self.reached[label] = z3.Or([condition for _, condition in ways]) if ways else z3.BoolVal(True)
        for instruction in self.function.blocks[label]:
            if instruction.result:
                self.values[instruction.result] = self.value_of(instruction, ways)
            else:
                self.leave(label, instruction)

    def operand(self, text, bits):
        if text.startswith("%"):
            return self.values[text]
        if text in ("true", "false"):
            return z3.BitVecVal(text == "true", 1)
        try:
            return z3.BitVecVal(int(text), bits)
        except ValueError:
            raise NotUnderstood(f"{self.function.name}: {text}") from None

    def value_of(self, instruction, ways):
        operands = instruction.operands
        if instruction.form == "two":
            name, bits, one, other = operands
            return operations[name](self.operand(one, int(bits)), self.operand(other, int(bits)))
        if instruction.form == "compare":
            name, bits, one, other = operands
            return as_bit(comparisons[name](self.operand(one, int(bits)), self.operand(other, int(bits))))
        if instruction.form == "resize":
            return resized(operands[0], self.operand(operands[2], int(operands[1])), int(operands[3]))
        if instruction.form == "select":
            chosen, bits, one, other = operands
            return z3.If(self.operand(chosen, 1) == 1, self.operand(one, int(bits)), self.operand(other, int(bits)))
        if instruction.form == "phi":
            return self.merged(int(operands[0]), dict((way, value) for value, way in incoming.findall(operands[1])), ways)
        raise NotUnderstood(f"{self.function.name}: {instruction.text}")

    def merged(self, bits, by_way, ways):
        value = None
        for origin, condition in ways:
            here = self.operand(by_way[origin], bits)
            value = here if value is None else z3.If(condition, here, value)
        return value

    def leave(self, label, instruction):
        here, operands = self.reached[label], instruction.operands
        if instruction.form == "return":
            self.returned.append((here, self.operand(operands[1], int(operands[0]))))
        elif instruction.form == "goto":
            self.reached_by[operands[0]].append((label, here))
        elif instruction.form == "branch":
            yes = self.operand(operands[0], 1) == 1
            self.reached_by[operands[1]].append((label, z3.And(here, yes)))
            self.reached_by[operands[2]].append((label, z3.And(here, z3.Not(yes))))
        elif instruction.form == "switch":
            bits, on, otherwise, cases = operands
            chosen, others = self.operand(on, int(bits)), []
            for value, target in case.findall(cases):
                others.append(chosen == self.operand(value, int(bits)))
                self.reached_by[target].append((label, z3.And(here, others[-1])))
            self.reached_by[otherwise].append((label, z3.And(here, z3.Not(z3.Or(others)))))


def targets(last):
    if last.form == "goto":
        return [last.operands[0]]
    if last.form == "branch":
        return list(last.operands[1:])
    if last.form == "switch":
        return [last.operands[2], *(target for _, target in case.findall(last.operands[3]))]
    if last.form == "return":
        return []
    raise NotUnderstood(last.text)


def as_bit(truth):
    return z3.If(truth, z3.BitVecVal(1, 1), z3.BitVecVal(0, 1))


def resized(how, value, bits):
    if how == "trunc":
        return z3.Extract(bits - 1, 0, value)
    more = bits - value.size()
    return z3.ZeroExt(more, value) if how == "zext" else z3.SignExt(more, value)


def prove(function, seconds) -> Outcome:
    """Whether it returns true for all arguments, or arguments for which it does not."""
    meaning, solver = Meaning(function), z3.Solver()
    solver.set("timeout", seconds * 1000)
    solver.add(z3.Not(meaning.formula()))
    answer = solver.check()
    if answer == z3.unknown:
        raise NotUnderstood(f"{function.name}: no answer within {seconds} s")
    if answer == z3.unsat:
        return Outcome(True)
    model = solver.model()
    return Outcome(False, tuple(model.eval(name, model_completion=True).as_long() for name in meaning.arguments))


def value_at(function, arguments) -> bool:
    """What it returns for these arguments, by the formula."""
    meaning = Meaning(function)
    put = [(name, z3.BitVecVal(value, name.size())) for name, value in zip(meaning.arguments, arguments, strict=True)]
    return z3.is_true(z3.simplify(z3.substitute(meaning.formula(), *put)))
