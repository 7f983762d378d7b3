# SPDX-License-Identifier: GPL-2.0-only
"""A profile's analysis, and what follows from it: go on, say so, or refuse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from schedctl.analysis import bertogna_cirinei, capacity, edf_within_priorities, response_time, whole_cpu
from schedctl.analysis.advice import Changes, changes, cpus_needed
from schedctl.analysis.domain import NR_CANDIDATES, Domain, domain_of
from schedctl.analysis.edf_response import Order
from schedctl.analysis.effort import affords_sum
from schedctl.analysis.model import (
    Scheduler,
    Strength,
    Task,
    TaskResult,
    TestResult,
    Verdict,
    not_applicable,
)
from schedctl.analysis.partition import why_not_several
from schedctl.analysis.report import Analysis, TaskSet, analyze_tests, decide, provable
from schedctl.analysis.text import percent
from schedctl.errors import AdmissionError, Problem
from schedctl.profile.model import Admission
from schedctl.profile.times import RANGES
from schedctl.resolve.assignment import Assignment


@dataclass(frozen=True, slots=True)
class ProfileAnalysis:
    domain: Domain
    result: Analysis
    of_threads: Analysis
    """The same with a row per thread where `result` has one per class."""

    @property
    def verdict(self) -> Verdict:
        return self.result.verdict


def analyze_profile(assignment: Assignment) -> ProfileAnalysis:
    """The tests that count for a profile on this host; pure."""
    domain = domain_of(assignment)
    tests = tuple(profile_tests(domain.found, domain.all_cpus, domain.unproven_level))
    verdict = decide(tests)
    of_threads = analyze_tests(domain.found, tests, verdict, domain.assumptions)
    result = replace(of_threads, tests=tuple(_by_class(domain, test) for test in tests))
    return ProfileAnalysis(domain, result, of_threads)


def profile_tests(found: TaskSet, all_cpus: int, unproven_level: int) -> Iterator[TestResult]:
    """Those whose model is what runs; what cannot be claimed because of silent classes is left open."""
    if not found.tasks:
        return
    yield capacity.analyze(found.tasks, all_cpus, found.supply)
    if found.cpus == 1 and (reason := why_not_several(found.tasks, all_cpus)):
        yield not_applicable(edf_within_priorities.NAME, Strength.SUFFICIENT, reason)
    elif found.cpus == 1:
        if all_cpus == 1:
            yield from whole_cpu.analyze(
                found.tasks, lambda tasks: edf_within_priorities.analyze(tasks, order=_order(found))
            )
        yield from _one_cpu(found, unproven_level)
    elif found.cpus > NR_CANDIDATES:
        reason = f"an urgent thread looks at {NR_CANDIDATES} CPUs, in one cache there are {found.cpus}"
        yield not_applicable(bertogna_cirinei.NAME, Strength.SUFFICIENT, reason)
    else:
        result = bertogna_cirinei.analyze(found.tasks, found.cpus, found.scheduler, found.supply)
        yield _claimed(found, result, unproven_level)


def _one_cpu(found: TaskSet, unproven_level: int) -> Iterator[TestResult]:
    result = edf_within_priorities.analyze(found.tasks, found.supply, _order(found))
    yield _claimed(found, result, unproven_level)
    if found.scheduler is Scheduler.FIXED_PRIORITY:
        yield _claimed(found, response_time.analyze(found.tasks, found.supply), unproven_level)


def _order(found: TaskSet) -> Order:
    return Order.RELEASED_DEADLINE if found.scheduler is Scheduler.EDF else Order.RELEASE


def _claimed(found: TaskSet, result: TestResult, unproven_level: int) -> TestResult:
    """Without the tasks that classes of unknown demand may delay."""
    if not unproven_level or not result.tasks:
        return result
    kept = [t for task, t in zip(found.tasks, result.tasks, strict=True) if task.level > unproven_level]
    proven = ", ".join(dict.fromkeys(task.name for task in kept if task.fits)) or "none"
    detail = f"proven: {proven}; not known for level {unproven_level} and below"
    return replace(result, tasks=tuple(kept), verdict=Verdict.UNKNOWN, detail=detail)


def _by_class(domain: Domain, test: TestResult) -> TestResult:
    """One row per class: its threads are alike, and so are their results."""
    owner = {task.name: name for task, name in zip(domain.found.tasks, domain.owners, strict=True)}
    rows: dict[str, TaskResult] = {}
    for task in test.tasks:
        name = owner[task.name]
        rows.setdefault(name, replace(task, name=name))
    return replace(test, tasks=tuple(rows.values()))


def profile_changes(domain: Domain) -> Changes:
    """Changes of one class after which all is schedulable, or what is known is at least possible."""
    groups: dict[str, list[int]] = {}
    for i, owner in enumerate(domain.owners):
        groups.setdefault(owner, []).append(i)

    def fits(tasks: Sequence[Task]) -> bool:
        if any(task.deadline_ns > task.period_ns for task in tasks):
            return False  # the language refuses it
        changed = replace(domain.found, tasks=tuple(tasks))
        return provable(profile_tests(changed, domain.all_cpus, domain.unproven_level), len(tasks))

    def possible(tasks: Sequence[Task]) -> bool:
        if not affords_sum(len(tasks)):
            return False
        used = capacity.analyze(tasks, domain.all_cpus, domain.found.supply)
        return used.verdict is not Verdict.NOT_SCHEDULABLE

    found = changes(domain.found.tasks, groups, fits, ranges=RANGES)
    if found.found or possible(domain.found.tasks):
        return found
    return changes(domain.found.tasks, groups, possible, proven=False, ranges=RANGES)


def profile_cpus(domain: Domain) -> Iterator[str]:
    """How many CPUs a host with one last-level cache needs for these tasks."""

    def fits_on(cpus: int) -> bool:
        tests = profile_tests(replace(domain.found, cpus=cpus), cpus, domain.unproven_level)
        return provable(tests, len(domain.found.tasks))

    if domain.found.cpus == domain.all_cpus:
        yield from cpus_needed(domain.found, fits_on, NR_CANDIDATES)


def admit(assignment: Assignment) -> tuple[Problem, ...]:
    """Nothing, a note or a warning; raises AdmissionError where the policy is to enforce."""
    policy = assignment.policy.admission
    if policy is Admission.OFF or not any(cls.levels for cls in assignment.classes):
        return ()
    found = analyze_profile(assignment)
    if found.verdict is Verdict.SCHEDULABLE:
        return ()
    if found.verdict is Verdict.UNKNOWN:
        return (_note(_not_known(found)),)
    message, hint = _refusal(assignment.profile, found)
    if policy is Admission.ENFORCE:
        raise AdmissionError(message, hint)
    return (replace(_note(message), severity="warning", hint=hint),)


def _note(message: str) -> Problem:
    return Problem("note", "", 0, 0, "", message)


def _not_known(found: ProfileAnalysis) -> str:
    if not found.domain.owners:
        return "deadlines are not checked: no class with a level says runtime, period and threads"
    return "it is not known whether all deadlines are met: `schedctl analyze` says what is missing"


def _refusal(profile: str, found: ProfileAnalysis) -> tuple[str, str]:
    test = next(test for test in found.result.tests if test.verdict is Verdict.NOT_SCHEDULABLE)
    late = [task.name for task in test.tasks if not task.fits]
    largest = _largest(found.domain)
    who = f"class {late[0]}" if late else f"class {largest[0]} alone asks for {percent(largest[1])} of a CPU"
    detail = test.detail.removeprefix(f"{late[0]}: ") if late else test.detail
    cpus = found.domain.all_cpus
    where = "one CPU" if cpus == 1 else f"{cpus} CPUs"
    said = f"{who}: {detail}" if late else f"{detail}, {who}"
    message = f"profile {profile} cannot meet its deadlines on {where}: {said} (test: {test.name})"
    options = profile_changes(found.domain)
    hint = "no change of a single class makes it fit"
    if not options.all_tried:
        hint = "to look for a change that fits takes too long"
    hint = options.found[0].text if options.found else hint
    return message, f"{hint}; 'admission: warn' applies it all the same"


def _largest(domain: Domain) -> tuple[str, Fraction]:
    """The class that asks for the most, and how much of a CPU that is."""
    used: dict[str, Fraction] = {}
    for task, owner in zip(domain.found.tasks, domain.owners, strict=True):
        used[owner] = used.get(owner, Fraction(0)) + task.utilization
    return max(used.items(), key=lambda item: item[1])
