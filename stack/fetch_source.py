# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""stack/fetch_source SUITE PACKAGE: the pristine source of a Debian package, unpacked in the cache."""

from __future__ import annotations

import argparse
import sys

from stack import versions
from stack.cache import Cache, default_root
from stack.errors import StackError
from stack.observer import StderrObserver
from stack.packages import Suite


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="stack/fetch_source",
        description="Fetches and unpacks the source of a Debian package; prints the folder. Fetched once, then cached.",
        epilog="Nobody may change what is in that folder: copy it. Exit status: 0, or 1 with a message.")
    parser.add_argument("suite", metavar="SUITE", help="bookworm, sid, ...")
    parser.add_argument("package", metavar="PACKAGE", help="name of the source package")
    arguments = parser.parse_args()
    try:
        cache = Cache(default_root(), StderrObserver())
        print(Suite(arguments.suite, cache, versions.load()).source(arguments.package))
    except StackError as problem:
        print(problem.explain(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
