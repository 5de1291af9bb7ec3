# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""What ./check does besides its checks, one flag each: longer, or with a table of its own. `./check --attacks ...` gives
what follows the flag to the campaign's tool. A short form of most is one of the checks (plan.py)."""

from dataclasses import dataclass

from check.plan import build_packages, clang_packages, coverage_packages, library_packages


@dataclass(frozen=True)
class Campaign:
    flag: str
    what: str
    tool: str
    packages: tuple = build_packages


campaigns = (
    Campaign("--coverage", "lines and branches of the core that no test reaches", "tools/coverage", coverage_packages),
    Campaign("--fuzz", "hostile scripts out of random bytes, for some minutes", "tools/fuzz", clang_packages),
    Campaign("--attacks", "every attack on our mediator and on Xen's own: one table", "tools/attacks"),
    Campaign("--seeded-bugs", "every invariant bites: defects planted into the core, each found by the simulator",
             "tools/seeded_bugs", library_packages),
    Campaign("--mutants", "what the tests would not notice: small mistakes made in the core, one at a time",
             "tools/mutants", library_packages),
    Campaign("--schedules", "vCPUs in every order: exhaustively for two, by chance for twelve", "tools/schedules"),
    Campaign("--soak", "millions of calls while VMs come and go: nothing grows, nothing is left", "tools/soak"),
)


def find(arguments):
    """The campaign that the first argument names, and what is left for its tool; else None."""
    for campaign in campaigns:
        if arguments and arguments[0] == campaign.flag:
            return campaign, arguments[1:]
    return None
