# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""./run --arm32 without a machine: what is edited, fetched and booted, and how the steps are judged."""

import contextlib
import io
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

from stack import build_tfa, cli, versions
from stack.arm32 import boot, driver, firmware, machine, steps
from stack.errors import StackError
from stack.features.evidence import Evidence
from stack.machine import Images, Job
from stack.observer import StderrObserver
from stack.versions import Pin, Wanted

XEN = ("(XEN) Xen version 4.17.5 (Debian) (-@-) (arm-linux-gnueabihf-gcc (Debian 12.2.0-14) 12.2.0) debug=n",
       "(XEN) Brought up 2 CPUs", "(XEN) optee-mediator: version 0.1, 4 threads per domain",
       "(XEN) Using TEE mediator for OP-TEE (optee-mediator)")
GUEST = ("@guest begin 3.10", "fact arm32.up machine=armv7l kernel=6.1.0-50-armmp", "fact arm32.driver bound=1 revision=4.10",
         "fact once ok=1 result=0 bytes=16777216",
         "fact sharing.buffer bytes=16777216 result=0 blocks=1048576 blocks_changed=1048576 all_back=1 last_byte_seen=1",
         "fact sharing.buffers wanted=256 bytes=65536 at_once=256 wrong=0 result=0", "fact sharing.end",
         "fact arm32.client status=0", "fact arm32.kernel complaints=0", "@guest end 50.00 0")
COUNTERS = {"open_session": 3, "invoke_command": 900, "close_session": 3, "register_shm": 700, "unregister_shm": 700,
            "rpc_command": 9, "calls_live": 0, "buffers_live": 0, "pages_live": 0, "arguments_live": 0, "mediator_pages": 5}


def shown(guest=GUEST, xen=XEN, counters=None, names=("domu1",)) -> steps.Shown:
    evidence = Evidence()
    for line in xen:
        evidence.hear_xen(line)
    for name in names:
        run = boot.ClientRun(name, evidence=evidence)
        for line in guest:
            run.feed(line)
    return steps.Shown(evidence, names, {name: {**COUNTERS, **(counters or {})} for name in names}, True, [])


def missed(what: steps.Shown) -> list[int]:
    """The numbers of the steps that were not reached."""
    return [number for number, step in enumerate(steps.judge(what)) if not step.reached]


def without(text: str) -> tuple[str, ...]:
    return tuple(line for line in GUEST if text not in line)


class TheSteps(unittest.TestCase):
    def test_are_all_reached_when_everything_was_said(self):
        table = steps.judge(shown(names=("domu1", "domu2")))
        self.assertEqual([step.title for step in table if not step.reached], [])
        self.assertIn("PASSED: 9 of 9", steps.text(table))
        self.assertIn("33554432 bytes shared", steps.text(table))

    def test_are_not_reached_by_silence(self):
        nothing = steps.Shown(Evidence(), ("domu1",), {}, False, [])
        self.assertEqual(missed(nothing), list(range(9)))
        self.assertFalse(steps.all_reached(steps.judge(nothing)))

    def test_need_a_guest(self):
        self.assertEqual(missed(shown(names=())), [2, 3, 4, 5, 6, 7])

    def test_tell_a_xen_of_64_bits_from_one_of_32(self):
        self.assertEqual(missed(shown(xen=[line.replace("arm-linux-gnueabihf", "aarch64-linux-gnu") for line in XEN])), [0])

    def test_tell_another_mediator_from_ours(self):
        self.assertEqual(missed(shown(xen=(*XEN[:2], "(XEN) Using TEE mediator for OP-TEE"))), [1])

    def test_need_the_right_processor_in_the_guest(self):
        self.assertEqual(missed(shown([line.replace("armv7l", "aarch64") for line in GUEST])), [2])

    def test_show_a_driver_that_is_not_bound(self):
        self.assertEqual(missed(shown([line.replace("bound=1", "bound=0") for line in GUEST])), [3])

    def test_need_the_client_to_have_worked(self):
        self.assertEqual(missed(shown([line.replace("ok=1", "ok=0") for line in GUEST])), [4])

    def test_need_every_block_to_have_been_changed(self):
        self.assertEqual(missed(shown([line.replace("blocks_changed=1048576", "blocks_changed=1048575") for line in GUEST])), [5])
        self.assertEqual(missed(shown(without("sharing.end"))), [5])

    def test_show_a_kernel_that_complains(self):
        self.assertEqual(missed(shown([line.replace("complaints=0", "complaints=2") for line in GUEST])), [6])

    def test_show_what_the_mediator_still_holds(self):
        self.assertEqual(missed(shown(counters={"pages_live": 16})), [7])

    def test_do_not_take_the_call_slots_of_a_guest_that_is_off_for_something_left(self):
        self.assertEqual(missed(shown(counters={"mediator_pages": 6})), [])

    def test_need_every_counter(self):
        self.assertEqual(missed(shown(counters={"rpc_command": 0})), [7])

    def test_show_problems_of_the_machine(self):
        self.assertEqual(missed(replace(shown(), clean_end=False)), [8])
        self.assertEqual(missed(replace(shown(), problems=["Xen died"])), [8])

    def test_need_all_guests_not_one(self):
        one = shown()
        self.assertEqual(missed(replace(one, guests=("domu1", "domu2"))), [2, 3, 4, 5, 6, 7])


