# SPDX-License-Identifier: GPL-2.0-only
"""The pictures: bars and marks of the SVG by their ids, at the places where their times put them."""

from __future__ import annotations

import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import pytest

from schedctl.analysis.model import Placement, Scheduler, Task
from schedctl.analysis.plot import write_plot
from schedctl.analysis.report import TaskSet, analyze
from schedctl.analysis.supply import DEDICATED, Periodic, Supply
from schedctl.errors import StateError, UsageError
from tests.analysis.sets import tasks_of

SVG = "{http://www.w3.org/2000/svg}"
Places = dict[str, tuple[float, float]]


def task_set(tasks: list[Task], scheduler: Scheduler, cpus: int = 1, supply: Supply = DEDICATED) -> TaskSet:
    place = Placement.UNIPROCESSOR if cpus == 1 else Placement.GLOBAL
    return TaskSet(tuple(tasks), cpus, scheduler, place, supply)


def drawn(tmp_path: Path, found: TaskSet) -> Places:
    """Id -> its leftmost and rightmost x."""
    path = tmp_path / "plot.svg"
    write_plot(path, found, analyze(found))
    places: Places = {}
    for group in ElementTree.parse(path).iter(f"{SVG}g"):
        for curve in group.findall(f"{SVG}path"):
            numbers = re.findall(r"[ML] (-?[\d.]+) (-?[\d.]+)", curve.get("d", ""))
            if numbers and "id" in group.attrib:
                xs = [float(x) for x, _ in numbers]
                old = places.get(group.attrib["id"], (xs[0], xs[0]))
                places[group.attrib["id"]] = (min(*old, *xs), max(*old, *xs))
    return places


def times_of(places: Places, kind: str) -> dict[str, list[tuple[int, ...]]]:
    found: dict[str, list[tuple[int, ...]]] = {}
    for name in places:
        if name.startswith(f"{kind}."):
            _, task, *times = name.split(".")
            found.setdefault(task, []).append(tuple(map(int, times)))
    return {task: sorted(times) for task, times in found.items()}


SET = tasks_of([[1, 4], [2, 6], [3, 12, 10]], blocking=[0, 0, 1])


def test_bars_and_marks(tmp_path: Path) -> None:
    """w3 = 3 + 1 + ceil(10/4) 1 + ceil(10/6) 2 = 11 > 10: t3 is the one that is looked at, and late."""
    places = drawn(tmp_path, task_set(SET, Scheduler.FIXED_PRIORITY))
    assert times_of(places, "blocked") == {"t3": [(0, 1)]}
    runs = times_of(places, "run")
    assert runs["t1"][:3] == [(1, 2), (4, 5), (8, 9)]
    assert runs["t2"][:2] == [(2, 4), (6, 8)]
    assert runs["t3"][0] == (5, 6)
    assert times_of(places, "release")["t2"][:3] == [(0,), (6,), (12,)]
    assert times_of(places, "deadline")["t3"][:1] == [(10,)]
    late = times_of(places, "late")
    assert late["t3"][0] == (10, 11)


def test_bars_are_where_their_times_are(tmp_path: Path) -> None:
    places = drawn(tmp_path, task_set(SET, Scheduler.EDF))
    bars = {name: place for name, place in places.items() if name.startswith(("run.", "blocked.", "late."))}
    first, last = min(bars.values()), max(bars.values())
    times = {name: tuple(map(int, name.split(".")[2:])) for name in bars}
    start, end = min(t[0] for t in times.values()), max(t[1] for t in times.values())
    scale = (last[1] - first[0]) / (end - start)
    for name, (left, right) in bars.items():
        assert left == pytest.approx(first[0] + (times[name][0] - start) * scale, abs=0.1)
        assert right == pytest.approx(first[0] + (times[name][1] - start) * scale, abs=0.1)
    for name, (left, right) in places.items():
        if name.startswith(("release.", "deadline.")):
            wanted = first[0] + (int(name.rsplit(".", 1)[1]) - start) * scale
            assert (left + right) / 2 == pytest.approx(wanted, abs=0.1)


