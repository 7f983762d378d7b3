# SPDX-License-Identifier: GPL-2.0-only
"""What random sets do not get to: tests that give up, bounds missed by 10^-30, where tasks go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from random import Random
from time import process_time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schedctl.analysis import (
    bcl,
    bertogna_cirinei,
    edf_response,
    edf_within_priorities,
    gfb,
    guan,
    hyperbolic,
    liu_layland,
    partition,
    processor_demand,
    qpa,
    response_time,
)
from schedctl.analysis.admission import analyze_profile, profile_changes, profile_cpus
from schedctl.analysis.advice import sentences
from schedctl.analysis.demand import hyperperiod
from schedctl.analysis.effort import Effort, GaveUpError, together
from schedctl.analysis.global_model import interference, workload
from schedctl.analysis.model import (
    Placement,
    Scheduler,
    Strength,
    Task,
    TestResult,
    Verdict,
    against_rate,
    total_utilization,
)
from schedctl.analysis.partition import assignment_text, first_fit
from schedctl.analysis.report import TaskSet, decide, run_tests
from schedctl.analysis.supply import DEDICATED, BoundedDelay, Periodic
from tests.analysis.profiles import classes, profile
from tests.analysis.sets import constrained, random_tasks, small_tasks, tasks_of

EDF, FIXED = Scheduler.EDF, Scheduler.FIXED_PRIORITY
SET = tasks_of([[1, 3, 2], [2, 5, 4]])
STRICT: dict[str, tuple[Strength, Callable[[], TestResult]]] = {
    "response_time_analysis": (Strength.EXACT, lambda: response_time.analyze(SET)),
    "processor_demand": (Strength.EXACT, lambda: processor_demand.analyze(SET)),
    "qpa": (Strength.EXACT, lambda: qpa.analyze(SET)),
    "edf_response_time": (Strength.EXACT, lambda: edf_response.analyze(SET)),
    "edf_within_fixed_priorities": (Strength.EXACT, lambda: edf_within_priorities.analyze(SET)),
    "bcl": (Strength.SUFFICIENT, lambda: bcl.analyze(SET, 2, FIXED)),
    "bertogna_cirinei": (Strength.SUFFICIENT, lambda: bertogna_cirinei.analyze(SET, 2, FIXED)),
    "guan": (Strength.SUFFICIENT, lambda: guan.analyze(SET, 2)),
    "partitioned_first_fit": (Strength.SUFFICIENT, lambda: partition.analyze(SET, 2, FIXED)),
}


@pytest.mark.parametrize("name", STRICT)
def test_who_gives_up_says_so(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    strength, analyze = STRICT[name]
    assert analyze().verdict is Verdict.SCHEDULABLE
    assert analyze().strength is strength

    def spend(_: Effort, steps: int) -> None:
        raise GaveUpError(7)

    monkeypatch.setattr(Effort, "spend", spend)
    found = analyze()
    assert (found.name, found.strength, found.verdict) == (name, strength, Verdict.UNKNOWN)
    assert found.detail == "does not apply: gave up after 7 steps"


def test_a_busy_period_of_more_jobs_than_can_be_listed() -> None:
    """A third of 10^9 jobs of one task arrive in it."""
    tasks = [Task("often", 1, 4, 4), Task("rare", 10**9, 10**10, 10**10)]
    found = edf_response.analyze(tasks)
    assert found.detail == "does not apply: gave up after 4000000 steps"
    assert edf_response.analyze(tasks[:1]).verdict is Verdict.SCHEDULABLE


def test_effort_counts() -> None:
    effort = Effort(10)
    effort.spend(4)
    effort.spend(6)
    with pytest.raises(GaveUpError, match="gave up after 10 steps"):
        effort.spend(1)


def test_tests_share_an_effort() -> None:
    with together(10) as shared:
        Effort(100).spend(6)
        Effort(100).spend(4)
        left = not shared.used_up
        with pytest.raises(GaveUpError, match="gave up after 10 steps"):
            Effort(100).spend(1)
        assert left
        assert shared.used_up
        assert qpa.analyze(SET).verdict is Verdict.UNKNOWN
    with together(20) as outer, together(10):
        Effort(100).spend(10)
    outer.spend(10)
    with pytest.raises(GaveUpError):
        outer.spend(1)
    Effort(100).spend(90)
    assert qpa.analyze(SET).verdict is Verdict.SCHEDULABLE


def test_first_fit_takes_the_largest_first() -> None:
    """As listed, 2/5 and 2/5 would share a CPU and leave 3/5 + 3/5 for the other."""
    tasks = tasks_of([[2, 5], [2, 5], [3, 5], [3, 5]])
    bins, left = first_fit(tasks, 2, EDF, DEDICATED)
    assert left is None
    assert assignment_text(bins) == "CPU 0: t3, t1; CPU 1: t4, t2"
    found = partition.analyze(tasks, 2, EDF)
    assert found.detail == "CPU 0: t3, t1; CPU 1: t4, t2"
    assert found.name == "partitioned_first_fit"


def test_first_fit_says_what_is_left() -> None:
    found = partition.analyze(tasks_of([[2, 3], [2, 3], [2, 3]]), 2, FIXED)
    assert found.detail == "t3 fits on no CPU beside: CPU 0: t1; CPU 1: t2"
    assert found.verdict is Verdict.UNKNOWN


def test_each_cpu_is_tested_by_its_scheduler() -> None:
    """[2, 5] and [4, 7] are schedulable by EDF only; with levels they are fixed priorities again."""
    flat, ordered = tasks_of([[2, 5], [4, 7]], levels=[1, 1]), tasks_of([[2, 5], [4, 7]])
    assert partition.analyze(flat, 1, EDF).verdict is Verdict.SCHEDULABLE
    assert partition.analyze(ordered, 1, EDF).verdict is Verdict.UNKNOWN
    assert partition.analyze(ordered, 1, FIXED).verdict is Verdict.UNKNOWN
    short = tasks_of([[1, 4, 2], [1, 6, 3]], levels=[1, 1])
    assert partition.analyze(short, 1, EDF).verdict is Verdict.SCHEDULABLE
    assert partition.analyze(short, 1, EDF, Periodic(4, 2)).verdict is Verdict.UNKNOWN
    levels = tasks_of([[1, 20], [1, 30]])
    assert partition.analyze(levels, 1, EDF, Periodic(4, 2)).verdict is Verdict.SCHEDULABLE
    assert partition.analyze(levels, 1, EDF, Periodic(40, 4)).verdict is Verdict.UNKNOWN


@given(small_tasks(most=1), st.integers(0, 40), st.integers(0, 12))
def test_what_carries_in_is_counted_job_by_job(tasks: list[Task], window: int, slack: int) -> None:
    """The last job runs at the window's end, the others one period before each other; the one that is under
    way at the start ends a response time after its release, and has run for one unit."""
    (task,) = constrained(tasks)
    response = max(task.wcet_ns, task.deadline_ns - slack)
    release, jobs = max(window, task.wcet_ns) - task.wcet_ns, 0
    while release >= 0:
        jobs += 1
        release -= task.period_ns
    carried = min(task.wcet_ns - 1, max(0, release + response))
    assert guan.with_carry(task, response, window) == jobs * task.wcet_ns + carried


@given(small_tasks(most=1), st.integers(0, 40))
def test_what_does_not_carry_in_begins_with_the_window(tasks: list[Task], window: int) -> None:
    (task,) = tasks
    ran = [t for t in range(window) if t % task.period_ns < task.wcet_ns]
    assert guan.without_carry(task, window) == len(ran)


@given(small_tasks(most=1), st.integers(0, 40), st.integers(0, 12))
def test_workloads_are_counted_job_by_job(tasks: list[Task], window: int, slack: int) -> None:
    """The first job ends its slack before its deadline, the later ones run at their releases."""
    (task,) = constrained(tasks)
    slack = min(slack, task.deadline_ns - task.wcet_ns)
    start = task.wcet_ns - (task.deadline_ns - slack)  # released then, it runs from 0 on
    runs = {t for t in range(window) if t < task.wcet_ns}
    for job in range(1, 60):
        release = start + job * task.period_ns
        runs |= {t for t in range(release, release + task.wcet_ns) if 0 <= t < window}
    assert min(window, workload(task, window, slack)) == len(runs)


def test_bounds_of_the_utilization_say_where_they_do_not_apply() -> None:
    levels, flat = tasks_of([[1, 4], [1, 6]]), tasks_of([[1, 4], [1, 6]], levels=[1, 1])
    assert gfb.analyze(levels, 2).detail == "does not apply: the tasks have several levels"
    assert bcl.analyze(levels, 2, EDF).detail == "does not apply: the tasks have several levels"
    assert bcl.analyze(levels, 2, FIXED).verdict is Verdict.SCHEDULABLE
    parted = "does not apply: the CPUs are not wholly given to these tasks"
    assert gfb.analyze(flat, 2, BoundedDelay(Fraction(1, 2))).detail == parted
    assert gfb.analyze(flat, 2, BoundedDelay(Fraction(1), Fraction(1))).detail == parted
    assert gfb.analyze(flat, 2).verdict is Verdict.SCHEDULABLE


def test_no_tasks_use_nothing() -> None:
    assert total_utilization([]) == 0
    assert total_utilization([Task("a", 1, 3, 3)] * 3) == 1


@pytest.mark.parametrize("scheduler", list(Scheduler))
def test_the_scheduler_reaches_every_test(scheduler: Scheduler) -> None:
    """With equal levels, where it makes a difference to each of them."""
    asked = {bcl: Placement.GLOBAL, bertogna_cirinei: Placement.GLOBAL, partition: Placement.PARTITIONED}
    random, differ = Random(1), set()
    (other,) = set(Scheduler) - {scheduler}
    for _ in range(100):
        tasks = [replace(task, level=1) for task in constrained(random_tasks(random, 2))]
        for test, placement in asked.items():
            by_name = {t.name: t for t in run_tests(TaskSet(tuple(tasks), 2, scheduler, placement))}
            assert by_name[test.NAME] == test.analyze(tasks, 2, scheduler)
            if by_name[test.NAME] != test.analyze(tasks, 2, other):
                differ.add(test)
    assert differ == set(asked)


def test_the_supply_reaches_every_test() -> None:
    """2/4 + 2/4 of half a CPU: too much for any scheduler; on a whole CPU each kind of test accepts it."""
    tasks = tuple(tasks_of([[2, 4], [2, 4]]))
    half = Periodic(4, 2)
    for placement, cpus in ((Placement.UNIPROCESSOR, 1), (Placement.GLOBAL, 2), (Placement.PARTITIONED, 1)):
        for scheduler in Scheduler:
            whole = [*run_tests(TaskSet(tasks, cpus, scheduler, placement))]
            assert decide(whole) is Verdict.SCHEDULABLE
            part = [*run_tests(TaskSet(tasks, cpus, scheduler, placement, half))]
            assert all(test.verdict is not Verdict.SCHEDULABLE for test in part)
            assert decide(part) is (Verdict.NOT_SCHEDULABLE if cpus == 1 else Verdict.UNKNOWN)


def test_each_test_is_given_the_supply() -> None:
    """3/8 of a CPU, which every test accepts; of a tenth none does."""
    tasks = tuple(tasks_of([[1, 4], [1, 8]], levels=[1, 1]))
    ordered = tuple(tasks_of([[1, 4], [1, 8]]))
    for cpus, placement in ((1, Placement.UNIPROCESSOR), (2, Placement.GLOBAL), (2, Placement.PARTITIONED)):
        for scheduler, some in ((EDF, tasks), (EDF, ordered), (FIXED, ordered)):
            found = TaskSet(some, cpus, scheduler, placement)
            whole = {test.name: test.verdict for test in run_tests(found) if test.name != "capacity"}
            part = run_tests(replace(found, supply=Periodic(40, 4)))
            of_levels = some is ordered and scheduler is EDF and placement is Placement.GLOBAL
            assert of_levels or set(whole.values()) == {Verdict.SCHEDULABLE}, whole
            assert all(test.verdict is not Verdict.SCHEDULABLE for test in part)
    two_levels = run_tests(TaskSet(ordered, 1, EDF, Placement.UNIPROCESSOR))
    assert [test.name for test in two_levels] == ["capacity", "edf_within_fixed_priorities"]


def test_the_hyperbolic_bound_under_a_rate() -> None:
    """(1 + 1/2) (1 + 1/4) <= 2, (1 + 1/2) (1 + 2/5) > 2: each utilization is twice as large on half a CPU."""
    half = BoundedDelay(Fraction(1, 2))
    assert hyperbolic.analyze(tasks_of([[1, 4], [1, 8]]), half).verdict is Verdict.SCHEDULABLE
    assert hyperbolic.analyze(tasks_of([[1, 4], [1, 5]]), half).verdict is Verdict.UNKNOWN


def test_liu_and_layland_under_a_rate() -> None:
    """On half a CPU 3/8 is 0.75 <= 0.828427; a gap of 1 adds 1/8; 2 of blocking are 4."""
    half = BoundedDelay(Fraction(1, 2))

    def passes(rows: list[list[int]], supply: BoundedDelay, blocking: Sequence[int] = ()) -> bool:
        return liu_layland.analyze(tasks_of(rows, blocking), supply).verdict is Verdict.SCHEDULABLE

    assert passes([[1, 4], [1, 8]], half)
    assert not passes([[1, 4], [1, 5]], half)
    assert not passes([[1, 4], [1, 8]], replace(half, delay_ns=Fraction(1)))
    assert passes([[1, 4], [1, 40]], half, (1, 0))
    assert not passes([[1, 4], [1, 40]], half, (2, 0))


works = st.integers(0, 12)


@given(st.lists(st.tuples(works, works), max_size=6), st.integers(1, 4))
@example([(25, 48), (31, 32)], 2)  # the first one carries in the most, but not below 31
@example([(3, 6), (0, 3), (2, 2), (2, 3), (4, 6)], 4)
def test_guans_interference_is_the_smallest(parts: list[tuple[int, int]], cpus: int) -> None:
    length = 0
    while True:
        cut = length + 1
        carried = [min(ci, cut) - min(nc, cut) for nc, ci in parts]
        most = sum(sorted((extra for extra in carried if extra > 0), reverse=True)[: cpus - 1])
        if sum(min(nc, cut) for nc, _ in parts) + most < cpus * cut:
            break
        length += 1
    assert guan.interference_with_carry(parts, cpus, Effort()) == length


def test_what_carries_in_has_run_for_a_unit() -> None:
    """The job under way is released at -1 and done by 3: 2 of its 3 are left, and 3 of the next one."""
    assert guan.with_carry(Task("a", 3, 4, 4), 4, 6) == 5


def test_the_hyperperiod_contains_the_supply_s() -> None:
    assert hyperperiod(SET, DEDICATED) == 15
    assert hyperperiod(SET, Periodic(4, 2)) == 60


def test_threads_of_a_class_cost_as_much_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps do not depend on how many they are; all of them are counted."""
    spent = 0
    spend = Effort.spend

    def counted(effort: Effort, steps: int) -> None:
        nonlocal spent
        spent += steps
        spend(effort, steps)

    monkeypatch.setattr(Effort, "spend", counted)
    for placement, cpus in ((Placement.UNIPROCESSOR, 1), (Placement.GLOBAL, 4)):
        costs = []
        for nr in (10, 1000):
            tasks = [Task(f"t{i}", 100, 2_000_000, 2_000_000, 0, 0, 5) for i in range(nr)]
            spent = 0
            if placement is Placement.UNIPROCESSOR:
                results = [edf_within_priorities.analyze(tasks), response_time.analyze(tasks)]
            else:
                results = [bertogna_cirinei.analyze(tasks, cpus, scheduler) for scheduler in Scheduler]
            assert all(result.verdict is Verdict.SCHEDULABLE for result in results)
            assert {len({task.response_time_ns for task in result.tasks}) for result in results} == {1}
            costs.append(spent)
        assert costs[1] <= 2 * costs[0] < 1000


