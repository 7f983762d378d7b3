# SPDX-License-Identifier: GPL-2.0-only
"""Response times worked out by hand where the first job is not the worst: jitter, blocking, parts of a CPU.

Under Periodic(6, 3) the worst supply is nothing until 6, then 3 in every 6: units 1 to 3 end at 7, 8, 9,
units 4 to 6 at 13, 14, 15, units 7 to 9 at 19, 20, 21.
"""

from __future__ import annotations

from fractions import Fraction

import pytest

from schedctl.analysis import edf_within_priorities, processor_demand, response_time
from schedctl.analysis.demand import horizon
from schedctl.analysis.edf_response import Order
from schedctl.analysis.effort import Effort
from schedctl.analysis.model import Task
from schedctl.analysis.supply import DEDICATED, Periodic

HALF = Periodic(6, 3)


Row = tuple[int, int, int, int, int]
"""C, T, D, J, B."""


def alike(*rows: Row) -> list[Task]:
    """Tasks of one level."""
    return [Task(f"t{i}", *row, 1) for i, row in enumerate(rows, 1)]


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize(
    ("row", "worst"),
    [
        # blocked for 1: done at 8, 9, 13, released at 0, 2, 4: after 8, 7, 9; then as before
        ((1, 2, 2, 0, 1), 9),
        # done at 8, 13, 15, 20; arrived at -7, -3, 1, 5: after 15, 16, 14, 15
        ((2, 4, 6, 7, 0), 16),
    ],
)
def test_one_task_on_half_a_cpu(order: Order, row: Row, worst: int) -> None:
    (found,) = edf_within_priorities.analyze(alike(row), HALF, order).tasks
    assert found.response_time_ns == worst


@pytest.mark.parametrize(
    ("row", "worst"),
    [
        # done at 8, 13, 15, 20; arrived at -6, -2, 2, 6: after 14, 15, 13, 14
        ((2, 4, 6, 6, 0), 15),
        # released at 0, 4, 8: after 8, 9, 7; the supply and the releases repeat after 12
        ((2, 4, 3, 0, 0), 9),
    ],
)
def test_one_task_of_fixed_priority_on_half_a_cpu(row: Row, worst: int) -> None:
    (found,) = response_time.analyze(alike(row), HALF).tasks
    assert found.response_time_ns == worst


@pytest.mark.parametrize(
    ("rows", "order", "worst"),
    [
        # t2 arrives at -1, is released at 0 and due at 2. Two jobs of t1 can be due then, too, both released
        # at -1: they run until 1, t2 until 2, after 3
        (((1, 3, 3, 4, 0), (1, 2, 2, 1, 0)), Order.RELEASED_DEADLINE, [7, 3]),
        # t2 arrives at -7, is released at 0, due at 3; at -4 two jobs of t1 are released that are due then,
        # too, and before 0 a job of t2 runs: 5 until 1, t2 until 2, after 9
        (((2, 4, 7, 5, 0), (1, 3, 3, 7, 0)), Order.RELEASED_DEADLINE, [11, 9]),
        # t2 is released 8 late. By its arrival it is due 10 later, and t1 can lose a tie to all of its 4:
        # released at -4 it runs from -2 to 2, while t1 waits from 0. By its release it never comes first.
        (((2, 4, 6, 0, 0), (4, 18, 18, 8, 0)), Order.DEADLINE, [4, 16]),
        (((2, 4, 6, 0, 0), (4, 18, 18, 8, 0)), Order.RELEASED_DEADLINE, [2, 16]),
    ],
)
def test_from_when_a_deadline_counts(rows: tuple[Row, ...], order: Order, worst: list[int]) -> None:
    found = edf_within_priorities.analyze(alike(*rows), DEDICATED, order).tasks
    assert [task.response_time_ns for task in found] == worst


def test_how_far_demand_is_looked_at_where_nothing_is_left_over() -> None:
    """Two hyperperiods, the longest deadline and the delay of the supply, 6: there is no end otherwise."""
    assert horizon(alike((3, 6, 5, 0, 0)), HALF, Fraction(1, 2), Effort()) == 12 + 5 + 6


def test_what_is_late_only_where_releases_and_the_supply_meet_badly() -> None:
    """Work 4 in 8, due after 24, on 9 in each 18: nothing until 18, units 1 to 9 by 27, 19 to 27 by 63.

    Unit 28, the end of the seventh job, comes at 73 and is due at 72. All before is in time, and the
    releases alone repeat after 8.
    """
    found = processor_demand.analyze(alike((4, 8, 24, 0, 0)), Periodic(18, 9))
    assert found.detail == "a demand of 28ns within 72ns"
