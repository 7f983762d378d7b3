# SPDX-License-Identifier: GPL-2.0-only
"""Bertogna and Cirinei's response times on several CPUs, with slack iteration. Sufficient.

M. Bertogna, M. Cirinei, "Response-time analysis for globally scheduled symmetric multiprocessor
platforms", RTSS 2007:

    R_k <- C_k + floor(sum over i of min(W_i(R_k), R_k - C_k + 1) / m)

theorem 6 for any work-conserving order and fixed priorities, theorem 7 for EDF, where no more
interferes than what is due by k's deadline. The slack D - R that is found for one task makes the
others' workloads smaller: again, until no slack grows. What the iteration gives while the works stand
still is found at once (global_model.interference).

With levels, the more urgent ones interfere with all they have, equals too, or with what is due by the
deadline where a level is ordered by deadlines: sound for both orders of a profile. Model:
global_model.py; jitter shortens what is left of a deadline, and the deadline's cut is then left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from schedctl.analysis.effort import MAX_STEPS, Effort, GaveUpError
from schedctl.analysis.global_model import (
    deadline_workload,
    interference,
    on_time,
    taken,
    why_not_global,
    workload,
)
from schedctl.analysis.model import (
    Kind,
    Scheduler,
    Strength,
    Task,
    TaskResult,
    TestResult,
    kind_of,
    kinds_of,
    not_applicable,
    response_result,
)
from schedctl.analysis.supply import DEDICATED, Supply

NAME = "bertogna_cirinei"


def analyze(tasks: Sequence[Task], cpus: int, scheduler: Scheduler, supply: Supply = DEDICATED) -> TestResult:
    """Bounds of all response times; none where the task, or one it may wait for, is not proven in time."""
    if reason := why_not_global(tasks):
        return not_applicable(NAME, Strength.SUFFICIENT, reason)
    try:
        slacks = _Slacks(kinds_of(tasks), cpus, scheduler, supply).found()
    except GaveUpError as error:
        return not_applicable(NAME, Strength.SUFFICIENT, str(error))
    results = []
    for task in tasks:
        slack = slacks[kind_of(task)]
        bound = None if slack is None else task.deadline_ns - slack
        results.append(TaskResult(task.name, bound, task.deadline_ns))
    return on_time(tasks, response_result(NAME, Strength.SUFFICIENT, results))


class _Slacks:
    """The slack of each kind of task as far as it is proven; None: not proven to meet its deadline.

    The slacks grow from nothing to the least that follow from each other, whatever the order: tasks that are
    alike have the same.
    """

    def __init__(
        self, kinds: Sequence[tuple[Task, int]], cpus: int, scheduler: Scheduler, supply: Supply
    ) -> None:
        self._tasks, self._counts = [task for task, _ in kinds], [count for _, count in kinds]
        self._cpus, self._scheduler, self._supply = cpus, scheduler, supply
        self._slacks: list[int | None] = [None] * len(kinds)
        self._effort = Effort(MAX_STEPS * 7 // 4)
        self._cut = scheduler is Scheduler.EDF and not any(task.jitter_ns for task in self._tasks)

    def found(self) -> dict[Kind, int | None]:
        """The slacks when none grows any more; the most urgent first, as the others' depend on theirs."""
        order = sorted(range(len(self._tasks)), key=lambda k: -self._tasks[k].level)
        stale = set(order)
        while stale:
            for k in [k for k in order if k in stale]:
                stale.discard(k)
                slack = self._slack(k)
                if slack is not None and slack > (-1 if self._slacks[k] is None else self._slacks[k] or 0):
                    self._slacks[k] = slack
                    stale.update(self._interfered(k))
        return dict(zip(map(kind_of, self._tasks), self._slacks, strict=True))

    def _interfered(self, k: int) -> Iterator[int]:
        """The kinds that have tasks of kind k interfere with them; its own where there are several."""
        level = self._tasks[k].level
        return (
            i for i, task in enumerate(self._tasks) if task.level <= level and (i != k or self._counts[k] > 1)
        )

    def _slack(self, k: int) -> int | None:
        task = self._tasks[k]
        most = task.deadline_ns - task.jitter_ns
        others, counts, gaps = [], [self._cpus], 1
        for i, other in enumerate(self._tasks):
            if other.level >= task.level and (count := self._counts[i] - (i == k)):
                slack = self._slacks[i] or 0
                ahead = other.deadline_ns - slack - other.wcet_ns
                others.append((other.wcet_ns, other.period_ns, ahead, self._due(task, other, slack)))
                counts.append(count)
        if max(counts[1:], default=1) == 1:  # of no use then, and here the time goes
            counts, gaps = [], self._cpus
        time = task.wcet_ns
        while time <= most:
            self._effort.spend(len(others) + 4 * self._cpus)
            works = [taken(self._supply, time)] * gaps
            works += [  # workload(), in one expression: here the time goes
                min(due, (reach := time + ahead) // period * wcet + min(wcet, reach % period))
                for wcet, period, ahead, due in others
            ]
            later = task.wcet_ns + interference(works, self._cpus, counts)
            if later <= time:
                return most - time
            time = later
        return None

    def _due(self, task: Task, other: Task, slack_ns: int) -> int:
        """What can be due of another task by this one's deadline where that decides, else all it can do."""
        if self._cut and other.level == task.level:
            return deadline_workload(other, task.deadline_ns, slack_ns)
        return workload(other, task.deadline_ns, slack_ns)
