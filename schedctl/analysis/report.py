# SPDX-License-Identifier: GPL-2.0-only
"""Which tests count for a set of tasks, and the one verdict that follows from theirs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from schedctl.analysis import (
    bcl,
    bertogna_cirinei,
    capacity,
    edf_response,
    edf_utilization,
    edf_within_priorities,
    gfb,
    guan,
    hyperbolic,
    liu_layland,
    partition,
    processor_demand,
    qpa,
    response_time,
    whole_cpu,
)
from schedctl.analysis.effort import affords_sum
from schedctl.analysis.model import (
    Placement,
    Scheduler,
    Strength,
    Task,
    TestResult,
    Verdict,
    total_utilization,
)
from schedctl.analysis.response_time import strength_for
from schedctl.analysis.supply import DEDICATED, Supply
from schedctl.analysis.text import duration, percent, ratio


@dataclass(frozen=True, slots=True)
class TaskSet:
    """What is analyzed: tasks on `cpus` CPUs, each with this supply."""

    tasks: tuple[Task, ...]
    cpus: int
    scheduler: Scheduler
    placement: Placement
    supply: Supply = DEDICATED


@dataclass(frozen=True, slots=True)
class Analysis:
    verdict: Verdict
    scheduler: Scheduler
    cpus: int
    utilization: Fraction
    tests: tuple[TestResult, ...]
    assumptions: tuple[str, ...]

    def to_document(self) -> dict[str, Any]:
        """As plain data: schemas/output/analyze.json."""
        return {
            "verdict": self.verdict.value,
            "scheduler": self.scheduler.value,
            "cpus": self.cpus,
            "utilization": ratio(self.utilization),
            "tests": [_document(test) for test in self.tests],
            "assumptions": list(self.assumptions),
        }


def _document(test: TestResult) -> dict[str, Any]:
    return {
        "name": test.name,
        "strength": test.strength.value,
        "verdict": test.verdict.value,
        "tasks": [
            {
                "name": task.name,
                "response_time_ns": task.response_time_ns,
                "deadline_ns": task.deadline_ns,
                "slack_ns": task.slack_ns,
            }
            for task in test.tasks
        ],
        "detail": test.detail,
    }


def analyze(found: TaskSet, assumptions: Iterable[str] = ()) -> Analysis:
    """All tests that count for the set, cheapest first, and their verdict."""
    tests = tuple(run_tests(found))
    return analyze_tests(found, tests, decide(tests), (*_ties(found), *assumptions))


def analyze_tests(
    found: TaskSet, tests: tuple[TestResult, ...], verdict: Verdict, assumptions: Iterable[str]
) -> Analysis:
    """The same, of tests that were run already."""
    used, said = total_utilization(found.tasks), (*_assumptions(found), *assumptions)
    return Analysis(verdict, found.scheduler, found.cpus, used, tests, said)


def run_tests(found: TaskSet) -> Iterable[TestResult]:
    """The tests of the set's scheduler and placement."""
    tasks, cpus, scheduler, supply = found.tasks, found.cpus, found.scheduler, found.supply
    yield capacity.analyze(tasks, cpus, supply)
    if found.placement is Placement.UNIPROCESSOR:
        proven = False
        for test in _one_cpu(tasks, scheduler, supply):
            proven = proven or test.verdict is Verdict.SCHEDULABLE
            yield test
        if not proven:
            yield from _disproof(tasks, scheduler, supply)
    elif found.placement is Placement.PARTITIONED:
        yield partition.analyze(tasks, cpus, scheduler, supply)
    else:
        if scheduler is Scheduler.EDF:
            yield gfb.analyze(tasks, cpus, supply)
        yield bcl.analyze(tasks, cpus, scheduler, supply)
        yield bertogna_cirinei.analyze(tasks, cpus, scheduler, supply)
        if scheduler is Scheduler.FIXED_PRIORITY:
            yield guan.analyze(tasks, cpus, supply)


def _one_cpu(tasks: Sequence[Task], scheduler: Scheduler, supply: Supply) -> Iterable[TestResult]:
    if scheduler is Scheduler.FIXED_PRIORITY:
        yield liu_layland.analyze(tasks, supply)
        yield hyperbolic.analyze(tasks, supply)
        yield response_time.analyze(tasks, supply)
    elif len({task.level for task in tasks}) > 1:
        yield edf_within_priorities.analyze(tasks, supply)
    else:
        yield edf_utilization.analyze(tasks, supply)
        yield qpa.analyze(tasks, supply)
        yield processor_demand.analyze(tasks, supply)
        yield edf_response.analyze(tasks, supply)


def _disproof(tasks: Sequence[Task], scheduler: Scheduler, supply: Supply) -> Iterable[TestResult]:
    """Where the tests above are not exact."""
    if strength_for(tasks, supply) is Strength.EXACT:
        return
    yield from whole_cpu.analyze(tasks, lambda whole: partition.one_cpu(whole, scheduler))


def decide(tests: Iterable[TestResult]) -> Verdict:
    """An exact test decides; else any success of a sufficient one; else any failure of a necessary one."""
    said = [(test.strength, test.verdict) for test in tests if test.verdict is not Verdict.UNKNOWN]
    exact = [verdict for strength, verdict in said if strength is Strength.EXACT]
    if exact:
        return exact[0]
    for wanted in (Verdict.SCHEDULABLE, Verdict.NOT_SCHEDULABLE):
        if any(verdict is wanted for _, verdict in said):
            return wanted
    return Verdict.UNKNOWN


def provable(tests: Iterable[TestResult], nr_tasks: int) -> bool:
    """Whether any test proves the set schedulable; stops at the first one that decides, and where no steps
    are left (effort.together)."""
    left = iter(tests)
    while affords_sum(nr_tasks) and (test := next(left, None)) is not None:
        if test.verdict is not Verdict.UNKNOWN:
            return test.verdict is Verdict.SCHEDULABLE
    return False


def _ties(found: TaskSet) -> Iterable[str]:
    """Of a set that names no order among equals; a profile's is known."""
    levels = [task.level for task in found.tasks]
    if len(set(levels)) < len(levels) and found.scheduler is Scheduler.FIXED_PRIORITY:
        yield "nobody says who goes first among equal levels: the worst is assumed, each loses every tie"


def _assumptions(found: TaskSet) -> Iterable[str]:
    yield "jobs arrive at least a period apart and need at most their wcet, the scheduler's cost included"
    if any(task.blocking_ns for task in found.tasks):
        yield "blocking is as declared, and happens once per job"
    if found.placement is Placement.GLOBAL:
        yield "a waiting job is less urgent than all that run, and moving costs nothing"
    if found.supply.rate != 1 or found.supply.delay_ns:
        rate, gap = percent(found.supply.rate), duration(-(-found.supply.delay_ns // 1))
        yield f"each CPU supplies {rate} of its time, with gaps that delay it by at most {gap}"
