# SPDX-License-Identifier: GPL-2.0-only
"""What to change so that a set fits: the largest runtime of each task, its smallest period, a pinning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from schedctl.analysis import partition
from schedctl.analysis.effort import GaveUpError
from schedctl.analysis.model import Placement, Task, Verdict
from schedctl.analysis.report import Analysis, TaskSet, decide, run_tests
from schedctl.quantity import format_duration

MAX_TASKS = 24
"""Each task takes some dozen analyses; beyond this nobody reads them either."""
_LONGEST = 2**50


def advice(found: TaskSet, result: Analysis) -> tuple[str, ...]:
    """Sentences, each a single change after which the set is schedulable, or what is still free."""
    return tuple(_sentences(found, result.verdict is Verdict.SCHEDULABLE))


def _sentences(found: TaskSet, fits: bool) -> Iterator[str]:
    if len(found.tasks) > MAX_TASKS:
        yield f"advice is given for up to {MAX_TASKS} tasks"
        return
    any_change = False
    for i, task in enumerate(found.tasks):
        wcet = largest_wcet(found, i)
        if wcet and (wcet != task.wcet_ns):
            any_change = True
            verb = "may need up to" if fits else "would fit with at most"
            yield f"{task.name} {verb} {_rounded(wcet)} per period instead of {_rounded(task.wcet_ns)}"
        period = smallest_period(found, i)
        if period and period != task.period_ns:
            any_change = True
            verb = "may have a period down to" if fits else "would fit with a period of at least"
            yield f"{task.name} {verb} {format_duration(period)} instead of {format_duration(task.period_ns)}"
    if not fits and not any_change:
        yield "no change of a single task makes it fit"
    if found.placement is Placement.GLOBAL and not fits:
        yield from _pinning(found)


def _pinning(found: TaskSet) -> Iterator[str]:
    try:
        bins, left = partition.first_fit(found.tasks, found.cpus, found.scheduler, found.supply)
    except GaveUpError:
        return
    if left is None:
        yield f"pin these and it is provable: {partition.assignment_text(bins)}"


def largest_wcet(found: TaskSet, index: int) -> int | None:
    """The largest wcet of one task, in ns, with which the set is schedulable; None where none is."""
    task = found.tasks[index]

    def fits(wcet: int) -> bool:
        return _fits(found, index, replace(task, wcet_ns=wcet))

    if not fits(1):
        return None
    low, high = 1, min(task.period_ns, task.deadline_ns) + 1
    if fits(task.wcet_ns):
        low = task.wcet_ns
    else:
        high = task.wcet_ns
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def smallest_period(found: TaskSet, index: int) -> int | None:
    """The smallest period of one task, in ns, with which the set is schedulable; None where none is.

    A deadline equal to the period follows it; a longer one stays.
    """
    task = found.tasks[index]

    def fits(period: int) -> bool:
        deadline = period if task.deadline_ns == task.period_ns else task.deadline_ns
        return _fits(found, index, replace(task, period_ns=period, deadline_ns=deadline))

    low, high = 0, task.period_ns
    while not fits(high):
        low, high = high, high * 2
        if high > _LONGEST:
            return None
    while high - low > max(1, high // 1000):
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high


def _fits(found: TaskSet, index: int, changed: Task) -> bool:
    tasks: Sequence[Task] = [changed if i == index else task for i, task in enumerate(found.tasks)]
    tests = run_tests(replace(found, tasks=tuple(tasks)))
    return decide(tests) is Verdict.SCHEDULABLE


def _rounded(ns: int) -> str:
    """Down to a tenth of a thousandth: nobody writes a runtime in ns."""
    step = 10 ** max(0, len(str(ns)) - 4)
    return format_duration(ns // step * step)
