# SPDX-License-Identifier: GPL-2.0-only
"""Utilization under earliest deadline first on one CPU.

Liu & Layland 1973, theorem 7: with deadlines equal to periods a set is schedulable exactly where U <=
1. With longer deadlines as well (they demand less, and more than the whole CPU is too much for any).
With shorter ones, jitter, blocking or gaps in the supply: necessary. With blocking alone (T. Baker,
"Stack-based scheduling of realtime processes", RTS 3, 1991): the demand tests say more.
"""

from __future__ import annotations

from collections.abc import Sequence

from schedctl.analysis.model import Strength, Task, TestResult, result_of, total_utilization
from schedctl.analysis.supply import DEDICATED, Supply
from schedctl.analysis.text import against

NAME = "edf_utilization"


def analyze(tasks: Sequence[Task], supply: Supply = DEDICATED) -> TestResult:
    """Exact where every deadline is at least the period and nothing else delays; else necessary."""
    plain = all(t.deadline_ns >= t.period_ns and not t.jitter_ns and not t.blocking_ns for t in tasks)
    strength = Strength.EXACT if plain and not supply.delay_ns and supply.rate == 1 else Strength.NECESSARY
    used = total_utilization(tasks)
    detail = f"utilization {against(used, supply.rate)}"
    return result_of(NAME, strength, used <= supply.rate, detail)
