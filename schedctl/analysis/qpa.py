# SPDX-License-Identifier: GPL-2.0-only
"""Quick processor-demand analysis for earliest deadline first on one CPU.

F. Zhang, A. Burns, "Schedulability analysis for real-time systems with EDF scheduling", IEEE Trans.
Computers 58(9), 2009: the same criterion as processor_demand.py, from the last deadline backwards.
Where the demand at t can be supplied within t' <= t, every deadline in [t', t) holds, since its demand
is no larger. Strength as there.
"""

from __future__ import annotations

from collections.abc import Sequence

from schedctl.analysis.demand import blocking_at, demand_bound, horizon
from schedctl.analysis.effort import Effort, GaveUpError
from schedctl.analysis.model import Task, TestResult, not_applicable, result_of, total_utilization
from schedctl.analysis.processor_demand import excess, why_not
from schedctl.analysis.response_time import strength_for
from schedctl.analysis.supply import DEDICATED, Supply
from schedctl.analysis.text import duration

NAME = "qpa"


def analyze(tasks: Sequence[Task], supply: Supply = DEDICATED) -> TestResult:
    """Jumps from deadline to deadline backwards; UNKNOWN where that takes too long."""
    strength = strength_for(tasks, supply)
    if early := why_not(tasks, supply):
        return result_of(NAME, strength, False, early)
    effort = Effort()
    try:
        limit = horizon(tasks, supply, total_utilization(tasks), effort)
        missed, looked = _last_excess(tasks, supply, limit, effort)
    except GaveUpError as error:
        return not_applicable(NAME, strength, str(error))
    detail = f"holds up to {duration(limit)}, by {looked} of its deadlines"
    return result_of(NAME, strength, not missed, missed or detail)


def _last_excess(tasks: Sequence[Task], supply: Supply, limit: int, effort: Effort) -> tuple[str, int]:
    looked = 0
    time = _deadline_before(tasks, limit + 1)
    while time is not None:
        effort.spend(2 * len(tasks))
        looked += 1
        demand, blocking = demand_bound(tasks, time), blocking_at(tasks, time)
        enough = supply.time_for(demand + blocking)
        if enough > time:
            return excess(time, demand, blocking), looked
        time = _deadline_before(tasks, enough)  # those from `enough` to `time` hold
    return "", looked


def _deadline_before(tasks: Sequence[Task], time_ns: int) -> int | None:
    """The last absolute deadline before this time, None where there is none."""
    found = None
    for task in tasks:
        first = task.deadline_ns - task.jitter_ns
        if first < time_ns:
            last = first + (time_ns - 1 - first) // task.period_ns * task.period_ns
            found = last if found is None else max(found, last)
    return found
