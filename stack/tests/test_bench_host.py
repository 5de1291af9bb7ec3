# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""What tests/bench prints, as ./bench --host reads it."""

import unittest

from stack.bench import host_table
from stack.bench.host import Results, What

CALL = "call/fast call/0/ours"


def times(name: str, **more: float) -> dict:
    return {"name": name, "cpu_time": 50.0, "locks": 2.0, "smcs": 1.0, **more}


def dump(title: str, total: int) -> str:
    return f"version: 1\ndesc: Trigger: Client Request: {title}\nevents: Ir\nsummary: {total}\n\ntotals: {total}\n"


class Reading(unittest.TestCase):
    def test_puts_what_was_counted_of_a_case_together(self):
        results = Results()
        results.add_times({"benchmarks": [times(CALL), times("call/fast call/0/upstream", locks=9.0)]})
        results.add_instructions([dump(CALL, 1600), "desc: Trigger: Program termination\ntotals: 7\n"], 16)
        ours, upstream = (results.figures[What("call", "fast call", 0)][name] for name in ("ours", "upstream"))
        self.assertEqual((ours.instructions, ours.nanoseconds, ours.work), (100, 50, {"locks": 2, "smcs": 1}))
        self.assertEqual((upstream.instructions, upstream.work["locks"]), (None, 9))

    def test_takes_the_rate_of_what_several_threads_did(self):
        results = Results()
        results.add_times({"benchmarks": [times("threads/INVOKE/4/ours/real_time/threads:4", items_per_second=1e6)]})
        self.assertEqual(results.figures[What("threads", "INVOKE", 4)]["ours"].per_second, 1e6)

    def test_reads_memory(self):
        results = Results()
        results.add_memory("ours vm=21896 call=0 buffer=4369.1 page=8.16\nupstream vm=80 call=4184 buffer=56.0 page=8.38\n")
        self.assertEqual(results.memory["ours"], {"vm": 21896, "call": 0, "buffer": 4369.1, "page": 8.16})
        self.assertEqual(set(results.memory), {"ours", "upstream"})


class Tables(unittest.TestCase):
    def test_show_both_mediators_and_end_where_one_does(self):
        results = Results()
        results.add_times({"benchmarks": [
            times(CALL), times("call/fast call/0/upstream"), times("VMs/INVOKE/1/ours"), times("VMs/INVOKE/64/ours"),
            times("VMs/INVOKE/1/upstream")]})
        text = host_table.text(results, [])
        self.assertEqual(host_table.curves(results), [("VMs", "INVOKE")])
        self.assertIn("VMs: INVOKE", text)
        self.assertRegex(text, r"64 +- +- +50 +-")
        self.assertEqual(len(host_table.facts(results)["cases"]), 5)
