# SPDX-License-Identifier: GPL-2.0-only
"""Earliest deadline first within fixed priorities, on one CPU: what `order: edf` with levels runs.

M. González Harbour, J. C. Palencia, "Response time analysis for tasks scheduled under EDF within fixed
priorities", RTSS 2003: Spuri's analysis of each level (edf_response.py), in which the tasks of the
levels above interfere as in fixed priorities, ceil((w + J) / T) C, whatever their deadlines. With one
level it is Spuri's, with one task per level response-time analysis. With Order.RELEASE all relative
deadlines are alike: first released first within fixed priorities.

Exact on a whole CPU without blocking, where deadlines count from the arrival or there is no jitter;
else sufficient.
"""

from __future__ import annotations

from collections.abc import Sequence

from schedctl.analysis.edf_response import Order, level_response_times
from schedctl.analysis.effort import Effort, GaveUpError
from schedctl.analysis.model import (
    Strength,
    Task,
    TaskResult,
    TestResult,
    against_rate,
    not_applicable,
    response_result,
)
from schedctl.analysis.response_time import strength_for
from schedctl.analysis.supply import DEDICATED, Supply

NAME = "edf_within_fixed_priorities"


def analyze(tasks: Sequence[Task], supply: Supply = DEDICATED, order: Order = Order.DEADLINE) -> TestResult:
    """Response times of all tasks, in their order; UNKNOWN where that would take too long."""
    strength = strength_for(tasks, supply)
    if order is not Order.DEADLINE and any(task.jitter_ns for task in tasks):
        strength = Strength.SUFFICIENT
    try:
        bounds = response_times(tasks, supply, order, Effort())
    except GaveUpError as error:
        return not_applicable(NAME, strength, str(error))
    results = [TaskResult(t.name, r, t.deadline_ns) for t, r in zip(tasks, bounds, strict=True)]
    return response_result(NAME, strength, results)


def response_times(tasks: Sequence[Task], supply: Supply, order: Order, effort: Effort) -> list[int | None]:
    """The bound of each task in ns, None without one; raises GaveUpError."""
    found: dict[int, int] = {}
    for level in sorted({task.level for task in tasks}, reverse=True):
        own = [i for i, task in enumerate(tasks) if task.level == level]
        above = [task for task in tasks if task.level > level]
        members = [tasks[i] for i in own]
        if against_rate([*members, *above], supply.rate) > 0:
            break
        found.update(zip(own, level_response_times(members, above, supply, order, effort), strict=True))
    return [found.get(i) for i in range(len(tasks))]
