# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The machine for 32-bit Xen: the one without dom0, with an interrupt controller and a processor that Xen knows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stack.arm32 import firmware
from stack.machine import KERNEL_ADDRESS, MEMORY_MIB, PROCESSORS
from stack.static_machine import StaticMachine

FEATURE = "arm32"                               # what init runs in the guest: FEATURE.domu among the job's files
GUEST_FILES = Path(__file__).resolve().parent / "guest"


class Arm32Machine(StaticMachine):
    """Firmware and OP-TEE run in 64 bits, Xen and its guests in 32."""

    def _describe_guest(self, tree: Path, name: str, modules: Sequence[tuple[Path, int]]) -> None:
        super()._describe_guest(tree, name, modules)
        self._set(tree, f"/chosen/{name}/module@{KERNEL_ADDRESS:x}", "bootargs", "-t", "s", values=[
            f"console=ttyAMA0 panic=1 quiet role=domu name={name} feature={FEATURE}"])

    def _base(self, machine_extra: str = "") -> list[str]:
        return ["qemu-system-aarch64", "-machine", f"virt,secure=on,virtualization=on,gic-version=2{machine_extra}",
                "-cpu", f"cortex-a57,midr={firmware.PROCESSOR_ID:#x}", "-smp", str(PROCESSORS), "-m", str(MEMORY_MIB),
                "-nodefaults", "-display", "none"]
