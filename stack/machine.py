# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The machine that QEMU plays: its memory map, its device tree, its serial line, and the job of its guests."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stack import monitor, process, rootfs
from stack.observer import Observer

# OP-TEE reserves 0x42000000 to 0x421fffff (its static shared memory): Xen must not be there.
XEN_ADDRESS = 0x45000000
KERNEL_ADDRESS = 0x48000000
INITRAMFS_ADDRESS = 0x50000000
# An initramfs is a chain of archives; each begins where a four-byte word begins, and zeros between them are skipped.
_ARCHIVE_ALIGNMENT = 4096

MACHINE = "virt,secure=on,virtualization=on,gic-version=3"
PROCESSORS = 2
MEMORY_MIB = 3072
DOM0_MEMORY_MIB = 768
DOMU_MEMORY_MIB = 192
_TOOL_SECONDS = 60
# One instruction takes one tick of the machine's clock, which waits for nobody: with one processor each boot is the same.
_COUNTING = ("-icount", "shift=0,sleep=off", "-rtc", "clock=vm", "-seed", "1")


# On a loaded host the timer of one of dom0's vCPUs has stopped for good. What fits that, and is not proved: the vCPU comes back
# on one processor while its timer still runs out on another, since stop_timer() does not wait for virt_timer_expired(). A vCPU
# that stays where it is has its timer there, too. docs/stack.md, 'Pitfalls', has what was seen.
_PINNED = "dom0_vcpus_pin"
XEN_ARGUMENTS = ("console=dtuart dtuart=/pl011@9000000 "
                 # What is more than the transmit buffer holds would be dropped.
                 "serial_tx_buffer=1M bootscrub=0 loglvl=all guest_loglvl=all")


@dataclass(frozen=True)
class Images:
    """What is booted."""

    flash: Path
    xen: Path
    rootfs: Path

    @property
    def kernel(self) -> Path:
        return self.rootfs / rootfs.KERNEL


@dataclass(frozen=True)
class Extras:
    """What a job brings besides xtest: files in /job/extras, settings for the scripts."""

    files: Sequence[Path]               # for dom0 and the domUs alike
    settings: Mapping[str, str]
    dom0_files: Sequence[Path] = ()     # only for dom0

    def files_for(self, role: str) -> Sequence[Path]:
        """Of `dom0` or `domu`."""
        return [*self.files, *self.dom0_files] if role == "dom0" else self.files


@dataclass(frozen=True)
class Job:
    """What the guests shall do."""

    guests: Sequence[str]               # names of the domUs
    xtest_arguments: Sequence[str]
    xtest_seconds: int
    domu_boot_seconds: int
    shell: bool = False
    record: bool = False                # Xen prints what passes between the mediator and OP-TEE
    hostile: Path | None = None         # the image of the guest that attacks, when there shall be one
    extras: Extras | None = None        # when features are measured rather than xtest run
    xen: str = ""                       # more for Xen's command line
    memory_mib: int = MEMORY_MIB
    counted: bool = False               # instructions instead of time: one processor, and every run the same

    def settings(self) -> str:
        """As shell variables, for the guests' scripts."""
        return (f"GUESTS='{' '.join(self.guests)}'\nXTEST_SECONDS={self.xtest_seconds}\n"
                f"DOMU_BOOT_SECONDS={self.domu_boot_seconds}\nDOMU_MEMORY={DOMU_MEMORY_MIB}\n"
                f"SHELL_WANTED={'yes' if self.shell else 'no'}\nATTACK={'yes' if self.hostile else 'no'}\n"
                f"COUNTED={'yes' if self.counted else 'no'}\n"
                + "".join(f"{name}='{value}'\n" for name, value in (self.extras.settings if self.extras else {}).items()))


