# SPDX-License-Identifier: GPL-2.0-only
"""What a test accepts never misses in the simulator; what is exact is reached there."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import lcm
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedctl.analysis import (
    bcl,
    bertogna_cirinei,
    edf_response,
    edf_within_priorities,
    gfb,
    guan,
    partition,
    processor_demand,
    qpa,
    response_time,
)
from schedctl.analysis.edf_response import Order
from schedctl.analysis.model import (
    Placement,
    Scheduler,
    Strength,
    Task,
    TestResult,
    Verdict,
    total_utilization,
)
from schedctl.analysis.report import TaskSet, decide, run_tests
from schedctl.analysis.supply import DEDICATED, BoundedDelay, Periodic, Supply
from tests.analysis import simulator
from tests.analysis.sets import SETS, random_tasks, small_tasks
from tests.analysis.simulator import Job, Outcome, Urgency, critical_instant, gaps_of, simulate, sporadic

PARTS = 4
FOUND = Verdict.SCHEDULABLE


def without_levels(tasks: list[Task]) -> list[Task]:
    return [replace(task, level=0) for task in tasks]


def claims(tasks: list[Task], cpus: int, supply: Supply = DEDICATED) -> list[tuple[TestResult, Urgency]]:
    """Every test that accepts the set, or bounds response times, and the scheduler it speaks of."""
    place = Placement.UNIPROCESSOR if cpus == 1 else Placement.GLOBAL
    plain = tuple(without_levels(tasks))
    found: list[tuple[TestResult, Urgency]] = []
    for test in run_tests(TaskSet(tuple(tasks), cpus, Scheduler.FIXED_PRIORITY, place, supply)):
        found.append((test, simulator.fixed_priority))
        found.append((test, simulator.lose_ties(tasks[-1])))
    found += [(test, simulator.edf) for test in run_tests(TaskSet(plain, cpus, Scheduler.EDF, place, supply))]
    levels = TaskSet(tuple(tasks), cpus, Scheduler.EDF, place, supply)
    found += [(test, simulator.edf_within) for test in run_tests(levels)]
    if cpus == 1:
        kernel = edf_within_priorities.analyze(tasks, supply, Order.RELEASED_DEADLINE)
        found.append((kernel, simulator.released_deadline_within))
        fifo = edf_within_priorities.analyze(tasks, supply, Order.RELEASE)
        found.append((fifo, simulator.fixed_priority))
    return found


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_no_accepted_set_misses(part: int) -> None:
    random = Random(part)
    accepted = dict.fromkeys(("edf", "fixed_priority"), 0)
    for number in range(SETS // PARTS):
        cpus = random.choice((1, 1, 2, 3))
        tasks = random_tasks(random, cpus)
        length = random.choice((40, 120))
        for test, urgency in claims(tasks, cpus):
            if not says_something(test):
                continue
            accepted["edf" if urgency is simulator.edf else "fixed_priority"] += test.verdict is FOUND
            outcome = simulate(some_jobs(tasks, number, length, random), urgency, cpus)
            assert holds(test, outcome), (test.name, cpus, tasks, outcome.missed)
    assert all(accepted.values())


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_no_accepted_set_misses_on_a_part_of_the_cpus(part: int) -> None:
    """What a periodic supply gives is no less than the line below it, so that both must hold."""
    random, accepted = Random(100 + part), Counter[str]()
    for number in range(SETS // PARTS // 2):
        cpus, period = random.choice((1, 1, 2)), random.randint(2, 6)
        budget = random.randint(period // 2, period)
        periodic = Periodic(period, budget)
        supply = random.choice((periodic, BoundedDelay(periodic.rate, periodic.delay_ns)))
        tasks = random_tasks(random, cpus, budget / period * 0.6)
        gaps = gaps_of(period, budget, 150, random)
        for test, urgency in claims(tasks, cpus, supply):
            if not says_something(test):
                continue
            accepted[test.name] += test.verdict is FOUND
            outcome = simulate(some_jobs(tasks, number, 60, random), urgency, cpus, gaps)
            assert holds(test, outcome), (test.name, cpus, supply, tasks, outcome.missed)
    assert len(+accepted) >= 10, accepted


@pytest.mark.long
def test_no_partitioned_set_misses() -> None:
    """Each CPU on its own, with what first fit gave it."""
    random, accepted = Random(7), Counter[Urgency]()
    for number in range(SETS // 2):
        cpus = random.choice((2, 3))
        tasks = random_tasks(random, cpus, 0.9)
        for some, scheduler, urgency in (
            (tasks, Scheduler.FIXED_PRIORITY, simulator.fixed_priority),
            (tasks, Scheduler.EDF, simulator.edf_within),
            (without_levels(tasks), Scheduler.EDF, simulator.edf),
        ):
            found = TaskSet(tuple(some), cpus, scheduler, Placement.PARTITIONED)
            if decide(run_tests(found)) is not FOUND:
                continue
            accepted[urgency] += 1
            bins, left = partition.first_fit(some, cpus, scheduler, DEDICATED)
            assert left is None
            assert sorted(task.name for cpu in bins for task in cpu) == sorted(task.name for task in tasks)
            for cpu in bins:
                outcome = simulate(some_jobs(cpu, number, 60, random), urgency)
                assert outcome.missed is None, (urgency, cpu, outcome.missed)
    assert len(accepted) == 3


def some_jobs(tasks: list[Task], number: int, length: int, random: Random) -> list[Job]:
    return critical_instant(tasks, length) if number % 3 == 0 else sporadic(tasks, length, random)


def says_something(test: TestResult) -> bool:
    """A test can bound some response times and not accept the set; a necessary one has the best case."""
    if test.strength is Strength.NECESSARY:
        return False
    return test.verdict is FOUND or any(task.response_time_ns is not None for task in test.tasks)


def holds(test: TestResult, outcome: Outcome) -> bool:
    """Nobody misses where the set was accepted, and no response is longer than its bound."""
    bounds = {task.name: task.response_time_ns for task in test.tasks if task.response_time_ns is not None}
    within = all(outcome.worst.get(name, 0) <= bound for name, bound in bounds.items())
    return within and (test.verdict is not FOUND or outcome.missed is None)


def sustainable(tasks: list[Task]) -> bool:
    return total_utilization(tasks) <= 1


@given(small_tasks(jitter=True, ties=True))
def test_response_time_analysis_is_reached_at_the_critical_instant(tasks: list[Task]) -> None:
    bounds = response_time.analyze(tasks).tasks
    for task, bound in zip(tasks, bounds, strict=True):
        relevant = [other for other in tasks if other.level >= task.level]
        if not sustainable(relevant):
            assert bound.response_time_ns is None
            continue
        assert bound.response_time_ns is not None
        until = 2 * lcm(*(t.period_ns for t in relevant)) + bound.response_time_ns
        outcome = simulate(critical_instant(relevant, until), simulator.lose_ties(task))
        # with nothing left over and jitter the backlog of the start never goes away
        assert outcome.worst[task.name] == bound.response_time_ns


@given(small_tasks(jitter=True))
def test_edf_tests_equal_brute_force(tasks: list[Task]) -> None:
    """Released late together, a set misses within a hyperperiod or never (Baruah, Rosier, Howell)."""
    plain = without_levels(tasks)
    results = [test.analyze(plain).verdict for test in (processor_demand, qpa, edf_response)]
    wanted = Verdict.NOT_SCHEDULABLE
    if sustainable(plain):
        until = lcm(*(t.period_ns for t in plain)) + max(t.deadline_ns + t.jitter_ns for t in plain)
        outcome = simulate(critical_instant(plain, until), simulator.edf)
        wanted = FOUND if outcome.missed is None else wanted
    assert results == [wanted] * 3


@given(small_tasks(ties=True, jitter=True), st.sampled_from(list(Order)))
def test_responses_within_levels_equal_brute_force(tasks: list[Task], order: Order) -> None:
    """The worst over all phases of the job that is looked at, the others released late together.

    Where releases count, that is only the worst case without jitter; with it the analysis is an upper bound.
    """
    exact = order is Order.DEADLINE or not any(task.jitter_ns for task in tasks)
    urgency = {
        Order.DEADLINE: simulator.edf_within,
        Order.RELEASED_DEADLINE: simulator.released_deadline_within,
        Order.RELEASE: simulator.fixed_priority,
    }[order]
    bounds = edf_within_priorities.analyze(tasks, order=order).tasks
    for task, bound in zip(tasks, bounds, strict=True):
        relevant = [other for other in tasks if other.level >= task.level]
        if not sustainable(relevant):
            assert bound.response_time_ns is None
            continue
        hyperperiod = lcm(*(t.period_ns for t in relevant))
        others = [other for other in relevant if other is not task]
        worst = 0
        until = 2 * hyperperiod + 2 * max(t.jitter_ns for t in relevant)
        for phase in range(task.period_ns):
            jobs = critical_instant(others, until)
            shifted = critical_instant([task], until)
            for job in shifted:
                job.arrival += phase
                job.release = max(0, job.arrival)
            outcome = simulate([*jobs, *shifted], simulator.late_victim(urgency, task))
            worst = max(worst, outcome.worst[task.name])
        assert bound.response_time_ns is not None
        assert worst <= bound.response_time_ns
        assert not exact or worst == bound.response_time_ns


def test_every_global_test_accepts_something() -> None:
    random, accepted = Random(5), set()
    for _ in range(300):
        tasks = random_tasks(random, 2)
        tasks = [Task(t.name, t.wcet_ns, t.period_ns, t.deadline_ns, 0, 0, t.level) for t in tasks]
        for name, result in {
            "gfb": gfb.analyze([Task(t.name, t.wcet_ns, t.period_ns, t.deadline_ns) for t in tasks], 2),
            "bcl": bcl.analyze(tasks, 2, Scheduler.FIXED_PRIORITY),
            "bc": bertogna_cirinei.analyze(tasks, 2, Scheduler.FIXED_PRIORITY),
            "guan": guan.analyze(tasks, 2),
        }.items():
            if result.verdict is FOUND:
                accepted.add(name)
    assert accepted == {"gfb", "bcl", "bc", "guan"}
