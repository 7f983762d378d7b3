# SPDX-License-Identifier: GPL-2.0-only
"""What a class may use: runtime per period, what happens beyond it, how many threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from schedctl.errors import Problem
from schedctl.profile.document import Path_, Sourced, problem_at
from schedctl.profile.model import AUTO, Order, Overrun, ThreadClass


def check_budget(document: Sourced, cls: ThreadClass, order: Order) -> Iterator[Problem]:
    """Of a class with a level; ranges are checked elsewhere."""
    root: Any = document.value
    keys = root["classes"][cls.name]
    runtime: Path_ = ("classes", cls.name, "runtime")
    overrun: Path_ = ("classes", cls.name, "overrun")
    if "runtime" in keys and cls.measured:
        yield problem_at(
            document.origin(runtime),
            runtime,
            "a runtime is for a declared period, this one is measured",
            "write the period, or remove 'runtime'",
        )
    elif "runtime" in keys and "period" not in keys and keys["level"] != AUTO:
        yield problem_at(
            document.origin(runtime),
            runtime,
            "a runtime is per period, and there is none",
            "add 'period:', for example 10ms or 60Hz",
        )
    if "overrun" in keys and "runtime" not in keys:
        yield problem_at(
            document.origin(overrun),
            overrun,
            "nothing can be overrun: the class has no runtime",
            "add 'runtime:', or remove 'overrun'",
        )
    elif cls.overrun is Overrun.POSTPONE and order is not Order.EDF:
        yield problem_at(
            document.origin(overrun),
            overrun,
            f"postpone moves the deadline, which says nothing under 'order: {order}'",
            "throttle or demote, or 'order: edf' in the policy",
        )
