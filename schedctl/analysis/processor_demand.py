# SPDX-License-Identifier: GPL-2.0-only
"""The processor demand criterion for earliest deadline first on one CPU.

S. Baruah, L. Rosier, R. Howell, "Algorithms and complexity concerning the preemptive scheduling of
periodic, real-time tasks on one processor", RTS 2, 1990: at every deadline up to the horizon the demand
is at most what is supplied. Exact on a whole CPU without blocking, else sufficient; jitter included
(see demand.py).
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from schedctl.analysis.demand import born_late, horizon
from schedctl.analysis.effort import Effort, GaveUpError
from schedctl.analysis.model import Task, TestResult, not_applicable, result_of, total_utilization
from schedctl.analysis.response_time import strength_for
from schedctl.analysis.supply import DEDICATED, Supply
from schedctl.analysis.text import against, duration

NAME = "processor_demand"


def analyze(tasks: Sequence[Task], supply: Supply = DEDICATED) -> TestResult:
    """Looks at every deadline, in order; UNKNOWN where there are too many."""
    strength = strength_for(tasks, supply)
    if early := why_not(tasks, supply):
        return result_of(NAME, strength, False, early)
    effort = Effort()
    try:
        limit = horizon(tasks, supply, total_utilization(tasks), effort)
        missed, looked = _first_excess(tasks, supply, limit, effort)
    except GaveUpError as error:
        return not_applicable(NAME, strength, str(error))
    detail = f"holds at all {looked} deadlines up to {duration(limit)}"
    return result_of(NAME, strength, not missed, missed or detail)


def why_not(tasks: Sequence[Task], supply: Supply) -> str:
    """What disproves any demand test at once, else empty."""
    used = total_utilization(tasks)
    if used > supply.rate:
        return f"utilization {against(used, supply.rate)}"
    late = born_late(tasks)
    return f"{late.name}: its jitter is as long as its deadline" if late else ""


def _first_excess(tasks: Sequence[Task], supply: Supply, limit: int, effort: Effort) -> tuple[str, int]:
    """What is said of the first deadline where the demand is too much, and how many were looked at."""
    due = [(task.deadline_ns - task.jitter_ns, index) for index, task in enumerate(tasks)]
    heapq.heapify(due)
    demand = blocking = looked = 0
    while due[0][0] <= limit:
        time = due[0][0]
        looked += 1
        while due[0][0] == time:
            effort.spend(4)
            task = tasks[due[0][1]]
            demand += task.wcet_ns
            blocking = max(blocking, task.blocking_ns)
            heapq.heapreplace(due, (time + task.period_ns, due[0][1]))
        if supply.time_for(demand + blocking) > time:
            return excess(time, demand, blocking), looked
    return "", looked


def excess(time_ns: int, demand_ns: int, blocking_ns: int) -> str:
    blocked = f" and {duration(blocking_ns)} of blocking" if blocking_ns else ""
    return f"a demand of {duration(demand_ns)}{blocked} within {duration(time_ns)}"
