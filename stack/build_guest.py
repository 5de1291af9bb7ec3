# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The hostile guest (guests/hostile): an image without an operating system that xl starts like a kernel."""

from __future__ import annotations

from pathlib import Path

from stack import process
from stack.cache import Cache, content_hash

_TOP = Path(__file__).resolve().parent.parent
_SOURCES = _TOP / "guests" / "hostile"
_CORE = _TOP / "core"
IMAGE = "hostile"
_SECONDS = 300
_CROSS = "aarch64-linux-gnu-"
_FLAGS = ("-std=c++20", "-O2", "-Wall", "-Wextra", "-Werror",
          "-ffreestanding", "-fno-builtin", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", "-fno-use-cxa-atexit",
          "-fno-asynchronous-unwind-tables", "-fno-stack-protector", "-fno-pic", "-fno-pie",
          # No floating point unit is switched on, and no library is there that atomics could be calls to.
          "-mgeneral-regs-only", "-mno-outline-atomics", "-mstrict-align")
_LINK = ("-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none", "-Wl,--no-warn-rwx-segments", "-Wl,-z,max-page-size=4096")


def build(cache: Cache) -> Path:
    """The image."""
    inputs = {"sources": content_hash([_SOURCES, _CORE / "abi"], _TOP),
              "recipe": content_hash([Path(__file__)], Path(__file__).parent)}

    def make(folder: Path, log: Path) -> None:
        linked = folder / f"{IMAGE}.elf"
        process.run([f"{_CROSS}g++", *_FLAGS, f"-I{_CORE}", *_LINK, "-T", str(_SOURCES / "hostile.lds"), "-o", str(linked),
                     *map(str, sorted([*_SOURCES.glob("*.S"), *_SOURCES.glob("*.cpp")]))],
                    log=log, seconds=_SECONDS, observer=cache.observer, what="building the hostile guest")
        process.run([f"{_CROSS}objcopy", "-O", "binary", str(linked), str(folder / IMAGE)],
                    log=log, seconds=_SECONDS, observer=cache.observer, what="making the hostile guest's image")

    return cache.make("hostile", inputs, make) / IMAGE
