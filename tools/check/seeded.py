# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The defects of tests/seeded_bugs: read, held against the core, and planted into a copy of it."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from check import tree

invariants = tuple(f"I{number}" for number in range(1, 18))
may_fire = {*invariants, "port", "panic"}
nothing = "none"        # the name under which an unchanged copy is planted


class BadBug(Exception):
    """A defect that is not described as it should be, or does not fit the core any more."""


@dataclass(frozen=True)
class Bug:
    name: str
    what: str
    breaks: tuple           # invariants that must be reported
    may_break: tuple        # that may be reported as well
    program: str            # the folder of tests/ whose program shows it
    filter: str             # of GoogleTest
    changes: tuple          # of (file below core/, text before, text after)


def folder() -> Path:
    return tree.root() / "tests/seeded_bugs"


def build_tree() -> Path:
    """Where defects and mutants are built: a debug build of a copy of the core. Everything else is compiled once."""
    return tree.root() / "build/seeded_bugs"


def commands(name, programs, jobs):
    """Configure the build tree for a defect, build these programs."""
    return (["cmake", "--preset", "debug", "-B", build_tree(), f"-DMEDIATOR_SEEDED_BUG={name}"],
            ["cmake", "--build", build_tree(), "-j", str(jobs), "--target", *[f"{program}_tests" for program in programs]])


def load() -> dict[str, Bug]:
    """All defects by name. Raises BadBug."""
    bugs = {}
    for path in sorted(folder().glob("*.toml")):
        try:
            entries = tomllib.loads(path.read_text())
        except tomllib.TOMLDecodeError as error:
            raise BadBug(f"{path.name}: {error}") from error
        for name, entry in entries.items():
            if name in bugs or name == nothing:
                raise BadBug(f"{path.name}: there are two defects named {name}")
            bugs[name] = read(f"{path.name}: {name}", name, entry)
    if not bugs:
        raise BadBug(f"no defect in {folder()}: is this a complete clone?")
    return bugs


def read(where, name, entry) -> Bug:
    unknown = set(entry) - {"what", "breaks", "may_break", "test", "change"}
    missing = {"what", "breaks", "test", "change"} - set(entry)
    if unknown or missing:
        raise BadBug(f"{where}: missing {sorted(missing)}, unknown {sorted(unknown)}")
    fired = {*entry["breaks"], *entry.get("may_break", ())}
    if not entry["breaks"] or fired - may_fire:
        raise BadBug(f"{where}: breaks at least one of I1 to I17, and nothing else: {sorted(fired)}")
    test = re.fullmatch(r"(\w+): (\S+)", entry["test"])
    if not test:
        raise BadBug(f"{where}: test is 'program: filter', as in 'scenario: Rpc.*'")
    changes = tuple((change["file"], change["before"], change["after"]) for change in entry["change"])
    if not changes:
        raise BadBug(f"{where}: changes nothing")
    return Bug(name, entry["what"], tuple(entry["breaks"]), tuple(entry.get("may_break", ())), test[1], test[2], changes)


def changed_texts(bug) -> dict[str, str]:
    """The files that the defect changes, by name below core/, as they are with it. Raises BadBug."""
    texts = {}
    for name, before, after in bug.changes:
        path = tree.root() / "core" / name
        if name not in texts:
            if not path.is_file():
                raise BadBug(f"{bug.name}: there is no core/{name}")
            texts[name] = path.read_text()
        found = texts[name].count(before)
        if found != 1:
            raise BadBug(f"{bug.name}: the text to be replaced is in core/{name} {found} times, not once:\n{before}")
        if before == after:
            raise BadBug(f"{bug.name}: changes nothing in core/{name}")
        texts[name] = texts[name].replace(before, after)
    return texts


def plant(bug, into):
    """Makes `into` a copy of core/ with the defect in it, or without any for None."""
    copy_core(into, changed_texts(bug) if bug else {})


def copy_core(into, changed):
    """Makes `into` a copy of core/ where the files of `changed` have that text. What is right already is not touched, so
    that it is not compiled again."""
    core = tree.root() / "core"
    wanted = {str(path.relative_to(core)): path.read_text() for path in core.rglob("*") if path.suffix in (".cpp", ".hpp")}
    wanted.update(changed)
    for path in into.rglob("*"):
        if path.is_file() and str(path.relative_to(into)) not in wanted:
            path.unlink()
    for name, text in wanted.items():
        path = into / name
        if path.is_file() and path.read_text() == text:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
