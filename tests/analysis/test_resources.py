# SPDX-License-Identifier: GPL-2.0-only
"""Resources in task set files: who blocks whom, and what follows for the verdict."""

from __future__ import annotations

import pytest

from schedctl.analysis.model import Verdict
from schedctl.analysis.report import analyze
from tests.analysis.test_taskset import read


def test_by_deadline_the_shorter_one_is_blocked() -> None:
    text = """
scheduler: edf
resources: {r: {hold: {a: 1, b: 2}}}
tasks: [{name: a, wcet: 3, period: 90}, {name: b, wcet: 3, period: 50}]
"""
    assert [task.blocking_ns for task in read(text).tasks] == [0, 1]


def test_who_is_released_late_waits_for_one_with_a_shorter_deadline() -> None:
    """a can be due 5 after its release, b never before 8: each can hold r when the other one wants it."""
    text = """
scheduler: edf
resources: {r: {hold: {a: 1, b: 2}}}
tasks: [{name: a, wcet: 3, period: 90, deadline: 10, jitter: 5}, {name: b, wcet: 3, period: 50, deadline: 8}]
"""
    assert [task.blocking_ns for task in read(text).tasks] == [2, 1]


def test_equal_levels_do_not_block_by_their_deadlines() -> None:
    text = """
scheduler: fixed_priority
resources: {r: {hold: {a: 1, b: 2}}}
tasks: [{name: a, wcet: 3, period: 90, level: 1}, {name: b, wcet: 3, period: 50, level: 1}]
"""
    assert [task.blocking_ns for task in read(text).tasks] == [0, 0]


def test_a_miss_among_equals_is_no_matter_of_what_blocks() -> None:
    """a is due at 4 and loses its tie to b, which by deadlines it would win."""
    text = """
scheduler: fixed_priority
tasks:
  - {name: a, wcet: 3, period: 6, deadline: 4, blocking: 1, level: 1}
  - {name: b, wcet: 3, period: 6, level: 1}
"""
    found = analyze(read(text))
    assert found.verdict is Verdict.NOT_SCHEDULABLE
    assert [test.name for test in found.tests if test.verdict is found.verdict] == ["whole_cpu"]


@pytest.mark.parametrize("placement", ["partitioned", "global"])
@pytest.mark.parametrize(
    ("tasks", "hold"),
    [
        # a runs on one CPU and holds r from 0 to 9; b, on the other, wants it at 0 and is due at 6
        ("{name: a, wcet: 9, period: 10}, {name: b, wcet: 5, period: 10, deadline: 6}", "{a: 9, b: 1}"),
        # the same of equals, of which none is said to block the other: on one CPU they never overlap
        (
            "{name: a, wcet: 9, period: 10, level: 1}, {name: b, wcet: 5, period: 10, deadline: 6, level: 1}",
            "{a: 9, b: 1}",
        ),
        ("{name: a, wcet: 9, period: 10, blocking: 1}, {name: b, wcet: 5, period: 10}", None),
    ],
)
def test_what_blocks_across_cpus_is_not_bounded(placement: str, tasks: str, hold: str | None) -> None:
    text = f"scheduler: fixed_priority\ncpus: 2\nplacement: {placement}\ntasks: [{tasks}]\n"
    assert analyze(read(text.replace(", blocking: 1", ""))).verdict is Verdict.SCHEDULABLE
    found = analyze(read(text + (f"resources: {{r: {{hold: {hold}}}}}\n" if hold else "")))
    assert found.verdict is Verdict.UNKNOWN
    assert found.tests[-1].detail == "does not apply: a has blocking, which is bounded for one CPU only"
