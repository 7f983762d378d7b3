# SPDX-License-Identifier: GPL-2.0-only
"""Exact comparisons where they are closest, and exact ratios as text."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction

import pytest

from schedctl.analysis import capacity, response_time
from schedctl.analysis.demand import blocking_at
from schedctl.analysis.global_model import workload
from schedctl.analysis.liu_layland import at_most_bound, printed_bound
from schedctl.analysis.model import Strength, Task, TestResult, Verdict
from schedctl.analysis.report import decide
from schedctl.analysis.supply import DEDICATED, BoundedDelay
from schedctl.analysis.text import against, duration, out_of, percent, ratio, share


def root_of_two(n: int, unit: int) -> int:
    """The largest x with (x / unit)^n <= 2."""
    low, high = unit, 2 * unit
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**n <= 2 * unit**n else (low, middle)
    return low


@pytest.mark.parametrize("n", [*range(2, 12), 31, 100])
def test_the_bound_of_liu_and_layland_is_exact(n: int) -> None:
    """In whole numbers, at the last digit that is compared and far behind it."""
    for unit in (*(1 << bits for bits in (63, 64, 65, 128, 200)), n * 10**30):
        above = root_of_two(n, unit) - unit
        assert at_most_bound(n * Fraction(above, unit), n)
        assert not at_most_bound(n * Fraction(above + 1, unit), n)


def test_the_bound_of_one_task_and_of_far_too_much() -> None:
    assert at_most_bound(Fraction(1), 1)
    for digits in (9, 30):
        assert not at_most_bound(1 + Fraction(1, 10**digits), 1)
    assert not at_most_bound(Fraction(10**9), 1000)
    assert at_most_bound(Fraction(0), 5)


@pytest.mark.parametrize("n", [*range(1, 60), 1000])
def test_the_bound_as_it_is_printed(n: int) -> None:
    with localcontext() as context:
        context.prec = 60
        exact = n * (Decimal(2) ** (Decimal(1) / n) - 1)
        assert printed_bound(n) == str(exact.quantize(Decimal("0.000001"), ROUND_HALF_EVEN))


def test_which_strength_decides() -> None:
    exact = TestResult("exact", Strength.EXACT, Verdict.NOT_SCHEDULABLE, "")
    enough = TestResult("enough", Strength.SUFFICIENT, Verdict.SCHEDULABLE, "")
    needed = TestResult("needed", Strength.NECESSARY, Verdict.NOT_SCHEDULABLE, "")
    nothing = TestResult("nothing", Strength.EXACT, Verdict.UNKNOWN, "")
    assert decide([enough, exact]) is Verdict.NOT_SCHEDULABLE
    assert decide([nothing, needed, enough]) is Verdict.SCHEDULABLE
    assert decide([nothing, needed]) is Verdict.NOT_SCHEDULABLE
    assert decide([nothing]) is Verdict.UNKNOWN


def test_a_task_that_is_too_much_for_any_cpu_alone() -> None:
    tasks = [Task("wide", 11, 10, 30), Task("small", 1, 10, 10)]
    found = capacity.analyze(tasks, 2)
    assert (found.name, found.strength, found.verdict, found.detail, found.tasks) == (
        *("capacity", Strength.NECESSARY, Verdict.NOT_SCHEDULABLE, "wide alone uses 11/10 of a CPU", ()),
    )
    just = capacity.analyze([Task("full", 10, 10, 30), tasks[1]], 2)
    assert just.verdict is Verdict.UNKNOWN


def test_nothing_is_supplied_before_the_delay_is_over() -> None:
    supply = BoundedDelay(Fraction(1, 2), Fraction(3))
    assert [supply.within(interval) for interval in (0, 2, 3, 4, 5)] == [0, 0, 0, Fraction(1, 2), 1]


def test_a_job_that_is_longer_than_its_deadline_begins_late_in_the_window() -> None:
    """5 of work, due 3 later: a window of 2 ends as it could begin."""
    task = Task("long", 5, 10, 3)
    assert [workload(task, window, 0) for window in (0, 1, 2, 3, 7, 12)] == [0, 0, 0, 1, 5, 5]


def test_jitter_brings_what_blocks_nearer() -> None:
    """Released 2 late, due 5 after its arrival: from 3 on it may be blocked."""
    tasks = [Task("a", 1, 9, 5, 2, 4), Task("b", 1, 9, 8, 0, 6)]
    assert [blocking_at(tasks, time) for time in (3, 4, 7, 8)] == [4, 4, 4, 6]


def test_only_a_whole_cpu_without_blocking_is_exact() -> None:
    free, blocked = Task("a", 1, 9, 9), Task("b", 1, 9, 9, blocking_ns=1)
    half, gaps = BoundedDelay(Fraction(1, 2)), BoundedDelay(Fraction(1), Fraction(1))
    assert response_time.strength_for([free], DEDICATED) is Strength.EXACT
    for tasks, supply in (([free], half), ([free], gaps), ([free, blocked], DEDICATED)):
        assert response_time.strength_for(tasks, supply) is Strength.SUFFICIENT


def test_ratios() -> None:
    assert ratio(Fraction(19, 20)) == "19/20"
    assert ratio(Fraction(1, 10**12)) == "1/1000000000000"
    assert ratio(Fraction(2, 10**12 + 1)) == "1/1000000000"
    assert ratio(Fraction(10**12 + 2, 10**12 + 1)) == "1000000001/1000000000"
    assert share(Fraction(1, 10_000)) == "1/10000"
    assert share(Fraction(1, 10_001)) == "0.010 %"
    assert share(Fraction(10_000, 10_001)) == "99.991 %"
    assert percent(Fraction(89, 100)) == "89 %"
    assert percent(Fraction(1, 2000)) == "0.1 %"
    assert percent(Fraction(1, 2001)) == "0 %"
    assert against(Fraction(11, 10), Fraction(89, 100)) == "11/10 against 89/100"
    assert against(Fraction(20_001, 10_001), Fraction(2)) == "199.991 % against 200.000 %"
    assert against(Fraction(1, 10_000), Fraction(1)) == "1/10000 against 1"
    assert against(Fraction(1, 10_000), Fraction(20_001, 10_001)) == "0 % against 199.990 %"
    assert out_of(Fraction(1, 2), Fraction(20_001, 10_001)) == "50 % of 199.990 %"


def test_durations() -> None:
    assert [duration(ns) for ns in (0, 2_000_000, -2_000_000, 999_999)] == ["0ns", "2ms", "-2ms", "999.999us"]
    assert [duration(ns) for ns in (12_345_000, 123_456_000)] == ["12345us", "123.456ms"]
    assert duration(2_666_667) == "2.667ms"
    assert duration(-2_666_667) == "-2.667ms"
    assert duration(1_000_000_001) == "1.001s"
    assert duration(1_234_567) == "1.235ms"
