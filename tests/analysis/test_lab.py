# SPDX-License-Identifier: GPL-2.0-only
"""The bounds of the analysis against a real kernel: six periodic threads that use 85 % of the supply."""

from __future__ import annotations

import re

import pytest

from tests.analysis.measured import ORDERS, SECONDS, SIX, measured, profile, table
from tests.conftest import Guest


@pytest.mark.parametrize("order", ORDERS)
def test_no_response_is_longer_than_its_bound(lab1: Guest, order: str) -> None:
    rows = measured(lab1, order)
    print("\n".join(table(order, rows)))
    for name, (period_ms, runtime_us) in SIX.items():
        row = rows[name]
        assert row.jobs >= SECONDS * 1000 // period_ms - 1
        assert row.work_ns >= 780 * runtime_us, "the work is close to the runtime"
        assert row.overruns <= 1, "and within it, but for what it did before its first release"
        assert row.longest_ns <= row.bound_ns, (name, row)


def test_a_set_that_does_not_fit_is_refused_until_it_does(lab1: Guest) -> None:
    """What the refusal proposes is applied."""
    lab1.apply(profile("edf"))
    before = lab1.status()
    lab1.vm.put("/root/profile", profile("edf", task6=43_000))
    refused = lab1.schedctl("apply", "-", stdin="/root/profile")
    assert refused["exit"] == 3
    (problem,) = (p for p in refused["problems"] if p["severity"] == "error")
    assert "task6" in problem["message"]
    assert lab1.status()["generation"] == before["generation"]
    proposal = re.search(r"task6 would fit with a runtime of at most (\d+)us", problem["hint"])
    assert proposal, problem
    assert lab1.apply(profile("edf", task6=int(proposal[1])))["changed"]
