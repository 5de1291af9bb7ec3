# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""What a VM may use: which facts make a row green, and which near misses do not."""

import unittest

from stack.features import policy
from stack.tests.test_features import heard

DOM0 = "control|fact policy.settings of=dom0 threads=all buffers=600 pages=65536 capabilities=0xffffffff tas=all"
DOMU = ("control|fact policy.settings of=domu threads=3 buffers=500 pages=30000 capabilities=0xffffffff "
        "tas=5b9e0e40-2636-11e1-ad9e-0002a5d5c51b")


def judged(*lines: str) -> dict:
    return policy.judge(heard("control|created policy 1", *lines))


def step(name: str, fact: str) -> list[str]:
    return [f"policy|fact policy.at step={name}", f"policy|fact {fact}", f"policy|fact policy.done step={name}"]


def opened(**results: str) -> list[str]:
    return [line for name, result in results.items() for line in step(name, f"policy.open ta=any result={result}")]


class Defaults(unittest.TestCase):
    def test_are_green_when_both_are_as_given(self):
        self.assertTrue(judged(DOM0, DOMU)["policy.defaults"].green)

    def test_are_not_when_one_value_is_another_or_dom0_has_a_list(self):
        for wrong in ((DOM0.replace("=600", "=1024"), DOMU), (DOM0, DOMU.replace("30000", "65536")),
                      (DOM0.replace("tas=all", "tas=none"), DOMU), (DOM0, DOMU.replace("tas=5b9e0e40", "tas=5b9e0e41"))):
            self.assertFalse(judged(*wrong)["policy.defaults"].green, wrong)

    def test_are_not_measured_by_halves(self):
        self.assertNotIn("policy.defaults", judged(DOM0))


class Tas(unittest.TestCase):
    def test_are_refused_with_that_error_and_no_other(self):
        self.assertTrue(judged(*opened(listed="0", unlisted="0xffff0001"))["policy.ta_refused"].green)
        for listed, unlisted in (("0", "0"), ("0xffff0001", "0xffff0001"), ("0", "0xffff0008"), ("0", "0xffff000c")):
            self.assertFalse(judged(*opened(listed=listed, unlisted=unlisted))["policy.ta_refused"].green)

    def test_change_with_each_write(self):
        self.assertTrue(judged(*opened(added="0", none="0xffff0001", all="0"))["policy.at_run_time"].green)
        self.assertFalse(judged(*opened(added="0", none="0", all="0"))["policy.at_run_time"].green)
        self.assertFalse(judged(*opened(added="0xffff0001", none="0xffff0001", all="0"))["policy.at_run_time"].green)
        self.assertNotIn("policy.at_run_time", judged(*opened(added="0", none="0xffff0001")))

    def test_of_a_step_are_not_those_of_another_guest(self):
        lines = [line.replace("policy|", "share|") for line in opened(listed="0", unlisted="0xffff0001")]
        self.assertNotIn("policy.ta_refused", judged(*lines))


class Quotas(unittest.TestCase):
    def of(self, few: int, more: int):
        return judged(*step("buffers40", f"policy.buffers count={few} result=0xffff0000"),
                      *step("buffers80", f"policy.buffers count={more} result=0xffff0000"))["policy.quota"].green

    def test_are_exact(self):
        self.assertTrue(self.of(36, 76))
        for few, more in ((36, 75), (36, 77), (40, 80), (0, 40), (400, 400)):
            self.assertFalse(self.of(few, more), (few, more))

    def test_of_threads_show_in_calls_at_once(self):
        for one, several, failed, green in ((1, 2, 0, True), (2, 2, 0, False), (1, 1, 0, False), (0, 2, 0, False),
                                            (1, 2, 1, False)):
            found = judged(*step("threads1", "policy.wait calls=2 failed=0"),
                           *step("threads_all", f"policy.wait calls=2 failed={failed}"),
                           f"control|fact policy.at_once step=threads1 most={one}",
                           f"control|fact policy.at_once step=threads_all most={several}")
            self.assertIs(found["policy.threads"].green, green)


