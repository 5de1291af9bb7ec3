# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The core as a shared library, so that a changed core is tested in seconds: the test programs are linked once, and a
change costs the compilation of what it touches and one small link."""

import hashlib
import json
import os
import re
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from check import seeded, tree

programs = ("unit", "property", "scenario", "attack", "schedule")
core_flags = ("-std=c++20", "-O0", "-g0", "-w", "-fPIC", "-ffreestanding", "-fno-exceptions", "-fno-rtti",
              "-fno-threadsafe-statics", "-fno-use-cxa-atexit")
seconds_to_compile = 120
passed_test = re.compile(r"^\[       OK \] (\S+) \((\d+) ms\)", re.MULTILINE)


class NoBase(Exception):
    """The core as it is does not build, or its tests do not pass: a change would show nothing."""


def run(command, seconds, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          check=False, timeout=seconds, **more)


@dataclass
class Suite:
    """The test programs, linked once."""

    folder: Path
    base: "Core" = None
    present: list = field(default_factory=list)
    seconds: dict = field(default_factory=dict)     # by program, and by "program: test"
    includes: dict = field(default_factory=dict)    # source below core/ to the headers that it needs
    more_objects: tuple = ()                        # linked into each program
    all_mutants: "Core" = None                      # see mutant_trial.with_all_mutants

    def build(self, jobs, names=programs):
        """The programs, from the objects of a debug build, and the core as it is."""
        self.present = [name for name in names if any((tree.root() / "tests" / name).glob("*.cpp"))]
        for command in seeded.commands(seeded.nothing, self.present, jobs):
            done = run(command, 7200, cwd=tree.root())
            if done.returncode:
                raise NoBase(f"{' '.join(map(str, command))}\n{done.stdout[-3000:]}")
        self.base = Core(self, self.folder / "base")
        self.base.plant({})
        if not all([self.base.compile(source) for source in self.base.sources()]) or not self.base.link():
            raise NoBase("the core does not compile as a shared library")
        for name in self.present:
            self.link(name, self.objects_of(name), self.folder)

    @staticmethod
    def objects_of(name):
        """The attacks are compiled once for two programs: cmake/attacks.cmake."""
        targets = [f"{name}_tests", *(["attacks"] if name == "attack" else [])]
        return sorted(path for target in targets for path in (seeded.build_tree() / f"CMakeFiles/{target}.dir").rglob("*.o"))

    def link(self, name, objects, folder):
        done = run(self.link_command(objects, folder / f"{name}_tests", self.base.folder), seconds_to_compile)
        if done.returncode:
            raise NoBase(f"{name}_tests cannot be linked\n{done.stdout[-3000:]}")
        listed = run([folder / f"{name}_tests", "--gtest_list_tests"], 60, env=self.base.environment())
        if not re.search(r"^  \S", listed.stdout, re.MULTILINE):
            raise NoBase(f"{name}_tests hold no test: they would pass on anything\n{listed.stdout[-3000:]}")

    def link_command(self, objects, program, core, compiler="g++"):
        """A test program on the core in this folder."""
        build_tree = seeded.build_tree()
        return [compiler, "-rdynamic", "-pthread", "-fuse-ld=lld", "-o", program, *objects, *self.more_objects,
                "-Wl,--whole-archive", build_tree / "libsim.a", "-Wl,--no-whole-archive",
                build_tree / "lib/libgtest_main.a", build_tree / "lib/libgtest.a", f"-L{core}", "-lcore"]

    def measure(self, name, core):
        """How long the program and each of its tests take on this core, which has no change; it has to pass."""
        program, kept = self.folder / f"{name}_tests", self.folder / f"{name}_tests.seconds.json"
        digest = hashlib.sha256(program.read_bytes() + (core.folder / "libcore.so").read_bytes()).hexdigest()
        known = json.loads(kept.read_text()) if kept.is_file() else {}
        if known.get("of") != digest:           # what is the same passes again
            begun = time.monotonic()
            done = run([program], 900, env=core.environment())
            if done.returncode:
                raise NoBase(f"{name}_tests fail on the core as it is\n{done.stdout[-3000:]}")
            known = {"of": digest, "seconds": {name: time.monotonic() - begun}}
            known["seconds"].update((f"{name}: {test}", int(milliseconds) / 1000)
                                    for test, milliseconds in passed_test.findall(done.stdout))
            kept.write_text(json.dumps(known))
        self.seconds.update(known["seconds"])


def needed_by(target) -> list[str]:
    """The files that an object was compiled from, its source first."""
    return target.with_suffix(".d").read_text().replace("\\\n", " ").split()[1:]


class Core:
    """A copy of the core's sources and the library made of it, in a folder of its own."""

    def __init__(self, suite, folder):
        self.suite = suite
        self.folder = folder
        self.objects = {}

    def plant(self, changed):
        """Makes the copy what the core is, apart from `changed`: text by file."""
        seeded.copy_core(self.folder / "core", changed)

    def sources(self):
        return sorted(str(path.relative_to(self.folder / "core")) for path in (self.folder / "core").rglob("*.cpp"))

    def base_object(self, source) -> Path:
        return self.suite.folder / "base" / (source.replace("/", "_") + ".o")

    def take(self, changed) -> bool:
        """Makes the library with these texts, by file, in place of the core's. False when it does not compile."""
        self.objects = {}
        self.plant(changed)
        touched = [source for source in self.sources() if source in changed or
                   any(header in changed for header in self.suite.includes[source])]
        return all(self.compile(source) for source in touched) and self.link()

    def compile(self, source) -> bool:
        """False when it does not compile."""
        return not self.messages_of(source)

    def messages_of(self, source) -> str:
        """Compiles a source, if anything in it changed; what the compiler has against it."""
        target = self.folder / (source.replace("/", "_") + ".o")
        self.objects[source] = target
        if not self.is_newer(target):
            command = ["g++", *core_flags, f"-I{self.folder / 'core'}", f"-I{tree.root() / 'include'}", "-MMD", "-c", "-o",
                       target, self.folder / "core" / source]
            try:
                done = run(command, seconds_to_compile)
            except subprocess.TimeoutExpired:
                return f"{source}: not compiled after {seconds_to_compile} s"
            if done.returncode:
                target.unlink(missing_ok=True)
                return done.stdout or f"{source}: the compiler fails"
        self.suite.includes.setdefault(source, {name.rsplit("/core/", 1)[1] for name in needed_by(target)[1:]
                                                if "/core/" in name})
        return ""

    @staticmethod
    def is_newer(target) -> bool:
        """True when the object is newer than all that it was compiled from."""
        if not target.is_file() or not target.with_suffix(".d").is_file():
            return False
        made = target.stat().st_mtime_ns
        return all(Path(name).is_file() and Path(name).stat().st_mtime_ns < made for name in needed_by(target))

    def link(self) -> bool:
        objects = [self.objects.get(source, self.base_object(source)) for source in self.sources()]
        command = ["g++", "-shared", "-Wl,-Bsymbolic", "-fuse-ld=lld", "-o", self.folder / "libcore.so", *objects]
        return run(command, seconds_to_compile).returncode == 0

    def environment(self):
        """In which the test programs run on this core."""
        return {**os.environ, "LD_LIBRARY_PATH": str(self.folder)}
