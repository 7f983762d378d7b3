# SPDX-License-Identifier: GPL-2.0-only
"""Partitioned first-fit: which tasks to pin to which CPU, so that each is provable. Sufficient; advice.

S. K. Dhall, C. L. Liu, "On a real-time scheduling problem", Operations Research 26(1), 1978 (first
fit); by decreasing utilization: J. M. López et al., "Utilization bounds for EDF scheduling on real-time
multiprocessor systems", RTS 28, 2004. Each CPU is tested exactly: response-time analysis, or QPA, or
EDF within fixed priorities where there are several levels.
"""

from __future__ import annotations

from collections.abc import Sequence

from schedctl.analysis import edf_within_priorities, qpa, response_time
from schedctl.analysis.effort import MAX_STEPS, GaveUpError, together
from schedctl.analysis.global_model import why_not_global
from schedctl.analysis.model import (
    Scheduler,
    Strength,
    Task,
    TestResult,
    Verdict,
    against_rate,
    not_applicable,
    result_of,
)
from schedctl.analysis.supply import DEDICATED, Supply

NAME = "partitioned_first_fit"
_COST = 20
"""Steps for one term of a sum of utilizations."""


def analyze(tasks: Sequence[Task], cpus: int, scheduler: Scheduler, supply: Supply = DEDICATED) -> TestResult:
    """SCHEDULABLE where every task found a CPU; the detail is the assignment."""
    if reason := why_not_several(tasks, cpus):
        return not_applicable(NAME, Strength.SUFFICIENT, reason)
    try:
        bins, left = first_fit(tasks, cpus, scheduler, supply)
    except GaveUpError as error:
        return not_applicable(NAME, Strength.SUFFICIENT, str(error))
    detail = assignment_text(bins)
    if left is not None:
        detail = f"{left.name} fits on no CPU beside: {detail}" if detail else f"{left.name} fits on no CPU"
    return result_of(NAME, Strength.SUFFICIENT, left is None, detail)


def why_not_several(tasks: Sequence[Task], cpus: int) -> str:
    """Empty where no CPU waits for what is held on another one."""
    return why_not_global(tasks, constrained=False) if cpus > 1 else ""


def first_fit(
    tasks: Sequence[Task], cpus: int, scheduler: Scheduler, supply: Supply
) -> tuple[list[list[Task]], Task | None]:
    """The tasks of each CPU, and the first one that fits nowhere. Raises GaveUpError."""
    bins: list[list[Task]] = [[] for _ in range(min(cpus, len(tasks)))]
    with together(MAX_STEPS) as shared:
        for task in sorted(tasks, key=lambda task: -task.utilization):
            for cpu in bins:
                shared.spend(_COST * (len(cpu) + 1))
                if against_rate([*cpu, task], supply.rate) > 0:
                    continue
                fits = one_cpu([*cpu, task], scheduler, supply).verdict is Verdict.SCHEDULABLE
                shared.spend(0)  # what gave up is no answer
                if fits:
                    cpu.append(task)
                    break
            else:
                return bins, task
    return bins, None


def one_cpu(tasks: Sequence[Task], scheduler: Scheduler, supply: Supply = DEDICATED) -> TestResult:
    """By the test that decides most of a set on one CPU."""
    if scheduler is Scheduler.FIXED_PRIORITY:
        return response_time.analyze(tasks, supply)
    if len({task.level for task in tasks}) == 1:
        return qpa.analyze(tasks, supply)
    return edf_within_priorities.analyze(tasks, supply)


def assignment_text(bins: Sequence[Sequence[Task]]) -> str:
    """ "CPU 0: a, b; CPU 1: c"."""
    return "; ".join(
        f"CPU {number}: {', '.join(task.name for task in cpu)}" for number, cpu in enumerate(bins) if cpu
    )
