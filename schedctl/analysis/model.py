# SPDX-License-Identifier: GPL-2.0-only
"""The tasks that are analyzed and what a test says of them.

A task is a sequence of jobs that arrive at least one period apart; each is released up to `jitter_ns`
after its arrival and must be complete `deadline_ns` after its arrival. Response times count from the
arrival, so that a task's own jitter is part of its response time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from operator import attrgetter

from schedctl.analysis.text import duration

_BITS = 64


class Strength(StrEnum):
    SUFFICIENT = "sufficient"
    """Success proves the set schedulable."""
    NECESSARY = "necessary"
    """Failure proves the set not schedulable."""
    EXACT = "exact"


class Verdict(StrEnum):
    SCHEDULABLE = "SCHEDULABLE"
    NOT_SCHEDULABLE = "NOT_SCHEDULABLE"
    UNKNOWN = "UNKNOWN"


class Scheduler(StrEnum):
    FIXED_PRIORITY = "fixed_priority"
    EDF = "edf"


class Placement(StrEnum):
    UNIPROCESSOR = "uniprocessor"
    GLOBAL = "global"
    PARTITIONED = "partitioned"


@dataclass(frozen=True, slots=True)
class Task:
    """Times in ns; `blocking_ns` is how long less urgent tasks can delay one job."""

    name: str
    wcet_ns: int
    period_ns: int
    deadline_ns: int
    jitter_ns: int = 0
    blocking_ns: int = 0
    level: int = 0
    """Larger is more urgent."""
    locks: bool = False
    """Holds a declared resource: on several CPUs equals and less urgent tasks wait for it, too."""

    @property
    def utilization(self) -> Fraction:
        return Fraction(self.wcet_ns, self.period_ns)


@dataclass(frozen=True, slots=True)
class TaskResult:
    """`response_time_ns` is a bound of the worst one; None where there is none."""

    name: str
    response_time_ns: int | None
    deadline_ns: int

    @property
    def slack_ns(self) -> int | None:
        return None if self.response_time_ns is None else self.deadline_ns - self.response_time_ns

    @property
    def fits(self) -> bool:
        return self.response_time_ns is not None and self.response_time_ns <= self.deadline_ns


@dataclass(frozen=True, slots=True)
class TestResult:
    """What one test says; `tasks` only of tests that bound response times, in the order of the set."""

    __test__ = False  # pytest would collect it

    name: str
    strength: Strength
    verdict: Verdict
    detail: str
    tasks: tuple[TaskResult, ...] = ()


def result_of(name: str, strength: Strength, passed: bool, detail: str) -> TestResult:
    """A test's outcome as far as its strength allows a verdict."""
    verdict = Verdict.UNKNOWN
    if passed and strength is not Strength.NECESSARY:
        verdict = Verdict.SCHEDULABLE
    elif not passed and strength is not Strength.SUFFICIENT:
        verdict = Verdict.NOT_SCHEDULABLE
    return TestResult(name, strength, verdict, detail)


def response_result(name: str, strength: Strength, tasks: Sequence[TaskResult]) -> TestResult:
    """The outcome of a test that bounds response times."""
    late = [task for task in tasks if not task.fits]
    detail = "every response time is within its deadline"
    if late:
        first = late[0]
        response = first.response_time_ns
        bound = "no bound" if response is None else duration(response)
        more = f", and {len(late) - 1} more" if len(late) > 1 else ""
        detail = f"{first.name}: {bound} against a deadline of {duration(first.deadline_ns)}{more}"
    base = result_of(name, strength, not late, detail)
    return TestResult(base.name, base.strength, base.verdict, base.detail, tuple(tasks))


def not_applicable(name: str, strength: Strength, reason: str) -> TestResult:
    return TestResult(name, strength, Verdict.UNKNOWN, f"does not apply: {reason}")


Kind = tuple[int | bool, ...]
kind_of: Callable[[Task], Kind] = attrgetter(
    "wcet_ns", "period_ns", "deadline_ns", "jitter_ns", "blocking_ns", "level", "locks"
)
"""All but the name."""


def kinds_of(tasks: Iterable[Task]) -> list[tuple[Task, int]]:
    """Tasks that differ in their names alone, as the first of them, and how many there are.

    In the order of the set. What bounds one of them bounds each: threads of a class are looked at once.
    """
    kinds: dict[Kind, tuple[Task, int]] = {}
    for task in tasks:
        first, count = kinds.get(kind_of(task), (task, 0))
        kinds[kind_of(task)] = first, count + 1
    return list(kinds.values())


def total_utilization(tasks: Iterable[Task]) -> Fraction:
    """The exact sum, by halves: the denominators of 1,000 unrelated periods grow long."""
    work: dict[int, int] = {}
    for task in tasks:
        work[task.period_ns] = work.get(task.period_ns, 0) + task.wcet_ns
    sums = [(wcet, period) for period, wcet in work.items()] or [(0, 1)]
    while len(sums) > 1:
        pairs = [_add(sums[i], sums[i + 1]) for i in range(0, len(sums) - 1, 2)]
        sums = pairs + sums[len(pairs) * 2 :]
    return Fraction(*sums[0])


def _add(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    return a[0] * b[1] + b[0] * a[1], a[1] * b[1]


def against_rate(tasks: Sequence[Task], rate: Fraction) -> int:
    """-1, 0 or 1: the tasks use less than this rate, as much, or more. Exact.

    In binary fractions, each rounded down, so that the sum is off by less than one per task; what is closer
    than that is compared exactly.
    """
    used = sum((task.wcet_ns << _BITS) // task.period_ns for task in tasks)
    most = (rate.numerator << _BITS) // rate.denominator
    if used > most:
        return 1
    if used + len(tasks) < most:
        return -1
    exact = total_utilization(tasks)
    return (exact > rate) - (exact < rate)


def by_urgency(tasks: Sequence[Task]) -> list[Task]:
    """Most urgent first; equals as listed."""
    return sorted(tasks, key=lambda task: -task.level)
