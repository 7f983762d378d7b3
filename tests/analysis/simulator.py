# SPDX-License-Identifier: GPL-2.0-only
"""A small exact simulator of preemptive schedulers in integer time: the oracle of the analysis.

It shares no code with schedctl/analysis but the Task. Jobs are given with their arrivals and releases;
the CPUs run the most urgent ready ones; where locks are given, a job holds resources in parts of its
execution, also one inside another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from schedctl.analysis.model import Task

Urgency = Callable[["Job"], tuple[int, ...]]


class Section(NamedTuple):
    """A job holds the resource while what it has run lies between the two."""

    resource: str
    start: int
    end: int


@dataclass(slots=True, eq=False)
class Job:
    task: Task
    arrival: int
    release: int
    left: int
    done_at: int | None = None
    sections: tuple[Section, ...] = ()

    @property
    def due(self) -> int:
        return self.arrival + self.task.deadline_ns

    @property
    def ran(self) -> int:
        return self.task.wcet_ns - self.left

    @property
    def holds(self) -> set[str]:
        return {resource for resource, start, end in self.sections if start < self.ran < end}

    @property
    def wants(self) -> set[str]:
        return {resource for resource, start, _ in self.sections if start == self.ran}


def fixed_priority(job: Job) -> tuple[int, ...]:
    """A tie goes to the job that was released first."""
    return (-job.task.level, job.release, job.arrival)


def lose_ties(victim: Task) -> Urgency:
    """Fixed priorities where this task's jobs go behind their equals."""
    return lambda job: (-job.task.level, job.task is victim, job.release, job.arrival)


def edf(job: Job) -> tuple[int, ...]:
    return (job.due,)


def edf_within(job: Job) -> tuple[int, ...]:
    return (-job.task.level, job.due)


def released_deadline_within(job: Job) -> tuple[int, ...]:
    """As the scheduler's levels: the deadline counts from the release."""
    return (-job.task.level, job.release + job.task.deadline_ns, job.arrival)


def late_victim(urgency: Urgency, victim: Task) -> Urgency:
    return lambda job: (*urgency(job)[:2], job.task is victim, job.arrival)


@dataclass(slots=True)
class Outcome:
    worst: dict[str, int] = field(default_factory=dict)
    """Task name -> its longest response, from the arrival."""
    missed: Job | None = None


def simulate(
    jobs: Iterable[Job],
    urgency: Urgency,
    cpus: int = 1,
    gaps: Sequence[tuple[int, int]] = (),
    ceilings: dict[str, int] | None = None,
) -> Outcome:
    """Run the jobs to their ends; `gaps` are [start, end) in which no CPU is there.

    With `ceilings` a job that holds a resource has at least its ceiling, else what it inherits.
    """
    waiting = sorted(jobs, key=lambda job: -job.release)
    ready: list[Job] = []
    time, outcome = 0, Outcome()
    ends = sorted((edge, start) for start, end in gaps for edge in (start, end))
    while waiting or ready:
        if not ready:
            time = max(time, waiting[-1].release)
        while waiting and waiting[-1].release <= time:
            ready.append(waiting.pop())
        gone = any(start <= time < end for start, end in gaps)
        running = [] if gone else _choose(ready, urgency, cpus, ceilings)
        steps = [job.left for job in running]
        for job in running:
            edges = (edge for _, *both in job.sections for edge in both)
            steps += [edge - job.ran for edge in edges if edge > job.ran]
        if waiting:
            steps.append(waiting[-1].release - time)
        steps += [edge - time for edge, _ in ends if edge > time][:1]
        step = min(steps)
        if any(job.wants for job in running):
            step = min(step, 1)
        time += step
        for job in running:
            job.left -= step
            if not job.left:
                _finish(job, time, outcome)
        ready = [job for job in ready if job.left]
    return outcome


def _choose(ready: list[Job], urgency: Urgency, cpus: int, ceilings: dict[str, int] | None) -> list[Job]:
    if not any(job.sections for job in ready):
        return sorted(ready, key=urgency)[:cpus]
    assert cpus == 1
    if ceilings is not None:  # immediate ceilings: a holder has its resource's ceiling

        def level(job: Job) -> tuple[int, ...]:
            if held := job.holds:
                return (min(urgency(job)[0], *(-ceilings[resource] for resource in held)), -1)
            return urgency(job)

        return [min(ready, key=level)]
    best = min(ready, key=urgency)
    while (wanted := best.wants) and (holders := [job for job in ready if job.holds & wanted]):
        best = holders[0]  # whoever holds what the most urgent one wants runs in its place
    return [best]


def _finish(job: Job, time: int, outcome: Outcome) -> None:
    job.done_at = time
    response = time - job.arrival
    outcome.worst[job.task.name] = max(outcome.worst.get(job.task.name, 0), response)
    if response > job.task.deadline_ns and outcome.missed is None:
        outcome.missed = job


def critical_instant(tasks: Sequence[Task], until: int) -> list[Job]:
    """All released together at 0, each as late as its jitter allows, then as soon as possible."""
    jobs = []
    for task in tasks:
        arrival = -task.jitter_ns
        while arrival < until:
            jobs.append(Job(task, arrival, max(0, arrival), task.wcet_ns))
            arrival += task.period_ns
    return jobs


def gaps_of(period: int, budget: int, until: int, random: Random) -> list[tuple[int, int]]:
    """Where a periodic supply gives nothing, from when one period's budget was used up at its start.

    The later ones come as late as they may, or in pieces.
    """
    gone = period - budget
    gaps = [(0, gone)]
    for start in range(gone, until, period):
        if random.random() < 0.6:
            gaps.append((start, start + gone))
        else:
            gaps += [(start + slot, start + slot + 1) for slot in random.sample(range(period), gone)]
    return gaps if gone else []


def sporadic(tasks: Sequence[Task], until: int, random: Random) -> list[Job]:
    """Random offsets, gaps and jitter; about half of the tasks are periodic after their offset."""
    jobs = []
    for task in tasks:
        arrival = random.randrange(task.period_ns)
        loose = random.random() < 0.5
        while arrival < until:
            late = random.choice((0, task.jitter_ns, random.randint(0, task.jitter_ns)))
            wcet = task.wcet_ns if random.random() < 0.8 else random.randint(1, task.wcet_ns)
            job = Job(task, arrival, arrival + late, task.wcet_ns)
            job.left = wcet
            jobs.append(job)
            arrival += task.period_ns + (random.randint(0, task.period_ns) if loose else 0)
    return jobs
