# SPDX-License-Identifier: GPL-2.0-only
"""Guan, Stigge, Yi and Yu's response times for global fixed priorities. Sufficient.

N. Guan, M. Stigge, W. Yi, G. Yu, "New response time bounds for fixed priority multiprocessor
scheduling", RTSS 2009: the window can be begun at an instant at which at most m - 1 more urgent tasks
have a job under way, so at most m - 1 of them *carry in* work.

    NC(x) = floor(x / T) C + min(x mod T, C)
    CI(x) = floor((x - C)+ / T) C + C + min(C - 1, ((x - C)+ mod T - (T - R))+),   R the task's own bound
    R_k <- C_k + floor(sum of NC parts + the m - 1 largest (CI - NC) parts / m), parts cut at R_k - C_k + 1

Model: global_model.py, no jitter; tasks in the order of their levels, equals as if each lost every tie
(then an equal has no bound yet, and D stands for its R).
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nlargest

from schedctl.analysis.effort import Effort, GaveUpError
from schedctl.analysis.global_model import interference, on_time, taken, why_not_global
from schedctl.analysis.model import (
    Strength,
    Task,
    TaskResult,
    TestResult,
    by_urgency,
    not_applicable,
    response_result,
)
from schedctl.analysis.supply import DEDICATED, Supply

NAME = "guan"


def analyze(tasks: Sequence[Task], cpus: int, supply: Supply = DEDICATED) -> TestResult:
    """Bounds of all response times; none where the task, or one it may wait for, is not proven in time."""
    reason = why_not_global(tasks)
    if not reason and any(task.jitter_ns for task in tasks):
        reason = "a task has jitter"
    if reason:
        return not_applicable(NAME, Strength.SUFFICIENT, reason)
    effort = Effort()
    bounds: dict[int, int] = {}  # by position, of tasks that are proven
    position = {id(task): i for i, task in enumerate(tasks)}
    try:
        for task in by_urgency(tasks):
            more = [other for other in tasks if other is not task and other.level >= task.level]
            known = [bounds.get(position[id(other)], other.deadline_ns) for other in more]
            bound = _bound(task, list(zip(more, known, strict=True)), cpus, supply, effort)
            if bound is not None:
                bounds[position[id(task)]] = bound
    except GaveUpError as error:
        return not_applicable(NAME, Strength.SUFFICIENT, str(error))
    results = [TaskResult(t.name, bounds.get(i), t.deadline_ns) for i, t in enumerate(tasks)]
    return on_time(tasks, response_result(NAME, Strength.SUFFICIENT, results))


def _bound(
    task: Task, more: Sequence[tuple[Task, int]], cpus: int, supply: Supply, effort: Effort
) -> int | None:
    """None where it is not proven to meet its deadline; what is more urgent must be proven, too."""
    time = task.wcet_ns
    while time <= task.deadline_ns:
        effort.spend(len(more) + cpus)
        parts = [(taken(supply, time), taken(supply, time))] * cpus
        parts += [(without_carry(other, time), with_carry(other, bound, time)) for other, bound in more]
        later = task.wcet_ns + interference_with_carry(parts, cpus, effort)
        if later <= time:
            return time
        time = later
    return None


def interference_with_carry(parts: Sequence[tuple[int, int]], cpus: int, effort: Effort) -> int:
    """The smallest y at which, for each choice of m - 1 tasks that carry in, sum min(W, y + 1) < m (y + 1).

    For one choice that is global_model.interference, and what holds for one y holds for all longer ones. The
    choice that is the worst at one y gives the next, until none is worse.
    """
    found = 0
    while True:
        effort.spend(len(parts))
        cut = found + 1
        extras = [(min(ci, cut) - min(nc, cut), i) for i, (nc, ci) in enumerate(parts) if ci > nc]
        works = [nc for nc, _ in parts]
        for _, i in nlargest(cpus - 1, extras):
            works[i] = parts[i][1]
        later = interference(works, cpus)
        if later <= found:
            return found
        found = later


def without_carry(task: Task, window_ns: int) -> int:
    """NC(x): what a task runs in a window that no job of it has begun before."""
    jobs, rest = divmod(window_ns, task.period_ns)
    return jobs * task.wcet_ns + min(rest, task.wcet_ns)


def with_carry(task: Task, bound_ns: int, window_ns: int) -> int:
    """CI(x): the same, when one of its jobs is under way."""
    jobs, rest = divmod(max(0, window_ns - task.wcet_ns), task.period_ns)
    late = max(0, rest - (task.period_ns - bound_ns))
    return (jobs + 1) * task.wcet_ns + min(task.wcet_ns - 1, late)
