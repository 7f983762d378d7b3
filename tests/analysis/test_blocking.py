# SPDX-License-Identifier: GPL-2.0-only
"""Blocking by critical sections: worked sets, and no response above the bound in the simulator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random

import pytest

from schedctl.analysis import edf_response, edf_within_priorities, processor_demand, qpa, response_time
from schedctl.analysis.blocking import (
    CycleError,
    Protocol,
    Resource,
    blocking,
    ceilings,
    urgencies,
    with_blocking,
)
from schedctl.analysis.edf_response import Order
from schedctl.analysis.model import Scheduler, Task, TestResult, Verdict
from tests.analysis.sets import SETS
from tests.analysis.simulator import (
    Job,
    Section,
    Urgency,
    edf,
    edf_within,
    fixed_priority,
    released_deadline_within,
    simulate,
)

PIP, CEILING = Protocol.INHERITANCE, Protocol.CEILING
LEVELS = {"a": 3, "b": 2, "c": 1}


def test_who_shares_nothing_is_blocked_through_a_ceiling() -> None:
    """b uses nothing, but c may inherit a's level while it holds r: 4 for both."""
    found = blocking([Resource("r", {"a": 1, "c": 4})], LEVELS, PIP)
    assert found == {"a": 4, "b": 4, "c": 0}


def test_inheritance_takes_the_smaller_sum() -> None:
    """By task: b 5 + c 6 = 11; by resource: r max(5, 2) + s 6 + t 6 = 17. Ceilings: the longest, 6."""
    resources = [
        Resource("r", {"a": 1, "b": 5, "c": 2}),
        Resource("s", {"a": 1, "c": 6}),
        Resource("t", {"a": 1, "c": 6}),
    ]
    assert blocking(resources, LEVELS, PIP)["a"] == 11
    assert blocking(resources, LEVELS, CEILING)["a"] == 6
    # by resource: one, 5; what only a holds blocks nobody
    alone = [Resource("r", {"a": 1, "b": 5, "c": 4}), Resource("s", {"a": 3})]
    assert blocking(alone, LEVELS, PIP)["a"] == 5


def test_a_resource_inside_another_has_its_ceiling() -> None:
    """a never takes s, but waits for b in r, which waits for c in s: b's r and c's s, 3 + 9."""
    resources = [Resource("r", {"a": 1, "b": 3}), Resource("s", {"b": 2, "c": 9}, inside="r")]
    assert ceilings(resources, LEVELS) == {"r": 3, "s": 3}
    assert blocking(resources, LEVELS, PIP) == {"a": 12, "b": 9, "c": 0}
    assert blocking(resources, LEVELS, CEILING) == {"a": 9, "b": 9, "c": 0}


def test_what_is_waited_for_inside_another_resource() -> None:
    """The same, run: c takes s at 0, b r at 1, a wants r at 2; c runs until 10, b until 12, a until 13."""
    tasks = [Task("a", 1, 90, 90, level=3), Task("b", 3, 90, 90, level=2), Task("c", 9, 90, 90, level=1)]
    sections: dict[str, tuple[Section, ...]] = {
        "a": (Section("r", 0, 1),),
        "b": (Section("r", 0, 3), Section("s", 1, 3)),
        "c": (Section("s", 0, 9),),
    }
    jobs = [Job(task, at, at, task.wcet_ns) for task, at in zip(tasks, (2, 1, 0), strict=True)]
    assert simulate(with_sections(jobs, sections), fixed_priority).worst == {"a": 11, "b": 11, "c": 10}
    found = blocking(resources_of(sections), LEVELS, PIP)
    assert found == {"a": 12, "b": 9, "c": 0}


def test_a_declared_ceiling_counts_where_it_is_higher() -> None:
    resources = [Resource("r", {"c": 4}, ceiling=2)]
    assert blocking(resources, LEVELS, PIP) == {"a": 0, "b": 4, "c": 0}


def test_equals_do_not_block_each_other() -> None:
    """They interfere with all they do, sections included."""
    assert blocking([Resource("r", {"a": 1, "b": 7})], {"a": 1, "b": 1}, PIP) == {"a": 0, "b": 0}