class Machine:
    """One machine, made in a folder of its own, ready to be started."""

    def __init__(self, folder: Path, images: Images, job: Job, observer: Observer) -> None:
        self.folder = folder
        self._images = images
        self._job = job
        self._observer = observer
        self._log = folder / "prepare.log"

    @property
    def console(self) -> Path:
        """The one serial line of the normal world: Xen, dom0, and what dom0 passes on (console.py)."""
        return self.folder / "console.log"

    @property
    def control(self) -> Path:
        """What dom0 tells about the run."""
        return self.folder / "control.log"

    def guest_log(self, name: str) -> Path:
        """The output of one guest."""
        return self.folder / f"guest-{name}.log"

    def command(self) -> list[str]:
        """Writes the job and the device tree; returns QEMU's command line, to be run in the machine's folder."""
        modules = self._place_modules()
        tree = self._device_tree(modules)
        command = [*self._base(), *(_COUNTING if self._job.counted else ()), "-no-reboot", "-dtb", str(tree), *self._flash()]
        for path, address in ((self._images.xen, XEN_ADDRESS), (self._images.kernel, KERNEL_ADDRESS), *modules):
            command += ["-device", f"loader,file={path},addr={address:#x},force-raw=on"]
        return command + self._serial_ports()

    # --- job and memory

    def _place_modules(self) -> list[tuple[Path, int]]:
        """The archives of the initramfs, one behind the other in memory."""
        placed = []
        address = INITRAMFS_ADDRESS
        for path in self._archives():
            placed.append((path, address))
            address += -(-path.stat().st_size // _ARCHIVE_ALIGNMENT) * _ARCHIVE_ALIGNMENT
        return placed

    def _archives(self) -> Sequence[Path]:
        """Of dom0."""
        return self._images.rootfs / rootfs.BASE, self._images.rootfs / rootfs.TOOLSTACK, self._job_archives()[1]

    def _job_archives(self) -> tuple[Path, Path]:
        """The job of a domU, and that of dom0, which has the other in it."""
        for role in ("domu", "dom0"):
            folder = self.folder / "job" / role / "job"
            folder.mkdir(parents=True)
            (folder / "settings").write_text(self._job.settings())
            (folder / "xtest.arguments").write_text(" ".join(self._job.xtest_arguments) + "\n")
            for path in self._job.extras.files_for(role) if self._job.extras else ():
                (folder / "extras").mkdir(exist_ok=True)
                shutil.copy(path, folder / "extras" / path.name)
        if self._job.hostile is not None:
            shutil.copy(self._job.hostile, self.folder / "job" / "dom0" / "job" / "hostile")
        domu = self.folder / "job" / "dom0" / "job" / "domu.cpio"
        rootfs.archive(self.folder / "job" / "domu", domu, self._log, self._observer)
        dom0 = self.folder / "job" / "dom0.cpio"
        rootfs.archive(self.folder / "job" / "dom0", dom0, self._log, self._observer)
        return domu, dom0

    # --- device tree

    def _device_tree(self, modules: Sequence[tuple[Path, int]]) -> Path:
        """QEMU's own, with what Xen reads from /chosen; TF-A and OP-TEE add their nodes while they boot."""
        tree = self.folder / "machine.dtb"
        # With the flash drive, since QEMU leaves a GPIO controller out when there is firmware, and dom0 would touch it.
        self._tool([*self._base(f",dumpdtb={tree}"), *self._flash()], "writing QEMU's device tree")
        self._set_cells(tree, "/chosen")
        self._describe(tree, modules)
        return tree

    def _describe(self, tree: Path, modules: Sequence[tuple[Path, int]]) -> None:
        """/chosen, for Xen and dom0."""
        self._set(tree, "/chosen", "xen,xen-bootargs", "-t", "s", values=[
            f"dom0_mem={DOM0_MEMORY_MIB}M dom0_max_vcpus={self._processors} {_PINNED} {XEN_ARGUMENTS}"
            f"{' optee-mediator-record' if self._job.record else ''}{f' {self._job.xen}' if self._job.xen else ''}"])
        # At most 1024 bytes, or Xen cuts it: what is long goes into the job.
        self._set(tree, "/chosen", "xen,dom0-bootargs", "-t", "s", values=[
            f"console=hvc0 panic=1 quiet role=dom0 name=dom0{' nokaslr' if self._job.counted else ''}"])
        self._add_kernel_and_initramfs(tree, "/chosen", modules)

    def _add_kernel_and_initramfs(self, tree: Path, parent: str, modules: Sequence[tuple[Path, int]]) -> None:
        last, last_address = modules[-1]
        initramfs_size = last_address + last.stat().st_size - INITRAMFS_ADDRESS
        self._add_module(tree, parent, KERNEL_ADDRESS, self._images.kernel.stat().st_size, "multiboot,kernel")
        self._add_module(tree, parent, INITRAMFS_ADDRESS, initramfs_size, "multiboot,ramdisk")

    def _add_module(self, tree: Path, parent: str, address: int, size: int, compatible: str) -> None:
        node = f"{parent}/module@{address:x}"
        self._add_node(tree, node)
        self._set(tree, node, "compatible", "-t", "s", values=[compatible, "multiboot,module"])
        self._set(tree, node, "reg", "-t", "x", values=["0", f"{address:x}", "0", f"{size:x}"])

    def _add_node(self, tree: Path, node: str) -> None:
        self._tool(["fdtput", "-c", str(tree), node], "editing the device tree")

    def _set_cells(self, tree: Path, node: str) -> None:
        for name in ("#address-cells", "#size-cells"):
            self._set(tree, node, name, "-t", "x", values=["2"])

    def _set(self, tree: Path, node: str, name: str, *kind: str, values: Sequence[str]) -> None:
        self._tool(["fdtput", *kind, str(tree), node, name, *values], "editing the device tree")

    def _tool(self, command: Sequence[str], what: str) -> None:
        process.run(command, log=self._log, seconds=_TOOL_SECONDS, observer=self._observer, what=what)

    # --- QEMU

    @property
    def _processors(self) -> int:
        return 1 if self._job.counted else PROCESSORS

    def _base(self, machine_extra: str = "") -> list[str]:
        return ["qemu-system-aarch64", "-machine", MACHINE + machine_extra, "-cpu", "cortex-a57",
                "-smp", str(self._processors), "-m", str(self._job.memory_mib), "-nodefaults", "-display", "none"]

    def _flash(self) -> list[str]:
        return ["-drive", f"if=pflash,unit=0,readonly=on,format=raw,file={self._images.flash}"]

    def _serial_ports(self) -> list[str]:
        if self._job.shell:
            console = ["-chardev", f"stdio,id=console,mux=on,signal=off,logfile={self.console}"]
        else:
            console = ["-chardev", f"file,id=console,path={self.console}"]
        return [*console, "-serial", "chardev:console", "-serial", f"file:{self.folder}/secure.log",
                "-monitor", f"unix:{monitor.SOCKET},server=on,wait=off"]
