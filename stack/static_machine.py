# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The machine without dom0 and toolstack: Xen makes the guests that its device tree describes (Xen calls that dom0less).

Each guest has an emulated serial port, whose lines Xen prints on its own console. Xen's console has an input here: what
dom0 does at the end of a run, the keys T and R do.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stack import monitor, rootfs
from stack.machine import DOMU_MEMORY_MIB, KERNEL_ADDRESS, XEN_ARGUMENTS, Machine

KEYBOARD = "console.sock"


class StaticMachine(Machine):
    """Its guests have a processor each, and OP-TEE if Xen knows the property that asks for it."""

    def _archives(self) -> Sequence[Path]:
        return self._images.rootfs / rootfs.BASE, self._job_archives()[0]

    def _describe(self, tree: Path, modules: Sequence[tuple[Path, int]]) -> None:
        # x: keys go to Xen, not to a guest; only then Xen prints guests' output by whole lines.
        self._set(tree, "/chosen", "xen,xen-bootargs", "-t", "s", values=[f"conswitch=ax {XEN_ARGUMENTS}"])
        # Nodes are put before those that are there already, and Xen numbers its guests in the tree's order.
        for name in reversed(self._job.guests):
            self._describe_guest(tree, name, modules)

    def _describe_guest(self, tree: Path, name: str, modules: Sequence[tuple[Path, int]]) -> None:
        node = f"/chosen/{name}"
        self._add_node(tree, node)
        self._set(tree, node, "compatible", "-t", "s", values=["xen,domain"])
        self._set_cells(tree, node)
        self._set(tree, node, "cpus", "-t", "x", values=["1"])
        self._set(tree, node, "memory", "-t", "x", values=["0", f"{DOMU_MEMORY_MIB << 10:x}"])     # in KiB
        self._set(tree, node, "vpl011", values=[])
        self._set(tree, node, "xen,tee", "-t", "s", values=["optee"])
        self._add_kernel_and_initramfs(tree, node, modules)
        self._set(tree, f"{node}/module@{KERNEL_ADDRESS:x}", "bootargs", "-t", "s", values=[
            f"console=ttyAMA0 panic=1 quiet role=domu name={name} start=now"])

    def _serial_ports(self) -> list[str]:
        return ["-chardev", f"socket,id=console,path={KEYBOARD},server=on,wait=off,logfile={self.console}",
                "-serial", "chardev:console", "-serial", f"file:{self.folder}/secure.log",
                "-monitor", f"unix:{monitor.SOCKET},server=on,wait=off"]
