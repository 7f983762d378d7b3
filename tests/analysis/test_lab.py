# SPDX-License-Identifier: GPL-2.0-only
"""The bounds of the analysis against a real kernel: six periodic threads that use 85 % of the supply."""

from __future__ import annotations

import re

import pytest

from tests.conftest import Guest
from tests.sched.measure import jobs

# name: period in ms, runtime in us; together 75.5 % of a CPU, of which the tiers below leave 89 %
SIX = {
    "task1": (10, 1000),
    "task2": (20, 2000),
    "task3": (20, 2000),
    "task4": (40, 4800),
    "task5": (50, 6000),
    "task6": (100, 21500),
}
# Work for about three quarters of each microsecond of a runtime, on the emulated CPU; checked by the test.
ITERATIONS_PER_US = 62


def profile(order: str, **changed: int) -> str:
    lines = [f"schedctl: 1\nname: six\npolicy: {{order: {order}, admission: enforce}}\nclasses:"]
    for place, (name, (period_ms, runtime_us)) in enumerate(SIX.items()):
        level = 7 - place if order == "fixed_priority" else 5
        runtime = changed.get(name, runtime_us)
        lines.append(
            f"  {name}: {{match: [{{comm: {name}}}], level: {level}, period: {period_ms}ms,"
            f" runtime: {runtime}us, threads: 1}}"
        )
    return "\n".join(lines) + "\n"


def bounds_ns(guest: Guest) -> dict[str, int]:
    """The smallest response time that any test proves, of each task of the applied profile."""
    report = guest.schedctl("analyze", "/root/six.yaml")
    assert report["verdict"] == "SCHEDULABLE"
    found: dict[str, int] = {}
    for test in report["tests"]:
        if test["verdict"] == "SCHEDULABLE":
            for task in test["tasks"]:
                found[task["name"]] = min(found.get(task["name"], 1 << 62), task["response_time_ns"])
    return found


@pytest.mark.parametrize("order", ["edf", "fixed_priority"])
def test_no_response_is_longer_than_its_bound(lab1: Guest, order: str) -> None:
    """Beside spinners of the tiers below, which take all that they are owed."""
    lab1.vm.put("/root/six.yaml", profile(order))
    lab1.apply(profile(order))
    bound_ns = bounds_ns(lab1)
    threads = " ".join(
        f"{name}:{period_ms * 1000}:{period_ms * 1000}:{runtime_us * ITERATIONS_PER_US}"
        for name, (period_ms, runtime_us) in SIX.items()
    )
    lab1.sh("/root/share 60 fair:2:-1:0 > /dev/null 2>&1 & sleep 2")
    found = jobs(lab1, 4, *threads.split())
    status = lab1.status()["classes"]
    lab1.sh("pkill -KILL -x share; pkill -KILL -x fair; true")
    for name, (period_ms, runtime_us) in SIX.items():
        measured = found[name]
        print(f"{order} {name}: measured {measured.longest_ns} ns, bound {bound_ns[name]} ns")
        assert measured.jobs >= 4000 // period_ms - 1
        assert 7 * runtime_us * 1000 < 10 * measured.cpu_ns / measured.jobs, (
            "the work is close to the runtime"
        )
        assert status[name]["overruns"] <= 1, "and within it, but for what it did before its first release"
        assert measured.longest_ns <= bound_ns[name], (name, measured)


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