def test_a_circle() -> None:
    with pytest.raises(CycleError) as caught:
        ceilings([Resource("r", {"a": 1}, "s"), Resource("s", {"a": 1}, "r")], LEVELS)
    assert caught.value.chain == ("r", "s", "r")
    with pytest.raises(CycleError) as caught:
        ceilings([Resource("r", {"a": 1}, "r")], LEVELS)
    assert caught.value.chain == ("r", "r")


def test_what_leads_into_a_circle() -> None:
    with pytest.raises(CycleError) as caught:
        ceilings([Resource("q", {"a": 1}, "r"), Resource("r", {}, "s"), Resource("s", {}, "r")], LEVELS)
    assert caught.value.chain == ("r", "s", "r")


def test_urgencies() -> None:
    tasks = [Task("a", 1, 9, 9, level=2), Task("b", 1, 5, 5, level=2), Task("c", 1, 3, 3, level=1)]
    places = {"a": 1, "b": 1, "c": 0}
    assert urgencies(tasks, Scheduler.FIXED_PRIORITY) == (places, places)
    places = {"a": 1, "b": 2, "c": 0}
    assert urgencies(tasks, Scheduler.EDF) == (places, places)


def test_urgencies_with_jitter() -> None:
    """By D - J where they wait: a 9 - 5 = 4, b 8, c 1; by D where they hold: a 9, b 8, c 3."""
    tasks = [Task("a", 2, 20, 9, 5), Task("b", 4, 20, 8), Task("c", 1, 3, 3, 2)]
    assert urgencies(tasks, Scheduler.EDF) == ({"a": 2, "b": 1, "c": 4}, {"a": 0, "b": 1, "c": 3})
    places = {"a": 0, "b": 0, "c": 0}
    assert urgencies(tasks, Scheduler.FIXED_PRIORITY) == (places, places)


def edf_blocking(resources: list[Resource], tasks: list[Task], protocol: Protocol = PIP) -> dict[str, int]:
    levels, holding = urgencies(tasks, Scheduler.EDF)
    return blocking(resources, levels, protocol, holding)


@pytest.mark.parametrize("protocol", Protocol)
def test_late_releases_block_under_edf(protocol: Protocol) -> None:
    """Due at 9, i is released at 5; at 4 j has locked r, due at 12: i waits until 8 and is complete at 10."""
    tasks = [Task("i", 2, 20, 9, 5), Task("j", 4, 20, 8)]
    resources = [Resource("r", {"i": 2, "j": 4})]
    found = edf_blocking(resources, tasks, protocol)
    assert found == {"i": 4, "j": 2}
    blocked = with_blocking(tasks, resources, found)
    for test in (qpa, processor_demand, edf_response):
        assert test.analyze(blocked).verdict is not Verdict.SCHEDULABLE
    jobs = [Job(tasks[0], 0, 5, 2), Job(tasks[1], 4, 4, 4)]
    sections = {"i": (Section("r", 0, 2),), "j": (Section("r", 0, 4),)}
    assert simulate(with_sections(jobs, sections), edf).worst == {"i": 10, "j": 4}


def test_how_late_a_release_must_be_to_block() -> None:
    """j, with D = 4 = D - J of i, is due first wherever it has locked r before i is released."""
    tasks = [Task("i", 2, 20, 9, 5), Task("j", 1, 20, 4), Task("k", 1, 20, 5)]
    resources = [Resource("r", {"i": 2, "j": 7, "k": 3})]
    assert edf_blocking(resources, tasks)["i"] == 3
    alone = [Resource("r", {"i": 2})]
    assert edf_blocking(alone, tasks)["i"] == 0, "by its own jobs, which run in their order"


def test_a_ceiling_is_of_those_who_wait() -> None:
    """i, released late, can be due with 4 left, before k with 8: k is delayed by j, which i waits for."""
    tasks = [Task("i", 2, 20, 9, 5), Task("k", 1, 20, 8), Task("j", 4, 20, 30)]
    assert edf_blocking([Resource("r", {"i": 2, "j": 4})], tasks) == {"i": 4, "k": 4, "j": 0}


