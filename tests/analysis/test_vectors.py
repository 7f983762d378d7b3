# SPDX-License-Identifier: GPL-2.0-only
"""The shared vectors, exactly."""

from __future__ import annotations

from typing import Any

import pytest

from schedctl.analysis import (
    demand,
    edf_response,
    edf_utilization,
    edf_within_priorities,
    liu_layland,
    processor_demand,
    qpa,
    response_time,
)
from schedctl.analysis.blocking import Protocol
from schedctl.analysis.model import TestResult, Verdict
from tests.analysis.sets import tasks_of
from tests.analysis.worked import VECTORS, blocked


def responses(result: TestResult) -> list[int | None]:
    return [task.response_time_ns for task in result.tasks]


@pytest.mark.parametrize("n", VECTORS["liu_layland_bound"])
def test_liu_layland_bound(n: str) -> None:
    assert float(liu_layland.printed_bound(int(n))) == VECTORS["liu_layland_bound"][n]


@pytest.mark.parametrize("case", VECTORS["fixed_priority"], ids=lambda case: str(case["name"]))
def test_fixed_priority(case: dict[str, Any]) -> None:
    tasks = tasks_of(case["tasks"], case.get("blocking", ()))
    result = response_time.analyze(tasks)
    assert responses(result) == case["R"]
    wanted = Verdict.SCHEDULABLE if case.get("schedulable", True) else Verdict.NOT_SCHEDULABLE
    assert result.verdict is wanted
    assert responses(edf_within_priorities.analyze(tasks)) == case["R"]
    if "edf_schedulable" in case:
        plain = tasks_of(case["tasks"], levels=[1] * len(tasks))
        for test in (edf_utilization, processor_demand, qpa, edf_response):
            assert (test.analyze(plain).verdict is Verdict.SCHEDULABLE) is case["edf_schedulable"]


@pytest.mark.parametrize("case", VECTORS["edf_demand"], ids=lambda case: str(case["name"]))
def test_edf_demand(case: dict[str, Any]) -> None:
    tasks = tasks_of(case["tasks"])
    for time, wanted in case["dbf"].items():
        assert demand.demand_bound(tasks, int(time)) == wanted
    for test in (processor_demand, qpa, edf_response):
        assert (test.analyze(tasks).verdict is Verdict.SCHEDULABLE) is case["schedulable"]


@pytest.mark.parametrize("case", VECTORS["edf_response"], ids=lambda case: str(case["tasks"]))
def test_edf_response(case: dict[str, Any]) -> None:
    tasks = tasks_of(case["tasks"], levels=[1] * len(case["tasks"]))
    assert responses(edf_response.analyze(tasks)) == case["R"]
    assert responses(edf_within_priorities.analyze(tasks)) == case["R"]


@pytest.mark.parametrize("case", VECTORS["blocking_bounds"], ids=lambda case: str(case["name"]))
def test_blocking_bounds(case: dict[str, Any]) -> None:
    assert blocked(case, Protocol.INHERITANCE) == case["pip_min_of_sums"]
    assert blocked(case, Protocol.CEILING) == case["pcp"]
