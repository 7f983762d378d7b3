# SPDX-License-Identifier: GPL-2.0-only
"""A miss even on a whole CPU, with nothing that blocks. Necessary.

Blocking may never happen, and a supply is a lower bound: where the tests that count them fail, nothing
is proven. Without both the same tests are exact, and what misses then misses in any case. With jitter not
every one of them is: nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from schedctl.analysis.model import Strength, Task, TestResult, Verdict

NAME = "whole_cpu"


def analyze(tasks: Sequence[Task], exact: Callable[[Sequence[Task]], TestResult]) -> Iterator[TestResult]:
    """What an exact test of a whole CPU says without what blocks; nothing where a task has jitter."""
    if any(task.jitter_ns for task in tasks):
        return
    result = exact([replace(task, blocking_ns=0) for task in tasks])
    lost = result.verdict is Verdict.NOT_SCHEDULABLE
    verdict = Verdict.NOT_SCHEDULABLE if lost else Verdict.UNKNOWN
    detail = result.detail if lost else f"on a whole CPU {result.detail}"
    yield replace(result, name=NAME, strength=Strength.NECESSARY, verdict=verdict, detail=detail)
