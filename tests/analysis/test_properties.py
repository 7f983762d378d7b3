# SPDX-License-Identifier: GPL-2.0-only
"""What must hold between tests, and when a set is changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schedctl.analysis import (
    bcl,
    bertogna_cirinei,
    edf_response,
    edf_within_priorities,
    gfb,
    hyperbolic,
    liu_layland,
    processor_demand,
    qpa,
    response_time,
)
from schedctl.analysis.demand import demand_bound
from schedctl.analysis.edf_response import Order
from schedctl.analysis.model import Placement, Scheduler, Task, TestResult, Verdict, total_utilization
from schedctl.analysis.report import TaskSet, decide, run_tests
from schedctl.analysis.supply import DEDICATED, BoundedDelay, Periodic, Supply
from tests.analysis.sets import constrained, small_tasks, tasks_of

FOUND = Verdict.SCHEDULABLE
sets = small_tasks(most=4, longest=16, jitter=True, ties=True)
plain_sets = small_tasks(most=4, longest=16)
supplies = st.one_of(
    st.just(DEDICATED),
    st.builds(
        lambda period, share: Periodic(period, max(1, period * share // 10)),
        st.integers(1, 20),
        st.integers(1, 10),
    ),
    st.builds(
        BoundedDelay,
        st.fractions(Fraction(1, 10), 1, max_denominator=20),
        st.fractions(0, 10, max_denominator=5),
    ),
)
schedulers = st.sampled_from(Scheduler)


def everything(tasks: list[Task], cpus: int, scheduler: Scheduler, supply: Supply) -> list[TestResult]:
    placement = Placement.UNIPROCESSOR if cpus == 1 else Placement.GLOBAL
    return [*run_tests(TaskSet(tuple(tasks), cpus, scheduler, placement, supply))]


EASIER: dict[str, Callable[[Task], Task]] = {
    "less work": lambda task: replace(task, wcet_ns=max(1, task.wcet_ns - 1)),
    "rarer": lambda task: replace(task, period_ns=task.period_ns + 1),
    "less jitter": lambda task: replace(task, jitter_ns=max(0, task.jitter_ns - 1)),
    "later deadline": lambda task: replace(task, deadline_ns=task.deadline_ns + 1),
}


@pytest.mark.parametrize("change", EASIER)
@given(sets, st.integers(0, 3), supplies)
def test_an_easier_set_stays_schedulable(change: str, tasks: list[Task], index: int, supply: Supply) -> None:
    """On one CPU, by the exact tests and their versions for supplies; all are sustainable."""
    index %= len(tasks)
    easier = [EASIER[change](task) if i == index else task for i, task in enumerate(tasks)]
    for test in (response_time, processor_demand, qpa):
        if test.analyze(tasks, supply).verdict is FOUND:
            assert test.analyze(easier, supply).verdict is FOUND


@pytest.mark.parametrize("change", EASIER)
@given(sets, st.integers(0, 3), supplies, st.sampled_from(list(Order)))
def test_an_easier_set_stays_schedulable_within_priorities(
    change: str, tasks: list[Task], index: int, supply: Supply, order: Order
) -> None:
    index %= len(tasks)
    easier = [EASIER[change](task) if i == index else task for i, task in enumerate(tasks)]
    if edf_within_priorities.analyze(tasks, supply, order).verdict is FOUND:
        assert edf_within_priorities.analyze(easier, supply, order).verdict is FOUND


@pytest.mark.parametrize("change", EASIER)
@given(sets, st.integers(0, 3), st.integers(2, 4), schedulers, supplies)
def test_an_easier_set_stays_schedulable_on_several_cpus(
    change: str, tasks: list[Task], index: int, cpus: int, scheduler: Scheduler, supply: Supply
) -> None:
    """But for a later deadline under EDF: see the next test."""
    assume(change != "later deadline" or scheduler is Scheduler.FIXED_PRIORITY)
    tasks, index = constrained(tasks), index % len(tasks)
    easier = constrained([EASIER[change](task) if i == index else task for i, task in enumerate(tasks)])
    if bertogna_cirinei.analyze(tasks, cpus, scheduler, supply).verdict is FOUND:
        assert bertogna_cirinei.analyze(easier, cpus, scheduler, supply).verdict is FOUND


def test_a_later_deadline_can_break_the_slack_iteration_for_edf() -> None:
    """It lets more of the others' jobs be due first: who looks for a change has to try what is found."""

    def proven(*rows: list[int]) -> bool:
        tasks = tasks_of(rows, levels=[1] * len(rows))
        return bertogna_cirinei.analyze(tasks, 2, Scheduler.EDF).verdict is FOUND

    assert proven([1, 2, 1], [2, 4, 4], [1, 3, 1])
    assert not proven([1, 2, 1], [2, 4, 4], [1, 3, 2])
    assert proven([1, 4, 2], [1, 4, 3], [1, 4, 3], [2, 4, 4])
    assert not proven([1, 4, 2], [1, 4, 3], [1, 4, 3], [2, 5, 5])


