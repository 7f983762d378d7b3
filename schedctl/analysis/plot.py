# SPDX-License-Identifier: GPL-2.0-only
"""Pictures of an analysis, as SVG or PNG: the critical instant, utilization and bounds, demand and supply.

Needs matplotlib (`pip install schedctl[plot]`), imported only here. In an SVG each bar and mark has an id
with its times in ns: `run.TASK.START.END`, `late.…` (after its deadline), `blocked.…`, `release.TASK.AT`,
`deadline.TASK.AT`.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schedctl.analysis import gfb, liu_layland
from schedctl.analysis.demand import demand_bound
from schedctl.analysis.model import Task
from schedctl.analysis.report import Analysis, TaskSet
from schedctl.analysis.schedule import Schedule, Segment, critical_instant, merged
from schedctl.analysis.text import duration
from schedctl.errors import HostError, StateError, UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".svg", ".png")
MAX_ROWS = 40
_RUN, _BLOCKED, _LATE, _LINE = "#4878a8", "#c8a040", "#b03030", "#303030"
_UNITS = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"), (1, "ns"))
_MAX_STEPS = 400


def write_plot(path: Path, found: TaskSet, result: Analysis) -> None:
    """The three pictures in one file; UsageError, HostError without matplotlib, StateError on a full disk."""
    if path.suffix not in FORMATS:
        raise UsageError(f"{path}: pictures are .svg or .png")
    if len(found.tasks) > MAX_ROWS:
        raise UsageError(f"a picture has at most {MAX_ROWS} tasks, these are {len(found.tasks)}")
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        hint = "install python3-matplotlib, or pip install 'schedctl[plot]'"
        raise HostError("--plot needs matplotlib", hint) from None
    schedule = critical_instant(found, result)
    # reproducible, and text stays text
    settings: Any = {"svg.hashsalt": "schedctl", "svg.fonttype": "none", "font.size": 9}
    with matplotlib.rc_context(settings):
        rows = len(found.tasks)
        figure = Figure(figsize=(11, 4.5 + 0.42 * rows), layout="constrained")
        parts: Any = figure.subfigures(2, 1, height_ratios=[1.2 + 0.42 * rows, 3.3])
        _draw_schedule(parts[0].subplots(), found, schedule, result)
        left, right = parts[1].subplots(1, 2)
        _draw_utilization(left, found, result)
        _draw_demand(right, found)
        try:
            figure.savefig(path, dpi=120, metadata={"Date": None} if path.suffix == ".svg" else None)
        except OSError as error:
            raise StateError(f"cannot write {path}: {error.strerror}") from error


def _unit(longest_ns: int) -> tuple[int, str]:
    return next((factor, name) for factor, name in _UNITS if longest_ns >= 2 * factor or factor == 1)


def _draw_schedule(axes: Axes, found: TaskSet, schedule: Schedule, result: Analysis) -> None:
    factor, unit = _unit(schedule.until_ns)
    rows = {task.name: len(found.tasks) - 1 - i for i, task in enumerate(found.tasks)}
    for segment in merged(schedule.segments):
        _draw_segment(axes, segment, rows[segment.task], factor)
    for kind, marks in (("release", schedule.releases), ("deadline", schedule.deadlines)):
        for mark in marks:
            x, row = mark.at_ns / factor, rows[mark.task]
            start, end, color = (-0.25, 0.42, _LINE) if kind == "release" else (0.42, -0.35, _LATE)
            style = {"arrowstyle": "-|>", "color": color, "shrinkA": 0, "shrinkB": 0}
            drawn: Any = axes.annotate("", (x, row + end), (x, row + start), arrowprops=style)
            drawn.arrow_patch.set_gid(f"{kind}.{mark.task}.{mark.at_ns}")
    axes.set_yticks(list(rows.values()), list(rows), parse_math=False)
    axes.set_xlim(-0.01 * schedule.until_ns / factor, 1.01 * schedule.until_ns / factor)
    axes.set_ylim(-0.6, len(rows) - 0.3)
    axes.set_xlabel(unit)
    least = f"least slack: {schedule.focus}"
    if any(segment.blocking for segment in schedule.segments):
        least += ", hatched: what can block it"
    title = f"{result.verdict}: all released at once (black: release, red: deadline; {least})"
    axes.set_title(title, parse_math=False)


def _draw_segment(axes: Axes, segment: Segment, row: int, factor: int) -> None:
    kind, color = ("blocked", _BLOCKED) if segment.blocking else ("run", _RUN)
    if segment.late:
        kind, color = "late", _LATE
    start, end = segment.start_ns / factor, segment.end_ns / factor
    hatch = "///" if segment.blocking else None
    bar = axes.barh(row, end - start, left=start, height=0.5, color=color, edgecolor="white", hatch=hatch)
    bar[0].set_gid(f"{kind}.{segment.task}.{segment.start_ns}.{segment.end_ns}")
    if segment.preempted and not segment.blocking:
        axes.plot([end, end], [row - 0.3, row + 0.3], color=_LINE, linestyle=":", linewidth=1.2)


def _is_about(test: str, found: TaskSet, result: Analysis) -> bool:
    """Whether a bound was applied, and is one of the utilization alone."""
    applied = any(one.name == test and not one.detail.startswith("does not apply") for one in result.tests)
    plain = all(task.deadline_ns >= task.period_ns and not task.blocking_ns for task in found.tasks)
    return applied and plain and found.supply.rate == 1 and not found.supply.delay_ns


def _draw_utilization(axes: Axes, found: TaskSet, result: Analysis) -> None:
    bars = {"utilization": result.utilization, "supplied": found.supply.rate * found.cpus}
    lines: dict[str, float] = {name: float(value) for name, value in bars.items()}
    if _is_about(liu_layland.NAME, found, result):
        lines["Liu & Layland"] = float(liu_layland.printed_bound(len(found.tasks)))
    elif _is_about(gfb.NAME, found, result):
        largest = max(task.utilization for task in found.tasks)
        lines["GFB"] = max(0.0, float(found.cpus - (found.cpus - 1) * largest))
    colors = [_LATE if lines["utilization"] > lines["supplied"] else _RUN, *["#a0a0a0"] * (len(lines) - 1)]
    drawn = axes.bar(list(lines), list(lines.values()), color=colors, width=0.6)
    for bar, (name, value) in zip(drawn, lines.items(), strict=True):
        bar.set_gid(f"utilization.{name.replace(' ', '')}")
        axes.text(bar.get_x() + bar.get_width() / 2, value, f"{value:.3f}", ha="center", va="bottom")
    axes.margins(y=0.15)
    axes.set_title("utilization and bounds (CPUs)")


def _first_dues(tasks: Sequence[Task], longest_ns: int) -> list[int]:
    """The first lengths at which more work is due; all of them can be thousands of millions."""
    dues = (range(max(1, t.deadline_ns - t.jitter_ns), longest_ns, t.period_ns) for t in tasks)
    return [due for due, _ in islice(groupby(heapq.merge(*dues)), _MAX_STEPS)]


def _draw_demand(axes: Axes, found: TaskSet) -> None:
    """Work that is due within an interval, against what is supplied; of all CPUs together."""
    longest = 2 * max(task.deadline_ns for task in found.tasks)
    factor, unit = _unit(longest)
    times = _first_dues(found.tasks, longest)
    work = [demand_bound(found.tasks, time) for time in times]
    last = times[-1]
    axes.step(
        [0, *(time / factor for time in times)],
        [0, *(ns / factor for ns in work)],
        where="post",
        color=_RUN,
        label="demand",
        gid="demand",
    )
    points = sorted({0, last, *(last * i // 100 for i in range(100)), *times[:100]})
    supplied = [float(found.supply.within(point)) * found.cpus / factor for point in points]
    axes.plot([point / factor for point in points], supplied, color=_LINE, label="supply", gid="supply")
    over = [i for i, time in enumerate(times) if work[i] > found.supply.within(time) * found.cpus]
    if over:
        i = over[0]
        label = f"too much at {duration(times[i])}"
        axes.plot([times[i] / factor], [work[i] / factor], "o", color=_LATE, gid="excess", label=label)
    axes.set_xlabel(f"length of the interval, {unit}")
    axes.set_title(f"demand and supply, {unit}")
    axes.legend(loc="upper left")
