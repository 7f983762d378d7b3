# SPDX-License-Identifier: GPL-2.0-only
"""The schedule after the critical instant, as numbers: who runs when, what is marked, whom it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import pytest

from schedctl.analysis import response_time
from schedctl.analysis.admission import analyze_profile
from schedctl.analysis.model import Placement, Scheduler, Strength, TaskResult, TestResult, Verdict
from schedctl.analysis.report import Analysis, TaskSet
from schedctl.analysis.schedule import Mark, Schedule, Segment, critical_instant, merged
from schedctl.analysis.supply import DEDICATED, BoundedDelay, Supply
from tests.analysis.profiles import classes, profile
from tests.analysis.sets import tasks_of

EDF, FIXED = Scheduler.EDF, Scheduler.FIXED_PRIORITY


def instant(
    rows: Sequence[Sequence[int]],
    scheduler: Scheduler = FIXED,
    cpus: int = 1,
    supply: Supply = DEDICATED,
    *,
    blocking: Sequence[int] = (),
    levels: Sequence[int] = (),
    responses: Mapping[str, int | None] | None = None,
) -> Schedule:
    """`responses`: what a test is to have said of some tasks; of the others none says anything."""
    tasks = tuple(tasks_of(rows, blocking, levels))
    said = tuple(
        TaskResult(task.name, responses[task.name], task.deadline_ns)
        for task in tasks
        if responses and task.name in responses
    )
    test = TestResult("a", Strength.SUFFICIENT, Verdict.UNKNOWN, "", said)
    place = Placement.UNIPROCESSOR if cpus == 1 else Placement.GLOBAL
    result = Analysis(Verdict.UNKNOWN, scheduler, cpus, Fraction(0), (test,), ())
    return critical_instant(TaskSet(tasks, cpus, scheduler, place, supply), result)


def at(schedule: Schedule, task: str) -> list[tuple[int, int]]:
    """When a task runs, each run as long as it lasts."""
    return [(part.start_ns, part.end_ns) for part in merged(schedule.segments) if part.task == task]


def test_every_run_and_mark() -> None:
    """Until 2 * 10. t3 is looked at, with 1 that blocks it; its first job is 1 late, its second not done.

    From 11 to 12 nothing is ready."""
    rows = [[1, 4], [2, 6], [3, 12, 10]]
    found = instant(rows, blocking=[0, 0, 1], responses={"t1": 2, "t2": 4, "t3": 11})
    assert found.segments == (
        Segment("t3", 0, 1, blocking=True),
        Segment("t1", 1, 2),
        Segment("t2", 2, 4),
        Segment("t1", 4, 5),
        Segment("t3", 5, 6, preempted=True),
        Segment("t2", 6, 8),
        Segment("t1", 8, 9),
        Segment("t3", 9, 10, preempted=True),
        Segment("t3", 10, 11, late=True),
        Segment("t1", 12, 13),
        Segment("t2", 13, 15),
        Segment("t3", 15, 16, preempted=True),
        Segment("t1", 16, 17),
        Segment("t3", 17, 18, preempted=True),
        Segment("t2", 18, 20),
    )
    released = [(0, "123"), (4, "1"), (6, "2"), (8, "1"), (12, "123"), (16, "1"), (18, "2")]
    assert found.releases == tuple(Mark(f"t{n}", time) for time, names in released for n in names)
    due = [(4, 1), (6, 2), (10, 3), (8, 1), (12, 1), (16, 1), (18, 2), (20, 1)]
    assert sorted(found.deadlines, key=lambda mark: (mark.at_ns, mark.task)) == sorted(
        [*(Mark(f"t{n}", time) for time, n in due), Mark("t2", 12)], key=lambda m: (m.at_ns, m.task)
    )
    assert (found.focus, found.until_ns) == ("t3", 20)


def test_a_level_has_deadlines_inside_only_under_edf() -> None:
    """Flat, t2 is due first; by priorities the earlier release goes first, at 0 the one listed first. At 8
    both are due at 12: t1, released at 6, goes before t2."""
    rows = [[2, 6], [3, 4]]
    edf = instant(rows, EDF, levels=[1, 1])
    assert (at(edf, "t1"), at(edf, "t2")) == ([(3, 5), (8, 10)], [(0, 3), (5, 8), (10, 12)])
    flat = instant(rows, levels=[1, 1])
    assert (at(flat, "t1"), at(flat, "t2")) == ([(0, 2), (8, 10)], [(2, 4), (4, 5), (5, 8), (10, 12)])
    ordered = instant(rows, EDF, levels=[2, 1])
    assert at(ordered, "t1") == [(0, 2), (6, 8)]


def test_what_blocks_goes_first() -> None:
    """It blocks the task that is looked at, the least urgent one; past the deadline it is not late."""
    found = instant([[1, 4], [1, 4, 2]], blocking=[9, 3], responses={"t1": 2, "t2": 2})
    assert found.segments[:4] == (
        Segment("t2", 0, 2, blocking=True, preempted=True),
        Segment("t2", 2, 3, blocking=True),
        Segment("t1", 3, 4),
        Segment("t1", 4, 5),
    )
    assert found.releases.count(Mark("t2", 0)) == 1


def test_several_cpus() -> None:
    """t3 is alone from 2 on: t1 and t2 are done; at 4 t1 and t2 take both CPUs again."""
    found = instant([[2, 4], [2, 4], [3, 8]], cpus=2)
    assert at(found, "t1") == [(0, 2), (4, 6), (8, 10), (12, 14)]
    assert at(found, "t1") == at(found, "t2")
    assert at(found, "t3") == [(2, 4), (6, 7), (10, 12), (14, 15)]


def test_jobs_of_one_task_run_one_after_the_other() -> None:
    """At 5 and 10 t3 is late and released again; a CPU is idle, but a thread is on one at a time."""
    found = instant([[3, 6], [3, 6], [4, 5]], cpus=2)
    assert [part for part in found.segments if part.task == "t3"] == [
        Segment("t3", 3, 5, preempted=True),
        Segment("t3", 5, 6, preempted=True, late=True),
        Segment("t3", 9, 10, late=True),
        Segment("t3", 10, 12, preempted=True, late=True),
    ]


def test_who_waits_does_not_run_beside_what_blocks_it() -> None:
    found = instant([[2, 8]], cpus=2, blocking=[3])
    assert found.segments[:2] == (Segment("t1", 0, 3, blocking=True), Segment("t1", 3, 5))


def test_jitter_brings_the_later_jobs_nearer() -> None:
    """t1 arrives at -3, 1, 5, 9: 3 + 3 * 2 = 9 for t2, as the analysis has it. Each is due 4 later."""
    rows = [[2, 4, 4, 3], [3, 12]]
    found = instant(rows)
    assert at(found, "t2")[:2] == [(4, 5), (7, 9)]
    assert response_time.analyze(tasks_of(rows)).tasks[1].response_time_ns == 9
    assert [mark.at_ns for mark in found.releases if mark.task == "t1"] == [0, 1, 5, 9, 13, 17, 21]
    assert [mark.at_ns for mark in found.deadlines if mark.task == "t1"] == [1, 5, 9, 13, 17, 21]
    assert found.segments[:2] == (Segment("t1", 0, 1, preempted=True), Segment("t1", 1, 2, late=True))


def test_part_of_a_cpu() -> None:
    """Nothing for 2.5, so 3; 3 of work take 4.5, so 5, and 1 that blocks 1.5, so 2."""
    found = instant([[3, 12]], supply=BoundedDelay(Fraction(2, 3), Fraction(5, 2)), blocking=[1])
    assert found.segments == (Segment("t1", 3, 5, blocking=True), Segment("t1", 5, 10), Segment("t1", 12, 17))
    late = instant([[3, 12]], supply=BoundedDelay(Fraction(1), Fraction(25)))
    assert (late.segments, late.until_ns) == ((), 24)


def test_the_end_cuts_what_runs() -> None:
    """3 * 4 < 2 * 7; the third job is released at 8, when the second begins, and is not done at 12."""
    found = instant([[4, 4, 7], [1, 4, 7]])
    assert found.until_ns == 12
    assert found.segments[-1] == Segment("t1", 8, 12)
    assert found.deadlines == (Mark("t1", 7), Mark("t2", 7), Mark("t1", 11), Mark("t2", 11))
    cut = instant([[9, 10, 4]])
    assert (cut.segments[-1], cut.until_ns) == (Segment("t1", 4, 8, preempted=True, late=True), 8)
    nearly = instant([[9, 10, 4]], supply=BoundedDelay(Fraction(1), Fraction(0)), blocking=[7])
    assert nearly.segments[-1] == Segment("t1", 7, 8, preempted=True, late=True)


def test_one_unit_that_is_left() -> None:
    assert instant([[5, 8, 2]]).segments == (
        Segment("t1", 0, 2, preempted=True),
        Segment("t1", 2, 4, preempted=True, late=True),
    )
    assert instant([[5, 8, 2]]).until_ns == 4
    assert instant([[1, 4], [3, 8]]).segments[1] == Segment("t2", 1, 4)
    assert instant([[1, 3], [3, 9]]).segments[1] == Segment("t2", 1, 3, preempted=True)


@pytest.mark.parametrize(
    ("rows", "until"),
    [
        ([[1, 1], [1, 200, 198], [1, 400, 198]], 396),  # 397 + 2 + 1 = 400 jobs
        ([[1, 1], [1, 200, 199], [1, 400, 199]], 298),  # 399 + 2 + 1 until 398, of which 3/4
        ([[1, 1, 1, 1], [1, 200, 198]], 396),  # 398 + 2
        ([[1, 1, 1, 2], [1, 200, 198]], 297),  # 399 + 2
        ([[1, 2]] * 401, 1),  # 4, 3, 2, 1: each has a job at once
    ],
)
def test_at_most_400_jobs(rows: list[list[int]], until: int) -> None:
    assert instant(rows).until_ns == until


def test_jitter_of_many_periods() -> None:
    found = instant([[1, 1, 1, 10**12]])
    assert found.until_ns == 1
    assert found.releases == (Mark("t1", 0),)


@pytest.mark.parametrize(
    ("responses", "focus"),
    [
        ({"t1": 3, "t2": 8, "t3": 7}, "t2"),
        ({"t1": 8, "t2": 9, "t3": 5}, "t2"),
        ({"t1": 12, "t2": None, "t3": 1}, "t2"),
        ({"t1": 9, "t2": 10, "t3": 9}, "t2"),
        ({"t1": 9, "t2": 9, "t3": 12}, "t3"),
        ({"t1": 12, "t2": 2}, "t3"),
        ({}, "t1"),
    ],
)
def test_the_least_slack(responses: dict[str, int | None], focus: str) -> None:
    """Deadlines of 10: also 0 and less are a slack, and no bound is less than any."""
    assert instant([[1, 10]] * 3, responses=responses).focus == focus


def test_the_least_slack_of_a_class_of_several_threads() -> None:
    """Results have a row per class; the picture's tasks are threads. The motor is nearer to its deadline."""
    text = classes(
        motor="level: 7, period: 20ms, deadline: 7ms, runtime: 2ms, threads: 1",
        video="level: 5, period: 80ms, runtime: 2ms, threads: 2",
    )
    found = analyze_profile(profile(text))
    assert [task.name for task in found.result.tests[-1].tasks] == ["motor", "video"]
    assert [task.name for task in found.of_threads.tests[-1].tasks] == ["motor", "video[1]", "video[2]"]
    assert critical_instant(found.domain.found, found.of_threads).focus == "motor"