@given(sets, st.integers(2, 7), st.integers(1, 3), schedulers)
def test_the_unit_of_time_does_not_matter(tasks: list[Task], k: int, cpus: int, scheduler: Scheduler) -> None:
    """Exact tests scale; those of several CPUs count whole units, and may gain from finer ones."""
    scaled = [
        replace(
            task,
            wcet_ns=k * task.wcet_ns,
            period_ns=k * task.period_ns,
            deadline_ns=k * task.deadline_ns,
            jitter_ns=k * task.jitter_ns,
        )
        for task in tasks
    ]
    for one, other in zip(
        everything(tasks, cpus, scheduler, DEDICATED),
        everything(scaled, cpus, scheduler, DEDICATED),
        strict=True,
    ):
        if cpus == 1 or one.name in ("capacity", "gfb"):
            assert one.verdict is other.verdict
        if cpus == 1:
            responses = [t.response_time_ns and k * t.response_time_ns for t in one.tasks]
            assert responses == [t.response_time_ns for t in other.tasks]


@given(plain_sets)
def test_rate_monotonic_within_deadline_monotonic_within_edf(tasks: list[Task]) -> None:
    tasks = constrained(tasks)

    def ordered(key: Callable[[Task], int]) -> list[Task]:
        order = sorted(tasks, key=key)
        return [replace(task, level=len(order) - i) for i, task in enumerate(order)]

    rate = response_time.analyze(ordered(lambda task: task.period_ns)).verdict is FOUND
    deadline = response_time.analyze(ordered(lambda task: task.deadline_ns)).verdict is FOUND
    edf = qpa.analyze(tasks).verdict is FOUND
    assert rate <= deadline <= edf


@given(sets, supplies)
def test_qpa_is_the_processor_demand_criterion(tasks: list[Task], supply: Supply) -> None:
    blocked = [replace(task, blocking_ns=i % 2) for i, task in enumerate(tasks)]
    for some in (tasks, blocked):
        assert qpa.analyze(some, supply).verdict is processor_demand.analyze(some, supply).verdict


@given(sets)
def test_edf_demand_and_response_times_agree(tasks: list[Task]) -> None:
    assert qpa.analyze(tasks).verdict is edf_response.analyze(tasks).verdict


@given(sets)
def test_one_task_per_level_is_response_time_analysis(tasks: list[Task]) -> None:
    alone = [replace(task, level=i) for i, task in enumerate(tasks)]
    wanted = response_time.analyze(alone).tasks
    assert edf_within_priorities.analyze(alone).tasks == wanted


@given(small_tasks(most=4, longest=12, ties=True), st.sampled_from(list(Order)), supplies)
def test_no_order_inside_a_level_is_worse_than_losing_every_tie(
    tasks: list[Task], order: Order, supply: Supply
) -> None:
    bounds = edf_within_priorities.analyze(tasks, supply, order).tasks
    for within, worst in zip(bounds, response_time.analyze(tasks, supply).tasks, strict=True):
        if worst.response_time_ns is not None:
            assert within.response_time_ns is not None
            assert within.response_time_ns <= worst.response_time_ns


@given(sets, st.integers(2, 4), schedulers, supplies)
def test_slack_iteration_accepts_what_bcl_accepts(
    tasks: list[Task], cpus: int, scheduler: Scheduler, supply: Supply
) -> None:
    if scheduler is Scheduler.EDF:
        tasks = [replace(task, level=0) for task in tasks]
    tasks = constrained([replace(task, jitter_ns=0) for task in tasks])
    if bcl.analyze(tasks, cpus, scheduler, supply).verdict is FOUND:
        assert bertogna_cirinei.analyze(tasks, cpus, scheduler, supply).verdict is FOUND


