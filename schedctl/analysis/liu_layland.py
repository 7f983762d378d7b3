# SPDX-License-Identifier: GPL-2.0-only
"""Liu & Layland's bound for rate-monotonic priorities on one CPU. Sufficient.

C. L. Liu, J. W. Layland, "Scheduling algorithms for multiprogramming in a hard-real-time environment",
JACM 20(1), 1973, theorem 5: U <= n (2^(1/n) - 1). With blocking, per task: L. Sha, R. Rajkumar, J. P.
Lehoczky, "Priority inheritance protocols", IEEE Trans. Computers 39(9), 1990, theorem 15: C_1/T_1 + ...
+ C_i/T_i + B_i/T_i <= i (2^(1/i) - 1).

Model: periods are the deadlines or shorter than them, no jitter, the shorter period more urgent. Under a
supply of rate a and delay d, what a job of wcet C can need is C/a and once d, which counts as blocking.

The bound is irrational but for n = 1, so x <= n (2^(1/n) - 1) is decided as (1 + x/n)^n <= 2, with as
many bits as it takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from schedctl.analysis.model import (
    Strength,
    Task,
    TestResult,
    by_urgency,
    not_applicable,
    result_of,
    total_utilization,
)
from schedctl.analysis.supply import DEDICATED, Supply
from schedctl.analysis.text import share

NAME = "liu_layland"
_MILLION = 1_000_000


def analyze(tasks: Sequence[Task], supply: Supply = DEDICATED) -> TestResult:
    """SCHEDULABLE where the bound holds at every task; else UNKNOWN."""
    if reason := why_not_rate_monotonic(tasks):
        return not_applicable(NAME, Strength.SUFFICIENT, reason)
    ordered = by_urgency(tasks)
    bound = f"n (2^(1/n) - 1) = {printed_bound(len(tasks))} for n = {len(tasks)}"
    if not any(extra(task, supply) for task in ordered):  # the last task's condition holds all others
        used = total_utilization(tasks) / supply.rate
        passed = at_most_bound(used, len(tasks))
        return result_of(NAME, Strength.SUFFICIENT, passed, f"utilization {share(used)} against {bound}")
    used = Fraction(0)
    for n, task in enumerate(ordered, 1):
        used += task.utilization / supply.rate
        if not at_most_bound(used + extra(task, supply), n):
            detail = (
                f"{task.name}: utilization and blocking {share(used + extra(task, supply))} against n = {n}"
            )
            return result_of(NAME, Strength.SUFFICIENT, False, f"{detail}: {printed_bound(n)}")
    return result_of(NAME, Strength.SUFFICIENT, True, f"holds at every task; {bound}")


def extra(task: Task, supply: Supply) -> Fraction:
    """What blocking and gaps in the supply add to a task's utilization."""
    return (task.blocking_ns / supply.rate + supply.delay_ns) / task.period_ns


def why_not_rate_monotonic(tasks: Sequence[Task]) -> str:
    """Empty where the model of the utilization bounds holds."""
    ordered = by_urgency(tasks)
    for task in ordered:
        if task.jitter_ns:
            return f"{task.name} has jitter"
        if task.deadline_ns < task.period_ns:
            return f"the deadline of {task.name} is shorter than its period"
    for urgent, other in pairwise(ordered):
        if urgent.period_ns > other.period_ns:
            return f"not rate monotonic: {urgent.name} goes before {other.name}"
        if urgent.level == other.level and urgent.period_ns != other.period_ns:
            return f"not rate monotonic: {other.name} may go before {urgent.name}, its equal"
    return ""


def at_most_bound(used: Fraction, n: int) -> bool:
    """Whether used <= n (2^(1/n) - 1), exactly."""
    if n == 1:
        return used <= 1
    base = 1 + used / n
    bits = 64
    while True:
        low = (base.numerator << bits) // base.denominator
        if _power(low + 1, n, bits, up=True) <= 2 << bits:
            return True
        if _power(low, n, bits, up=False) > 2 << bits:
            return False
        bits *= 2  # never equal: 2^(1/n) is irrational


def _power(value: int, exponent: int, bits: int, *, up: bool) -> int:
    """value^exponent in fixed point with `bits` behind the point, each product rounded one way."""
    rounding = (1 << bits) - 1 if up else 0
    result = 1 << bits
    while exponent:
        if exponent & 1:
            result = (result * value + rounding) >> bits
        value = (value * value + rounding) >> bits
        exponent >>= 1
        if value >> bits > 1 << 16:  # far above the bound: only the comparison with 2 matters
            value = 1 << (bits + 16)
        if result >> bits > 1 << 16:
            return 1 << (bits + 16)
    return result


def printed_bound(n: int) -> str:
    """The bound rounded to 6 digits, each digit by an exact comparison."""
    low, high = 0, _MILLION  # at most: low * 1e-6; above: (high + 1) * 1e-6
    while low < high:
        middle = (low + high + 1) // 2
        if at_most_bound(Fraction(middle, _MILLION), n):
            low = middle
        else:
            high = middle - 1
    if at_most_bound(Fraction(2 * low + 1, 2 * _MILLION), n):
        low += 1
    return f"{low // _MILLION}.{low % _MILLION:06d}"