class Capabilities(unittest.TestCase):
    def of(self, masked: str, granted: str):
        nothing = "with_rpc_arg=4 with_regd_arg=9 rpc_alloc=2 open_session=5"
        lines = [f"control|fact policy.statistics when={when} {values}" for when, values in
                 (("masked", nothing), ("after_masked", masked), ("granted", nothing), ("after_granted", granted))]
        return judged(*opened(masked="0", granted="0"), *lines)["policy.capability"].green

    def test_show_in_what_was_counted_meanwhile(self):
        alloc = "with_rpc_arg=4 with_regd_arg=9 rpc_alloc=3 open_session=6"
        registered = "with_rpc_arg=4 with_regd_arg=11 rpc_alloc=2 open_session=6"
        self.assertTrue(self.of(alloc, registered))
        self.assertFalse(self.of(registered, registered))
        self.assertFalse(self.of(alloc, alloc))


class Others(unittest.TestCase):
    def test_nonsense_is_refused_whole_and_changes_nothing(self):
        line = "control|fact policy.nonsense tried={} refused={} unchanged={}"
        self.assertTrue(judged(line.format(14, 14, 1))["policy.nonsense"].green)
        for wrong in ((14, 13, 1), (14, 14, 0), (0, 0, 1)):
            self.assertFalse(judged(line.format(*wrong))["policy.nonsense"].green, wrong)

    def test_time_grows_but_not_faster_than_time(self):
        line = "control|fact policy.time when={} ns={} hundredths={}"
        for ns, green in ((300_000_000, True), (100_000_000, False), (2_200_000_000, False)):
            found = judged(line.format("before", 100_000_000, 500), line.format("after", ns, 600))
            self.assertIs(found["policy.secure_time"].green, green, ns)

    def test_shadow_pages_come_from_where_they_shall_and_do(self):
        line = "XEN|optee-mediator: shadow pages from {} to 0x000001bfffffff"
        good = line.format("0x00000100000000")
        work = step("work", "once ok=1 result=0 bytes=16777216")
        self.assertTrue(judged(good, *work)["policy.window"].green)
        for lines in ((line.format("0x00000040000000"), *work), work, (good, *step("work", "once ok=0 result=1 bytes=65536"))):
            self.assertFalse(judged(*lines)["policy.window"].green)
        self.assertNotIn("policy.window", judged(good))

    def test_refusals_are_counted(self):
        for refused, quota, threads, green in ((2, 2, 1, True), (1, 2, 1, False), (2, 0, 1, False), (2, 2, 0, False)):
            counters = {"ta_refused": refused, "over_quota": quota, "thread_limit": threads}
            lines = [f"XEN|optee-mediator: d1 {name}={value}" for name, value in counters.items()]
            self.assertIs(judged(*lines, "XEN|optee-mediator: d1 end")["policy.counted"].green, green)

    def test_a_dead_vm_is_listed_no_more(self):
        listed = "control|fact policy.listed when={} domains={} vm=1"
        reads = "control|fact policy.read_meanwhile times={}"
        self.assertTrue(judged(listed.format("alive", "0,1"), listed.format("gone", "0"), reads.format(40))["policy.end"].green)
        for alive, gone, times in (("0,1", "0,1", 40), ("0", "0", 40), ("0,1", "", 40), ("0,1", "0", 0)):
            self.assertFalse(judged(listed.format("alive", alive), listed.format("gone", gone), reads.format(times))
                             ["policy.end"].green)

    def test_a_mediator_without_the_interface_has_no_green_row(self):
        found = judged("control|fact policy.absent")
        self.assertEqual(len(found), len(policy.FEATURE.rows))
        self.assertFalse(any(finding.green for finding in found.values()))


if __name__ == "__main__":
    unittest.main()
