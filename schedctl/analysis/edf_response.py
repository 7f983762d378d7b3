# SPDX-License-Identifier: GPL-2.0-only
"""Worst response times under earliest deadline first on one CPU.

M. Spuri, "Analysis of deadline scheduled real-time systems", INRIA RR-2772, 1996. The worst response of
a task is not found when all are released together, but in a busy period that all others begin together,
for some arrival `a` of the job that is looked at:

    w = time_for(B + (1 + floor((a + J) / T)) C + sum over j of min(ceil((w + J_j) / T_j), n_j(a + D)) C_j)
    R = max over a of w - a,     n_j(d) = floor((d + J_j - D_j) / T_j) + 1 jobs that are due by d

where only those `a` count for which a + D is a deadline of some task. Exact on a whole CPU without
blocking, else sufficient. The functions take tasks that go before all of these, for
edf_within_priorities.py.

Order.RELEASED_DEADLINE orders by release + deadline, Order.RELEASE by release, as the scheduler's
levels do; both are upper bounds where there is jitter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from itertools import count

from schedctl.analysis.demand import arrivals_of, busy_period, hyperperiod
from schedctl.analysis.effort import Effort, GaveUpError
from schedctl.analysis.model import (
    Task,
    TaskResult,
    TestResult,
    against_rate,
    kind_of,
    kinds_of,
    not_applicable,
    response_result,
)
from schedctl.analysis.response_time import strength_for
from schedctl.analysis.supply import DEDICATED, Supply

NAME = "edf_response_time"


class Order(Enum):
    """What the jobs of one level are ordered by."""

    DEADLINE = "arrival + deadline"
    RELEASED_DEADLINE = "release + deadline"
    RELEASE = "release"


def analyze(tasks: Sequence[Task], supply: Supply = DEDICATED) -> TestResult:
    """Response times of all tasks, levels aside; UNKNOWN where that would take too long."""
    strength = strength_for(tasks, supply)
    if against_rate(tasks, supply.rate) > 0:
        results = [TaskResult(task.name, None, task.deadline_ns) for task in tasks]
        return response_result(NAME, strength, results)
    effort = Effort()
    try:
        bounds = level_response_times(tasks, (), supply, Order.DEADLINE, effort)
    except GaveUpError as error:
        return not_applicable(NAME, strength, str(error))
    return response_result(
        NAME, strength, [TaskResult(t.name, r, t.deadline_ns) for t, r in zip(tasks, bounds, strict=True)]
    )


def level_response_times(
    level: Sequence[Task], above: Sequence[Task], supply: Supply, order: Order, effort: Effort
) -> list[int]:
    """The bound of each task of a level in ns, while those above go first.

    All together must not use more than the supply's rate. Raises GaveUpError.
    """
    everyone, limit = [*level, *above], None
    if against_rate(everyone, supply.rate) == 0:  # the busy period may have no end, but it repeats
        limit = hyperperiod(everyone, supply) + max(task.deadline_ns for task in level)
    busy = busy_period(everyone, supply, max(task.blocking_ns for task in level), effort, limit)
    busy = busy if limit is None else min(busy, limit)
    kinds = kinds_of(level)
    worst = {
        kind_of(task): _Jobs(task, kinds, arrivals_of(above), supply, order, effort).worst(busy)
        for task, _ in kinds
    }
    return [worst[kind_of(task)] for task in level]


class _Jobs:
    """The jobs of one task within the longest busy period of its level, whose tasks come by kind.

    A task's job number k arrives, at the earliest, at k T - J after the busy period has begun and is released
    then, or at 0.
    """

    def __init__(
        self,
        task: Task,
        level: Sequence[tuple[Task, int]],
        above: Sequence[tuple[int, int, int]],
        supply: Supply,
        order: Order,
        effort: Effort,
    ) -> None:
        self._task, self._supply, self._order, self._effort = task, supply, order, effort
        self._kinds, self._above = [other for other, _ in level], above
        self._others = [(other, count - (other is task)) for other, count in level]

    def worst(self, busy_ns: int) -> int:
        return max(self._end(arrival) - arrival for arrival in self._arrivals(busy_ns))

    def _arrivals(self, busy_ns: int) -> Iterator[int]:
        """Where the number of jobs that go first changes, from -J to the end of the busy period."""
        task, own = self._task, self._key_of(0)
        self._effort.spend((busy_ns + task.jitter_ns) // task.period_ns)
        found = set(range(-task.jitter_ns, busy_ns, task.period_ns))
        for other in self._kinds:
            for job in count():
                arrival = self._key(other, job) - own
                if arrival >= busy_ns:
                    break
                self._effort.spend(1)
                found.add(max(arrival, -task.jitter_ns))
        yield from sorted(found)

    def _relative(self, task: Task) -> int:
        return 0 if self._order is Order.RELEASE else task.deadline_ns

    def _key_of(self, arrival: int) -> int:
        """What the job that is looked at is ordered by; where releases count, it is released late."""
        late = 0 if self._order is Order.DEADLINE else self._task.jitter_ns
        return arrival + late + self._relative(self._task)

    def _key(self, other: Task, job: int) -> int:
        """What another task's job is ordered by."""
        arrival = job * other.period_ns - other.jitter_ns
        at = arrival if self._order is Order.DEADLINE else max(0, arrival)
        return at + self._relative(other)

    def _jobs_before(self, other: Task, key: int) -> int:
        """How many jobs of another task go before this key, at most."""
        if key < self._key(other, 0):
            return 0
        return (key + other.jitter_ns - self._relative(other)) // other.period_ns + 1

    def _end(self, arrival: int) -> int:
        """When the job that arrived then is complete, if the level has been busy since 0."""
        task, key = self._task, self._key_of(arrival)
        before = [(other, nr, self._jobs_before(other, key)) for other, nr in self._others if nr]
        terms = [(nr * j.wcet_ns, j.period_ns, j.jitter_ns, jobs) for j, nr, jobs in before if jobs]
        blocking = max([task.blocking_ns, *(other.blocking_ns for other, _, jobs in before if jobs)])
        fixed = blocking + (1 + (arrival + task.jitter_ns) // task.period_ns) * task.wcet_ns
        time = self._supply.time_for(fixed + sum(t[0] for t in terms) + sum(t[0] for t in self._above))
        while True:
            self._effort.spend(len(self._others) + len(self._above))
            work = fixed + sum(min(-(-(time + late) // period), n) * wcet for wcet, period, late, n in terms)
            work += sum(-(-(time + late) // period) * wcet for wcet, period, late in self._above)
            later = self._supply.time_for(work)
            if later == time:
                return time
            time = later
