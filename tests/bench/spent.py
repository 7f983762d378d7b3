# SPDX-License-Identifier: GPL-2.0-only
"""What schedctl's wake-ups and throughput pay for, callback by callback: two sections of the page."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.bench.cost import NS_PER_INSTRUCTION
from tests.bench.raw import Row
from tests.bench.text import table

US, FIFO, DEFAULT = "schedctl", "fifo", "default"
# Up to this many times SCHED_FIFO's p99 nothing has to be explained.
GOAL = 1.5
# The workload whose callbacks were measured, and what runs from the end of a sleep to the thread's running.
WAKE = "wake-2ms-4"
PATH = (
    ("runnable", 1, "its class, its job's release and deadline"),
    ("enqueue", 2, "it looks for a CPU and takes it; the thread that ran there goes back to its queue"),
    ("stopping", 1, "that thread is charged"),
    ("running", 1, "latency counted, age and lateness looked at, the timer set"),
)
Figures = Mapping[str, Mapping[str, Mapping[str, tuple[float, float]]]]

WAKE_UP = """## What a wake-up pays for

The callbacks between the end of the sleep and the thread's running, where it takes the CPU of a thread that
never sleeps; instructions from {workload}, on average over all that ran there, each with the measurement's
own reading of the clock.
"""
# What may be under way when the thread wakes up: of the thread that ran, and of the one that comes.
SWITCH = ("stopping", "enqueue", "dispatch", "running")
SLOW = """The slowest meet a tick besides (`tick`: {tick:,.0f} instructions), or a switch from one of the
others to the next that is under way (`stopping`, `enqueue`, `dispatch`, `running`: {switch:,.0f}), and the
kernel's own part of either. Where p99 is more than {goal} times SCHED_FIFO's, the difference in
instructions:
"""
THROUGHPUT = """## What throughput pays for

Time in schedctl's callbacks, as per cent of the default scheduler's time for the same work. Callbacks are
not all of a difference: another order of the threads makes more or fewer context switches, and the kernel's
part of sched_ext is not in a callback.
"""


def wake_up(figures: Figures, found: Sequence[Row]) -> str:
    callbacks = figures.get(WAKE, {}).get(US)
    rows = {(row.workload, row.metric): row for row in found if {US, FIFO} <= row.values.keys()}
    median = rows.get((WAKE, "p50"))
    if not callbacks or not median:
        return ""
    beyond = _instructions(median.values[US].median - median.values[FIFO].median)
    each = {name: ns / NS_PER_INSTRUCTION for name, (_, ns) in callbacks.items()}

    def lines() -> Iterator[Sequence[str]]:
        total = 0.0
        for name, times, what in PATH:
            total += each[name] * times
            yield [name, what, str(times), f"{each[name]:,.0f}", f"{each[name] * times:,.0f}"]
        yield ["*together*", "", "", "", f"{total:,.0f}"]
        yield ["*p50 beyond SCHED_FIFO's*", "", "", "", f"{beyond:,.0f}"]

    heads = ["", "what it does", "times", "instructions each", "instructions"]
    parts = [WAKE_UP.format(workload=WAKE), table(heads, lines())]
    slow = list(_slow(rows))
    if slow:
        switch = sum(each.get(name, 0) for name in SWITCH)
        parts.append(SLOW.format(tick=each.get("tick", 0), switch=switch, goal=GOAL))
        parts.append(
            table(["", "p99, µs", f"{GOAL} times SCHED_FIFO's, µs", "instructions beyond"], iter(slow))
        )
    else:
        parts.append(f"No p99 is more than {GOAL} times SCHED_FIFO's.\n")
    return "\n".join(parts)


def _slow(rows: Mapping[tuple[str, str], Row]) -> Iterator[Sequence[str]]:
    for (workload, metric), row in rows.items():
        goal_us, ours_us = GOAL * row.values[FIFO].median, row.values[US].median
        if metric == "p99" and ours_us > goal_us:
            beyond = _instructions(ours_us - goal_us)
            yield [workload, f"{ours_us:.1f}", f"{goal_us:.1f}", f"{beyond:,.0f}"]


def _instructions(us: float) -> float:
    return us * 1000 / NS_PER_INSTRUCTION


def throughput(raw: dict[str, Any], figures: Figures, found: Sequence[Row]) -> str:
    """Of the workloads that were measured under the default scheduler too."""
    base_ns = _elapsed_ns(raw, DEFAULT)
    times = {row.workload: row.ratio(US, DEFAULT) for row in found if row.paired(US, DEFAULT)}
    chosen = [name for name in figures if name in base_ns and name in times and US in figures[name]]
    if not chosen:
        return ""
    share = {
        name: {cb: 100 * runs * ns / base_ns[name] for cb, (runs, ns) in figures[name][US].items()}
        for name in chosen
    }
    order = sorted({cb for by in share.values() for cb in by}, key=lambda cb: -share[chosen[0]].get(cb, 0))

    def lines() -> Iterator[Sequence[str]]:
        for cb in order:
            yield [cb, *(f"{share[name].get(cb, 0):.2f}" for name in chosen)]
        yield ["*all callbacks*", *(f"{sum(share[name].values()):.2f}" for name in chosen)]
        longer = (100 * (times[name] - 1) for name in chosen)
        yield ["*schedctl takes longer by*", *(f"{percent:+.2f}" for percent in longer)]

    return "\n".join([THROUGHPUT, table(["%", *chosen], lines())])


def _elapsed_ns(raw: dict[str, Any], contender: str) -> dict[str, float]:
    """By workload, the median over the rounds."""
    found: dict[str, list[int]] = {}
    for sample in raw["samples"]:
        if sample["contender"] == contender and "elapsed_ns" in sample:
            found.setdefault(sample["workload"], []).append(sample["elapsed_ns"])
    return {name: statistics.median(values) for name, values in found.items()}
