# SPDX-License-Identifier: GPL-2.0-only
"""How much of a CPU a set of tasks gets, at least, in any interval of a given length.

Dedicated: all of it. BoundedDelay: Mok, Feng, Chen, "Resource partition for real-time systems", RTAS
2001: `rate * (t - delay)`. Periodic: Shin, Lee, "Periodic resource model for compositional real-time
guarantees", RTSS 2003: `budget` somewhere in every `period`; the longest gap is 2 * (period - budget).

Each has the same two functions, inverse to each other. A test that is exact on a whole CPU is
sufficient under a lower bound of the supply.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol


class Supply(Protocol):
    @property
    def rate(self) -> Fraction:
        """The share in the long run, 0 < rate <= 1."""
        ...

    @property
    def delay_ns(self) -> Fraction:
        """rate * (t - delay) is never more than what is supplied in t."""
        ...

    def within(self, interval_ns: int) -> Fraction:
        """CPU time that is guaranteed in every interval of this length."""
        ...

    def time_for(self, work_ns: int) -> int:
        """The shortest interval, in whole ns, in which this CPU time is guaranteed; 0 for none."""
        ...


@dataclass(frozen=True, slots=True)
class BoundedDelay:
    rate: Fraction
    delay_ns: Fraction = Fraction(0)

    def within(self, interval_ns: int) -> Fraction:
        return max(Fraction(0), self.rate * (interval_ns - self.delay_ns))

    def time_for(self, work_ns: int) -> int:
        if work_ns <= 0:
            return 0
        if self.rate == 1 and not self.delay_ns:
            return work_ns
        # ceil(work / rate + delay), in integers
        numerator = work_ns * self.rate.denominator * self.delay_ns.denominator
        numerator += self.delay_ns.numerator * self.rate.numerator
        return -(-numerator // (self.rate.numerator * self.delay_ns.denominator))


DEDICATED = BoundedDelay(Fraction(1))


@dataclass(frozen=True, slots=True)
class Periodic:
    period_ns: int
    budget_ns: int

    @property
    def rate(self) -> Fraction:
        return Fraction(self.budget_ns, self.period_ns)

    @property
    def delay_ns(self) -> Fraction:
        return Fraction(2 * (self.period_ns - self.budget_ns))

    def within(self, interval_ns: int) -> Fraction:
        """Nothing for 2 * (period - budget), then the budget at once, then once per period."""
        after = interval_ns - (self.period_ns - self.budget_ns)
        if after < 0:
            return Fraction(0)
        whole, rest = divmod(after, self.period_ns)
        return Fraction(whole * self.budget_ns + max(0, rest - (self.period_ns - self.budget_ns)))

    def time_for(self, work_ns: int) -> int:
        if work_ns <= 0:
            return 0
        gap = self.period_ns - self.budget_ns
        whole, rest = divmod(work_ns, self.budget_ns)
        if rest == 0:
            return gap + whole * self.period_ns
        return gap + whole * self.period_ns + gap + rest
