# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Command line of ./check."""

import argparse
import os
import subprocess
import sys

from check import tree
from check.campaigns import campaigns, find
from check.plan import all_checks
from check.runner import Runner
from check.screen import Screen

description = """Installs the Debian packages that it needs (and says which), then runs every check of the project, fast
ones first, several at a time. Logs are in build/check/. Closes with one line: N passed, N failed."""


def parse():
    epilog = "campaigns, each with options of its own (FLAG --help):\n" + "".join(
        f"  {campaign.flag:<22}{campaign.what}\n" for campaign in campaigns)
    parser = argparse.ArgumentParser(prog="./check", description=description, epilog=epilog,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fast", action="store_true", help="what one runs while writing; at most 90 s when built")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these checks (see --list)")
    parser.add_argument("--list", action="store_true", help="name and purpose of each check, and leave")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N",
                        help="checks at a time, and jobs of each (default: %(default)s, the number of CPUs)")
    go_on = parser.add_mutually_exclusive_group()
    go_on.add_argument("--keep-going", action="store_true", help="go on after a failure (this is the default)")
    go_on.add_argument("--stop", action="store_true", help="start nothing more after the first failure")
    options = parser.parse_args()
    if options.jobs < 1:
        parser.error("--jobs: at least 1")
    return parser, options


def choose(parser, options):
    checks = all_checks()
    if options.only:
        known = {check.name for check in checks}
        unknown = [name for name in options.only if name not in known]
        if unknown:
            parser.error(f"no check is called {' '.join(unknown)}; see ./check --list")
        return [check for check in checks if check.name in options.only]
    return [check for check in checks if check.fast or not options.fast]


def run_campaign(campaign, arguments):
    if not install(campaign.packages):
        return 1
    return subprocess.run([tree.root() / campaign.tool, *arguments], check=False).returncode


def install(packages):
    """True when all packages are there."""
    packages = sorted(set(packages))
    command = [tree.root() / "tools/require_packages", *packages]
    return not packages or subprocess.run(command, check=False).returncode == 0


def main():
    if chosen := find(sys.argv[1:]):
        return run_campaign(*chosen)
    parser, options = parse()
    if options.list:
        for check in all_checks():
            print(f"{check.name:<22}{'fast' if check.fast else '    '}  {check.what}")
        return 0
    checks = choose(parser, options)
    if not install(package for check in checks for package in check.packages):
        print("0 passed, 1 failed")
        return 1
    screen = Screen(len(checks))
    runner = Runner(checks, tree.root(), tree.root() / "build/check", options.jobs, screen, options.fast, options.stop)
    outcomes = runner.run()
    ran = {outcome.check.name for outcome in outcomes}
    screen.summary(outcomes, [check for check in checks if check.name not in ran])
    if runner.interrupted:
        return 130
    return 0 if all(outcome.passed or outcome.skipped for outcome in outcomes) and len(outcomes) == len(checks) else 1


if __name__ == "__main__":
    sys.exit(main())
