# SPDX-License-Identifier: GPL-2.0-only
"""What no scheduler can do: use more than there is, or compute longer than a deadline allows. Necessary.

U <= m times the rate (for several CPUs: W. A. Horn, "Some simple scheduling algorithms", NRLQ 21,
1974), and C + J <= D for each task. Any number of CPUs, any model.
"""

from __future__ import annotations

from collections.abc import Sequence

from schedctl.analysis.model import Strength, Task, TestResult, result_of, total_utilization
from schedctl.analysis.supply import DEDICATED, Supply
from schedctl.analysis.text import against, duration, out_of, share

NAME = "capacity"


def analyze(tasks: Sequence[Task], cpus: int, supply: Supply = DEDICATED) -> TestResult:
    """NOT_SCHEDULABLE where the set is too much for any scheduler; else UNKNOWN."""
    used, most = total_utilization(tasks), supply.rate * cpus
    if used > most:
        return result_of(NAME, Strength.NECESSARY, False, f"utilization {against(used, most)}")
    for task in tasks:
        if task.wcet_ns + task.jitter_ns > task.deadline_ns:
            detail = f"{task.name}: {duration(task.wcet_ns)} of work"
            detail += f" after {duration(task.jitter_ns)} of jitter" if task.jitter_ns else ""
            detail += f" against a deadline of {duration(task.deadline_ns)}"
            return result_of(NAME, Strength.NECESSARY, False, detail)
        if task.wcet_ns > task.period_ns:
            detail = f"{task.name} alone uses {share(task.utilization)} of a CPU"
            return result_of(NAME, Strength.NECESSARY, False, detail)
    return result_of(NAME, Strength.NECESSARY, True, f"utilization {out_of(used, most)}")
