# SPDX-License-Identifier: GPL-2.0-only
"""Bertogna, Cirinei and Lipari's test for global earliest deadline first and fixed priorities. Sufficient.

M. Bertogna, M. Cirinei, G. Lipari, "Improved schedulability analysis of EDF on multiprocessor
platforms", ECRTS 2005, and "New schedulability tests for real-time task sets scheduled by deadline
monotonic on multiprocessors", OPODIS 2005, as restated for integer time in TPDS 20(4), 2009, theorems 5
and 7: task k meets its deadlines where, with L = D_k - C_k + 1,

    sum over i of min(W_i(D_k), L) < m L

over all others (EDF, with only what is due by k's deadline) or over the more urgent and equal ones
(fixed priorities). Model: global_model.py, and no jitter.
"""

from __future__ import annotations

from collections.abc import Sequence

from schedctl.analysis.effort import Effort, GaveUpError
from schedctl.analysis.global_model import deadline_workload, taken, why_not_global, workload
from schedctl.analysis.model import Scheduler, Strength, Task, TestResult, not_applicable, result_of
from schedctl.analysis.supply import DEDICATED, Supply

NAME = "bcl"


def analyze(tasks: Sequence[Task], cpus: int, scheduler: Scheduler, supply: Supply = DEDICATED) -> TestResult:
    """SCHEDULABLE where every task passes; else UNKNOWN. EDF here has one level."""
    reason = why_not_global(tasks)
    if not reason and any(task.jitter_ns for task in tasks):
        reason = "a task has jitter"
    if not reason and scheduler is Scheduler.EDF and len({task.level for task in tasks}) > 1:
        reason = "the tasks have several levels"
    if reason:
        return not_applicable(NAME, Strength.SUFFICIENT, reason)
    effort = Effort()
    try:
        failed = next((t for t in tasks if not _fits(t, tasks, cpus, scheduler, supply, effort)), None)
    except GaveUpError as error:
        return not_applicable(NAME, Strength.SUFFICIENT, str(error))
    detail = f"{failed.name} may be interfered with for too long" if failed else "every task has enough left"
    return result_of(NAME, Strength.SUFFICIENT, failed is None, detail)


def _fits(
    task: Task, tasks: Sequence[Task], cpus: int, scheduler: Scheduler, supply: Supply, effort: Effort
) -> bool:
    effort.spend(3 * len(tasks))
    window, least = task.deadline_ns, task.deadline_ns - task.wcet_ns + 1
    if least <= 0:
        return False
    work = cpus * min(taken(supply, window), least)
    for other in tasks:
        if other is task:
            continue
        if scheduler is Scheduler.EDF:
            work += min(deadline_workload(other, window, 0), least)
        elif other.level >= task.level:
            work += min(workload(other, window, 0), least)
    return work < cpus * least