def test_runs_that_go_on_are_one() -> None:
    """Not over a gap, into lateness, from another's, from what blocks, or from a job that was done."""
    a = [Segment("a", 0, 1, preempted=True), Segment("a", 1, 2, preempted=True), Segment("a", 2, 5)]
    assert merged(a) == [Segment("a", 0, 5)]
    apart = [
        Segment("a", 0, 2, blocking=True, preempted=True),
        Segment("a", 2, 3, preempted=True),
        Segment("a", 3, 4, preempted=True, late=True),
        Segment("b", 4, 5, preempted=True),
        Segment("a", 5, 6, late=True),
        Segment("a", 6, 7, late=True),
        Segment("b", 6, 7),
    ]
    assert merged(apart) == apart
    both = [
        Segment("a", 0, 2, preempted=True),
        Segment("b", 0, 2, preempted=True),
        Segment("a", 2, 3),
        Segment("b", 2, 3, preempted=True),
        Segment("b", 3, 4),
    ]
    assert merged(both) == [Segment("a", 0, 3), Segment("b", 0, 4)]


def test_what_is_released_at_once_has_one_mark() -> None:
    """Jobs that arrived at -9, -8, … -1 and at 0 are all released at 0; what was due before is not shown."""
    found = instant([[1, 1, 2, 9]])
    assert found.until_ns == 3
    assert found.releases == tuple(Mark("t1", time) for time in range(3))
    assert found.deadlines == tuple(Mark("t1", time) for time in range(4))
