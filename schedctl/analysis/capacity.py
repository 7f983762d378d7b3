# SPDX-License-Identifier: GPL-2.0-only
"""What no scheduler can do: use more than there is, or compute longer than a deadline allows. Necessary.

U <= m times the rate (for several CPUs: W. A. Horn, "Some simple scheduling algorithms", NRLQ 21,
1974), and C + J <= D for each task. Any number of CPUs, any model.
"""

from __future__ import annotations

from collections.abc import Sequence

from schedctl.analysis.model import Strength, Task, TestResult, result_of, total_utilization
from schedctl.analysis.supply import DEDICATED, Supply
from schedctl.analysis.text import ratio
from schedctl.quantity import format_duration

NAME = "capacity"


def analyze(tasks: Sequence[Task], cpus: int, supply: Supply = DEDICATED) -> TestResult:
    """NOT_SCHEDULABLE where the set is too much for any scheduler; else UNKNOWN."""
    used, most = total_utilization(tasks), supply.rate * cpus
    if used > most:
        return result_of(NAME, Strength.NECESSARY, False, f"utilization {ratio(used)} against {ratio(most)}")
    for task in tasks:
        if task.wcet_ns + task.jitter_ns > task.deadline_ns:
            detail = f"{task.name}: {format_duration(task.wcet_ns)} of work"
            detail += f" after {format_duration(task.jitter_ns)} of jitter" if task.jitter_ns else ""
            detail += f" against a deadline of {format_duration(task.deadline_ns)}"
            return result_of(NAME, Strength.NECESSARY, False, detail)
        if task.utilization > 1:
            detail = f"{task.name} alone uses {ratio(task.utilization)} of a CPU"
            return result_of(NAME, Strength.NECESSARY, False, detail)
    return result_of(NAME, Strength.NECESSARY, True, f"utilization {ratio(used)} of {ratio(most)}")
