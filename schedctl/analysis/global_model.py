# SPDX-License-Identifier: GPL-2.0-only
"""What the tests for several CPUs have in common: their model, and the work a task can bring into a window.

m identical CPUs, a job runs on one at a time and may move at no cost, whoever waits is less urgent than
all who run. Constrained deadlines (D <= T), no blocking. Where a CPU is only supplied in part, what is
taken away in a window of length t, at most t minus the supply, interferes like a task of that CPU's
own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from heapq import nlargest
from operator import mul

from schedctl.analysis.model import Task, TestResult
from schedctl.analysis.supply import Supply


def why_not_global(tasks: Sequence[Task], *, constrained: bool = True) -> str:
    """Empty where the model holds."""
    for task in tasks:
        if task.blocking_ns or task.locks:
            return f"{task.name} has blocking, which is bounded for one CPU only"
        if constrained and task.deadline_ns > task.period_ns:
            return f"the deadline of {task.name} is longer than its period"
    return ""


def on_time(tasks: Sequence[Task], result: TestResult) -> TestResult:
    """Without the bounds that do not hold: each assumes that all that are not less urgent are in time.

    Who is not proven to be may be late, and then brings more work than that. The detail names those alone.
    """
    rows = list(zip(tasks, result.tasks, strict=True))
    lost = max((task.level for task, row in rows if row.response_time_ns is None), default=None)
    if lost is None:
        return result
    held = (row if task.level > lost else replace(row, response_time_ns=None) for task, row in rows)
    return replace(result, tasks=tuple(held))


def workload(task: Task, window_ns: int, slack_ns: int) -> int:
    """The most that a task's jobs run within a window, whatever the order.

    Bertogna, Cirinei, Lipari, TPDS 20(4), 2009, equations 4 and 6: the first job ends as late as it may, its
    slack before its deadline, the later ones begin at once. A job's latest end counts from its arrival, so
    jitter is in it.
    """
    reach = window_ns + task.deadline_ns - slack_ns - task.wcet_ns
    if reach < 0:
        return 0
    jobs = reach // task.period_ns
    return jobs * task.wcet_ns + min(task.wcet_ns, reach - jobs * task.period_ns)


def deadline_workload(task: Task, window_ns: int, slack_ns: int) -> int:
    """The most that jobs due by the window's end run in it; the window ends with a deadline.

    The same, equation 8: the deadlines fall together at the end.
    """
    if window_ns < task.deadline_ns:
        jobs = 0
    else:
        jobs = (window_ns - task.deadline_ns) // task.period_ns + 1
    return jobs * task.wcet_ns + min(task.wcet_ns, max(0, window_ns - jobs * task.period_ns - slack_ns))


def taken(supply: Supply, window_ns: int) -> int:
    """CPU time that others can take from one CPU in a window, in whole ns."""
    return window_ns - int(supply.within(window_ns))


def interference(works: Sequence[int], cpus: int, counts: Sequence[int] = ()) -> int:
    """How long these works can keep all CPUs from a job: the smallest y with sum min(W, y + 1) < m (y + 1).

    `counts`: how many there are of each, where not one.

    Iterating y <- floor(sum min(W, y + 1) / m) gets there, in steps of 1 ns while m works are longer than y.
    The sum is the least over k of k (y + 1) and all but the k longest works; k < m decides.
    """
    rest = sum(map(mul, works, counts)) if counts else sum(works)
    if counts:  # more than m - 1 of a kind are never left out
        works = [work for work, nr in zip(works, counts, strict=True) for _ in range(min(nr, cpus - 1))]
    bound = rest // cpus
    for k, longest in enumerate(nlargest(cpus - 1, works), 1):
        rest -= longest
        bound = min(bound, rest // (cpus - k))
    return bound