def random_set(random: Random) -> tuple[list[Task], dict[str, tuple[Section, ...]]]:
    """Tasks, and for some of them when they hold which resources: r, s, or s inside r."""
    tasks, sections = [], dict[str, tuple[Section, ...]]()
    for i in range(4):
        wcet, period = random.randint(2, 9), random.randint(30, 80)
        deadline = random.randint(2 * wcet, period)
        jitter = random.choice((0, random.randint(0, deadline - wcet)))
        tasks.append(Task(f"t{i}", wcet, period, deadline, jitter, level=random.randint(1, 4)))
        start, end = random.randint(0, 1), random.choice((wcet, random.randint(2, wcet)))
        if (taken := random.choice(("", "r", "s", "rs"))) == "rs":
            inner = random.randrange(start, end)
            sections[f"t{i}"] = Section("r", start, end), Section("s", inner, random.randint(inner + 1, end))
        elif taken:
            sections[f"t{i}"] = (Section(taken, start, end),)
    return tasks, sections


def resources_of(sections: dict[str, tuple[Section, ...]]) -> list[Resource]:
    held: dict[str, dict[str, int]] = {"r": {}, "s": {}}
    for user, taken in sections.items():
        for name, start, end in taken:
            held[name][user] = end - start
    return [Resource("r", held["r"]), Resource("s", held["s"], inside="r")]


def with_sections(jobs: list[Job], sections: Mapping[str, tuple[Section, ...]]) -> list[Job]:
    for job in jobs:
        job.sections = sections.get(job.task.name, ())
    return jobs


def offset_jobs(tasks: list[Task], random: Random) -> list[Job]:
    """The less urgent ones a little earlier, so that they hold something when the others come."""
    jobs, first = [], 0
    for task in sorted(tasks, key=lambda task: (task.level, -task.deadline_ns)):
        first += random.randint(0, 3)
        for at in range(first, 120, task.period_ns):
            late = random.choice((0, task.jitter_ns, random.randint(0, task.jitter_ns)))
            jobs.append(Job(task, at, at + late, task.wcet_ns))
    return jobs


Analyze = Callable[[Sequence[Task]], TestResult]
# What is held against the simulator: the scheduler, its order, and the test.
HELD: dict[str, tuple[Scheduler, Urgency, Analyze]] = {
    "fixed priorities": (Scheduler.FIXED_PRIORITY, fixed_priority, response_time.analyze),
    "EDF": (Scheduler.EDF, edf, edf_response.analyze),
    "EDF, demand": (Scheduler.EDF, edf, qpa.analyze),
    "EDF within levels": (Scheduler.EDF, edf_within, edf_within_priorities.analyze),
    "the kernel's deadlines": (
        Scheduler.EDF,
        released_deadline_within,
        lambda tasks: edf_within_priorities.analyze(tasks, order=Order.RELEASED_DEADLINE),
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("name", HELD)
def test_no_response_is_above_its_bound(name: str) -> None:
    scheduler, urgency, analyze = HELD[name]
    random, reached = Random(3), dict.fromkeys(Protocol, 0)
    for _ in range(SETS):
        tasks, sections = random_set(random)
        if urgency is edf:
            tasks = [replace(task, level=0) for task in tasks]
        resources = resources_of(sections)
        kernel = urgency is released_deadline_within
        levels, holding = urgencies([replace(t, jitter_ns=0) for t in tasks] if kernel else tasks, scheduler)
        highest = ceilings(resources, {task.name: task.level for task in tasks})
        # under EDF immediate ceilings are something else than levels
        for protocol in Protocol if scheduler is Scheduler.FIXED_PRIORITY else (PIP,):
            blocked = with_blocking(tasks, resources, blocking(resources, levels, protocol, holding))
            found = analyze(blocked)
            jobs = with_sections(offset_jobs(tasks, random), sections)
            outcome = simulate(jobs, urgency, ceilings=highest if protocol is CEILING else None)
            assert found.verdict is not Verdict.SCHEDULABLE or outcome.missed is None, (tasks, sections)
            bounds = {task.name: task.response_time_ns for task in found.tasks}
            for user, worst in outcome.worst.items():
                bound = bounds.get(user)
                assert bound is None or worst <= bound, (protocol, tasks, sections)
                reached[protocol] += worst == bound and bound is not None
            reached[protocol] += found.verdict is Verdict.SCHEDULABLE and not found.tasks
    assert reached[PIP] > SETS // 100
    assert scheduler is Scheduler.EDF or reached[CEILING] > SETS // 100