@pytest.mark.parametrize("cpus", [1, 4])
@pytest.mark.parametrize("scheduler", list(Scheduler))
@pytest.mark.parametrize("runtime", ["1ms", "100us"])
def test_a_profile_of_a_thousand_threads(cpus: int, scheduler: Scheduler, runtime: str) -> None:
    """With what would help: in seconds of CPU time, and a large part of them is left."""
    order = f"policy: {{order: {scheduler.value}}}\n"
    row = f"level: %d, period: %dms, runtime: {runtime}, threads: 200"
    several = classes(**{f"c{i}": row % (3 + i % 3, 300 + 70 * i) for i in range(5)})
    one = classes(w=f"level: 5, period: 400ms, runtime: {runtime}, threads: 1000")
    for text in (one, several):
        before = process_time()
        found = analyze_profile(profile(order + text, (cpus,)))
        options, more = profile_changes(found.domain), profile_cpus(found.domain)
        told = [*sentences(found.domain.found, options, found.verdict, more)]
        assert told
        assert process_time() - before < 4


@given(st.lists(st.tuples(works, st.integers(1, 5)), max_size=5), st.integers(1, 4))
def test_interference_of_several_alike(parts: list[tuple[int, int]], cpus: int) -> None:
    each = [work for work, nr in parts for _ in range(nr)]
    counts = [nr for _, nr in parts]
    assert interference([work for work, _ in parts], cpus, counts) == interference(each, cpus)


@given(small_tasks(ties=True), st.fractions(Fraction(1, 9), Fraction(1), max_denominator=9))
def test_utilization_against_a_rate(tasks: list[Task], rate: Fraction) -> None:
    exact = sum((task.utilization for task in tasks), Fraction(0))
    assert against_rate(tasks, rate) == (exact > rate) - (exact < rate)
    assert against_rate(tasks, exact) == 0
    assert against_rate(tasks, exact - Fraction(1, 10**30)) == 1
    assert against_rate(tasks, exact + Fraction(1, 10**30)) == -1
