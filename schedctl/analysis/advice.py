# SPDX-License-Identifier: GPL-2.0-only
"""What to change so that a set fits: the largest runtime of each task, its smallest period, how many there
may be, more CPUs, a pinning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from schedctl.analysis import partition
from schedctl.analysis.effort import GaveUpError, together
from schedctl.analysis.model import Placement, Task, Verdict, total_utilization
from schedctl.analysis.report import Analysis, TaskSet, provable, run_tests
from schedctl.analysis.text import duration
from schedctl.quantity import format_duration

MAX_CPUS = 64
_STEPS = 2_000_000
"""All analyses together: each group takes some dozen."""
_MORE_STEPS = 1_000_000
"""For the number of CPUs, and for a pinning."""
_LONGEST = 2**50
Range = tuple[int, int]
ANY: Mapping[str, Range] = {"runtime": (1, _LONGEST), "period": (1, _LONGEST)}
_Fits = Callable[[Sequence[Task]], bool]


@dataclass(frozen=True, slots=True)
class Change:
    """One key of one class, or task, after which the set fits; `distance` from what stands there."""

    text: str
    distance: Fraction


@dataclass(frozen=True, slots=True)
class Changes:
    """Single changes, the nearest first; `all_tried` is false where looking for them took too long."""

    found: tuple[Change, ...]
    all_tried: bool = True
    proven: bool = True
    """After each the set is schedulable; else only no longer disproved."""


def advice(found: TaskSet, result: Analysis) -> tuple[str, ...]:
    """Sentences, each a single change after which the set is schedulable, or what is still free."""
    groups = {task.name: [i] for i, task in enumerate(found.tasks)}

    def fits(tasks: Sequence[Task]) -> bool:
        return provable(run_tests(replace(found, tasks=tuple(tasks))), len(tasks))

    def fits_on(cpus: int) -> bool:
        return provable(run_tests(replace(found, cpus=cpus)), len(found.tasks))

    more = cpus_needed(found, fits_on, MAX_CPUS) if found.cpus > 1 else ()
    options = changes(found.tasks, groups, fits, fit=result.verdict is Verdict.SCHEDULABLE)
    return tuple(sentences(found, options, result.verdict, more))


def sentences(
    found: TaskSet, options: Changes, verdict: Verdict, more_cpus: Iterable[str] = (), *, whole: bool = True
) -> Iterator[str]:
    """The changes, the nearest first, more CPUs, and a pinning where one helps.

    `whole`: these tasks are all there are, so that something can be proven.
    """
    yield from (change.text for change in options.found)
    if options.found and not options.proven:
        yield "(could: it is possible then, but not proven)"
    if not options.all_tried:
        yield "more changes were not looked for: that would take too long"
    elif not options.found and verdict is not Verdict.SCHEDULABLE:
        yield "no change of one alone makes it fit"
    if verdict is Verdict.SCHEDULABLE:
        return
    yield from more_cpus
    gap = found.supply.delay_ns
    if short := [task for task in found.tasks if task.deadline_ns <= gap]:
        within = f"its deadline, {duration(short[0].deadline_ns)}, is within the gaps in what the CPUs supply"
        yield f"{short[0].name} cannot be proven while {within}, {duration(-(-gap // 1))}"
    if whole and found.placement is Placement.GLOBAL:
        yield from pinning(found)


def cpus_needed(found: TaskSet, fits_on: Callable[[int], bool], most: int) -> Iterator[str]:
    """How many CPUs are too few for any scheduler, and how many are provably enough."""
    least = -(-total_utilization(found.tasks) // found.supply.rate)
    if least > found.cpus:
        yield f"as it is, fewer than {least} CPUs cannot be enough"
    with together(_MORE_STEPS):
        for cpus in range(max(least, found.cpus + 1), most + 1):
            if fits_on(cpus):
                yield f"as it is, {cpus} CPUs are provably enough"
                return


def pinning(found: TaskSet) -> Iterator[str]:
    """Advice: which CPU each task may have, so that each CPU is provable."""
    if partition.why_not_several(found.tasks, found.cpus):
        return
    try:
        with together(_MORE_STEPS):
            bins, left = partition.first_fit(found.tasks, found.cpus, found.scheduler, found.supply)
    except GaveUpError:
        return
    if left is None:
        yield f"pin these and it is provable: {partition.assignment_text(bins)}"


def changes(
    tasks: Sequence[Task],
    groups: Mapping[str, Sequence[int]],
    fits: _Fits,
    *,
    proven: bool = True,
    fit: bool | None = None,
    ranges: Mapping[str, Range] = ANY,
) -> Changes:
    """For each group of like tasks the largest wcet, the smallest period and how many there may be.

    `fit`: whether they fit as they are, where that is known. `ranges`: what can be written, in ns.
    """
    verb = ("would" if proven else "could") + " fit with"
    if fits(tasks) if fit is None else fit:
        verb = "may have"
    found: list[Change] = []
    with together(_STEPS) as shared:
        for name, members in sorted(groups.items(), key=lambda group: -_used(tasks, group[1])):
            options = [*_group_changes(name, members, tasks, fits, verb, ranges)]
            if shared.used_up:  # what was found last may not be the largest
                return Changes(_nearest(found), False, proven)
            found += options
    return Changes(_nearest(found), True, proven)


def _nearest(found: Iterable[Change]) -> tuple[Change, ...]:
    return tuple(sorted(found, key=lambda change: change.distance))


def _used(tasks: Sequence[Task], members: Sequence[int]) -> Fraction:
    return tasks[members[0]].utilization * len(members)


def _group_changes(
    name: str,
    members: Sequence[int],
    tasks: Sequence[Task],
    fits: _Fits,
    verb: str,
    ranges: Mapping[str, Range],
) -> Iterator[Change]:
    task = tasks[members[0]]
    wcet = largest_wcet(tasks, members, fits, ranges["runtime"])
    if wcet and _rounded(wcet) != _rounded(task.wcet_ns):
        text = f"{name} {verb} a runtime of at most {_rounded(wcet)} instead of {duration(task.wcet_ns)}"
        yield Change(text, abs(1 - Fraction(wcet, task.wcet_ns)))
    period = smallest_period(tasks, members, fits, ranges["period"])
    if period and period != task.period_ns:
        if fits(with_period(tasks, members, _up(period))):  # else a later deadline breaks the proof
            period = _up(period)
        least = format_duration(period)
        text = f"{name} {verb} a period of at least {least} instead of {duration(task.period_ns)}"
        yield Change(text, abs(1 - Fraction(period, task.period_ns)))
    threads = most_members(tasks, members, fits)
    if threads < len(members):
        counted = "1 thread" if threads == 1 else f"{threads} threads"
        text = f"{name} {verb} at most {counted} instead of {len(members)}"
        yield Change(text, 1 - Fraction(threads, len(members)))


def most_members(tasks: Sequence[Task], members: Sequence[int], fits: _Fits) -> int:
    """How many of these tasks the set can have and be schedulable; their number where none is too many."""

    def ok(kept: int) -> bool:
        left_out = set(members[kept:])
        return fits([task for i, task in enumerate(tasks) if i not in left_out])

    if ok(len(members)) or not ok(1):
        return len(members)
    low, high = 1, len(members)  # who leaves interferes with nobody: fewer fit where more do
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if ok(middle) else (low, middle)
    return low


def largest_wcet(
    tasks: Sequence[Task], members: Sequence[int], fits: _Fits, within: Range = ANY["runtime"]
) -> int | None:
    """The largest wcet of these tasks, in ns, with which the set is schedulable; None where none is."""
    task, changed = tasks[members[0]], frozenset(members)

    def ok(wcet: int) -> bool:
        return fits([replace(t, wcet_ns=wcet) if i in changed else t for i, t in enumerate(tasks)])

    if not ok(within[0]):
        return None
    low, high = within[0], min(task.period_ns, task.deadline_ns, within[1]) + 1
    if ok(task.wcet_ns):
        low = task.wcet_ns
    else:
        high = task.wcet_ns
    while high - low > max(1, low // 2000):
        middle = (low + high) // 2
        low, high = (middle, high) if ok(middle) else (low, middle)
    return low


def with_period(tasks: Sequence[Task], members: Sequence[int], period_ns: int) -> list[Task]:
    """A deadline equal to the period follows it, another one stays."""
    task, changed = tasks[members[0]], frozenset(members)
    due = period_ns if task.deadline_ns == task.period_ns else task.deadline_ns
    rarer = replace(task, period_ns=period_ns, deadline_ns=due)
    return [replace(rarer, name=t.name) if i in changed else t for i, t in enumerate(tasks)]


def smallest_period(
    tasks: Sequence[Task], members: Sequence[int], fits: _Fits, within: Range = ANY["period"]
) -> int | None:
    """The smallest period of these tasks that is found, in ns, with which the set is schedulable, or None.

    Under EDF on several CPUs a smaller one may fit as well: a later deadline can break the proof of a set.
    """

    def ok(period: int) -> bool:
        return fits(with_period(tasks, members, period))

    low, high = within[0] - 1, tasks[members[0]].period_ns
    while not ok(high):
        if high >= within[1]:
            return None
        low, high = high, min(high * 2, within[1])
    while high - low > max(1, high // 1000):
        middle = (low + high) // 2
        low, high = (low, middle) if middle and ok(middle) else (middle, high)
    return high


def _rounded(ns: int) -> str:
    """Down to four digits: nobody writes a runtime in ns."""
    step = 10 ** max(0, len(str(ns)) - 4)
    return format_duration(ns // step * step)


def _up(ns: int) -> int:
    step: int = 10 ** max(0, len(str(ns)) - 4)
    return -(-ns // step) * step
