# SPDX-License-Identifier: GPL-2.0-only
"""The hyperbolic bound for rate-monotonic priorities on one CPU. Sufficient, never worse than Liu & Layland.

E. Bini, G. C. Buttazzo, G. M. Buttazzo, "Rate monotonic analysis: the hyperbolic bound", IEEE Trans.
Computers 52(7), 2003: the product of (U_i + 1) is at most 2. With blocking, per task (the same, section
5): (U_1 + 1) ... (U_{i-1} + 1) ((C_i + B_i) / T_i + 1) <= 2.

Model and supply: as liu_layland.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from schedctl.analysis.liu_layland import extra, why_not_rate_monotonic
from schedctl.analysis.model import Strength, Task, TestResult, by_urgency, not_applicable, result_of
from schedctl.analysis.supply import DEDICATED, Supply
from schedctl.analysis.text import share

NAME = "hyperbolic"


def analyze(tasks: Sequence[Task], supply: Supply = DEDICATED) -> TestResult:
    """SCHEDULABLE where the product is at most 2 at every task; else UNKNOWN."""
    if reason := why_not_rate_monotonic(tasks):
        return not_applicable(NAME, Strength.SUFFICIENT, reason)
    numerator = denominator = 1  # the product so far, never reduced: gcds of long numbers cost most
    for task in by_urgency(tasks):
        last = 1 + task.utilization / supply.rate + extra(task, supply)
        if numerator * last.numerator > 2 * denominator * last.denominator:
            product = share(Fraction(numerator * last.numerator, denominator * last.denominator))
            return result_of(NAME, Strength.SUFFICIENT, False, f"the product is {product} at {task.name}")
        step = 1 + task.utilization / supply.rate
        numerator, denominator = numerator * step.numerator, denominator * step.denominator
    product = share(Fraction(numerator, denominator))
    return result_of(NAME, Strength.SUFFICIENT, True, f"the product of (utilization + 1) is {product}")