@given(plain_sets)
def test_bounds_are_within_the_exact_test(tasks: list[Task]) -> None:
    order = sorted(tasks, key=lambda task: task.period_ns)
    tasks = [replace(t, level=-i, deadline_ns=max(t.deadline_ns, t.period_ns)) for i, t in enumerate(order)]
    bound = liu_layland.analyze(tasks).verdict is FOUND
    better = hyperbolic.analyze(tasks).verdict is FOUND
    exact = response_time.analyze(tasks).verdict is FOUND
    assert bound <= better <= exact


@given(sets, st.integers(1, 3), schedulers, supplies)
def test_a_smaller_supply_accepts_no_more(
    tasks: list[Task], cpus: int, scheduler: Scheduler, supply: Supply
) -> None:
    whole = {test.name: test.verdict for test in everything(tasks, cpus, scheduler, DEDICATED)}
    for test in everything(tasks, cpus, scheduler, supply):
        if test.verdict is FOUND:
            assert whole[test.name] is FOUND


@given(sets, schedulers, supplies, st.integers(0, 3))
def test_what_misses_on_a_whole_cpu_misses(
    tasks: list[Task], scheduler: Scheduler, supply: Supply, blocking: int
) -> None:
    """Blocking and gaps leave a disproof as it is, and make none."""
    whole = decide(everything(tasks, 1, scheduler, DEDICATED))
    blocked = [replace(task, blocking_ns=blocking) for task in tasks]
    found = decide(everything(blocked, 1, scheduler, supply))
    if not any(task.jitter_ns for task in tasks) and whole is Verdict.NOT_SCHEDULABLE:
        assert found is whole
    if whole is FOUND and total_utilization(tasks) <= supply.rate:
        assert found is not Verdict.NOT_SCHEDULABLE


@given(supplies, st.integers(0, 200))
def test_a_supply_and_its_inverse(supply: Supply, amount: int) -> None:
    assert supply.time_for(0) == 0
    time = supply.time_for(amount)
    assert supply.within(time) >= amount
    assert time == 0 or supply.within(time - 1) < amount
    assert supply.within(amount) >= supply.rate * (amount - supply.delay_ns)
    assert 0 <= supply.within(amount + 1) - supply.within(amount) <= 1


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 60))
def test_a_periodic_supply_equals_its_worst_case(period: int, budget: int, length: int) -> None:
    """The budget at the start of one period, then at the end of each: counted slot by slot."""
    assume(budget <= period)
    slots = [i < budget for i in range(period)] + [i >= period - budget for i in range(period)] * (
        length // period + 3
    )
    worst = min(sum(slots[start : start + length]) for start in range(2 * period + 1))
    assert Periodic(period, budget).within(length) == worst


@given(plain_sets, st.integers(0, 60))
def test_the_demand_bound_counts_jobs(tasks: list[Task], time: int) -> None:
    counted = sum(
        task.wcet_ns
        for task in tasks
        for arrival in range(0, time + 1, task.period_ns)
        if arrival + task.deadline_ns <= time
    )
    assert demand_bound(tasks, time) == counted


@given(st.fractions(0, 2, max_denominator=50), st.integers(1, 12))
def test_the_bound_is_decided_exactly(used: Fraction, n: int) -> None:
    assert liu_layland.at_most_bound(used, n) is ((1 + used / n) ** n <= 2)


@given(sets)
def test_total_utilization_is_the_sum(tasks: list[Task]) -> None:
    assert total_utilization(tasks) == sum((task.utilization for task in tasks), Fraction(0))


@given(sets, st.integers(2, 3))
def test_gfb_on_one_more_cpu(tasks: list[Task], cpus: int) -> None:
    flat = [replace(task, level=0, jitter_ns=0) for task in tasks]
    if gfb.analyze(flat, cpus).verdict is FOUND:
        assert gfb.analyze(flat, cpus + 1).verdict is FOUND


@given(sets)
def test_exact_tests_agree_on_one_cpu(tasks: list[Task]) -> None:
    for scheduler in Scheduler:
        said = {
            test.verdict
            for test in everything(tasks, 1, scheduler, DEDICATED)
            if test.strength == "exact" and test.verdict is not Verdict.UNKNOWN
        }
        assert len(said) == 1
