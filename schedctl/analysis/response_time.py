# SPDX-License-Identifier: GPL-2.0-only
"""Response-time analysis for fixed priorities on one CPU.

M. Joseph, P. Pandya, "Finding response times in a real-time system", Computer Journal 29(5), 1986; N.
Audsley et al., "Applying new scheduling theory to static priority pre-emptive scheduling", SEJ 8(5),
1993 (jitter, blocking); K. Tindell, A. Burns, A. Wellings, "An extendible approach for analyzing fixed
priority hard real-time tasks", RTS 6, 1994; J. Lehoczky, RTSS 1990 (arbitrary deadlines: all jobs of
the busy period).

    w(q) = time_for(B + (q + 1) C + sum over more urgent and equal j of ceil((w + J_j) / T_j) C_j)
    R = max over q of w(q) + J - q T,   as long as w(q) + J > (q + 1) T

Exact on a whole CPU without blocking, for the worst order among equals. With blocking, which may
never happen, or under a lower bound of the supply: sufficient.
"""

from __future__ import annotations

from collections.abc import Sequence

from schedctl.analysis.demand import arrivals_of, hyperperiod
from schedctl.analysis.effort import MAX_STEPS, Effort, GaveUpError
from schedctl.analysis.model import (
    Kind,
    Strength,
    Task,
    TaskResult,
    TestResult,
    against_rate,
    kind_of,
    not_applicable,
    response_result,
)
from schedctl.analysis.supply import DEDICATED, Supply

NAME = "response_time_analysis"
_BITS = 64


def analyze(tasks: Sequence[Task], supply: Supply = DEDICATED) -> TestResult:
    """Response times of all tasks, in their order; UNKNOWN where that would take too long."""
    strength = strength_for(tasks, supply)
    try:
        bounds = response_times(tasks, supply, Effort(2 * MAX_STEPS))
    except GaveUpError as error:
        return not_applicable(NAME, strength, str(error))
    results = [TaskResult(t.name, r, t.deadline_ns) for t, r in zip(tasks, bounds, strict=True)]
    return response_result(NAME, strength, results)


def strength_for(tasks: Sequence[Task], supply: Supply) -> Strength:
    """Exact where the worst case that is computed can happen."""
    whole = supply.rate == 1 and not supply.delay_ns
    return Strength.EXACT if whole and not any(t.blocking_ns for t in tasks) else Strength.SUFFICIENT


def response_times(tasks: Sequence[Task], supply: Supply, effort: Effort) -> list[int | None]:
    """The bound of each task in ns, None without one; raises GaveUpError."""
    order = sorted(range(len(tasks)), key=lambda i: -tasks[i].level)
    found: list[int | None] = [None] * len(tasks)
    start = reached = 0
    while start < len(order):
        end = start
        while end < len(order) and tasks[order[end]].level == tasks[order[start]].level:
            end += 1
        group = [tasks[i] for i in order[:end]]
        against = against_rate(group, supply.rate)
        if against > 0:
            break
        alike: dict[Kind, int] = {}
        for place in range(start, end):
            task = group[place]
            if kind_of(task) not in alike:
                others = group[:place] + group[place + 1 :]
                window = _Window(task, others, supply, effort, reached)
                alike[kind_of(task)] = _worst(window, against == 0)
                if start + 1 == end:
                    reached = window.unblocked_ns
            found[order[place]] = alike[kind_of(task)]
        start = end
    return found


def _worst(window: _Window, full: bool) -> int:
    """The longest response of all jobs of the busy period.

    `full`: nothing is left over, so the busy period may have no end; after one hyperperiod the
    responses do not grow.
    """
    task, last_job = window.task, None
    if full:
        last_job = hyperperiod([task, *window.others], window.supply) // task.period_ns
    worst = job = 0
    while True:
        end = window.end(job)
        worst = max(worst, end + task.jitter_ns - job * task.period_ns)
        job += 1
        if end + task.jitter_ns <= job * task.period_ns or job == last_job:
            return worst


class _Window:
    """The busy window of one task's jobs.

    `reached_ns`: a window that ends no later, of a task that all others but one are more urgent than.
    """

    def __init__(
        self, task: Task, others: Sequence[Task], supply: Supply, effort: Effort, reached_ns: int
    ) -> None:
        self.task, self.others, self.supply, self._effort = task, others, supply, effort
        self._terms = arrivals_of(others)
        self._least_ns = max(reached_ns, supply.time_for(sum(wcet for wcet, _, _ in self._terms)))
        used = sum((wcet << _BITS) // period for wcet, period, _ in self._terms)
        # at least what the supply leaves to the task, rounded up: others use at least `used`
        rate = -((-supply.rate.numerator << _BITS) // supply.rate.denominator)
        self._left = max(1, rate - used)
        self.unblocked_ns = 0

    def end(self, job: int) -> int:
        """When job number `job` is complete, counted from the start of the busy period."""
        own = self.task.blocking_ns + (job + 1) * self.task.wcet_ns
        # the least solution is no smaller: ceilings are at least what they round, and so is the supply
        time = max(self._least_ns + own, (own << _BITS) // self._left)
        while True:
            self._effort.spend(len(self._terms) + 1)
            work = own + sum(-(-(time + jitter) // period) * wcet for wcet, period, jitter in self._terms)
            later = self.supply.time_for(work)
            if later == time:
                break
            time = later
        if job == 0 and not self.task.blocking_ns:
            self.unblocked_ns = time
        return time