def test_every_job_runs_as_long_as_it_must(tmp_path: Path) -> None:
    for cpus in (1, 2):
        places = drawn(tmp_path, task_set(tasks_of([[1, 4], [2, 6], [3, 12]]), Scheduler.EDF, cpus))
        runs = times_of(places, "run")
        for task, wcet, jobs in (("t1", 1, 6), ("t2", 2, 4), ("t3", 3, 2)):
            assert sum(end - start for start, end in runs[task]) == wcet * jobs


def test_a_supply_delays(tmp_path: Path) -> None:
    supply = Periodic(10, 5)
    places = drawn(tmp_path, task_set(tasks_of([[2, 30], [3, 50]]), Scheduler.FIXED_PRIORITY, 1, supply))
    assert supply.delay_ns == 10
    assert supply.rate == Fraction(1, 2)
    assert times_of(places, "run")["t1"][0] == (10, 14)


def test_the_curves_have_ids(tmp_path: Path) -> None:
    places = drawn(tmp_path, task_set(tasks_of([[3, 4], [4, 6]]), Scheduler.EDF))
    assert {"demand", "supply", "utilization.utilization", "utilization.supplied"} <= places.keys()
    text = (tmp_path / "plot.svg").read_text()
    assert "too much at 6ns" in text
    before = (tmp_path / "plot.svg").read_bytes()
    drawn(tmp_path, task_set(tasks_of([[3, 4], [4, 6]]), Scheduler.EDF))
    assert (tmp_path / "plot.svg").read_bytes() == before


def test_a_bound_is_drawn_where_it_is_about_the_set(tmp_path: Path) -> None:
    fixed, edf = Scheduler.FIXED_PRIORITY, Scheduler.EDF
    plain = tasks_of([[1, 4], [1, 6]])
    bars = {"utilization.utilization", "utilization.supplied"}

    def drawn_bars(found: TaskSet) -> set[str]:
        return {name for name in drawn(tmp_path, found) if name.startswith("utilization.")}

    assert drawn_bars(task_set(plain, fixed)) == {*bars, "utilization.Liu&Layland"}
    assert drawn_bars(task_set(plain, edf)) == bars
    assert drawn_bars(task_set(plain, fixed, supply=Periodic(10, 9))) == bars
    assert drawn_bars(task_set(tasks_of([[1, 4, 3], [1, 6]]), fixed)) == bars
    flat = tasks_of([[1, 4], [1, 6]], levels=[1, 1])
    assert drawn_bars(task_set(flat, edf, cpus=2)) == {*bars, "utilization.GFB"}
    assert drawn_bars(task_set(flat, fixed, cpus=2)) == bars


def test_no_more_is_computed_than_is_drawn(tmp_path: Path) -> None:
    """Thousands of millions of deadlines, and of jobs that are released at once."""
    second = 1_000_000_000
    rare, jitter = Task("rare", second, 10 * second, 10 * second), 10 * second
    for often in (Task("often", 1, 4, 4), Task("often", 1, 4, 8, jitter)):
        found = task_set([often, rare], Scheduler.EDF)
        places = drawn(tmp_path, found)
        assert {"demand", "supply"} <= places.keys()
        assert len(places) < 3000


def test_png(tmp_path: Path) -> None:
    found = task_set(SET, Scheduler.EDF)
    write_plot(tmp_path / "plot.png", found, analyze(found))
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_drawn(tmp_path: Path) -> None:
    found = task_set(SET, Scheduler.EDF)
    with pytest.raises(UsageError, match=r"\.svg or \.png"):
        write_plot(tmp_path / "plot.pdf", found, analyze(found))
    with pytest.raises(StateError):
        write_plot(tmp_path / "no" / "plot.svg", found, analyze(found))
    many = task_set([Task(f"t{i}", 1, 1000, 1000) for i in range(41)], Scheduler.EDF)
    with pytest.raises(UsageError, match="at most 40 tasks"):
        write_plot(tmp_path / "plot.svg", many, analyze(many))


def test_matplotlib_is_imported_only_for_pictures() -> None:
    code = "import sys, schedctl.cli.main as m; m.main(['analyze', '--taskset', '-'])"
    code += "; sys.exit(any(name.startswith(('matplotlib', 'numpy')) for name in sys.modules))"
    text = "scheduler: edf\ntasks: [{name: a, wcet: 1, period: 2}]\n"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "SCHEDULABLE" in done.stdout
