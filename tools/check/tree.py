# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Which files belong to the project: what git tracks or would track, never what it ignores."""

import fnmatch
import os
import subprocess
from pathlib import Path


def root() -> Path:
    """The folder of the clone; the tests of the tools set OPTEE_MEDIATOR_ROOT to a small tree of their own."""
    chosen = os.environ.get("OPTEE_MEDIATOR_ROOT")
    return Path(chosen).resolve() if chosen else Path(__file__).resolve().parent.parent.parent


def files(*patterns: str) -> list[Path]:
    """Files of the project, relative to root(), sorted. A pattern is as in fnmatch, and its * also matches a slash."""
    names = sorted(name for name in _names() if (root() / name).is_file())
    if patterns:
        names = [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
    return [Path(name) for name in names]


def changed(*patterns: str) -> list[Path]:
    """Those of files() that differ from the last commit."""
    new = _git("ls-files", "--others", "--exclude-standard", "-z")
    different = {*_git("diff", "--name-only", "-z", "HEAD"), *new}
    return [path for path in files(*patterns) if str(path) in different]


def differing(revision: str, *patterns: str) -> list[str]:
    """Those of files() that differ from a revision of git."""
    different = set(_git("diff", "--name-only", "-z", revision))
    return [str(path) for path in files(*patterns) if str(path) in different]


def cache() -> Path:
    """Where the project keeps what it can make again."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "optee-mediator"


def _names() -> set[str]:
    if (root() / ".git").exists():
        return set(_git("ls-files", "--cached", "--others", "--exclude-standard", "-z"))
    # An unpacked archive, or the tree of a test: everything but what .gitignore names.
    found = set()
    for folder, folders, names in os.walk(root()):
        folders[:] = [name for name in folders if name not in ("build", "__pycache__")]
        found.update(os.path.relpath(os.path.join(folder, name), root()) for name in names)
    return found


def _git(*arguments: str) -> list[str]:
    # safe.directory: the clone may belong to another user than the one who checks it.
    command = ["git", "-c", f"safe.directory={root()}", "-C", str(root()), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split("\0") if name]
