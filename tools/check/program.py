# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Programs that a tool of ours builds by a preset and runs."""

import subprocess
from pathlib import Path

from check import tree


class NotBuilt(Exception):
    """The compiler's words are in it."""


def build(preset, targets, jobs, *settings) -> Path:
    """Builds these targets; `settings` go to CMake. Returns the folder that they are in, or raises NotBuilt."""
    for command in (("cmake", "--preset", preset, *settings),
                    ("cmake", "--build", "--preset", preset, "-j", str(jobs), "--target", *targets)):
        done = subprocess.run(command, cwd=tree.root(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        if done.returncode:
            raise NotBuilt(f"{done.stdout[-4000:]}\n{' '.join(command)} failed; the end of its output is above")
    return tree.root() / "build" / preset


def run_optimised(name, arguments, jobs) -> int:
    """Builds a program of tests/campaigns with optimisation and runs it with the caller's terminal; its exit status."""
    try:
        return subprocess.run([build("release", (name,), jobs) / name, *arguments], check=False).returncode
    except NotBuilt as problem:
        print(f"{name}: {problem}")
        return 1
    except KeyboardInterrupt:
        return 130


def number(text) -> int:
    """A count on a command line; argparse says what is wrong with any other text."""
    value = int(text)
    if not 0 <= value < 1 << 63:
        raise ValueError(text)
    return value
