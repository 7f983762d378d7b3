# SPDX-License-Identifier: GPL-2.0-only
"""Files of rt-app: equal priorities, and policies that nothing is claimed for."""

from __future__ import annotations

import pytest

from schedctl.analysis import response_time
from schedctl.analysis.report import TaskSet
from schedctl.analysis.taskset import read_taskset
from schedctl.errors import ProfileError
from schedctl.profile.document import load_bytes


def read(*threads: str) -> TaskSet:
    return read_taskset(load_bytes(f"tasks: {{{', '.join(threads)}}}".encode(), "<test>"))


def test_equals_wait_for_each_other() -> None:
    """b: 3 + ceil(6 / 2) 1 = 6, although Linux lets only the a before it go first; a: 1 + 3 = 4."""
    a = "a: {run: 1, timer: {period: 2}, policy: SCHED_FIFO, priority: 5}"
    b = "b: {run: 3, timer: {period: 20}, policy: SCHED_FIFO, priority: 5}"
    for threads in ((a, b), (b, a)):
        found = response_time.analyze(read(*threads).tasks)
        assert {task.name: task.response_time_ns for task in found.tasks} == {"a": 4000, "b": 6000}


def test_a_single_phase() -> None:
    (task,) = read("a: {priority: 5, policy: SCHED_FIFO, phases: {x: {run: 1, timer: {period: 9}}}}").tasks
    assert (task.wcet_ns, task.period_ns, task.level) == (1000, 9000, 5)


@pytest.mark.parametrize("policy", ["SCHED_RR", "SCHED_OTHER", "SCHED_BATCH", "SCHED_IDLE"])
def test_other_policies_are_refused(policy: str) -> None:
    timer = "timer: {period: 20}"
    fifo, other = (f"run: 1, {timer}, policy: {name}" for name in ("SCHED_FIFO", policy))
    for threads in ((f"a: {{{fifo}}}", f"b: {{{other}}}"), (f"a: {{{other}}}",)):
        with pytest.raises(ProfileError) as caught:
            read(*threads)
        (problem,) = caught.value.problems
        assert problem.message.startswith("all threads must be SCHED_FIFO or all SCHED_DEADLINE")
        assert policy in problem.message
