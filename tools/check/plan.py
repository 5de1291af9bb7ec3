# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""What ./check checks, in the order in which it starts: what is quick or finds most comes first. To add a check, add an
entry; see Check in runner.py for the fields. A step that does not exist is a failure, as is a test run without tests."""

from check.runner import Check

build_packages = ("cmake", "ninja-build", "ccache", "g++", "googletest")
clang_packages = (*build_packages, "clang-14", "libclang-rt-14-dev", "llvm-14")
coverage_packages = (*build_packages, "lld", "clang-19", "llvm-19", "libclang-rt-19-dev")
library_packages = (*build_packages, "lld")       # of tools/check/core_library.py
arm64_packages = ("cmake", "ninja-build", "g++-aarch64-linux-gnu", "binutils")
arm32_packages = (*build_packages, "g++-arm-linux-gnueabihf", "binutils")
minute = 60
xen_source_not_served = 3       # stack/xen_build: the mirror lists a source package and does not have it


def all_checks() -> list[Check]:
    return [*stack_preparation(), *of_the_text(), *of_the_tools(), *of_the_core_alone(), *of_behaviour(),
            *of_the_stack(), *end_to_end()]


def stack_preparation():
    """Downloads and builds what the last checks boot, beside everything else."""
    return [Check("stack-prepare", "the real stack: fetched and built", (("./run", "--prepare"),), 30 * minute,
                  uses=frozenset({"stack"}), background=True)]


def of_the_text():
    return [
        Check("format", "C and C++ are formatted by .clang-format", (("tools/format_check",),), minute,
              ("clang-format-14",), fast=True),
        Check("spdx", "every file says its licence, and the right one", (("tools/spdx_check",),), minute, fast=True),
        Check("reuse", "the licences are complete by the rules of REUSE", (("reuse", "lint"),), 2 * minute, ("reuse",)),
        Check("layers", "includes of the core go down only", (("tools/boundary_check",),), minute, fast=True),
        Check("lifecycles", "docs/lifecycles.md and the automata of the core agree", (("tools/lifecycles_check",),), minute,
              fast=True),
        Check("style", "what formatters and linters cannot see", (("tools/style_check",),), minute, fast=True),
        Check("shell", "shell scripts, by shellcheck", (("tools/shell_check",),), 2 * minute, ("shellcheck",), fast=True),
        Check("spelling", "text, by codespell", (("tools/spelling_check",),), minute, ("codespell",), fast=True),
        Check("seeded-bugs-fit", "every seeded bug still fits the core, and compiles", (("tools/seeded_bugs", "--check"),),
              5 * minute, ("g++",), fast=True),
        Check("docs", "links and commands of the documents exist", (("tools/docs_check",),), 2 * minute, fast=True),
    ]


def of_the_tools():
    return [
        Check("tools", "the tools fail when they should", (unittests("tests/tools"),), 15 * minute,
              ("clang-format-14", "clang-tidy-14", "clang-14", "shellcheck", "codespell", "g++", "binutils", "python3-z3"),
              fact=unittest_count),
        Check("stack-tools", "./run's own parts, without a machine", (unittests("stack/tests"),), 15 * minute,
              fact=unittest_count),
    ]


def of_the_core_alone():
    checks = [
        Check("headers", "every header compiles alone, public ones as C11 too",
              (("tools/headers_check", "--jobs", "{jobs}"),), 15 * minute, ("gcc", "g++", "clang-14"), fast=True,
              fast_steps=(("tools/headers_check", "--changed", "--jobs", "{jobs}"),)),
        Check("proofs", "claims about pure functions of the core hold for all arguments", (("tools/proofs",),), 15 * minute,
              ("clang-14", "python3-z3", "g++", "g++-aarch64-linux-gnu", "g++-arm-linux-gnueabihf"),
              fact=r"^proofs: (\d+ proved, \d+ false ones refuted)"),
        Check("compile-fail", "wrong use does not compile", (("tests/compile_fail/run", "--jobs", "{jobs}"),), 15 * minute,
              ("g++", "clang-14"), fast=True),
    ]
    for architecture, packages in (("arm64", arm64_packages), ("arm32", arm32_packages), ("x86_64", build_packages)):
        preset = f"freestanding-{architecture}"
        checks.append(Check(
            preset, f"the core for {architecture}: needs nothing but the boundary, little stack",
            (*build(preset), ("tools/symbols_check", f"build/{preset}/libcore.o"), ("tools/stack_check", f"build/{preset}")),
            15 * minute, packages, fast=True, uses=frozenset({preset}), fact=r"^deepest way: (\d+ bytes)"))
    checks.append(Check(
        "size", "the core is as small as docs/size.csv says",
        (*build("freestanding-arm64"), ("tools/size_report", "--budget", "docs/size.csv")), 15 * minute, arm64_packages,
        fast=True, uses=frozenset({"freestanding-arm64"}), fact=r"^size_report: (text \d+ bytes)"))
    checks.append(Check(
        "instructions", "calls take as few instructions of the core as docs/instructions.csv says",
        (("tools/core_instructions", "--budget", "docs/instructions.csv", "--jobs", "{jobs}"),), 15 * minute,
        (*arm64_packages, "qemu-user", "valgrind"), fact=r"^ +(\d+)  INVOKE_COMMAND without memory$"))
    return checks


def of_behaviour():
    return [
        tests("debug", "unit, scenario and simulator tests, g++", build_packages, 30, fast=True),
        Check("lint", "clang-tidy over core and simulator",
              (configure("clang"), ("tools/tidy_check", "--jobs", "{jobs}")), 40 * minute,
              (*clang_packages, "clang-tidy-14"), fast=True, uses=frozenset({"clang"}),
              fast_steps=(configure("clang"), ("tools/tidy_check", "--changed", "--jobs", "{jobs}"))),
        Check("fuzz", "hostile scripts out of random bytes, five minutes of them",
              (("tools/fuzz", "--minutes", "5", "--jobs", "1"),), 25 * minute, clang_packages, uses=frozenset({"fuzz"}),
              fact=r"; (\d+ steps)"),
        tests("asan", "the same, clang++ with its lock analysis, under AddressSanitizer and UBSan", clang_packages, 45),
        Check("schedules", "two vCPUs in every order for half a minute, twelve by chance",
              (("tools/schedules", "--seconds", "30", "--random", "3000", "--jobs", "{jobs}"),), 20 * minute, build_packages,
              uses=frozenset({"release"}), fact=r"^schedules: (\d+ explored, \d+ by chance)"),
        Check("soak", "a hundred thousand calls while VMs come and go: nothing grows, nothing is left",
              (("tools/soak", "--calls", "100000", "--jobs", "{jobs}"),), 20 * minute, build_packages,
              uses=frozenset({"release"}), fact=r"^soak: (\d+ calls, \d+ lives of VMs)"),
        tests("tsan", "the same under ThreadSanitizer", clang_packages, 45),
        tests("arm32", "the same for 32-bit Arm, under qemu-user", (*arm32_packages, "qemu-user"), 45),
        Check("attack-table", "every attack of the catalogue is there; our mediator and Xen's own in one table",
              (("tools/attacks", "--jobs", "{jobs}", "--report", "build/check/attacks.json"),), 30 * minute,
              build_packages, uses=frozenset({"debug"}), fact=r"^(ours: \d+ pass.*)$"),
    ]


def of_the_stack():
    checks = [Check("abi", "the core's constants are OP-TEE's", (("tools/abi_compare",),), 10 * minute, ("gcc", "g++"),
                    uses=frozenset({"stack"}))]
    for suite, architecture in (("bookworm", "arm64"), ("sid", "arm64"), ("bookworm", "arm32")):
        checks.append(Check(
            f"xen-{suite}-{architecture}", f"Xen of {suite} for {architecture} builds with the mediator",
            (("stack/xen_build", "--suite", suite, "--mediator", "ours", "--arch", architecture),), 40 * minute,
            uses=frozenset({"stack"}), skip_status=xen_source_not_served))
    return checks


def end_to_end():
    return [
        Check("end-to-end", "real guests run xtest through the mediator in Xen", (("./run", "--quick"),), 30 * minute,
              uses=frozenset({"stack"}), alone=True),
        Check("hostile-guest", "a bare-metal guest attacks the mediator in Xen, and nobody notices", (("./run", "--attack"),),
              30 * minute, uses=frozenset({"stack"}), alone=True, fact=r"^PASSED: (\d+ of \d+ attacks withstood)"),
        Check("guests-arm32", "32-bit guests of a 32-bit Xen share memory with a TA", (("./run", "--arm32"),), 30 * minute,
              uses=frozenset({"stack"}), alone=True, fact=r"^PASSED: (\d+ of \d+ steps reached)"),
    ]


unittest_count = r"^Ran (\d+ tests?)"


def unittests(folder):
    return ("tools/python_tests", folder)


def configure(preset):
    return ("cmake", "--preset", preset)


def build(preset):
    return (configure(preset), ("cmake", "--build", "--preset", preset, "-j", "{jobs}"))


def tests(preset, what, packages, minutes, fast=False):
    return Check(f"tests-{preset}", what, (*build(preset), ("ctest", "--preset", preset, "-j", "{jobs}")),
                 minutes * minute, packages, fast=fast, uses=frozenset({preset}),
                 fact=r"tests failed out of (\d+)")
