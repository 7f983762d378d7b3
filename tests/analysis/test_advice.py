# SPDX-License-Identifier: GPL-2.0-only
"""What to change: the searches are exact where numbers are small, and every sentence says what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import pytest

from schedctl.analysis import edf_utilization, response_time
from schedctl.analysis.advice import (
    Change,
    Changes,
    advice,
    changes,
    cpus_needed,
    largest_wcet,
    most_members,
    pinning,
    sentences,
    smallest_period,
)
from schedctl.analysis.effort import Effort, GaveUpError
from schedctl.analysis.model import Placement, Scheduler, Task, TestResult, Verdict
from schedctl.analysis.report import TaskSet, analyze, provable
from schedctl.analysis.supply import DEDICATED, BoundedDelay, Periodic, Supply
from tests.analysis.sets import tasks_of

EDF, FIXED = Scheduler.EDF, Scheduler.FIXED_PRIORITY
MS = 1_000_000
Tasks = Sequence[Task]


def task(name: str, wcet: int, period: int, deadline: int | None = None, level: int = 1) -> Task:
    return Task(name, wcet, period, deadline or period, 0, 0, level=level)


def task_set(
    *tasks: Task,
    cpus: int = 1,
    scheduler: Scheduler = FIXED,
    placement: Placement = Placement.GLOBAL,
    supply: Supply = DEDICATED,
) -> TaskSet:
    return TaskSet(tasks, cpus, scheduler, placement, supply)


def wcets_up_to(most: int) -> Callable[[Tasks], bool]:
    return lambda tasks: all(t.wcet_ns <= most for t in tasks)


def periods_from(least: int) -> Callable[[Tasks], bool]:
    return lambda tasks: all(t.period_ns >= least and t.wcet_ns <= t.deadline_ns for t in tasks)


@pytest.mark.parametrize("wcet", [1, 7, 39, 40])
@pytest.mark.parametrize("most", range(1, 41))
def test_the_largest_runtime(wcet: int, most: int) -> None:
    assert largest_wcet([task("a", wcet, 40)], [0], wcets_up_to(most)) == most


def test_the_largest_runtime_stays_below_the_deadline_and_the_period() -> None:
    for period, deadline in ((40, 30), (30, 40)):
        assert largest_wcet([task("a", 5, period, deadline)], [0], wcets_up_to(1000)) == 30


def test_a_large_runtime_is_found_within_a_two_thousandth() -> None:
    most = 777_777_777
    found = largest_wcet([task("a", 10**9, 10**10)], [0], wcets_up_to(most))
    assert found is not None
    assert most - most // 2000 <= found <= most
    assert found != most, "no more is looked for than people can use"


def test_all_members_change_and_nobody_else() -> None:
    tasks = [task("a", 9, 40), task("b", 30, 40), task("a2", 9, 40)]

    def fits(changed: Tasks) -> bool:
        assert [t.name for t in changed] == ["a", "b", "a2"]
        assert changed[1] == tasks[1]
        assert changed[0].wcet_ns == changed[2].wcet_ns
        return changed[0].wcet_ns + changed[2].wcet_ns <= 12 and changed[0].period_ns >= 20

    assert largest_wcet(tasks, [0, 2], fits) == 6
    tasks = [task("a", 6, 40), task("b", 30, 40), task("a2", 6, 40)]
    assert smallest_period(tasks, [0, 2], fits) == 20


def test_no_runtime_helps() -> None:
    assert largest_wcet([task("a", 5, 40)], [0], lambda _: False) is None


@pytest.mark.parametrize("period", [1, 5, 40])
@pytest.mark.parametrize("least", range(1, 41))
def test_the_smallest_period(period: int, least: int) -> None:
    assert smallest_period([task("a", 1, period)], [0], periods_from(least)) == least


def test_a_deadline_that_is_not_the_period_stays() -> None:
    seen: set[int] = set()

    def fits(changed: Tasks) -> bool:
        seen.add(changed[0].deadline_ns)
        return changed[0].period_ns >= 50

    assert smallest_period([task("a", 1, 40, 30)], [0], fits) == 50
    assert seen == {30}


def test_a_large_period_is_found_within_a_thousandth() -> None:
    least = 777_777_777
    found = smallest_period([task("a", 1, 10**9)], [0], periods_from(least))
    assert found is not None
    assert least < found <= least + least // 1000, "no more is looked for than people can use"


def test_only_what_can_be_written_is_found() -> None:
    tasks, within = [task("a", 20, 40)], (8, 64)
    for most, found in ((7, None), (8, 8), (9, 9)):
        assert largest_wcet(tasks, [0], wcets_up_to(most), within) == found
    assert largest_wcet([task("a", 20, 100)], [0], wcets_up_to(99), within) == 64
    for least, found in ((65, None), (64, 64), (63, 63), (8, 20)):
        assert smallest_period(tasks, [0], periods_from(least), within) == found
    assert smallest_period([task("a", 1, 40)], [0], periods_from(3), within) == 8


def test_no_period_helps() -> None:
    longest: list[int] = []

    def fits(changed: Tasks) -> bool:
        longest.append(changed[0].period_ns)
        return False

    assert smallest_period([task("a", 1, 2)], [0], fits) is None
    assert longest[-1] == 2**50


@pytest.mark.parametrize("most", range(1, 6))
def test_how_many_there_may_be(most: int) -> None:
    tasks = [task("x", 1, 9), *(task(f"a{i}", 1, 9) for i in range(5))]

    def fits(kept: Tasks) -> bool:
        assert kept[0].name == "x"
        return len(kept) - 1 <= most

    assert most_members(tasks, range(1, 6), fits) == most
    assert most_members(tasks, range(1, 6), lambda _: False) == 5, "none is too many: nothing to say"


def test_changes_are_said_the_nearest_first() -> None:
    """Of 1.2 CPUs one is there: of what stands there, a has to give up less than both of b."""
    tasks = [task("a", 123_456_789, 200_000_000), task("b", 60 * MS, 120 * MS), task("b2", 12 * MS, 120 * MS)]

    def fits(changed: Tasks) -> bool:
        return sum(t.utilization for t in changed) <= 1

    found = changes(tasks, {"a": [0], "b": [1, 2]}, fits)
    assert (found.all_tried, found.proven) == (True, True)
    assert [change.text for change in found.found] == [
        "a would fit with a runtime of at most 79990us instead of 123.457ms",
        "a would fit with a period of at least 308800us instead of 200ms",
        "b would fit with a runtime of at most 22960us instead of 60ms",
        "b would fit with a period of at least 313600us instead of 120ms",
    ]
    distances = [change.distance for change in found.found]
    assert distances == sorted(distances)


def test_each_kind_of_change() -> None:
    members = [task(f"v{i}", 40 * MS, 100 * MS) for i in range(3)]

    def fits(changed: Tasks) -> bool:
        return sum(t.utilization for t in changed) <= 1

    found = changes(members, {"video": [0, 1, 2]}, fits)
    assert [change.text for change in found.found] == [
        "video would fit with a runtime of at most 33330us instead of 40ms",
        "video would fit with a period of at least 120100us instead of 100ms",
        "video would fit with at most 2 threads instead of 3",
    ]
    assert found.found[2] == Change(found.found[2].text, Fraction(1, 3))
    could = changes(members, {"video": [0, 1, 2]}, fits, proven=False)
    assert not could.proven
    assert could.found[2].text == "video could fit with at most 2 threads instead of 3"
    alone = changes(members, {"video": [0, 1, 2]}, lambda changed: len(changed) == 1)
    assert [change.text for change in alone.found] == ["video would fit with at most 1 thread instead of 3"]
    room = changes(members[:1], {"video": [0]}, fits)
    assert [change.text for change in room.found] == [
        "video may have a period of at least 40020us instead of 100ms",
        "video may have a runtime of at most 99970us instead of 40ms",
    ]


def test_what_is_said_of_the_changes() -> None:
    one = Change("x would fit", Fraction(1))
    alone = task_set(task("a", 1, 9), placement=Placement.UNIPROCESSOR)

    def said(options: Changes, verdict: Verdict, *more: str) -> list[str]:
        return [*sentences(alone, options, verdict, more)]

    late = Verdict.NOT_SCHEDULABLE
    assert said(Changes((one,)), late, "more") == ["x would fit", "more"]
    assert said(Changes((one,)), Verdict.SCHEDULABLE, "more") == ["x would fit"]
    assert said(Changes((one,), proven=False), late) == [
        "x would fit",
        "(could: it is possible then, but not proven)",
    ]
    assert said(Changes((), proven=False), late) == ["no change of one alone makes it fit"]
    assert said(Changes(()), Verdict.SCHEDULABLE) == []
    for verdict in (late, Verdict.SCHEDULABLE):
        assert said(Changes((), all_tried=False), verdict) == [
            "more changes were not looked for: that would take too long"
        ]


def test_a_deadline_within_the_gaps_is_named() -> None:
    gap = Periodic(10 * MS, 4 * MS)  # nothing for up to 12 ms
    for deadline, named in ((12 * MS, True), (12 * MS + 1, False)):
        found = task_set(task("a", 1, 99 * MS, deadline), supply=gap, placement=Placement.UNIPROCESSOR)
        text = "a cannot be proven while its deadline, 12ms, is within the gaps in what the CPUs supply, 12ms"
        assert (text in sentences(found, Changes(()), Verdict.UNKNOWN)) is named
    half = BoundedDelay(Fraction(1), Fraction(25, 2))
    found = task_set(task("a", 1, 99, 12), supply=half, placement=Placement.UNIPROCESSOR)
    assert [*sentences(found, Changes(()), Verdict.UNKNOWN)][-1].endswith(" what the CPUs supply, 13ns")


def test_more_cpus() -> None:
    found = task_set(*(task(f"t{i}", 9, 10) for i in range(3)), cpus=2)
    assert [*cpus_needed(found, lambda cpus: cpus >= 5, 8)] == [
        "as it is, fewer than 3 CPUs cannot be enough",
        "as it is, 5 CPUs are provably enough",
    ]
    assert [*cpus_needed(found, lambda cpus: cpus >= 5, 5)][1:] == ["as it is, 5 CPUs are provably enough"]
    assert [*cpus_needed(found, lambda cpus: cpus >= 5, 4)] == [
        "as it is, fewer than 3 CPUs cannot be enough"
    ]
    asked: list[int] = []

    def never(cpus: int) -> bool:
        asked.append(cpus)
        return False

    enough = task_set(*(task(f"t{i}", 9, 10) for i in range(3)), cpus=3)
    assert [*cpus_needed(enough, never, 6)] == []
    assert asked == [4, 5, 6]


def test_a_pinning() -> None:
    tasks = (task("x", 1, 5, level=3), task("y", 1, 5, level=2), task("long", 6, 6, level=1))
    assert [*pinning(task_set(*tasks, cpus=2))] == ["pin these and it is provable: CPU 0: long; CPU 1: x, y"]
    assert [*pinning(task_set(*tasks, cpus=1))] == []
    # by deadline both fit on one CPU, as equals of fixed priority they do not
    pair = (task("p", 50, 100), task("q", 40, 80))
    assert [*pinning(task_set(*pair, cpus=1, scheduler=EDF))] != []
    assert [*pinning(task_set(*pair, cpus=1))] == []


def test_no_pinning_where_one_cpu_may_wait_for_another() -> None:
    """As it is b waits up to 9 for what a holds on the other CPU; on one CPU that is bounded."""
    pair = (task("a", 9, 10, level=2), task("b", 5, 10, 6))
    for alike in ({"blocking_ns": 1}, {"locks": True}):
        tasks = (replace(pair[0], **alike), pair[1])
        assert [*pinning(task_set(*tasks, cpus=2))] == []
    assert [*pinning(task_set(*pair, cpus=2))] != []
    assert [*pinning(task_set(replace(pair[0], blocking_ns=1, locks=True), cpus=1))] != []


@pytest.mark.parametrize("levels", [(1, 1), (2, 1)])
def test_a_pinning_is_held_against_what_a_cpu_supplies(levels: tuple[int, int]) -> None:
    """Of 10 ms there are 8, with gaps of up to 4: so many are too few for the second one."""
    gaps = Periodic(10 * MS, 8 * MS)
    for deadline, fits in ((4, False), (50, True)):
        tasks = (
            task("a", 1 * MS, 50 * MS, level=levels[0]),
            task("b", 1 * MS, 50 * MS, deadline * MS, level=levels[1]),
        )
        for supply, wanted in ((gaps, fits), (DEDICATED, True)):
            found = task_set(*tasks, cpus=1, scheduler=EDF, supply=supply)
            assert ([*pinning(found)] != []) is wanted


def spending(steps: int, fits: Callable[[Tasks], bool]) -> Callable[[Tasks], bool]:
    """An analysis that gives up where the search as a whole has no steps left."""

    def spent(tasks: Tasks) -> bool:
        try:
            Effort().spend(steps)
        except GaveUpError:
            return False
        return fits(tasks)

    return spent


def test_who_uses_most_is_looked_at_first_and_what_was_found_stays() -> None:
    """`many` uses 0.9 CPUs, `few` 0.5: there are steps for the first of them only."""
    tasks = [task("few", 5, 10), *(task(f"many{i}", 3, 10) for i in range(3))]
    groups = {"few": [0], "many": [1, 2, 3]}
    asked: list[Tasks] = []

    def fits(changed: Tasks) -> bool:
        asked.append(changed)
        return sum(t.utilization for t in changed) <= Fraction(13, 10)

    first = changes(tasks, {"many": [1, 2, 3]}, fits).found
    searched = len(asked)
    found = changes(tasks, groups, spending(2_000_000 // (searched + 1), fits), proven=False)
    assert found == Changes(
        tuple(Change(change.text.replace("would", "could"), change.distance) for change in first),
        all_tried=False,
        proven=False,
    )
    assert found.all_tried is False
    assert {change.text.split()[0] for change in found.found} == {"many"}


def said(*tasks: Task, cpus: int) -> tuple[str, ...]:
    """As `analyze --explain` says it."""
    found = task_set(*tasks, cpus=cpus, scheduler=EDF)
    return advice(found, analyze(found))


def test_more_cpus_are_advised_where_there_are_several() -> None:
    heavy = [task(f"t{i}", 9, 10) for i in range(4)]
    for cpus in (2, 3):
        assert "as it is, fewer than 4 CPUs cannot be enough" in said(*heavy, cpus=cpus)
        assert any("provably enough" in text for text in said(*heavy, cpus=cpus))
    assert not any("CPUs" in text for text in said(*heavy, cpus=1))
    light = said(task("a", 1, 10), task("b", 1, 10), cpus=2)
    assert light
    assert all(" may have " in text for text in light)


def proven(tasks: Sequence[Task]) -> bool:
    return response_time.analyze(tasks).verdict is Verdict.SCHEDULABLE


def test_a_period_that_is_said_was_tried() -> None:
    """Rounded up to four digits it may not fit: then it is said to the ns."""
    tasks = [task("a", 1, 99_999)]
    least = smallest_period(tasks, [0], periods_from(12_341))
    assert least
    assert least % 10

    up = least // 10 * 10 + 10

    def but(refused: int) -> Callable[[Tasks], bool]:
        return lambda tasks: tasks[0].period_ns >= 12_341 and tasks[0].period_ns != refused

    for refused, text in ((up, f"at least {least}ns instead"), (0, f"at least {up}ns instead")):
        found = changes(tasks, {"a": [0]}, but(refused)).found
        assert any(text in change.text for change in found)


def test_changes_that_fit_the_nearest_first() -> None:
    """Of three [1, 3] and [2, 6]: 3 * 2 + 2 > 6, so w = 8 > 6; with two of t, 2 * 2 + 2 = 6."""
    tasks = tasks_of([[1, 3], [1, 3], [1, 3], [2, 6]])
    found = changes(tasks, {"t": [0, 1, 2], "u": [3]}, proven)
    assert found.all_tried
    assert [change.text for change in found.found] == [
        "t would fit with at most 2 threads instead of 3",
        "t would fit with a period of at least 5ns instead of 3ns",
    ]
    one = changes(tasks_of([[1, 3], [1, 3], [4, 9]]), {"t": [0, 1], "u": [2]}, proven, proven=False)
    assert "t could fit with at most 1 thread instead of 2" in [change.text for change in one.found]
    free = changes(tasks_of([[1, 4], [1, 8]]), {"t": [0], "u": [1]}, proven)
    assert "t may have a runtime of at most 3ns instead of 1ns" in [change.text for change in free.found]


def test_advice_that_takes_too_long_is_not_given() -> None:
    """What is found when nothing is left to spend is not the largest."""

    tasks = tasks_of([[1, 3], [1, 3], [1, 3], [2, 6]])
    found = changes(tasks, {"t": [0, 1, 2], "u": [3]}, spending(3_000_000, proven))
    assert (found.found, found.all_tried) == ((), False)
    said = sentences(TaskSet(tuple(tasks), 1, FIXED, Placement.UNIPROCESSOR), found, Verdict.NOT_SCHEDULABLE)
    assert [*said] == ["more changes were not looked for: that would take too long"]


def test_sums_of_utilizations_are_paid_for() -> None:
    """Tests that count no steps themselves: a sum of 1,000 costs 8,000, and there are 10,000,000."""
    tasks = [task(f"t{i}", 1, 2000) for i in range(1000)]
    groups = {t.name: [i] for i, t in enumerate(tasks)}
    ran = 0

    def fits(changed: Tasks) -> bool:
        def sums() -> Iterator[TestResult]:
            nonlocal ran
            ran += 1
            yield edf_utilization.analyze(changed)

        return provable(sums(), len(changed))

    found = changes(tasks, groups, fits)
    assert not found.all_tried
    assert found.found
    assert ran == 1 + 2_000_000 // 8_000
    few = changes(tasks[:10], {t.name: [i] for i, t in enumerate(tasks[:10])}, fits)
    assert few.all_tried


def test_how_many_cpus() -> None:
    """Five halves are more than two CPUs; three are enough for at most one task each, and two more."""
    found = TaskSet(tuple(tasks_of([[2, 4]] * 5)), 2, FIXED, Placement.GLOBAL)
    assert [*cpus_needed(found, lambda cpus: cpus == 5, 8)] == [
        "as it is, fewer than 3 CPUs cannot be enough",
        "as it is, 5 CPUs are provably enough",
    ]
    assert [*cpus_needed(found, lambda _: False, 8)] == ["as it is, fewer than 3 CPUs cannot be enough"]
    assert [*cpus_needed(replace(found, cpus=3), lambda cpus: cpus >= 3, 8)] == [
        "as it is, 4 CPUs are provably enough"
    ]


def test_a_deadline_within_the_gaps() -> None:
    found = TaskSet(tuple(tasks_of([[1, 4]])), 1, FIXED, Placement.UNIPROCESSOR, Periodic(4, 2))
    said = [*sentences(found, changes(found.tasks, {"t1": [0]}, lambda _: False), Verdict.UNKNOWN)]
    assert said == [
        "no change of one alone makes it fit",
        "t1 cannot be proven while its deadline, 4ns, is within the gaps in what the CPUs supply, 4ns",
    ]
    later = replace(found, tasks=tuple(tasks_of([[1, 5]])))
    assert [*sentences(later, changes(later.tasks, {"t1": [0]}, lambda _: False), Verdict.UNKNOWN)] == said[
        :1
    ]
