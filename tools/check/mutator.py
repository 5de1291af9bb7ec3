# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Small changes of a C++ source, each a mistake that somebody could have made. By rules on the text as clang-format lays
it out: a binary operator has a space on both sides, a template's bracket has not. What does not compile is nobody's
mistake and is dropped later."""

import re
from dataclasses import dataclass

# What a comparison may be taken for: the boundary, the opposite.
comparisons = {"<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"), "==": ("!=",), "!=": ("==",)}
arithmetic = {"+": "-", "-": "+", "*": "/", "/": "*", "%": "/", "<<": ">>", ">>": "<<", "&": "|", "|": "&", "^": "&",
              "+=": "-=", "-=": "+=", "|=": "&=", "&=": "|=", "&&": "||", "||": "&&"}
binary = re.compile(r"(?<=\s)(<=|>=|==|!=|&&(?!\s*\{)|\|\||<<|>>|\+=|-=|\|=|&=|[<>+\-*/%&|^])(?=\s)")
step = re.compile(r"\+\+|--")
number = re.compile(r"(?<![\w.'])(\d+)([uUlL]*)(?![\w.'])")
condition = re.compile(r"\b(if|while) (?:constexpr )?\(")
negation = re.compile(r"(?<![\w)!])!(?=[\w(:*])(?!=)")
truth = re.compile(r"\b(true|false)\b")
extreme = re.compile(r"\bstd::(min|max)\b")
jump = re.compile(r"\b(break|continue);")
leaves = re.compile(r"\breturn\b([^;{}]*);")
result = re.compile(r"\breturn (Error::\w+|Progress::\w+|std::nullopt);")
results = {"Error::bad_parameters": "Error::out_of_memory", "Progress::done": "Progress::preempted",
           "Progress::preempted": "Progress::done"}
no_statement = re.compile(r"(?:return|if|else|for|while|do|switch|case|default|break|continue|using|static_assert|auto|const|"
                          r"constexpr|constinit|static|struct|class|enum|union|namespace|template|public|private|protected|"
                          r"friend|explicit|extern|typedef|inline|virtual|MEDIATOR_ASSIGN_OR_RETURN|__builtin_unreachable)\b|"
                          r"~|\[\[|#")
declares = re.compile(r"[\w:]+(?:<[^;=()]*>)?(?: const)?[&*]* (?:const )?[&*]*\w+(?: const)?(?:\{|;| =|\(|\[)")
opens_scope = re.compile(r"\s*(?:(?:public|private|protected)\s*:\s*)*(?:template\s*<[^{]*>\s*)?"
                         r"(?:inline\s+)?(?:namespace|class|struct|union|extern)\b")
before_body = re.compile(r"(?:\)|\bconst|\bnoexcept|\boverride|&|\})\s*$")
static_proof = re.compile(r"\bstatic_assert\(|\boffsetof\(|\bsizeof\(")


@dataclass(frozen=True)
class Mutant:
    file: str               # below core/
    line: int
    begin: int              # what is replaced
    end: int
    before: str
    after: str
    rule: str
    key: str                # the same while the line is

    def apply(self, text) -> str:
        return text[:self.begin] + self.after + text[self.end:]

    def __str__(self):
        return f"core/{self.file}:{self.line}: {shown(self.before)} -> {shown(self.after)}  ({self.rule})"


def shown(text) -> str:
    return " ".join(text.split()) or "nothing"


def masked(text) -> str:
    """The text with comments, strings, preprocessor lines and static proofs blanked; places stay what they are."""
    blank = lambda found: re.sub(r"[^\n]", " ", found[0])
    text = re.sub(r"//[^\n]*|/\*.*?\*/|^#(?:[^\n]*\\\n)*[^\n]*|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\\n])+'", blank, text,
                  flags=re.DOTALL | re.MULTILINE)
    for found in static_proof.finditer(text):
        end = closing(text, found.end() - 1)
        text = text[:found.start()] + re.sub(r"[^\n]", " ", text[found.start():end]) + text[end:]
    return text


def closing(text, opening) -> int:
    """Behind the bracket that closes the one at `opening`."""
    depth = 0
    for place in range(opening, len(text)):
        if text[place] in "([{":
            depth += 1
        elif text[place] in ")]}":
            depth -= 1
            if depth == 0:
                return place + 1
    return len(text)


@dataclass(frozen=True)
class Body:
    """Of one function, with its brackets."""

    begin: int
    end: int
    in_constant: bool       # the compiler may evaluate it
    only_constant: bool     # nobody else does


def bodies(code) -> list[Body]:
    """The function bodies of a text without comments and strings (mutator.masked)."""
    found, place, head = [], 0, 0
    while place < len(code):
        here = code[place]
        if here in ";}":
            head = place + 1
        elif here in "([":
            place = closing(code, place)
            continue
        elif here == "{":
            declared, end = code[head:place], closing(code, place)
            if opens_scope.match(declared):
                head = place + 1
            elif "(" in declared and before_body.search(declared) and not re.search(r"=\s*\[", declared):
                found.append(Body(place, end, bool(re.search(r"\bconst(?:expr|eval)\b", declared)),
                                  bool(re.search(r"\bconsteval\b", declared))))
                place = head = end
                continue
            else:
                place = end             # an initializer, the list of an enum
                continue
        place += 1
    return found


def mutants_of(file, text) -> list[Mutant]:
    """All of a file, in the order of its lines."""
    code = masked(text)
    found = {}

    def add(begin, end, after, rule):
        if text[begin:end] != after:
            found.setdefault((begin, end, after), rule)

    for rule in (operators, constants, conditions, operands, flow, statements):
        rule(code, add)
    return named(file, text, sorted(found.items()))


def named(file, text, found):
    """Mutants with a key that outlives changes elsewhere in the file."""
    mutants, seen = [], {}
    for (begin, end, after), rule in found:
        line_begin = text.rfind("\n", 0, begin) + 1
        line_end = text.find("\n", end)
        lines = shown(text[line_begin:line_end if line_end >= 0 else len(text)])
        key = f"{file}|{lines}|{begin - line_begin}|{shown(after)}"
        seen[key] = seen.get(key, 0) + 1
        mutants.append(Mutant(file, text.count("\n", 0, begin) + 1, begin, end, text[begin:end], after, rule,
                              f"{key}|{seen[key]}"))
    return mutants


def operators(code, add):
    for found in binary.finditer(code):
        for after in comparisons.get(found[1], ()):
            add(*found.span(1), after, "comparison")
        if found[1] in arithmetic:
            add(*found.span(1), arithmetic[found[1]], "operator")
    for found in step.finditer(code):
        add(*found.span(), "--" if found[0] == "++" else "++", "operator")
    for found in extreme.finditer(code):
        add(*found.span(1), "max" if found[1] == "min" else "min", "extreme")


def constants(code, add):
    for found in number.finditer(code):
        value = int(found[1])
        add(*found.span(), f"{value + 1}{found[2]}", "constant")
        if value:
            add(*found.span(), f"{value - 1}{found[2]}", "constant")
    for found in truth.finditer(code):
        add(*found.span(), "false" if found[0] == "true" else "true", "constant")


def conditions(code, add):
    for found in condition.finditer(code):
        opening = found.end() - 1
        end = closing(code, opening) - 1
        begin = max(place for place in (opening + 1, code.rfind("; ", opening, end) + 2) if place > opening)
        tested = code[begin:end]
        if not binary.search(tested) and not tested.startswith("!"):
            add(begin, end, f"!({tested})", "condition")
        if found[1] == "while":
            add(begin, end, "false", "condition")
    for found in negation.finditer(code):
        add(*found.span(), "", "condition")


def operands(code, add):
    """One side of && or || at a time."""
    for found in re.finditer(r"(?<=\s)(&&|\|\|)(?=\s)(?!\s*\{)", code):
        begin, end = begin_of_operand(code, found.start()), end_of_operand(code, found.end())
        add(begin, len(code[:found.end()]) + 1, "", "operand")
        add(len(code[:found.start()].rstrip()), end, "", "operand")


def begin_of_operand(code, place) -> int:
    """Where what stands before the operator at `place` begins."""
    depth = 0
    while place > 0:
        here = code[place - 1]
        depth += (here in ")]}") - (here in "([{")
        if depth < 0 or depth == 0 and (
                here in ";,?" or code.endswith(("&&", "||"), 0, place) or code.endswith("return ", 0, place)
                or here == ":" and code[place - 2] != ":" and code[place] != ":"
                or here == "=" and code[place] == " " and code[place - 2] == " "):
            break
        place -= 1
    return place + len(code[place:]) - len(code[place:].lstrip())


def end_of_operand(code, place) -> int:
    depth = 0
    while place < len(code):
        here = code[place]
        depth += (here in "([{") - (here in ")]}")
        if depth < 0 or depth == 0 and (here in ";,?" or code.startswith(("&&", "||"), place)):
            break
        place += 1
    return len(code[:place].rstrip())


def flow(code, add):
    for found in jump.finditer(code):
        add(*found.span(), ";", "jump")
    for found in result.finditer(code):
        add(*found.span(1), results.get(found[1], "Error::bad_parameters"), "result")
    for found in leaves.finditer(code):
        before = code[:found.start()].rstrip()
        if before.endswith((")", ":", "else")) or not found[1].strip():
            add(*found.span(), ";", "jump")


def statements(code, add):
    """Calls for their effect, and assignments."""
    for body in bodies(code):
        statements_of(code[:body.end], body.begin, add)


def statements_of(code, begin, add):
    depth = 0
    for place in range(begin, len(code)):
        here = code[place]
        depth += (here == "(") - (here == ")")
        if here in "{}":
            begin = place + 1
        elif here == ";" and depth == 0:
            remove(code, begin, place + 1, add)
            begin = place + 1


def remove(code, begin, end, add):
    statement = code[begin:end]
    # A label, and the condition or else that the statement hangs on, stay.
    label = re.match(r"\s*(?:(?:case [^:;]+(?:::\w+)*|default|public|private)\s*:(?!:)\s*)+", statement)
    begin += label.end() if label else 0
    while hangs_on := re.match(r"\s*(?:else\b\s*)?(?:(?:if|while|for) \(|else\b)?", code[begin:end]):
        if not hangs_on[0].strip():
            break
        begin += hangs_on.end()
        if code[begin - 1] == "(":
            begin = closing(code, begin - 1)
    while begin < end and code[begin].isspace():
        begin += 1
    statement = code[begin:end]
    if len(statement) < 3 or begin >= end or no_statement.match(statement) or declares.match(statement):
        return
    if statement.count("(") != statement.count(")") or not re.search(r"[(=]|\+\+|--", statement):
        return
    add(begin, end, ";", "statement")
