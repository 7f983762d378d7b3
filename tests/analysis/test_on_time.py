# SPDX-License-Identifier: GPL-2.0-only
"""Bounds on several CPUs assume that all that may interfere are in time: below one that is late are none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schedctl.analysis import bertogna_cirinei, guan
from schedctl.analysis.admission import analyze_profile
from schedctl.analysis.global_model import on_time
from schedctl.analysis.model import Scheduler, Strength, TaskResult, TestResult, response_result
from tests.analysis import simulator
from tests.analysis.profiles import FIXED, classes, profile
from tests.analysis.sets import tasks_of
from tests.analysis.simulator import critical_instant, simulate

FIXED_PRIORITY, EDF = Scheduler.FIXED_PRIORITY, Scheduler.EDF
# t1 and t2 have a CPU each, t3 needs all of its 3: it is late whenever one of them runs on.
TASKS = tasks_of([(4, 7, 5), (2, 9, 6), (3, 3, 3), (1, 12, 9), (1, 3, 2)])


def bounds(result: TestResult) -> list[int | None]:
    return [task.response_time_ns for task in result.tasks]


def test_a_task_that_waits_for_one_that_is_late() -> None:
    """If t3 were in time t4 would be complete within 7: it is late, catches up, and t4 takes 9."""
    for result in (bertogna_cirinei.analyze(TASKS, 2, FIXED_PRIORITY), guan.analyze(TASKS, 2)):
        assert bounds(result) == [4, 2, None, None, None]
    worst = simulate(critical_instant(TASKS, 60), simulator.fixed_priority, 2).worst
    assert (worst["t3"] > 3, worst["t4"]) == (True, 9)


@pytest.mark.parametrize("levels", [[3, 3, 2, 2, 1], [2, 2, 1, 1, 1]])
def test_equals_of_one_that_is_late(levels: list[int]) -> None:
    tasks = [replace(task, level=level) for task, level in zip(TASKS, levels, strict=True)]
    for result in (
        bertogna_cirinei.analyze(tasks, 2, FIXED_PRIORITY),
        bertogna_cirinei.analyze(tasks, 2, EDF),
        guan.analyze(tasks, 2),
    ):
        assert bounds(result) == [4, 2, None, None, None]
    level = [replace(task, level=1) for task in TASKS]
    assert bounds(bertogna_cirinei.analyze(level, 2, EDF)) == [None] * 5


def test_which_bounds_hold() -> None:
    """The highest level that is lost counts, wherever it is listed; nothing is lost: all hold."""
    tasks = [replace(task, level=level) for task, level in zip(TASKS, (1, 3, 5, 2, 3), strict=True)]
    for found, held in (
        ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5]),
        ([1, None, 3, None, 5], [None, None, 3, None, None]),
        ([None, 2, 3, 4, 5], [None, 2, 3, 4, 5]),
    ):
        rows = [TaskResult(task.name, ns, 9) for task, ns in zip(tasks, found, strict=True)]
        result = response_result("test", Strength.SUFFICIENT, rows)
        assert bounds(on_time(tasks, result)) == held
        assert replace(on_time(tasks, result), tasks=()) == replace(result, tasks=())


def test_what_waits_for_one_that_is_not_proven_is_not_proven() -> None:
    """Low is proven where `late` is; the noise below all leaves what is above it to be claimed."""
    text = FIXED + classes(
        first="level: 7, period: 40ms, runtime: 4ms, threads: 1",
        late="level: 6, period: 40ms, deadline: 3ms, runtime: 1ms, threads: 1",
        low="level: 5, period: 90ms, runtime: 1ms, threads: 1",
        noise="level: 1",
    )
    result = analyze_profile(profile(text, (2,))).result.tests[-1]
    assert result.detail == "proven: first; not known for level 1 and below"
    in_time = analyze_profile(profile(text.replace("deadline: 3ms", "deadline: 30ms"), (2,)))
    assert in_time.result.tests[-1].detail.startswith("proven: first, late, low;")
