# SPDX-License-Identifier: GPL-2.0-only
"""The density bound for global earliest deadline first. Sufficient.

J. Goossens, S. Funk, S. Baruah, "Priority-driven scheduling of periodic task systems on
multiprocessors", RTS 25, 2003: U <= m - (m - 1) max(U_i) for deadlines equal to periods; with densities
C / min(D, T) for all others: M. Bertogna, M. Cirinei, G. Lipari, "Improved schedulability analysis of
EDF on multiprocessor platforms", ECRTS 2005.

Model: m whole CPUs, one level, no jitter, no blocking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from schedctl.analysis.global_model import why_not_global
from schedctl.analysis.model import Strength, Task, TestResult, not_applicable, result_of, total_utilization
from schedctl.analysis.supply import DEDICATED, Supply
from schedctl.analysis.text import share

NAME = "gfb"


def analyze(tasks: Sequence[Task], cpus: int, supply: Supply = DEDICATED) -> TestResult:
    """SCHEDULABLE where the densities are below the bound; else UNKNOWN."""
    reason = why_not_global(tasks, constrained=False)
    if not reason and any(task.jitter_ns for task in tasks):
        reason = "a task has jitter"
    if not reason and (supply.rate != 1 or supply.delay_ns):
        reason = "the CPUs are not wholly given to these tasks"
    if not reason and len({task.level for task in tasks}) > 1:
        reason = "the tasks have several levels"
    if reason:
        return not_applicable(NAME, Strength.SUFFICIENT, reason)
    dense = [replace(task, period_ns=min(task.period_ns, task.deadline_ns)) for task in tasks]
    total = total_utilization(dense)
    largest = max(task.utilization for task in dense)
    bound = cpus - (cpus - 1) * largest
    detail = f"density {share(total)} against {share(bound)}, {share(largest)} the largest of one task"
    return result_of(NAME, Strength.SUFFICIENT, total <= bound, detail)
