# SPDX-License-Identifier: GPL-2.0-only
"""What to change so that a set fits: the largest runtime of each task, its smallest period, a pinning."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from schedctl.analysis import partition
from schedctl.analysis.effort import GaveUpError
from schedctl.analysis.model import Placement, Task, Verdict
from schedctl.analysis.report import Analysis, TaskSet, decide, run_tests
from schedctl.analysis.text import duration
from schedctl.quantity import format_duration

MAX_GROUPS = 24
"""Each takes some dozen analyses; beyond this nobody reads them either."""
_LONGEST = 2**50
_Fits = Callable[[Sequence[Task]], bool]


@dataclass(frozen=True, slots=True)
class Change:
    """One key of one class, or task, after which the set fits; `distance` from what stands there."""

    text: str
    distance: Fraction


def advice(found: TaskSet, result: Analysis) -> tuple[str, ...]:
    """Sentences, each a single change after which the set is schedulable, or what is still free."""
    if len(found.tasks) > MAX_GROUPS:
        return (f"advice is given for up to {MAX_GROUPS} tasks",)
    groups = {task.name: [i] for i, task in enumerate(found.tasks)}

    def fits(tasks: Sequence[Task]) -> bool:
        return decide(run_tests(replace(found, tasks=tuple(tasks)))) is Verdict.SCHEDULABLE

    said = sentences(found, changes(found.tasks, groups, fits), result.verdict)
    return tuple(said)


def sentences(found: TaskSet, options: Sequence[Change], verdict: Verdict) -> Iterator[str]:
    """The changes, the nearest first, and a pinning where one helps."""
    yield from (change.text for change in options)
    if verdict is Verdict.SCHEDULABLE:
        return
    if not options:
        yield "no change of one alone makes it fit"
    if found.placement is Placement.GLOBAL:
        yield from pinning(found)


def pinning(found: TaskSet) -> Iterator[str]:
    """Advice: which CPU each task may have, so that each CPU is provable."""
    try:
        bins, left = partition.first_fit(found.tasks, found.cpus, found.scheduler, found.supply)
    except GaveUpError:
        return
    if left is None:
        yield f"pin these and it is provable: {partition.assignment_text(bins)}"


def changes(
    tasks: Sequence[Task],
    groups: Mapping[str, Sequence[int]],
    fits: _Fits,
    verbs: tuple[str, str] = ("may have", "would fit with"),
) -> list[Change]:
    """For each group of like tasks the largest wcet and the smallest period, the nearest first.

    `verbs`: for a set that fits, and for one that does not.
    """
    found, verb = [], verbs[0] if fits(tasks) else verbs[1]
    for name, members in [*groups.items()][:MAX_GROUPS]:
        task = tasks[members[0]]
        wcet = largest_wcet(tasks, members, fits)
        if wcet and _rounded(wcet) != _rounded(task.wcet_ns):
            text = f"{name} {verb} a runtime of at most {_rounded(wcet)} instead of {duration(task.wcet_ns)}"
            found.append(Change(text, abs(1 - Fraction(wcet, task.wcet_ns))))
        period = smallest_period(tasks, members, fits)
        if period and period != task.period_ns:
            text = f"{name} {verb} a period of at least {_up(period)} instead of {duration(task.period_ns)}"
            found.append(Change(text, abs(1 - Fraction(period, task.period_ns))))
    return sorted(found, key=lambda change: change.distance)


def largest_wcet(tasks: Sequence[Task], members: Sequence[int], fits: _Fits) -> int | None:
    """The largest wcet of these tasks, in ns, with which the set is schedulable; None where none is."""
    task = tasks[members[0]]

    def ok(wcet: int) -> bool:
        return fits([replace(t, wcet_ns=wcet) if i in members else t for i, t in enumerate(tasks)])

    if not ok(1):
        return None
    low, high = 1, min(task.period_ns, task.deadline_ns) + 1
    if ok(task.wcet_ns):
        low = task.wcet_ns
    else:
        high = task.wcet_ns
    while high - low > max(1, low // 2000):
        middle = (low + high) // 2
        low, high = (middle, high) if ok(middle) else (low, middle)
    return low


def smallest_period(tasks: Sequence[Task], members: Sequence[int], fits: _Fits) -> int | None:
    """The smallest period of these tasks, in ns, with which the set is schedulable; None where none is.

    A deadline equal to the period follows it, another one stays.
    """
    task = tasks[members[0]]

    def ok(period: int) -> bool:
        due = period if task.deadline_ns == task.period_ns else task.deadline_ns
        changed = replace(task, period_ns=period, deadline_ns=due)
        return fits([replace(changed, name=t.name) if i in members else t for i, t in enumerate(tasks)])

    low, high = 0, task.period_ns
    while not ok(high):
        low, high = high, high * 2
        if high > _LONGEST:
            return None
    while high - low > max(1, high // 1000):
        middle = (low + high) // 2
        low, high = (low, middle) if middle and ok(middle) else (middle, high)
    return high


def _rounded(ns: int) -> str:
    """Down to four digits: nobody writes a runtime in ns."""
    step = 10 ** max(0, len(str(ns)) - 4)
    return format_duration(ns // step * step)


def _up(ns: int) -> str:
    step = 10 ** max(0, len(str(ns)) - 4)
    return format_duration(-(-ns // step) * step)
