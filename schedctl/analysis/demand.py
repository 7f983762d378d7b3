# SPDX-License-Identifier: GPL-2.0-only
"""The demand bound function: the work that must be done in an interval, and how far one has to look.

S. Baruah, L. Rosier, R. Howell, RTS 2, 1990; with jitter: M. Spuri, "Analysis of deadline scheduled
real-time systems", INRIA RR-2772, 1996: the deadline of a job that was released late is D - J away.

    dbf(t) = sum of max(0, floor((t + T + J - D) / T)) C

A job can be blocked by one whose deadline is later: the largest blocking of the tasks with D - J <=
t counts once.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import lcm

from schedctl.analysis.effort import Effort
from schedctl.analysis.model import Task
from schedctl.analysis.supply import Periodic, Supply


def demand_bound(tasks: Sequence[Task], time_ns: int) -> int:
    """Work, in ns, of jobs that arrive and are due within any interval of this length."""
    return sum(
        (time_ns + task.jitter_ns - task.deadline_ns) // task.period_ns * task.wcet_ns + task.wcet_ns
        for task in tasks
        if time_ns + task.jitter_ns >= task.deadline_ns
    )


def blocking_at(tasks: Sequence[Task], time_ns: int) -> int:
    return max((t.blocking_ns for t in tasks if t.deadline_ns - t.jitter_ns <= time_ns), default=0)


def horizon(tasks: Sequence[Task], supply: Supply, used: Fraction, effort: Effort) -> int:
    """No deadline after this one is missed first; `used` <= supply.rate is the utilization.

    The smaller of two: where the demand's upper line crosses the supply's lower one (George, Rivierre,
    Spuri, INRIA RR-2966, 1996), and the synchronous busy period. Where nothing is left over: one
    hyperperiod behind all first deadlines.
    """
    blocking = max(t.blocking_ns for t in tasks)
    if used < supply.rate:
        ahead = sum(
            (
                (t.period_ns + t.jitter_ns - t.deadline_ns) * t.utilization
                for t in tasks
                if t.period_ns + t.jitter_ns > t.deadline_ns
            ),
            Fraction(0),
        )
        line = (ahead + blocking + supply.rate * supply.delay_ns) / (supply.rate - used)
        limit = int(line)
    else:
        limit = 2 * hyperperiod(tasks, supply) + max(t.deadline_ns for t in tasks) + int(supply.delay_ns)
    return min(limit, busy_period(tasks, supply, blocking, effort, limit))


def hyperperiod(tasks: Sequence[Task], supply: Supply) -> int:
    """After this time the tasks' arrivals and the supply repeat."""
    period = supply.period_ns if isinstance(supply, Periodic) else 1
    return lcm(period, *(task.period_ns for task in tasks))


def arrivals_of(tasks: Sequence[Task]) -> list[tuple[int, int, int]]:
    """Work, period and jitter; of tasks that can arrive equally often, the work of all of them at once."""
    work: dict[tuple[int, int], int] = {}
    for task in tasks:
        often = (task.period_ns, task.jitter_ns)
        work[often] = work.get(often, 0) + task.wcet_ns
    return [(wcet, *often) for often, wcet in work.items()]


def busy_period(
    tasks: Sequence[Task], supply: Supply, blocking_ns: int, effort: Effort, limit: int | None = None
) -> int:
    """The longest one; ends early above `limit`."""
    time = supply.time_for(blocking_ns + sum(task.wcet_ns for task in tasks))
    terms = arrivals_of(tasks)
    while limit is None or time <= limit:
        effort.spend(len(terms))
        work = blocking_ns + sum(-(-(time + jitter) // period) * wcet for wcet, period, jitter in terms)
        later = supply.time_for(work)
        if later == time:
            break
        time = later
    return time


def born_late(tasks: Sequence[Task]) -> Task | None:
    """A task that can be released when its deadline has passed."""
    return next((task for task in tasks if task.jitter_ns >= task.deadline_ns), None)
