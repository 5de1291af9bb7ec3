# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The client program (guests/client): an ordinary Linux program over OP-TEE's client library, for dom0 and domUs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stack import process
from stack.cache import Cache, content_hash
from stack.packages import Suite, identity

_TOP = Path(__file__).resolve().parent.parent
_SOURCES = _TOP / "guests" / "client"
PROGRAM = "client"
_PACKAGES = ("libteec2", "optee-client-dev")
_SECONDS = 300
# The guests have no C++ library. Their C library is newer than ours, and so are the symbols that libteec wants of it.
_FLAGS = ("-std=c++20", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-static-libstdc++", "-static-libgcc",
          "-Wl,--unresolved-symbols=ignore-in-shared-libs")


@dataclass(frozen=True)
class Architecture:
    """What a guest's programs are built for."""

    debian: str
    triplet: str                # of the compiler and, in Debian, of the libraries
    step: str


ARM64 = Architecture("arm64", "aarch64-linux-gnu", "client")
ARMHF = Architecture("armhf", "arm-linux-gnueabihf", "client-armhf")


def fetch(cache: Cache, sid: Suite, architecture: Architecture = ARM64) -> Path:
    """OP-TEE's client library, with its header."""
    return sid.binaries(architecture.step, _PACKAGES, architecture.debian)


def build(cache: Cache, library: Path, architecture: Architecture = ARM64) -> Path:
    """The program."""
    inputs = {"library": identity(library), "sources": content_hash([_SOURCES], _TOP),
              "recipe": content_hash([Path(__file__)], Path(__file__).parent)}

    def make(folder: Path, log: Path) -> None:
        unpacked = folder / "library"
        for package in _PACKAGES:
            process.run(["dpkg-deb", "--extract", str(library / f"{package}.deb"), str(unpacked)], log=log,
                        seconds=_SECONDS, observer=cache.observer, what=f"unpacking {package}")
        process.run([f"{architecture.triplet}-g++", *_FLAGS, f"-I{unpacked}/usr/include", "-o", str(folder / PROGRAM),
                     *map(str, sorted(_SOURCES.glob("*.cpp"))), f"-L{unpacked}/usr/lib/{architecture.triplet}", "-lteec"],
                    log=log, seconds=_SECONDS, observer=cache.observer, what="building the client program")

    return cache.make(architecture.step, inputs, make) / PROGRAM
