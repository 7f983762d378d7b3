# SPDX-License-Identifier: GPL-2.0-only
"""A class with a budget whose thread never sleeps: what it uses, and what its neighbor misses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any

from tests.bench.raw import Spread
from tests.bench.text import cell, table
from tests.conftest import Guest
from tests.sched.hostile import nothing_ejected
from tests.sched.measure import NEAR, NEIGHBORS, SPIN, jobs

KIND = "budget"
RUNTIME_US = 300
PERIOD_US = 3000  # as NEIGHBORS says
SECONDS = 1
# The last one is the control: nothing holds the spinner back.
OVERRUNS = ("throttle", "postpone", "ignore")

TEXT = """## Budgets

A thread that never sleeps, of a class with `runtime: {runtime_us}us` and `period: {period_ms}ms`, beside a
neighbor of the same level with half a millisecond of work each 5 ms, for {seconds} s. Use is the thread's CPU
time, in per cent of its budget: `throttle` has it wait for its next period, `postpone` lets it go on behind
its equals, and `ignore`, the control, only counts.
"""


def measure(guest: Guest, overrun: str) -> dict[str, Any]:
    """One sample, under a scheduler of ours that is attached; AssertionError where it did not stay."""
    guest.apply(NEIGHBORS.replace("VALUE", f"runtime: {RUNTIME_US}us, overrun: {overrun}"))
    before = guest.status()["classes"]["spin"]["overruns"]
    with nothing_ejected(guest):
        got = jobs(guest, SECONDS, SPIN, NEAR)
    spin, near = got["spin"], got["near"]
    return {
        "overrun": overrun,
        "cpu_ns": spin.cpu_ns,
        "elapsed_ns": spin.elapsed_ns,
        "overruns": guest.status()["classes"]["spin"]["overruns"] - before,
        "jobs": near.jobs,
        "misses": near.late,
        "longest_ns": near.longest_ns,
    }


def used(sample: dict[str, Any]) -> float:
    """In per cent of the budget."""
    return float(100 * sample["cpu_ns"] * PERIOD_US / (sample["elapsed_ns"] * RUNTIME_US))


# Head -> the figure of a sample, and its unit.
COLUMNS: dict[str, tuple[Callable[[dict[str, Any]], float], str]] = {
    "use, % of the budget": (used, "%"),
    "overruns": (itemgetter("overruns"), ""),
    "neighbor's jobs": (itemgetter("jobs"), ""),
    "its misses": (itemgetter("misses"), ""),
    "its longest response, µs": (lambda sample: sample["longest_ns"] / 1000, "µs"),
}


def page(raw: dict[str, Any]) -> str:
    found = {name: [s for s in raw["budgets"] if s["overrun"] == name] for name in OVERRUNS}

    def lines() -> Iterator[Sequence[str]]:
        for overrun, samples in found.items():
            if samples:
                columns = (cell(Spread.of([get(s) for s in samples]), unit) for get, unit in COLUMNS.values())
                yield [f"`{overrun}`", str(len(samples)), *columns]

    if not raw["budgets"]:
        return ""
    text = TEXT.format(runtime_us=RUNTIME_US, period_ms=PERIOD_US // 1000, seconds=SECONDS)
    return f"{text}\n{table(['overrun', 'rounds', *COLUMNS], lines())}"
