# SPDX-License-Identifier: GPL-2.0-only
"""The plots of docs/benchmarks/ from the raw results: `python -m tests.bench.plots [RAW]` writes them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib

from tests.bench.cost import NS_PER_INSTRUCTION
from tests.bench.page import cost_figures
from tests.bench.raw import RAW, Row, late_us, load, rows
from tests.bench.spent import US

matplotlib.use("svg")
# The same data gives the same file.
matplotlib.rcParams.update({"svg.hashsalt": "schedctl", "svg.fonttype": "none", "font.size": 9})

from matplotlib import pyplot  # noqa: E402

OURS, OTHERS, FAINT = "#c23b22", "#5b7c99", "#a9bccb"
HOGS = (1, 4, 16)


def _color(name: str) -> str:
    return OURS if name == US else OTHERS


def _subplots(number: int, height: float) -> tuple[Any, Any]:
    """Side by side, with one set of names at the left."""
    figure, axes = pyplot.subplots(1, number, figsize=(10, height), sharey=True, squeeze=False)
    return figure, axes[0]


def _save(figure: Any, name: str) -> None:
    figure.tight_layout()
    figure.savefig(RAW.parent / f"{name}.svg", metadata={"Date": None})
    pyplot.close(figure)


def _names(raw: dict[str, Any]) -> list[str]:
    measured = {sample["contender"] for sample in raw["samples"]}
    return [c["name"] for c in raw["contenders"] if c["name"] in measured][::-1]


def wake(raw: dict[str, Any], period: str) -> None:
    """p50, p99 and longest of each round: the lower the further left."""
    names = _names(raw)
    figure, axes = _subplots(len(HOGS), 0.8 + 0.3 * len(names))
    for axis, hogs in zip(axes, HOGS, strict=True):
        for sample in raw["samples"]:
            if sample["workload"] == f"wake-{period}-{hogs}":
                us, at = late_us(sample), names.index(sample["contender"])
                color = _color(sample["contender"])
                axis.plot([us["p50"], us["max"]], [at, at], color=color, alpha=0.3, linewidth=1)
                axis.plot(us["p50"], at, "|", color=color, markersize=11)
                axis.plot(us["p99"], at, "o", color=color, markersize=4)
        axis.set_xscale("log")
        axis.set_title(f"{hogs} hog{'s' if hogs > 1 else ''}")
        axis.set_xlabel("µs: | p50, • p99, line to the longest")
        axis.grid(axis="x", alpha=0.3)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set_ylim(-0.6, len(names) - 0.4)
    _save(figure, f"wake-{period}")


def throughput(raw: dict[str, Any], found: list[Row]) -> None:
    """Per cent of the default scheduler's: the median and the range of the ratios within each round."""
    names = [name for name in _names(raw) if name != "fifo"]
    chosen = [row for row in found if row.unit != "µs" and "default" in row.values]
    if not chosen:
        return
    figure, axes = _subplots(len(chosen), 0.8 + 0.3 * len(names))
    for axis, row in zip(axes, chosen, strict=True):
        for at, name in enumerate(names):
            paired = row.paired(name, "default")
            if paired:
                axis.barh(at, 100 * paired.median, color=_color(name), height=0.6)
                axis.plot([100 * paired.low, 100 * paired.high], [at, at], color="black", linewidth=1.5)
        axis.axvline(100, color="black", linewidth=0.5)
        axis.set_title(row.workload)
        axis.set_xlabel("% of the default scheduler's")
    axes[0].set_yticks(range(len(names)), names)
    _save(figure, "throughput")


def cost(raw: dict[str, Any]) -> None:
    """Instructions of each callback."""
    figures = cost_figures(raw)
    if not figures:
        return
    figure, axes = _subplots(len(figures), 4)
    callbacks = list(dict.fromkeys(cb for by in figures.values() for found in by.values() for cb in found))
    for axis, (workload, by_contender) in zip(axes, figures.items(), strict=True):
        height = 0.8 / len(by_contender)
        for nr, (name, found) in enumerate(by_contender.items()):
            color = OURS if name == US else (OTHERS, FAINT)[(nr - 1) % 2]
            places = [callbacks.index(cb) - nr * height for cb in found]
            values = [ns / NS_PER_INSTRUCTION for _, ns in found.values()]
            axis.barh(places, values, height=height, color=color, label=name)
        axis.set_title(workload)
        axis.set_xlabel("instructions each")
        axis.grid(axis="x", alpha=0.3)
    axes[0].set_yticks(range(len(callbacks)), callbacks)
    axes[-1].legend()
    _save(figure, "cost")


def main() -> None:
    raw = load(Path(sys.argv[1]) if len(sys.argv) > 1 else RAW)
    RAW.parent.mkdir(exist_ok=True)
    for period in ("2ms", "1ms"):
        wake(raw, period)
    throughput(raw, rows(raw))
    cost(raw)


if __name__ == "__main__":
    main()
