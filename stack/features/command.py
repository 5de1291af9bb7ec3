# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""./run --features: boots for each mediator what the features need, and prints the table."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from stack import report
from stack.features import bench, plan, table
from stack.features.row import Feature
from stack.prepare import Results
from stack.progress import Progress

DEFAULT_ROUNDS = 10


def stage(mediator: str) -> str:
    """The name of a mediator's stage on the screen."""
    return f"features with {mediator}"


def run(folder: Path, progress: Progress, prepared: Results, wanted: Sequence[Feature], where: Path | None, keep: bool) -> int:
    """Measures, prints, writes the report; the exit status of the command."""
    results = table.Results(wanted)
    for mediator, images in prepared.images.items():
        progress.begin(stage(mediator))
        for kind, together in plan.boots(wanted):
            logs = folder / f"{mediator}-{kind}"
            logs.mkdir()
            shown = bench.boot(kind, bench.Bench(images, prepared.client, logs, progress, prepared.newer_linux),
                               together)
            results.seconds[mediator] = results.seconds.get(mediator, 0) + shown.seconds
            results.problems.setdefault(mediator, []).extend(shown.evidence.problems)
            for feature in together:
                results.add(mediator, feature, feature.judge(shown.evidence))
        progress.end("failed" if results.problems[mediator] else "")
    progress.close()
    print("\n" + table.text(results))
    if where is not None:
        report.write(where, table.facts(results))
    if results.passed and not keep:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        (folder / "features.json").write_text(json.dumps(table.facts(results), indent=2) + "\n")
        print(f"logs: {folder}")
    return 0 if results.passed or "ours" not in prepared.images else 1