class TheGuest(unittest.TestCase):
    def test_begins_and_ends_by_its_own_words(self):
        run = boot.ClientRun("domu1")
        states = []
        for line in GUEST:
            run.feed(line)
            states.append(run.state)
        self.assertEqual((states[0], states[-1]), ("running", "ended"))
        self.assertEqual(run.complaints(), [])


class WhatIsFetched(unittest.TestCase):
    def test_names_the_common_headers_by_those_of_the_kernel(self):
        self.assertEqual(driver.common_headers("linux-headers-6.1.0-50-common (= 6.1.176-1), linux-kbuild-6.1 (>= 6.1.176-1)"),
                         "linux-headers-6.1.0-50-common")

    def test_ends_when_there_are_none(self):
        with self.assertRaises(StackError):
            driver.common_headers("linux-kbuild-6.1")

    def test_must_be_of_one_version(self):
        with tempfile.TemporaryDirectory() as folder:
            kernel, source = (Path(folder) / name for name in ("linux-image-armmp", "linux-source-6.1"))
            for package in (kernel, source):
                package.mkdir()
                wanted = Wanted("binary", "bookworm", package.name)
                (package / "versions").write_text(versions.render({wanted: Pin("6.1.176-1", "2026-11-24")}))
            driver.require_one_version((kernel, source))
            (source / "versions").write_text(versions.render({wanted: Pin("6.1.170-3", "2026-11-24")}))
            with self.assertRaisesRegex(StackError, r"linux-image-armmp 6.1.176-1, linux-source-6.1 6.1.170-3"):
                driver.require_one_version((kernel, source))


class TheFirmware(unittest.TestCase):
    def test_knows_the_processor_that_the_machine_has(self):
        base = machine.Arm32Machine(Path(), Images(Path(), Path(), Path()), Job((), (), 0, 0), StderrObserver())._base()
        self.assertIn("cortex-a57,midr=0x412fc0f1", base)
        self.assertIn("gic-version=2", base[base.index("-machine") + 1])
        self.assertIn("U(0x412fc0f0)", [edit.after for edit in firmware.TFA.edits])

    def test_of_the_usual_machine_is_edited_nowhere(self):
        self.assertEqual(build_tfa.USUAL.edits, ())
        self.assertNotEqual(build_tfa.USUAL.step, firmware.TFA.step)


class TheCommandLine(unittest.TestCase):
    def parse(self, *arguments: str):
        with contextlib.redirect_stderr(io.StringIO()):
            return cli.parse_arguments(list(arguments))

    def test_takes_arm32_with_a_number_of_guests(self):
        self.assertTrue(self.parse("--arm32", "--guests", "1").arm32)

    def test_refuses_what_does_not_go_with_it(self):
        for other in (("--dom0less",), ("--mediator", "upstream"), ("--guests", "0"), ("--attack",), ("--trace", "x")):
            with self.assertRaises(SystemExit, msg=other):
                self.parse("--arm32", *other)


if __name__ == "__main__":
    unittest.main()
