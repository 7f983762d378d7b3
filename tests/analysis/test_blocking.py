# SPDX-License-Identifier: GPL-2.0-only
"""Blocking by critical sections: worked sets, and no response above the bound in the simulator."""

from __future__ import annotations

from random import Random

import pytest

from schedctl.analysis import edf_response, processor_demand, qpa, response_time
from schedctl.analysis.blocking import (
    CycleError,
    Protocol,
    Resource,
    blocking,
    ceilings,
    urgencies,
    with_blocking,
)
from schedctl.analysis.model import Scheduler, Task, Verdict
from tests.analysis.simulator import Job, edf, fixed_priority, simulate

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
    sections = {"i": ("r", (0, 2)), "j": ("r", (0, 4))}
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


def random_set(random: Random) -> tuple[list[Task], dict[str, tuple[str, tuple[int, int]]]]:
    """Tasks, and for some of them a resource and when they hold it."""
    tasks, sections = [], {}
    for i in range(3):
        wcet = random.randint(2, 6)
        period = random.randint(15, 40)
        tasks.append(Task(f"t{i}", wcet, period, period, level=3 - i))
        start = random.randrange(wcet - 1)
        if random.random() < 0.8:
            sections[f"t{i}"] = (random.choice("rs"), (start, random.randint(start + 1, wcet)))
    return tasks, sections


def with_sections(jobs: list[Job], sections: dict[str, tuple[str, tuple[int, int]]]) -> list[Job]:
    for job in jobs:
        if job.task.name in sections:
            job.resource, job.section = sections[job.task.name]
    return jobs


def offset_jobs(tasks: list[Task], random: Random) -> list[Job]:
    jobs = []
    for task in tasks:
        first = random.randint(0, 8)
        jobs += [Job(task, at, at, task.wcet_ns) for at in range(first, 120, task.period_ns)]
    return jobs


def test_no_response_is_above_its_bound() -> None:
    random, reached = Random(3), {PIP: 0, CEILING: 0}
    for _ in range(400):
        tasks, sections = random_set(random)
        held: dict[str, dict[str, int]] = {}
        for name, (resource, (start, end)) in sections.items():
            held.setdefault(resource, {})[name] = end - start
        resources = [Resource(name, hold) for name, hold in held.items()]
        levels, _ = urgencies(tasks, Scheduler.FIXED_PRIORITY)
        highest = {
            name: max(task.level for task in tasks if task.name in hold) for name, hold in held.items()
        }
        for protocol in Protocol:
            blocked = with_blocking(tasks, resources, blocking(resources, levels, protocol))
            bounds = {t.name: t.response_time_ns for t in response_time.analyze(blocked).tasks}
            jobs = with_sections(offset_jobs(tasks, random), sections)
            outcome = simulate(jobs, fixed_priority, ceilings=highest if protocol is CEILING else None)
            for task in tasks:
                bound = bounds[task.name]
                assert bound is not None
                assert outcome.worst[task.name] <= bound, (protocol, tasks, sections)
                reached[protocol] += outcome.worst[task.name] == bound
    assert min(reached.values()) > 50
