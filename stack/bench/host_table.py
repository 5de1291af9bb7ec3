# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""What was measured on this machine: tables, facts, and curves as pictures."""

from __future__ import annotations

import subprocess
from pathlib import Path

from stack import report
from stack.bench.host import WORK, Figures, Results
from stack.errors import StackError

_MEDIATORS = ("ours", "upstream")
_CALL, _THREADS = "call", "threads"
_KINDS = (("instructions", "instructions of the mediator"), ("nanoseconds", "ns, with the machine around it"))
_SETTINGS = {"svg": "svg size 900,600", "png": "pngcairo size 900,600"}


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}" if value < 1000 else f"{value:.0f}"


def _ratio(by_mediator: dict[str, Figures], what: str) -> str:
    both = [getattr(by_mediator[name], what, None) if name in by_mediator else None for name in _MEDIATORS]
    return f"{both[0] / both[1]:.2f}" if both[0] and both[1] else "-"


def text(results: Results, pictures: list[Path]) -> str:
    """All tables, and where the pictures are."""
    calls = {what: by for what, by in results.figures.items() if what.curve == _CALL}
    head = ("one call, on this machine", "mediator", "instructions", "ratio", "ns", "ratio", *WORK)
    rows = [head]
    for what, by in calls.items():
        for name in (name for name in _MEDIATORS if name in by):
            each, is_ours = by[name], name == _MEDIATORS[0]
            rows.append((what.name if is_ours else "", name, _number(each.instructions),
                         _ratio(by, "instructions") if is_ours else "", _number(each.nanoseconds),
                         _ratio(by, "nanoseconds") if is_ours else "", *(_number(each.work.get(word)) for word in WORK)))
    parts = [report.table(rows), *(_curve(results, curve) for curve in curves(results)), _memory(results)]
    parts.append("curves as pictures:" + "".join(f"\n  {path}" for path in pictures))
    return "\n\n".join(parts) + "\n"


def curves(results: Results) -> list[tuple[str, str]]:
    """What was measured while something grew."""
    return list(dict.fromkeys((what.curve, what.name) for what in results.figures if what.curve != _CALL))


def _points(results: Results, curve: tuple[str, str]) -> list[tuple[int, dict[str, Figures]]]:
    return sorted((what.x, by) for what, by in results.figures.items() if (what.curve, what.name) == curve)


def _curve(results: Results, curve: tuple[str, str]) -> str:
    threads = curve[0] == _THREADS
    columns = (("per_second", "calls a second"),) if threads else _KINDS
    rows = [(f"{curve[0]}: {curve[1]}", *(f"{name}: {title}" for _, title in columns for name in _MEDIATORS))]
    for x, by in _points(results, curve):
        rows.append((str(x), *(_number(getattr(by[name], key) if name in by else None)
                               for key, _ in columns for name in _MEDIATORS)))
    return report.table(rows)


def _memory(results: Results) -> str:
    rows = [("bytes held", *_MEDIATORS)]
    for key, title in (("vm", "an idle VM, with four threads"), ("call", "a call in flight, without memory"),
                       ("buffer", "a registered buffer of one page"), ("page", "each page of the largest buffer measured")):
        rows.append((title, *(f"{results.memory[name][key]:.1f}" if name in results.memory else "-" for name in _MEDIATORS)))
    return report.table(rows)


def facts(results: Results) -> dict[str, object]:
    """For --report."""
    return {"cases": [{"curve": what.curve, "name": what.name, "x": what.x, "mediator": name,
                       "instructions": each.instructions, "nanoseconds": each.nanoseconds, "per_second": each.per_second,
                       **each.work}
                      for what, by in sorted(results.figures.items()) for name, each in by.items()],
            "memory": results.memory}


def draw(results: Results, folder: Path) -> list[Path]:
    """A picture for each curve, as PNG and SVG."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = []
    for number, curve in enumerate(curves(results)):
        key, title = ("per_second", "calls a second") if curve[0] == _THREADS else ("nanoseconds", "ns")
        base = folder / f"{number:02d}-{curve[0].replace(' ', '-')}"
        lines = []
        for name in _MEDIATORS:
            points = [(x, getattr(by[name], key)) for x, by in _points(results, curve) if name in by and getattr(by[name], key)]
            if points:
                data = base.with_suffix(f".{name}.dat")
                data.write_text("".join(f"{x} {value}\n" for x, value in points))
                lines.append(f'"{data}" with linespoints linewidth 2 title "{name}"')
        for suffix, terminal in _SETTINGS.items():
            target = base.with_suffix(f".{suffix}")
            _gnuplot(f'set terminal {terminal}; set output "{target}"; set logscale xy; set grid; set key top left; '
                     f'set title "{curve[1]}"; set xlabel "{curve[0]}"; set ylabel "{title}"; plot {", ".join(lines)}')
            pictures.append(target)
    return pictures


def _gnuplot(script: str) -> None:
    done = subprocess.run(["gnuplot", "-e", script], capture_output=True, text=True, check=False)
    if done.returncode:
        raise StackError(f"gnuplot: {done.stderr.strip()[-300:]}")
