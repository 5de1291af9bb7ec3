# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Runs the fast suite on one mutant of the core: the tests that killed its neighbours first, then the unit test that has
the file's name, then everything. A mutant that is in the program already (mutant_schema.py) is only chosen; any other is
compiled: that of a header on its unit test alone, before what includes it is."""

import fnmatch
import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from check import tree
from check.core_library import Core, NoBase, Suite, core_flags, run, seconds_to_compile

test_flags = ("-std=c++20", "-O0", "-g0", "-w", "-isystem", "/usr/src/googletest/googletest/include")
least_seconds = 2           # of a CPU that a run may take, whatever it took without a mutant
fast_programs = ("unit", "property")
most_killers = 12           # tests that are tried first
failed_test = re.compile(r"^\[  FAILED  \] ([^\s,]+)", re.MULTILINE)
running_test = re.compile(r"^\[ RUN      \] (\S+)", re.MULTILINE)
test_suite = re.compile(r"^(?:TYPED_)?TEST(?:_[FP])?\((\w+),", re.MULTILINE)


def with_all_mutants(schema, folder, jobs, names) -> Suite:
    """The suite, and a library that has all mutants of the schema. What does not compile is dropped from it."""
    switch = tree.root() / "tests/mutants"
    folder.mkdir(parents=True, exist_ok=True)
    suite = Suite(folder, more_objects=(folder / "mutant_switch.o",))
    run(["g++", "-std=c++20", "-O0", "-c", "-o", folder / "mutant_switch.o", switch / "mutant_switch.cpp"], seconds_to_compile)
    suite.all_mutants = Core(suite, folder / "all")
    compile_all(schema, suite.all_mutants, (switch / "mutant_switch.hpp").read_text(), jobs)
    suite.build(jobs, names)
    return suite


def compile_all(schema, core, switch, jobs):
    """Makes the library that has all mutants. What an earlier run dropped from it is not tried again."""
    kept = core.folder.parent / "not_in_library.json"
    dropped = set(json.loads(kept.read_text())) if kept.is_file() else set()
    schema.drop(dropped)
    done = {}                           # source to what was compiled
    while True:
        texts = schema.compiled_texts()
        core.plant({**texts, "mutant_switch.hpp": switch})
        headers = sorted(texts[name] for name in texts if name.endswith(".hpp"))
        todo = [name for name in core.sources() if done.get(name) != (texts.get(name), headers)]
        if not todo:
            break
        with ThreadPoolExecutor(jobs) as pool:
            messages = dict(zip(todo, pool.map(core.messages_of, todo)))
        done.update((name, (texts.get(name), headers)) for name in todo if not messages[name])
        if errors := "\n".join(filter(None, messages.values())):
            refused = schema.drop_what_fails(errors)
            if not refused:
                raise NoBase(f"the mutants do not compile\n{errors[:3000]}")
            dropped |= refused
            kept.write_text(json.dumps(sorted(dropped)))
    if not core.link():
        raise NoBase("the core with all mutants cannot be linked")


@dataclass
class Verdict:
    outcome: str            # killed, survived, does not compile
    by: str = ""            # the test that failed


@dataclass
class Killers:
    """Tests that killed mutants of a file, the busiest first: the next one is likely to be killed by them too."""

    by_file: dict = field(default_factory=dict)

    def note(self, file, program, test):
        counts = self.by_file.setdefault(file, {}).setdefault(program, {})
        counts[test] = counts.get(test, 0) + 1

    def first(self, file):
        """(program, filter) pairs to try before the whole suite."""
        for program, counts in sorted(list(self.by_file.get(file, {}).items()), key=lambda item: -sum(item[1].values())):
            busiest = sorted(list(counts), key=lambda test: -counts[test])[:most_killers]
            yield program, ":".join(busiest)


class Worker:
    """Tries one mutant after the other in a folder of its own."""

    def __init__(self, suite, schema, folder, killers):
        self.suite = suite
        self.schema = schema
        self.core = Core(suite, folder)
        self.killers = killers

    def try_likely(self, mutant, text):
        """A verdict if one of the tests that most likely kill the mutant does, and it need not be compiled."""
        return self.try_chosen(mutant, text, self.likely(mutant))

    def try_fast(self, mutant, text):
        """The same by all tests that take little time."""
        return self.try_chosen(mutant, text, [(name, "*") for name in fast_programs if name in self.suite.present])

    def try_chosen(self, mutant, text, tries):
        number = self.schema.numbers.get(mutant)
        verdict = self.first_that_kills(mutant, tries, {}, self.chosen(number)) if number else None
        if verdict and self.schema.in_constant(mutant) and not self.alone_compiles(mutant, text):
            return Verdict("does not compile")
        return verdict

    def try_all(self, mutant, text) -> Verdict:
        """A verdict by the whole suite."""
        number = self.schema.numbers.get(mutant)
        if not number:
            return self.compile_and_try(mutant, text)
        in_constant = self.schema.in_constant(mutant)
        if in_constant and not self.alone_compiles(mutant, text):
            return Verdict("does not compile")
        own = {}
        if mutant.file.endswith(".hpp"):
            # What the tests themselves have of a header is not in the library.
            self.core.plant({mutant.file: mutant.apply(text)})
            if verdict := self.try_own_test(mutant, own):
                return verdict
        verdict = self.judge(mutant, own, self.chosen(number))
        return verdict if verdict.outcome == "killed" or not in_constant else self.compile_and_try(mutant, text)

    def chosen(self, number):
        return {**self.suite.all_mutants.environment(), "OPTEE_MUTANT": str(number)}

    def alone_compiles(self, mutant, text) -> bool:
        """False when a static proof beside the mutant fails."""
        self.core.plant({mutant.file: mutant.apply(text)})
        return run(["g++", *core_flags, "-fsyntax-only", f"-I{self.core.folder / 'core'}", f"-I{tree.root() / 'include'}",
                    "-x", "c++", self.core.folder / "core" / mutant.file], seconds_to_compile).returncode == 0

    def compile_and_try(self, mutant, text) -> Verdict:
        self.core.objects = {}
        self.core.plant({mutant.file: mutant.apply(text)})
        if mutant.file.endswith(".hpp"):
            return self.try_header(mutant)
        if not self.core.compile(mutant.file) or not self.core.link():
            return Verdict("does not compile")
        return self.judge(mutant, {}, self.core.environment())

    def try_header(self, mutant):
        own = {}
        if verdict := self.try_own_test(mutant, own):
            return verdict
        for source, headers in self.suite.includes.items():
            if mutant.file in headers and not self.core.compile(source):
                return Verdict("does not compile")
        if not self.core.link():
            return Verdict("does not compile")
        return self.judge(mutant, own, self.core.environment())

    def try_own_test(self, mutant, own):
        """A verdict by the header's own unit test; else `own` says where the unit tests with the mutant are."""
        test = own_test_of(mutant)
        if not test:
            return None
        if not self.compile_test(test):
            return Verdict("does not compile")
        own["unit"] = self.core.folder
        return self.by_own_test(mutant, test)

    def compile_test(self, test) -> bool:
        folder = self.core.folder
        command = ["g++", *test_flags, f"-I{folder}", f"-I{folder / 'core'}", f"-I{tree.root()}",
                   f"-I{tree.root() / 'include'}", "-c", "-o", folder / "own_test.o", test]
        if run(command, seconds_to_compile).returncode:
            return False
        others = [path for path in self.suite.objects_of("unit") if path.name != f"{test.name}.o"]
        self.suite.link("unit", [folder / "own_test.o", *sorted(others)], folder)
        return True

    def by_own_test(self, mutant, test):
        """A verdict if the header's own unit test, compiled with the mutant, fails on the core as it is."""
        return self.execute(mutant, "unit", filter_of(test), self.core.folder, self.suite.base.environment())

    def judge(self, mutant, own, environment):
        tries = [*self.likely(mutant), *((name, "*") for name in self.suite.present)]
        return self.first_that_kills(mutant, tries, own, environment) or Verdict("survived")

    def first_that_kills(self, mutant, tries, own, environment):
        for program, chosen in tries:
            if verdict := self.execute(mutant, program, chosen, own.get(program, self.suite.folder), environment):
                return verdict
        return None

    def likely(self, mutant):
        yield from self.killers.first(mutant.file)
        if test := own_test_of(mutant):
            yield "unit", filter_of(test)

    def execute(self, mutant, program, chosen, folder, environment):
        """A verdict if a test fails, dies or does not end."""
        limit = int(least_seconds + 4 * self.seconds_of(program, chosen))
        # By the time of a CPU, for others may use it too; what waits for ever is found later.
        command = ["prlimit", f"--cpu={limit}", "--core=0", folder / f"{program}_tests", "--gtest_fail_fast", "--gtest_brief=0",
                   f"--gtest_filter={chosen}"]
        try:
            done = run(command, 10 * limit, env=environment)
            output, failed = done.stdout, done.returncode != 0
        except subprocess.TimeoutExpired as expired:
            output, failed = (expired.stdout or b"").decode(errors="replace"), True
        if not failed:
            return None
        by = failed_test.findall(output) or running_test.findall(output)[-1:] or ["?"]
        if by[0] != "?":
            self.killers.note(mutant.file, program, by[0])
        return Verdict("killed", f"{program}: {by[0]}")

    def seconds_of(self, program, chosen):
        """What these tests take without a mutant."""
        if chosen == "*":
            return self.suite.seconds[program]
        patterns = chosen.split(":")
        return sum(seconds for name, seconds in self.suite.seconds.items() if name.startswith(f"{program}: ") and
                   any(fnmatch.fnmatchcase(name.split(": ", 1)[1], pattern) for pattern in patterns))


def own_test_of(mutant):
    """The unit test that has the file's name, or None."""
    test = tree.root() / f"tests/unit/{Path(mutant.file).stem}_test.cpp"
    return test if test.is_file() else None


def filter_of(test) -> str:
    """The tests of a file."""
    return ":".join(f"{suite}.*:*/{suite}.*:*/{suite}/*" for suite in sorted(set(test_suite.findall(test.read_text()))))
