# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The same command over many files, several at a time."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor


def complaints(commands, jobs=None) -> list[str]:
    """Runs (name, command) pairs; returns what the failing ones wrote, in the order given."""

    def run(pair):
        name, command = pair
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return f"{name}: exit status {done.returncode}\n{done.stdout}" if done.returncode else ""

    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        return [text for text in pool.map(run, commands) if text]


def report(tool, looked_at, problems) -> int:
    """Prints the problems and a closing line; returns the exit status. Looking at nothing is a problem too."""
    for problem in problems:
        print(problem)
    if not looked_at:
        print(f"{tool}: found nothing to look at")
        return 1
    print(f"{tool}: {looked_at} looked at, {len(problems)} problems")
    return 1 if problems else 0
