# SPDX-License-Identifier: GPL-2.0-only
"""Task sets for the tests of the analysis: small, random, and short to write."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from hypothesis import strategies as st

from schedctl.analysis.model import Task

SETS = int(os.environ.get("SCHEDCTL_SETS", "1000"))
"""Random ones that are held against the simulator; 10,000 in `make check`."""


def tasks_of(
    rows: Sequence[Sequence[int]], blocking: Sequence[int] = (), levels: Sequence[int] = ()
) -> list[Task]:
    """[C, T, D] per task, most urgent first, as the vectors have them; [C, T, D, J] with jitter."""
    return [
        Task(
            f"t{i + 1}",
            row[0],
            row[1],
            row[2] if len(row) > 2 else row[1],
            row[3] if len(row) > 3 else 0,
            blocking[i] if blocking else 0,
            levels[i] if levels else len(rows) - i,
        )
        for i, row in enumerate(rows)
    ]


def constrained(tasks: list[Task]) -> list[Task]:
    """With deadlines of at most the period."""
    return [replace(task, deadline_ns=min(task.deadline_ns, task.period_ns)) for task in tasks]


def random_tasks(random: Random, cpus: int, rate: float = 1) -> list[Task]:
    """1 to 6 tasks of small integers, their utilization around what `cpus` CPUs of this rate can do."""
    tasks = []
    goal = rate * cpus * random.uniform(0.4, 1.02)
    nr = random.randint(1, 5 + cpus)
    for i in range(nr):
        period = random.randint(2, 20)
        wcet = max(1, min(period, round(period * goal / nr * random.uniform(0.4, 1.6))))
        kind = random.random()
        if kind < 0.4:
            deadline = period
        elif kind < 0.85 or cpus > 1:
            deadline = random.randint(wcet, period)
        else:
            deadline = random.randint(period, 3 * period)
        jitter = random.randint(0, min(deadline - wcet, period)) if random.random() < 0.15 else 0
        tasks.append(Task(f"t{i + 1}", wcet, period, deadline, jitter, 0, random.randint(1, nr)))
    return tasks


@st.composite
def small_tasks(
    draw: st.DrawFn, most: int = 3, longest: int = 12, jitter: bool = False, ties: bool = False
) -> list[Task]:
    """At most `most` tasks with periods of at most `longest`; unique levels unless `ties`."""
    nr = draw(st.integers(1, most))
    tasks = []
    for i in range(nr):
        period = draw(st.integers(1, longest))
        wcet = draw(st.integers(1, max(1, min(period, 3 * period // (2 * nr)))))
        deadline = draw(st.integers(wcet, 2 * longest))
        late = draw(st.integers(0, period)) if jitter else 0
        level = draw(st.integers(1, nr)) if ties else nr - i
        tasks.append(Task(f"t{i + 1}", wcet, period, deadline, late, 0, level))
    return tasks
